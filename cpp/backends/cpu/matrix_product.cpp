#include "backends/cpu/matrix_product.h"

#include <cstring>
#include <vector>

#include "backends/cpu/tiles.h"
#include "base/error.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGatheredDepths = 32;

// Elements that lie anywhere, copied into rows of one panel's lines, depth by depth.
template <class Item>
void copy_rows(const char* from, int64_t line_stride, int64_t depth_stride, int64_t lines, int64_t depths,
               Item* rows) {
  const Item* first = reinterpret_cast<const Item*>(from);
  for (int64_t d = 0; d < depths; ++d)
    for (int64_t i = 0; i < lines; ++i) rows[d * lines + i] = first[d * depth_stride + i * line_stride];
}

}  // namespace

PackedType packed_type(DType dtype) {
  if (dtype == DType::Float32) return PackedType::Float32;
  return dtype == DType::Float16 ? PackedType::Float16 : PackedType::BFloat16;
}

MatrixSource::MatrixSource(const void* data, DType dtype, int64_t line_stride, int64_t depth_stride)
    : data_(static_cast<const char*>(data)),
      type_(packed_type(dtype)),
      item_(static_cast<int64_t>(item_size(dtype))),
      line_stride_(line_stride),
      depth_stride_(depth_stride) {}

Unpacked MatrixSource::unpacked_lines(const ProductKernels& kernels) const {
  const bool words = item_ * kernels.depth == 4 && depth_stride_ == 1 && line_stride_ % kernels.depth == 0;
  if (!words || reinterpret_cast<uintptr_t>(data_) % 4) return {};
  return {reinterpret_cast<const uint32_t*>(data_), line_stride_ / kernels.depth};
}

Unpacked MatrixSource::unpacked_depths(const ProductKernels& kernels) const {
  if (item_ != 4 || kernels.depth != 1 || line_stride_ != 1) return {};
  return {reinterpret_cast<const uint32_t*>(data_), depth_stride_};
}

void MatrixSource::pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const {
  const char* start = data_ + (block.first * line_stride_ + block.begin * depth_stride_) * item_;
  const int64_t depths = block.depths();
  const auto type = static_cast<size_t>(type_);
  if (depth_stride_ == 1 && line_stride_ != 1) {
    layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t width, uint32_t* panel) {
      layout.kernels.transpose[type](start + at * line_stride_ * item_, line_stride_, lines, depths, width,
                                     panel);
    });
    return;
  }
  std::vector<const void*> rows(static_cast<size_t>(depths));
  if (line_stride_ == 1) {
    for (int64_t d = 0; d < depths; ++d) rows[static_cast<size_t>(d)] = start + d * depth_stride_ * item_;
    // A few depths of all panels at a time, whose rows then stay in the first-level cache.
    for (int64_t d = 0; d < depths; d += kGatheredDepths) {
      const int64_t count = std::min(kGatheredDepths, depths - d);
      layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t width, uint32_t* panel) {
        const Segment segment{0, at, lines};
        layout.kernels.gather[type](rows.data() + d, count, &segment, 1, false, width,
                                    panel + layout.kernels.steps(d) * width);
      });
    }
    return;
  }
  std::vector<char> copies(static_cast<size_t>(layout.width * depths * item_));
  layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t width, uint32_t* panel) {
    const char* from = start + at * line_stride_ * item_;
    if (item_ == 4)
      copy_rows(from, line_stride_, depth_stride_, lines, depths, reinterpret_cast<uint32_t*>(copies.data()));
    else
      copy_rows(from, line_stride_, depth_stride_, lines, depths, reinterpret_cast<uint16_t*>(copies.data()));
    for (int64_t d = 0; d < depths; ++d) rows[static_cast<size_t>(d)] = copies.data() + d * lines * item_;
    const Segment segment{0, 0, lines};
    layout.kernels.gather[type](rows.data(), depths, &segment, 1, false, width, panel);
  });
}

char* MatrixTarget::at(int64_t row, int64_t column) const {
  return static_cast<char*>(data_) + (row * stride_ + column) * static_cast<int64_t>(item_size(dtype_));
}

bool MatrixTarget::place(ResultBlock& block) const {
  if (!data_ || dtype_ != DType::Float32) return false;
  block.data = reinterpret_cast<float*>(at(block.row, block.column));
  block.stride = stride_;
  return true;
}

void MatrixTarget::load(const ResultBlock& block) const {
  for (int64_t i = 0; i < block.rows; ++i)
    convert(dtype_, DType::Float32, at(block.row + i, block.column), block.data + i * block.stride,
            block.columns);
}

void MatrixTarget::store(const ResultBlock& block) const {
  for (int64_t i = 0; i < block.rows; ++i)
    convert(DType::Float32, dtype_, block.data + i * block.stride, at(block.row + i, block.column),
            block.columns);
}

}  // namespace mlx::cpu

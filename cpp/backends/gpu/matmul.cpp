// Matrix products.

#include "backends/gpu/finish.h"

namespace mlx::gpu {
namespace {

constexpr size_t kMaxStack = 6;
constexpr uint32_t kTile = 64, kTiledThreads = 128, kSide = 16, kVectorsAtOnce = 4;

// As in metal/matmul.metal.
struct Layout {
  uint32_t m, n, k, stack_dims;
  uint32_t stack[kMaxStack];
  int64_t a_stack[kMaxStack], b_stack[kMaxStack];
  int64_t a_row, a_column, b_row, b_column;
};

bool small_enough(const Shape& shape) {
  return std::all_of(shape.begin(), shape.end(), [](int64_t size) { return size <= INT32_MAX; });
}

Layout layout_of(const Shape& shape, const Tensor& a, const Tensor& b) {
  Layout l{};
  l.m = static_cast<uint32_t>(a.size(-2));
  l.n = static_cast<uint32_t>(b.size(-1));
  l.k = static_cast<uint32_t>(a.size(-1));
  l.stack_dims = static_cast<uint32_t>(shape.size() - 2);
  for (uint32_t d = 0; d < l.stack_dims; ++d) {
    l.stack[d] = static_cast<uint32_t>(shape[d]);
    l.a_stack[d] = a.stride(d), l.b_stack[d] = b.stride(d);
  }
  l.a_row = a.stride(-2), l.a_column = a.stride(-1);
  l.b_row = b.stride(-2), l.b_column = b.stride(-1);
  return l;
}

bool can_multiply(const Shape& shape, const Tensor& a, const Tensor& b) {
  return has_type(a.dtype()) && a.dtype() != DType::Bool && a.dtype() == b.dtype() &&
         shape.size() <= kMaxStack + 2 && small_enough(shape) && small_enough(a.shape());
}

// The kernel that makes the elements of a product of this shape.
Head head_of(const Shape& shape, const Tensor& a, const Tensor& b, const Layout& layout) {
  const DType type = a.dtype();
  const bool tiled = is_floating(type), vector = tiled && (layout.m == 1 || layout.n == 1);
  const char* sum = tiled ? "float" : is_complex(type) ? "complex64" : type == DType::Int64 ? "long" : "int";
  const auto count = static_cast<uint32_t>(numel(shape) / (int64_t{layout.m} * layout.n));
  const uint32_t side = tiled ? kTile : kSide;
  Head head{"matmul",
            vector ? "matvec" : "matmul",
            {{"T", type_text(type)}, {"SUM", sum}, {"TILED", tiled ? "1" : "0"}},
            {read(a), read(b), bytes(layout)},
            {ceil_div(layout.n, side), ceil_div(layout.m, side), count},
            tiled ? Size{kTiledThreads} : Size{kSide, kSide}};
  if (vector) head.groups = {ceil_div(layout.m * layout.n, kVectorsAtOnce), 1, count};
  return head;
}

bool matmul(const MatMul&, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &a = launch.in(0), &b = launch.in(1);
  if (!can_multiply(out.shape(), a, b)) return false;
  const Tensor* addend = launch.inputs.size() > 2 ? &launch.in(2) : nullptr;
  const Layout layout = layout_of(out.shape(), a, b);
  return run_product(head_of(out.shape(), a, b, layout), launch, addend,
                     addend ? broadcast_strides(*addend, out.shape()) : Shape(), runtime);
}

bool fused_matmul(const FusedMatMul& k, const Launch& launch, Runtime& runtime) {
  const Tensor &a = launch.in(0), &b = launch.in(1);
  const Shape& shape = k.program->shape;
  if (!can_multiply(shape, a, b)) return false;
  const Layout layout = layout_of(shape, a, b);
  return run_product(head_of(shape, a, b, layout), launch, *k.program, runtime);
}

GPU_KERNEL(MatMul, matmul);
GPU_KERNEL(FusedMatMul, fused_matmul);

}  // namespace
}  // namespace mlx::gpu

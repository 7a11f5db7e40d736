// Matrix products.

#include "backends/gpu/gpu_backend.h"

namespace mlx::gpu {
namespace {

constexpr size_t kMaxStack = 6;
constexpr uint32_t kTile = 64, kTiledThreads = 128, kSide = 16, kVectorsAtOnce = 4;

// As in metal/matmul.metal.
struct Layout {
  uint32_t m, n, k, stack_dims;
  uint32_t stack[kMaxStack];
  int64_t a_stack[kMaxStack], b_stack[kMaxStack], out_stack[kMaxStack];
  int64_t a_row, a_column, b_row, b_column, out_row, out_column;
};

bool small_enough(const Tensor& t) {
  for (int64_t size : t.shape())
    if (size > INT32_MAX) return false;
  return t.dim() <= static_cast<int64_t>(kMaxStack) + 2;
}

Layout layout_of(const Tensor& out, const Tensor& a, const Tensor& b) {
  Layout l{};
  l.m = static_cast<uint32_t>(a.size(-2));
  l.n = static_cast<uint32_t>(b.size(-1));
  l.k = static_cast<uint32_t>(a.size(-1));
  l.stack_dims = static_cast<uint32_t>(out.dim() - 2);
  for (uint32_t d = 0; d < l.stack_dims; ++d) {
    l.stack[d] = static_cast<uint32_t>(out.size(d));
    l.a_stack[d] = a.stride(d), l.b_stack[d] = b.stride(d), l.out_stack[d] = out.stride(d);
  }
  l.a_row = a.stride(-2), l.a_column = a.stride(-1);
  l.b_row = b.stride(-2), l.b_column = b.stride(-1);
  l.out_row = out.stride(-2), l.out_column = out.stride(-1);
  return l;
}

uint32_t tiles(uint32_t size, uint32_t side) { return (size + side - 1) / side; }

bool matmul(const MatMul& k, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &a = launch.in(0), &b = launch.in(1);
  const DType type = out.dtype();
  if (!has_type(type) || type == DType::Bool || a.dtype() != type || b.dtype() != type ||
      !small_enough(out) || !small_enough(a))
    return false;
  const Layout layout = layout_of(out, a, b);
  const bool tiled = is_floating(type), vector = tiled && (layout.m == 1 || layout.n == 1);
  const char* sum = tiled ? "float" : is_complex(type) ? "complex64" : type == DType::Int64 ? "long" : "int";
  const Kernel* kernel = gpu::kernel(runtime, "matmul", vector ? "matvec" : "matmul",
                                     {{"T", type_text(type)},
                                      {"SUM", sum},
                                      {"TILED", tiled ? "1" : "0"},
                                      {"ACCUMULATE", k.accumulate ? "1" : "0"}});
  const auto count = static_cast<uint32_t>(out.numel() / (int64_t{layout.m} * layout.n));
  const uint32_t side = tiled ? kTile : kSide;
  Size groups{tiles(layout.n, side), tiles(layout.m, side), count};
  Size threads = tiled ? Size{kTiledThreads} : Size{kSide, kSide};
  if (vector) groups = {tiles(layout.m * layout.n, kVectorsAtOnce), 1, count};
  run(runtime, launch, kernel, {read(a), read(b), k.accumulate ? update(out) : write(out), bytes(layout)},
      groups, threads);
  return true;
}

GPU_KERNEL(MatMul, matmul);

}  // namespace
}  // namespace mlx::gpu

// Reductions: each result gathers its elements tile by tile.

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {
namespace {

// The sum of a tile in pairs, which keeps the rounding error of float small.
template <class T>
T sum_tile(const T* p, int64_t n) {
  if (n > 64) {
    int64_t half = n / 2;
    return sum_tile(p, half) + sum_tile(p + half, n - half);
  }
  T s{};
  for (int64_t i = 0; i < n; ++i) s += p[i];
  return s;
}

template <class T>
T reduce_tile(Reduction kind, const T* p, int64_t n) {
  if (kind == Reduction::Sum) return sum_tile(p, n);
  T any{};
  for (int64_t i = 0; i < n; ++i) any = any != T{} || p[i] != T{} ? T(1) : T{};
  return any;
}

void reduce(const Reduce& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  Shape shape, strides;
  int64_t each = 1;
  for (bool inner : {false, true})
    for (int64_t d = 0; d < in.dim(); ++d) {
      bool reduced = out.size(d) == 1 && in.size(d) != 1;
      if (reduced != inner) continue;
      shape.push_back(in.size(d));
      strides.push_back(in.stride(d));
      if (inner) each *= in.size(d);
    }
  Layout from(in, shape, strides);
  DType compute = compute_type(in.dtype());
  visit_compute(compute, [&](auto zero) {
    using T = decltype(zero);
    parallel_for(0, out.numel(), std::max<int64_t>(1, 32768 / std::max<int64_t>(each, 1)), [&](int64_t begin, int64_t end) {
      TileReader reader(from, compute);
      for (int64_t i = begin; i < end; ++i) {
        T total{};
        for (int64_t at = 0; at < each; at += kTile) {
          int64_t n = std::min(kTile, each - at);
          T part = reduce_tile(k.kind, static_cast<const T*>(reader.read(i * each + at, n)), n);
          total = k.kind == Reduction::Sum ? T(total + part) : (total != T{} || part != T{} ? T(1) : T{});
        }
        DType result = k.kind == Reduction::Sum ? compute : DType::UInt8;
        uint8_t flag = total != T{};
        convert(result, out.dtype(), k.kind == Reduction::Sum ? static_cast<const void*>(&total) : &flag, static_cast<char*>(out.raw()) + i * static_cast<int64_t>(out.item_size()), 1);
      }
    });
  });
}

CPU_KERNEL(Reduce, reduce);

}  // namespace
}  // namespace mlx::cpu

// Kernels whose elements follow from their position: triangles of matrices, evenly spaced numbers.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/pair_nest.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 32 * kTile;

void triangle(const Triangle& k, const Launch& launch) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  if (out.numel() == 0) return;
  const size_t dims = out.shape().size();
  const int64_t rows = out.size(-2), columns = out.size(-1), in_step = in.stride(-1),
                out_step = out.stride(-1);
  // Row by row, with the rows of all matrices counted through.
  std::span<const int64_t> shape(out.shape().data(), dims - 1), from(in.strides().data(), dims - 1),
      to(out.strides().data(), dims - 1);
  const PairNest nest(shape, from, to);
  visit_item(out.item_size(), [&](auto zero) {
    using T = decltype(zero);
    parallel_for(0, nest.count, std::max<int64_t>(1, kGrain / columns), [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; ++at) {
        nest.for_runs(at, 1, [&](int64_t a, int64_t b, int64_t) {
          const T* p = in.data<T>() + a;
          T* q = out.data<T>() + b;
          // Columns [0, edge) are at or below the diagonal.
          const int64_t edge = std::clamp<int64_t>(at % rows + k.diagonal + (k.upper ? 0 : 1), 0, columns);
          const int64_t first = k.upper ? edge : 0, last = k.upper ? columns : edge;
          if (in_step == 1 && out_step == 1) {
            std::fill(q, q + first, T{});
            std::copy(p + first, p + last, q + first);
            std::fill(q + last, q + columns, T{});
            return;
          }
          for (int64_t c = 0; c < first; ++c) q[c * out_step] = T{};
          for (int64_t c = first; c < last; ++c) q[c * out_step] = p[c * in_step];
          for (int64_t c = last; c < columns; ++c) q[c * out_step] = T{};
        });
      }
    });
  });
}

// Counts from the nearer end, so that both ends are met exactly.
template <class Real>
void fill_spaced(const Spaced& k, const Tensor& out, Real start, Real end) {
  const int64_t steps = out.numel(), stride = out.stride(0);
  const Real step = steps > 1 ? (end - start) / Real(static_cast<double>(steps - 1)) : Real(0);
  parallel_for(0, steps, kGrain, [&](int64_t first, int64_t last) {
    visit(out.dtype(), [&](auto zero) {
      using T = decltype(zero);
      T* p = out.data<T>();
      for (int64_t i = first; i < last; ++i) {
        Real v = i < steps / 2 || steps == 1 ? start + Real(static_cast<double>(i)) * step
                                             : end - Real(static_cast<double>(steps - 1 - i)) * step;
        if (k.powers) v = std::pow(Real(k.base), v);
        p[i * stride] = Scalar(v).template to<T>();
      }
    });
  });
}

void spaced(const Spaced& k, const Launch& launch) {
  const Tensor& out = launch.out();
  if (out.is_complex())
    fill_spaced(k, out, k.start.to_complex(), k.end.to_complex());
  else
    fill_spaced(k, out, k.start.to_double(), k.end.to_double());
}

CPU_KERNEL(Triangle, triangle);
CPU_KERNEL(Spaced, spaced);

}  // namespace
}  // namespace mlx::cpu

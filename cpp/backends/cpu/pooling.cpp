// Poolings, one plane (D, H, W) after the other, split over the pool.

#include <limits>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {
namespace {

struct Range {
  int64_t begin, end;
};

// A plane's sizes; index() counts through it.
struct Plane {
  int64_t size[3];
  explicit Plane(const Tensor& t) : size{t.size(1), t.size(2), t.size(3)} {}
  int64_t numel() const { return size[0] * size[1] * size[2]; }
  int64_t index(int64_t d, int64_t h, int64_t w) const { return (d * size[1] + h) * size[2] + w; }
};

// The cell of an adaptive pooling: its edges are rounded outwards.
Range cell(int64_t i, int64_t out, int64_t in) { return {i * in / out, ((i + 1) * in + out - 1) / out}; }

// Runs body(plane number) over the pool, in pieces of a few thousand elements.
template <class Body>
void for_planes(int64_t count, int64_t work, Body&& body) {
  parallel_for(0, count, std::max<int64_t>(1, 32768 / std::max<int64_t>(work, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t p = begin; p < end; ++p) body(p);
               });
}

// Calls f with the type to compute in, and tensors of that type: the half types go through float.
template <class F>
void with_compute_type(const Launch& launch, F&& f) {
  DType compute = compute_type(launch.in(0).dtype());
  auto widened = [&](const Tensor& t) {
    if (t.dtype() == compute) return t;
    Tensor wide = allocate(t.shape(), compute);
    copy_elements(wide, t);
    return wide;
  };
  Tensor in = widened(launch.in(0));
  Tensor out = launch.out().dtype() == compute ? launch.out() : allocate(launch.out().shape(), compute);
  visit_compute(compute, [&](auto zero) { f(zero, in, out); });
  if (!out.is(launch.out())) copy_elements(launch.out(), out);
}

// The largest element among those that `visit` shows and the first place it lies at; NaN is above all, and of
// several the last counts, as in PyTorch.
template <class T>
struct Largest {
  T value{};
  int64_t place = -1;
  void see(T v, int64_t at) {
    if (place < 0 || v > value || v != v) {
      value = v;
      place = at;
    }
  }
};

// Whether these are windows of images, none of which reaches beyond the border.
bool all_inside(const Window& w, const Plane& from, const Plane& to) {
  bool inside = from.size[0] == 1 && w.kernel[0] == 1;
  for (int i = 0; i < 3; ++i)
    inside = inside && w.padding[i] == 0 &&
             (to.size[i] - 1) * w.stride[i] + (w.kernel[i] - 1) * w.dilation[i] < from.size[i];
  return inside;
}

// One row of windows that lie inside of the image, the first of them at `start`.
template <class T>
void max_pool_row(const Window& w, const Plane& from, const T* plane, int64_t start, int64_t n, T* out,
                  int64_t* places) {
  for (int64_t c = 0; c < n; ++c, start += w.stride[2]) {
    Largest<T> best;
    for (int64_t b = 0; b < w.kernel[1]; ++b)
      for (int64_t e = 0; e < w.kernel[2]; ++e) {
        const int64_t at = start + b * w.dilation[1] * from.size[2] + e * w.dilation[2];
        best.see(plane[at], at);
      }
    out[c] = best.value;
    places[c] = best.place;
  }
}

void max_pool(const MaxPool& k, const Launch& launch) {
  const Window& w = k.window;
  int64_t* places = launch.out(1).data<int64_t>();
  with_compute_type(launch, [&](auto zero, const Tensor& in, const Tensor& out) {
    using T = decltype(zero);
    if constexpr (!std::is_arithmetic_v<T>)
      throw NotImplementedError("max_pool is not implemented for complex tensors");
    else {
      Plane from(in), to(out);
      if (all_inside(w, from, to))
        return for_planes(in.size(0), from.numel(), [&](int64_t p) {
          const int64_t line = p * to.size[1];
          for (int64_t h = 0; h < to.size[1]; ++h)
            max_pool_row(w, from, in.data<T>() + p * from.numel(), h * w.stride[1] * from.size[2], to.size[2],
                         out.data<T>() + (line + h) * to.size[2], places + (line + h) * to.size[2]);
        });
      for_planes(in.size(0), from.numel(), [&](int64_t p) {
        const T* x = in.data<T>() + p * from.numel();
        int64_t at = p * to.numel();
        int64_t start[3];
        for (int64_t d = 0; d < to.size[0]; ++d)
          for (int64_t h = 0; h < to.size[1]; ++h)
            for (int64_t c = 0; c < to.size[2]; ++c, ++at) {
              const int64_t position[3] = {d, h, c};
              for (int i = 0; i < 3; ++i) {
                start[i] = position[i] * w.stride[i] - w.padding[i];
                while (start[i] < 0) start[i] += w.dilation[i];
              }
              auto stop = [&](int i) {
                return std::min(
                    position[i] * w.stride[i] - w.padding[i] + (w.kernel[i] - 1) * w.dilation[i] + 1,
                    from.size[i]);
              };
              Largest<T> best;
              for (int64_t a = start[0]; a < stop(0); a += w.dilation[0])
                for (int64_t b = start[1]; b < stop(1); b += w.dilation[1])
                  for (int64_t e = start[2], last = stop(2); e < last; e += w.dilation[2])
                    best.see(x[from.index(a, b, e)], from.index(a, b, e));
              out.data<T>()[at] = best.value;
              places[at] = best.place;
            }
      });
    }
  });
}

void adaptive_max_pool(const AdaptiveMaxPool&, const Launch& launch) {
  int64_t* places = launch.out(1).data<int64_t>();
  with_compute_type(launch, [&](auto zero, const Tensor& in, const Tensor& out) {
    using T = decltype(zero);
    if constexpr (!std::is_arithmetic_v<T>)
      throw NotImplementedError("adaptive_max_pool is not implemented for complex tensors");
    else {
      Plane from(in), to(out);
      for_planes(in.size(0), from.numel(), [&](int64_t p) {
        const T* x = in.data<T>() + p * from.numel();
        int64_t at = p * to.numel();
        for (int64_t d = 0; d < to.size[0]; ++d)
          for (int64_t h = 0; h < to.size[1]; ++h)
            for (int64_t c = 0; c < to.size[2]; ++c, ++at) {
              Range r[3] = {cell(d, to.size[0], from.size[0]), cell(h, to.size[1], from.size[1]),
                            cell(c, to.size[2], from.size[2])};
              Largest<T> best;
              for (int64_t a = r[0].begin; a < r[0].end; ++a)
                for (int64_t b = r[1].begin; b < r[1].end; ++b)
                  for (int64_t e = r[2].begin; e < r[2].end; ++e)
                    best.see(x[from.index(a, b, e)], from.index(a, b, e));
              out.data<T>()[at] = best.value;
              places[at] = best.place;
            }
      });
    }
  });
}

// Sums (forward) or spreads (backward) between the small plane's element `cell_index` and the large
// plane's box.
template <class T>
void sum_box(const Plane& large, const Range (&r)[3], const T* x, T divisor, T* result) {
  T total(0);
  for (int64_t a = r[0].begin; a < r[0].end; ++a)
    for (int64_t b = r[1].begin; b < r[1].end; ++b)
      for (int64_t e = r[2].begin; e < r[2].end; ++e) total += x[large.index(a, b, e)];
  *result = total / divisor;
}

template <class T>
void spread_box(const Plane& large, const Range (&r)[3], T* x, T divisor, const T* g) {
  const T each = *g / divisor;
  for (int64_t a = r[0].begin; a < r[0].end; ++a)
    for (int64_t b = r[1].begin; b < r[1].end; ++b)
      for (int64_t e = r[2].begin; e < r[2].end; ++e) x[large.index(a, b, e)] += each;
}

// Means over boxes. `box(position, ranges)` fills the ranges of the large plane and returns the divisor.
template <class Box>
void mean_boxes(const Launch& launch, bool backward, Box&& box) {
  with_compute_type(launch, [&](auto zero, const Tensor& in, const Tensor& out) {
    using T = decltype(zero);
    Plane large(backward ? out : in), small(backward ? in : out);
    for_planes(in.size(0), large.numel(), [&](int64_t p) {
      const T* from = in.data<T>() + p * (backward ? small : large).numel();
      T* to = out.data<T>() + p * (backward ? large : small).numel();
      if (backward) std::fill(to, to + large.numel(), T(0));
      for (int64_t d = 0; d < small.size[0]; ++d)
        for (int64_t h = 0; h < small.size[1]; ++h)
          for (int64_t w = 0; w < small.size[2]; ++w) {
            Range r[3];
            const int64_t position[3] = {d, h, w};
            T divisor = T(box(position, large, small, r));
            if (backward)
              spread_box(large, r, to, divisor, from++);
            else
              sum_box(large, r, from, divisor, to++);
          }
    });
  });
}

void avg_pool(const AvgPool& k, const Launch& launch) {
  const Window& w = k.window;
  mean_boxes(launch, k.backward,
             [&](const int64_t (&position)[3], const Plane& large, const Plane&, Range(&r)[3]) {
               int64_t inside = 1, padded = 1;
               for (int i = 0; i < 3; ++i) {
                 int64_t begin = position[i] * w.stride[i] - w.padding[i],
                         end = std::min(begin + w.kernel[i], large.size[i] + w.padding[i]);
                 padded *= end - begin;
                 r[i] = {std::max<int64_t>(begin, 0), std::min(end, large.size[i])};
                 inside *= r[i].end - r[i].begin;
               }
               return static_cast<double>(k.divisor ? k.divisor : k.count_include_pad ? padded : inside);
             });
}

void adaptive_avg_pool(const AdaptiveAvgPool& k, const Launch& launch) {
  mean_boxes(launch, k.backward,
             [](const int64_t (&position)[3], const Plane& large, const Plane& small, Range(&r)[3]) {
               int64_t count = 1;
               for (int i = 0; i < 3; ++i) {
                 r[i] = cell(position[i], small.size[i], large.size[i]);
                 count *= r[i].end - r[i].begin;
               }
               return static_cast<double>(count);
             });
}

CPU_KERNEL(MaxPool, max_pool);
CPU_KERNEL(AdaptiveMaxPool, adaptive_max_pool);
CPU_KERNEL(AvgPool, avg_pool);
CPU_KERNEL(AdaptiveAvgPool, adaptive_avg_pool);

}  // namespace
}  // namespace mlx::cpu

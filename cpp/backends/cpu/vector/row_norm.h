#pragma once
// The passes over one contiguous row that layer and batch normalisation are made of.

#include "backends/cpu/vector/row_softmax.h"

namespace mlx::cpu::MLX_ISA {

template <class T>
double sum_row(const void* from, int64_t n) {
  double total = 0;
  fold_row<T, Sum>(from, n, nullptr, &total);
  return total;
}

template <class T>
double squared_deviation_row(const void* from, int64_t n, double mean) {
  return squared_deviation(static_cast<const T*>(from), n, mean);
}

template <class T>
void affine_row(const void* from, void* to, int64_t n, double mean, double rstd, const void* weight,
                const void* bias) {
  using V = Vec<T>;
  const T *x = static_cast<const T*>(from), *w = static_cast<const T*>(weight),
          *b = static_cast<const T*>(bias);
  const V m(static_cast<T>(mean)), r(static_cast<T>(rstd));
  map_row(n, static_cast<T*>(to), [&](int64_t i, int64_t c) {
    V y = (load_up_to<V>(x + i, c) - m) * r;
    if (w) y = y * load_up_to<V>(w + i, c);
    return b ? y + load_up_to<V>(b + i, c) : y;
  });
}

template <class T>
void scale_shift_row(const void* from, void* to, int64_t n, double mean, double scale, double shift) {
  using V = Vec<T>;
  const T* x = static_cast<const T*>(from);
  const V m(static_cast<T>(mean)), s(static_cast<T>(scale)), b(static_cast<T>(shift));
  map_row(n, static_cast<T*>(to),
          [&](int64_t i, int64_t c) { return fma(load_up_to<V>(x + i, c) - m, s, b); });
}

template <class T>
void scaled_gradient_row(const void* grad, const void* from, void* to, int64_t n, double mean, double rstd,
                         double scale, double a, double b) {
  using V = Vec<T>;
  const T *g = static_cast<const T*>(grad), *x = static_cast<const T*>(from);
  const V m(static_cast<T>(mean)), s(static_cast<T>(scale)), first(static_cast<T>(a)),
      second(static_cast<T>(b * rstd));
  map_row(n, static_cast<T*>(to), [&](int64_t i, int64_t c) {
    return s * (load_up_to<V>(g + i, c) - first - (load_up_to<V>(x + i, c) - m) * second);
  });
}

template <class T>
RowSums gradient_sums_row(const void* grad, const void* from, int64_t n, double mean, double rstd,
                          const void* weight) {
  using V = Vec<T>;
  const T *g = static_cast<const T*>(grad), *x = static_cast<const T*>(from),
          *w = static_cast<const T*>(weight);
  const V m(static_cast<T>(mean));
  RowSums sums{0, 0};
  for (int64_t begin = 0; begin < n; begin += kPartialElements) {
    const int64_t end = n - begin < kPartialElements ? n : begin + kPartialElements;
    V a(0), b(0);
    for (int64_t i = begin; i < end; i += V::kLanes) {
      const int64_t c = end - i < V::kLanes ? end - i : V::kLanes;
      V v = load_up_to<V>(g + i, c);
      if (w) v = v * load_up_to<V>(w + i, c);
      a = a + v;
      b = fma(v, load_up_to<V>(x + i, c) - m, b);
    }
    sums.first += fold_lanes(a, Sum{});
    sums.second += fold_lanes(b, Sum{}) * rstd;
  }
  return sums;
}

template <class T>
void gradient_row(const void* grad, const void* from, void* to, int64_t n, double mean, double rstd,
                  const void* weight, double a, double b) {
  using V = Vec<T>;
  const T *g = static_cast<const T*>(grad), *x = static_cast<const T*>(from),
          *w = static_cast<const T*>(weight);
  const V m(static_cast<T>(mean)), r(static_cast<T>(rstd)), first(static_cast<T>(a)),
      second(static_cast<T>(b * rstd));
  map_row(n, static_cast<T*>(to), [&](int64_t i, int64_t c) {
    V v = load_up_to<V>(g + i, c);
    if (w) v = v * load_up_to<V>(w + i, c);
    return r * (v - first - (load_up_to<V>(x + i, c) - m) * second);
  });
}

template <class T>
void parameter_gradients_row(const void* grad, const void* from, int64_t n, double mean, double rstd,
                             void* d_weight, void* d_bias) {
  using V = Vec<T>;
  const T *g = static_cast<const T*>(grad), *x = static_cast<const T*>(from);
  T *dw = static_cast<T*>(d_weight), *db = static_cast<T*>(d_bias);
  const V m(static_cast<T>(mean)), r(static_cast<T>(rstd));
  for (int64_t i = 0; i < n; i += V::kLanes) {
    const int64_t c = n - i < V::kLanes ? n - i : V::kLanes;
    const V v = load_up_to<V>(g + i, c);
    store_head(load_up_to<V>(dw + i, c) + v * ((load_up_to<V>(x + i, c) - m) * r), dw + i, c);
    store_head(load_up_to<V>(db + i, c) + v, db + i, c);
  }
}

}  // namespace mlx::cpu::MLX_ISA

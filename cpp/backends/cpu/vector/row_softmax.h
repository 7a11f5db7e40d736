#pragma once
// Softmax and its relatives over one contiguous row, which stays in cache between the passes.

#include "backends/cpu/vector/folds.h"

namespace mlx::cpu::MLX_ISA {

MLX_INLINE double log_of(double x) { return __builtin_log(x); }

template <class T>
MLX_INLINE T row_maximum(const T* x, int64_t n) {
  return static_cast<T>(fold_part(x, n, Maximum{}));
}

// The sum of exp(x - shift); the terms themselves go to `out` unless it is null.
template <class T, bool kStore>
MLX_INLINE double exp_sum(const T* x, T* out, int64_t n, T shift) {
  using V = Vec<T>;
  constexpr int64_t step = V::kLanes;
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kPartialElements) {
    const int64_t end = n - begin < kPartialElements ? n : begin + kPartialElements;
    V a(0), b(0);
    int64_t i = begin;
    for (; i + 2 * step <= end; i += 2 * step) {
      const V e = exp(V::load(x + i) - shift), f = exp(V::load(x + i + step) - shift);
      if constexpr (kStore) {
        e.store(out + i);
        f.store(out + i + step);
      }
      a = a + e;
      b = b + f;
    }
    for (; i + step <= end; i += step) {
      const V e = exp(V::load(x + i) - shift);
      if constexpr (kStore) e.store(out + i);
      a = a + e;
    }
    if (i < end) {
      const int64_t count = end - i;
      const V e = exp(load_head<V>(x + i, count) - shift);
      if constexpr (kStore) store_head(e, out + i, count);
      V kept(0);
      std::memcpy(&kept, &e, static_cast<size_t>(count) * sizeof(T));
      a = a + kept;
    }
    total += fold_lanes(a + b, Sum{});
  }
  return total;
}

// What exp() is taken relative to: the largest element, or 0 where that is infinite.
template <class T>
MLX_INLINE T shift_of(T largest) {
  return largest == -extreme<T, true>() || largest == extreme<T, true>() ? T(0) : largest;
}

template <class T>
double row_logsumexp(const void* from, int64_t n) {
  const T* x = static_cast<const T*>(from);
  if (n == 0) return -__builtin_inf();
  const T largest = row_maximum(x, n);
  if (largest == extreme<T, true>() || largest == -extreme<T, true>()) return largest;
  return static_cast<double>(largest) + log_of(exp_sum<T, false>(x, nullptr, n, largest));
}

template <class T, class F>
MLX_INLINE void map_row(int64_t n, T* out, F f) {
  using V = Vec<T>;
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) f(i, int64_t{V::kLanes}).store(out + i);
  if (i < n) store_head(f(i, n - i), out + i, n - i);
}

template <class T>
void softmax_row(const void* from, void* to, int64_t n, bool log) {
  using V = Vec<T>;
  const T* x = static_cast<const T*>(from);
  T* out = static_cast<T*>(to);
  if (n == 0) return;
  const T largest = row_maximum(x, n);
  if (log) {
    const double sum = exp_sum<T, false>(x, nullptr, n, largest);
    const V shift(largest), rest(static_cast<T>(log_of(sum)));
    map_row(n, out, [&](int64_t i, int64_t count) { return (load_up_to<V>(x + i, count) - shift) - rest; });
  } else {
    const double sum = exp_sum<T, true>(x, out, n, largest);
    const V scale(static_cast<T>(1 / sum));
    map_row(n, out, [&](int64_t i, int64_t count) { return load_up_to<V>(out + i, count) * scale; });
  }
}

template <class T>
void softmax_row_backward(const void* grad, const void* result, void* to, int64_t n, bool log) {
  using V = Vec<T>;
  const T *g = static_cast<const T*>(grad), *y = static_cast<const T*>(result);
  T* out = static_cast<T*>(to);
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kPartialElements) {
    const int64_t end = n - begin < kPartialElements ? n : begin + kPartialElements;
    V a(0);
    for (int64_t i = begin; i < end; i += V::kLanes) {
      const int64_t count = end - i < V::kLanes ? end - i : V::kLanes;
      const V v = load_up_to<V>(g + i, count);
      a = log ? a + v : fma(v, load_up_to<V>(y + i, count), a);
    }
    total += fold_lanes(a, Sum{});
  }
  const V sum(static_cast<T>(total));
  if (log)
    map_row(n, out, [&](int64_t i, int64_t c) {
      return load_up_to<V>(g + i, c) - exp(load_up_to<V>(y + i, c)) * sum;
    });
  else
    map_row(n, out,
            [&](int64_t i, int64_t c) { return (load_up_to<V>(g + i, c) - sum) * load_up_to<V>(y + i, c); });
}

template <class T>
void scaled_exp_row(const void* from, void* to, int64_t n, double shift, double scale) {
  using V = Vec<T>;
  const T* x = static_cast<const T*>(from);
  const V s(static_cast<T>(shift)), by(static_cast<T>(scale));
  map_row(n, static_cast<T*>(to),
          [&](int64_t i, int64_t c) { return exp(load_up_to<V>(x + i, c) - s) * by; });
}

}  // namespace mlx::cpu::MLX_ISA

#pragma once
// Softmax down columns: a few registers of neighbouring columns at a time, whose rows stay in cache between
// the passes.

#include "backends/cpu/vector/row_softmax.h"

namespace mlx::cpu::MLX_ISA {

// A sum of registers: floats are added up in doubles, a few terms at a time.
template <class T>
class ColumnSum {
 public:
  MLX_INLINE void add(Vec<T> term) {
    part_ = part_ + term;
    if constexpr (std::is_same_v<T, float>)
      if (++terms_ == kTerms) flush();
  }
  MLX_INLINE Vec<T> total() {
    if constexpr (std::is_same_v<T, float>) {
      flush();
      return from_doubles<float>(wide_);
    }
    return part_;
  }

 private:
  static constexpr int kTerms = 32;
  MLX_INLINE void flush() {
    const DoublePair more = to_doubles(part_);
    wide_ = {wide_.low + more.low, wide_.high + more.high};
    part_ = Vec<T>(0);
    terms_ = 0;
  }
  Vec<T> part_ = Vec<T>(0);
  DoublePair wide_ = {Vec<double>(0), Vec<double>(0)};
  int terms_ = 0;
};

// `count` columns, at most a register's, `stride` elements from row to row.
template <class T, bool kLog>
MLX_INLINE void softmax_lanes(const T* x, T* out, int64_t n, int64_t stride, int64_t count) {
  using V = Vec<T>;
  V most = load_up_to<V>(x, count);
  for (int64_t i = 1; i < n; ++i) most = Maximum{}(most, load_up_to<V>(x + i * stride, count));
  ColumnSum<T> sum;
  for (int64_t i = 0; i < n; ++i) {
    const V e = exp(load_up_to<V>(x + i * stride, count) - most);
    if (!kLog) store_head(e, out + i * stride, count);
    sum.add(e);
  }
  const V total = sum.total(), rest = kLog ? log(total) : 1 / total;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t at = i * stride;
    const V result =
        kLog ? (load_up_to<V>(x + at, count) - most) - rest : load_up_to<V>(out + at, count) * rest;
    store_head(result, out + at, count);
  }
}

template <class T, bool kLog>
MLX_INLINE void gradient_lanes(const T* g, const T* y, T* out, int64_t n, int64_t stride, int64_t count) {
  using V = Vec<T>;
  ColumnSum<T> sum;
  for (int64_t at = 0; at < n * stride; at += stride) {
    const V v = load_up_to<V>(g + at, count);
    sum.add(kLog ? v : v * load_up_to<V>(y + at, count));
  }
  const V total = sum.total();
  for (int64_t at = 0; at < n * stride; at += stride) {
    const V v = load_up_to<V>(g + at, count), result = load_up_to<V>(y + at, count);
    store_head(kLog ? v - exp(result) * total : (v - total) * result, out + at, count);
  }
}

// Calls f(first column, count) for a register of columns at a time; the count is a constant but for the last.
template <class T, class F>
MLX_INLINE void for_lanes(int64_t columns, F&& f) {
  int64_t at = 0;
  for (; at + Vec<T>::kLanes <= columns; at += Vec<T>::kLanes) f(at, int64_t{Vec<T>::kLanes});
  if (at < columns) f(at, columns - at);
}

template <class T>
void softmax_columns(const void* from, void* to, int64_t n, int64_t stride, int64_t columns, bool log) {
  const T* x = static_cast<const T*>(from);
  T* out = static_cast<T*>(to);
  for_lanes<T>(columns, [&](int64_t at, int64_t count) {
    log ? softmax_lanes<T, true>(x + at, out + at, n, stride, count)
        : softmax_lanes<T, false>(x + at, out + at, n, stride, count);
  });
}

template <class T>
void softmax_columns_backward(const void* grad, const void* result, void* to, int64_t n, int64_t stride,
                              int64_t columns, bool log) {
  const T *g = static_cast<const T*>(grad), *y = static_cast<const T*>(result);
  T* out = static_cast<T*>(to);
  for_lanes<T>(columns, [&](int64_t at, int64_t count) {
    log ? gradient_lanes<T, true>(g + at, y + at, out + at, n, stride, count)
        : gradient_lanes<T, false>(g + at, y + at, out + at, n, stride, count);
  });
}

}  // namespace mlx::cpu::MLX_ISA

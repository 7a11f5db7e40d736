#pragma once
// How elements are folded into one: over a row with several register accumulators, and over columns with a
// row of accumulators that stays in cache.

#include "backends/cpu/row_kernels.h"
#include "backends/cpu/vector/vec_math.h"

namespace mlx::cpu::MLX_ISA {

extern const FoldEntry fold_uint8[kFoldKinds];
extern const FoldEntry fold_int32[kFoldKinds];
extern const FoldEntry fold_int64[kFoldKinds];
extern const FoldEntry fold_float32[kFoldKinds];
extern const FoldEntry fold_float64[kFoldKinds];
extern const FoldEntry fold_complex64[kFoldKinds];
extern const FoldEntry fold_complex128[kFoldKinds];

// A complex number as memory holds it. (std::complex's functions would be merged across instruction sets.)
template <class R>
struct Pair {
  R re, im;
  Pair() = default;
  MLX_INLINE Pair(R number) : re(number), im(0) {}
  MLX_INLINE Pair(R a, R b) : re(a), im(b) {}
  template <class S>
  MLX_INLINE explicit Pair(Pair<S> p) : re(p.re), im(p.im) {}
  MLX_INLINE friend Pair operator+(Pair a, Pair b) { return {a.re + b.re, a.im + b.im}; }
  MLX_INLINE friend Pair operator*(Pair a, Pair b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
};

template <class T>
struct TotalOf {
  using type = T;
};
template <>
struct TotalOf<float> {
  using type = double;
};
template <>
struct TotalOf<Pair<float>> {
  using type = Pair<double>;
};
template <class T>
using Total = typename TotalOf<T>::type;

struct Sum {
  template <class T>
  MLX_INLINE static T identity() {
    return T(0);
  }
  template <class T>
  MLX_INLINE T operator()(T a, T b) const {
    return a + b;
  }
};

struct Product {
  template <class T>
  MLX_INLINE static T identity() {
    return T(1);
  }
  template <class T>
  MLX_INLINE T operator()(T a, T b) const {
    return a * b;
  }
};

// The largest or smallest number there is: what any element replaces.
template <class T, bool kLargest>
constexpr T extreme() {
  if constexpr (std::is_floating_point_v<T>)
    return kLargest ? T(__builtin_inf()) : -T(__builtin_inf());
  else if constexpr (std::is_unsigned_v<T>)
    return kLargest ? T(~T(0)) : T(0);
  else
    return kLargest ? static_cast<T>(static_cast<std::make_unsigned_t<T>>(~std::make_unsigned_t<T>(0)) >> 1)
                    : static_cast<T>(std::make_unsigned_t<T>(1) << (8 * sizeof(T) - 1));
}

// NaN wins over every number and stays.
struct Maximum {
  template <class T>
  MLX_INLINE static T identity() {
    return extreme<T, false>();
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  MLX_INLINE T operator()(T a, T b) const {
    return ((b > a) | (b != b)) ? b : a;
  }
  template <class E>
  MLX_INLINE Vec<E> operator()(Vec<E> a, Vec<E> b) const {
    return select((b > a) | (b != b), b, a);
  }
};

struct Minimum {
  template <class T>
  MLX_INLINE static T identity() {
    return extreme<T, true>();
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  MLX_INLINE T operator()(T a, T b) const {
    return ((b < a) | (b != b)) ? b : a;
  }
  template <class E>
  MLX_INLINE Vec<E> operator()(Vec<E> a, Vec<E> b) const {
    return select((b < a) | (b != b), b, a);
  }
};

// Few enough elements that float partial results stay exact to a few ulp.
inline constexpr int64_t kPartialElements = 4096;
inline constexpr int64_t kPartialRows = 128;

template <class T, class Op>
MLX_INLINE Total<T> fold_part_scalar(const T* x, int64_t n, Op op) {
  using A = Total<T>;
  A a[4] = {Op::template identity<A>(), Op::template identity<A>(), Op::template identity<A>(),
            Op::template identity<A>()};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int k = 0; k < 4; ++k) a[k] = op(a[k], A(x[i + k]));
  for (; i < n; ++i) a[0] = op(a[0], A(x[i]));
  return op(op(a[0], a[1]), op(a[2], a[3]));
}

template <class T, class Op>
MLX_INLINE Total<T> fold_part(const T* x, int64_t n, Op op) {
  using V = Vec<T>;
  constexpr int kAccumulators = 8;
  constexpr int64_t step = V::kLanes;
  if (n < 2 * step) return fold_part_scalar(x, n, op);
  V a[kAccumulators];
  for (V& v : a) v = V(Op::template identity<T>());
  int64_t i = 0;
  for (; i + kAccumulators * step <= n; i += kAccumulators * step) {
#pragma GCC unroll 8
    for (int k = 0; k < kAccumulators; ++k) a[k] = op(a[k], V::load(x + i + k * step));
  }
  for (; i + step <= n; i += step) a[0] = op(a[0], V::load(x + i));
#pragma GCC unroll 8
  for (int width = kAccumulators / 2; width; width /= 2)
    for (int k = 0; k < width; ++k) a[k] = op(a[k], a[k + width]);
  Total<T> total = fold_part_scalar(x + i, n - i, op);
  for (int lane = 0; lane < V::kLanes; ++lane) total = op(total, Total<T>(a[0][lane]));
  return total;
}

template <class T, class Op>
void fold_row(const void* from, int64_t n, const double*, void* result) {
  const T* x = static_cast<const T*>(from);
  auto* total = static_cast<Total<T>*>(result);
  constexpr bool vector = std::is_arithmetic_v<T>;
  for (int64_t at = 0; at < n; at += kPartialElements) {
    const int64_t count = n - at < kPartialElements ? n - at : kPartialElements;
    if constexpr (vector)
      *total = Op{}(*total, fold_part(x + at, count, Op{}));
    else
      *total = Op{}(*total, fold_part_scalar(x + at, count, Op{}));
  }
}

// part[j] = op(part[j], op of four rows), for all columns: a register at a time for numbers that fit one.
template <class T, class Op, int... kRow>
MLX_INLINE void fold_rows(T* part, const T* x, int64_t columns, int64_t stride, Op op,
                          std::integer_sequence<int, kRow...>) {
  int64_t j = 0;
  if constexpr (std::is_arithmetic_v<T>) {
    using V = Vec<T>;
    for (; j + V::kLanes <= columns; j += V::kLanes) {
      V total = V::load(part + j);
      ((total = op(total, V::load(x + kRow * stride + j))), ...);
      total.store(part + j);
    }
  }
  for (; j < columns; ++j) ((part[j] = op(part[j], x[kRow * stride + j])), ...);
}

template <class T, class Op>
void fold_columns(const void* from, int64_t rows, int64_t columns, int64_t stride, const double*,
                  void* result) {
  const T* x = static_cast<const T*>(from);
  auto* totals = static_cast<Total<T>*>(result);
  const Op op;
  T part[kFoldColumns];
  for (int64_t begin = 0; begin < rows; begin += kPartialRows) {
    const int64_t end = rows - begin < kPartialRows ? rows : begin + kPartialRows;
    int64_t r = begin;
    for (int64_t j = 0; j < columns; ++j) part[j] = Op::template identity<T>();
    for (; r + 4 <= end; r += 4)
      fold_rows(part, x + r * stride, columns, stride, op, std::make_integer_sequence<int, 4>{});
    for (; r < end; ++r)
      fold_rows(part, x + r * stride, columns, stride, op, std::make_integer_sequence<int, 1>{});
    for (int64_t j = 0; j < columns; ++j) totals[j] = op(totals[j], Total<T>(part[j]));
  }
}

// ---- sums of squared deviations, in double throughout

MLX_INLINE double lanes_sum(Vec<double> v) {
  double total = 0;
  for (int lane = 0; lane < Vec<double>::kLanes; ++lane) total += v[lane];
  return total;
}

template <class T>
MLX_INLINE double squared_deviation(const T* x, int64_t n, double mean) {
  using V = Vec<T>;
  Vec<double> a[4] = {Vec<double>(0), Vec<double>(0), Vec<double>(0), Vec<double>(0)};
  int64_t i = 0;
  for (; i + 2 * V::kLanes <= n; i += 2 * V::kLanes) {
#pragma GCC unroll 2
    for (int k = 0; k < 2; ++k) {
      const V v = V::load(x + i + k * V::kLanes);
      if constexpr (sizeof(T) == 4) {
        const DoublePair p = to_doubles(v);
        const Vec<double> low = p.low - mean, high = p.high - mean;
        a[2 * k] = fma(low, low, a[2 * k]);
        a[2 * k + 1] = fma(high, high, a[2 * k + 1]);
      } else {
        const V d = v - mean;
        a[k] = fma(d, d, a[k]);
      }
    }
  }
  double total = lanes_sum((a[0] + a[1]) + (a[2] + a[3]));
  for (; i < n; ++i) {
    const double d = x[i] - mean;
    total += d * d;
  }
  return total;
}

template <class T>
void deviation_row(const void* from, int64_t n, const double* mean, void* result) {
  *static_cast<double*>(result) += squared_deviation(static_cast<const T*>(from), n, mean ? *mean : 0);
}

template <class T>
void deviation_columns(const void* from, int64_t rows, int64_t columns, int64_t stride, const double* mean,
                       void* result) {
  const T* x = static_cast<const T*>(from);
  auto* totals = static_cast<double*>(result);
  for (int64_t r = 0; r < rows; ++r, x += stride) {
    if (mean) {
      for (int64_t j = 0; j < columns; ++j) {
        const double d = x[j] - mean[j];
        totals[j] += d * d;
      }
    } else {
      for (int64_t j = 0; j < columns; ++j)
        totals[j] += static_cast<double>(x[j]) * static_cast<double>(x[j]);
    }
  }
}

template <class T, class Op>
constexpr FoldEntry fold_entry() {
  return {&fold_row<T, Op>, &fold_columns<T, Op>};
}

}  // namespace mlx::cpu::MLX_ISA

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
  static constexpr bool kRounds = true;
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
  static constexpr bool kRounds = true;
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
  static constexpr bool kRounds = false;
  template <class T>
  MLX_INLINE static T identity() {
    return extreme<T, false>();
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  MLX_INLINE T operator()(T a, T b) const {
    const T larger = b > a ? b : a;  // an instruction, where the two conditions as one are a branch
    return b != b ? b : larger;
  }
  template <class E>
  MLX_INLINE Vec<E> operator()(Vec<E> a, Vec<E> b) const {
    return select((b > a) | (b != b), b, a);
  }
};

struct Minimum {
  static constexpr bool kRounds = false;
  template <class T>
  MLX_INLINE static T identity() {
    return extreme<T, true>();
  }
  template <class T>
    requires std::is_arithmetic_v<T>
  MLX_INLINE T operator()(T a, T b) const {
    const T smaller = b < a ? b : a;
    return b != b ? b : smaller;
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

// All lanes of a register folded, halves onto each other.
template <int kHalf, class E, class Op, int... kLane>
MLX_INLINE E fold_halves(Vec<E> v, Op op, std::integer_sequence<int, kLane...> lanes) {
  if constexpr (kHalf == 0) {
    return v[0];
  } else {
    const Vec<E> other(__builtin_shufflevector(v.v, v.v, (kLane + kHalf) % Vec<E>::kLanes...));
    return fold_halves<kHalf / 2>(op(v, other), op, lanes);
  }
}
template <class E>
using LanesOf = std::make_integer_sequence<int, Vec<E>::kLanes>;

template <class E, class Op>
MLX_INLINE Total<E> fold_lanes(Vec<E> v, Op op) {
  if constexpr (std::is_same_v<E, float> && Op::kRounds) {
    const DoublePair pair = to_doubles(v);
    return fold_halves<Vec<double>::kLanes / 2>(op(pair.low, pair.high), op, LanesOf<double>{});
  } else {
    return fold_halves<Vec<E>::kLanes / 2>(v, op, LanesOf<E>{});
  }
}

// The last `count` of the elements before `end` in the upper lanes, the identity in those below.
template <class T, class Op, int... kLane>
MLX_INLINE Vec<T> load_last(const T* end, int64_t count, Op, std::integer_sequence<int, kLane...>) {
  using V = Vec<T>;
  using Lane = SignedLane<T>;
  constexpr typename Mask<T>::Bits place = {static_cast<Lane>(kLane)...};
  const auto first = static_cast<Lane>(V::kLanes - count) - typename Mask<T>::Bits{};
  return select(Mask<T>(place >= first), V::load(end - V::kLanes), V(Op::template identity<T>()));
}

template <class T, class Op>
MLX_INLINE Total<T> fold_part(const T* x, int64_t n, Op op) {
  using V = Vec<T>;
  constexpr int kAccumulators = 8;
  constexpr int64_t step = V::kLanes;
  if (n < step) return fold_part_scalar(x, n, op);
  V total(Op::template identity<T>());
  int64_t i = 0;
  if (n >= kAccumulators * step) {
    V a[kAccumulators];
    for (V& v : a) v = total;
    for (; i + kAccumulators * step <= n; i += kAccumulators * step) {
#pragma GCC unroll 8
      for (int k = 0; k < kAccumulators; ++k) a[k] = op(a[k], V::load(x + i + k * step));
    }
#pragma GCC unroll 8
    for (int width = kAccumulators / 2; width; width /= 2)
      for (int k = 0; k < width; ++k) a[k] = op(a[k], a[k + width]);
    total = a[0];
  }
  for (; i + step <= n; i += step) total = op(total, V::load(x + i));
  if (i < n) total = op(total, load_last(x + n, n - i, op, LanesOf<T>{}));
  return fold_lanes(total, op);
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

// total[0] + total[1] += the squares of x - mean.
template <class T>
MLX_INLINE void add_squares(Vec<T> x, double mean, Vec<double>* total) {
  if constexpr (sizeof(T) == 4) {
    const DoublePair p = to_doubles(x);
    const Vec<double> low = p.low - mean, high = p.high - mean;
    total[0] = fma(low, low, total[0]);
    total[1] = fma(high, high, total[1]);
  } else {
    const Vec<T> d = x - mean;
    total[0] = fma(d, d, total[0]);
  }
}

template <class T>
MLX_INLINE double squared_deviation(const T* x, int64_t n, double mean) {
  using V = Vec<T>;
  Vec<double> a[4] = {Vec<double>(0), Vec<double>(0), Vec<double>(0), Vec<double>(0)};
  int64_t i = 0;
  for (; i + 2 * V::kLanes <= n; i += 2 * V::kLanes) {
    add_squares(V::load(x + i), mean, a);
    add_squares(V::load(x + i + V::kLanes), mean, a + 2);
  }
  for (; i + V::kLanes <= n; i += V::kLanes) add_squares(V::load(x + i), mean, a);
  double total = n < V::kLanes ? 0 : fold_lanes((a[0] + a[1]) + (a[2] + a[3]), Sum{});
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

// ---- places of extremes

// The lowest lane that is true; kLanes if none is. Without a branch, which could not be predicted.
template <class T, int... kLane>
MLX_INLINE int64_t first_lane(Mask<T> mask, std::integer_sequence<int, kLane...>) {
  using Lane = SignedLane<T>;
  constexpr typename Mask<T>::Bits place = {static_cast<Lane>(kLane)...};
  const Vec<Lane> found = select(Mask<Lane>(mask.bits), Vec<Lane>(place), Vec<Lane>(sizeof...(kLane)));
  return fold_lanes(found, Minimum{});
}

template <class T>
int64_t find_first(const void* from, int64_t n, const void* wanted) {
  using V = Vec<T>;
  const T* x = static_cast<const T*>(from);
  const T value = *static_cast<const T*>(wanted);
  const bool nan = value != value;
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) {
    const V v = V::load(x + i);
    const Mask<T> hit = nan ? v != v : v == V(value);
    if (any(hit)) return i + first_lane(hit, LanesOf<T>{});
  }
  int64_t place = n;
  for (int64_t at = n; at-- > i;) place = (nan ? x[at] != x[at] : x[at] == value) ? at : place;
  return place;
}

template <class T, class Op>
constexpr FoldEntry fold_entry() {
  FoldEntry entry = {&fold_row<T, Op>, &fold_columns<T, Op>};
  if constexpr (!Op::kRounds) entry.find = &find_first<T>;
  return entry;
}

}  // namespace mlx::cpu::MLX_ISA

#pragma once
// Bits of integers. On bool, whose bytes are computed as integers, `bitwise_not` is `logical_not`.

#include "formulas/concepts.h"

namespace mlx::formulas {

template <Integral T>
T bitwise_and(T x, T y) {
  return x & y;
}

template <Integral T>
T bitwise_or(T x, T y) {
  return x | y;
}

template <Integral T>
T bitwise_xor(T x, T y) {
  return x ^ y;
}

template <Integral T>
T bitwise_not(T x) {
  return ~x;
}

namespace detail {

template <class V>
inline constexpr int kBits = 8 * static_cast<int>(sizeof(typename V::Element));

template <class V>
auto valid_shift(V count) {
  return (count >= V(0)) & (count < V(kBits<V>));
}

}  // namespace detail

// Counts outside [0, width) shift every bit out.
template <Integral T>
T bitwise_left_shift(T x, T count) {
  const auto valid = detail::valid_shift(count);
  return select(valid, x << select(valid, count, T(0)), T(0));
}

template <Integral T>
T bitwise_right_shift(T x, T count) {
  const auto valid = detail::valid_shift(count);
  return select(valid, x >> select(valid, count, T(0)), select(x < T(0), ~T(0), T(0)));
}

}  // namespace mlx::formulas

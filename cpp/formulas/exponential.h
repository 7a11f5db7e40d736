#pragma once
// Exponentials, logarithms and roots.

#include "formulas/arithmetic.h"
#include "formulas/concepts.h"

namespace mlx::formulas {

template <Inexact T>
T exp(T x) {
  return exp(x);
}

template <Inexact T>
T exp2(T x) {
  return exp2(x);
}

template <Inexact T>
T expm1(T x) {
  return expm1(x);
}

template <Inexact T>
T log(T x) {
  return log(x);
}

template <Inexact T>
T log2(T x) {
  return log2(x);
}

template <Inexact T>
T log10(T x) {
  return log10(x);
}

template <Inexact T>
T log1p(T x) {
  return log1p(x);
}

template <Inexact T>
T sqrt(T x) {
  return sqrt(x);
}

template <Inexact T>
T rsqrt(T x) {
  return rsqrt(x);
}

// log(e^x + e^y), from the larger of the two.
template <Floating T>
T logaddexp(T x, T y) {
  const T high = maximum(x, y);
  const T distance = T(0) - abs(x - y);
  const auto same_infinity = (x == y) & (abs(x) == T(__builtin_inf()));
  return select(same_infinity, x, high + log1p(exp(distance)));
}

template <Floating T>
T logaddexp2(T x, T y) {
  const T high = maximum(x, y);
  const T distance = T(0) - abs(x - y);
  const auto same_infinity = (x == y) & (abs(x) == T(__builtin_inf()));
  return select(same_infinity, x, high + log1p(exp2(distance)) * T(1.4426950408889634));
}

// x log(y), which is 0 at x = 0 unless y is NaN.
template <Floating T>
T xlogy(T x, T y) {
  return select(y != y, y, select(x == T(0), T(0), x * log(y)));
}

template <Floating T>
T xlog1py(T x, T y) {
  return select(y != y, y, select(x == T(0), T(0), x * log1p(y)));
}

// -x log(x); 0 at 0, and minus infinity below.
template <Floating T>
T entr(T x) {
  const T outside = select(x == T(0), T(0), T(-__builtin_inf()));
  return select((x > T(0)) | (x != x), (T(0) - x) * log(x), outside);
}

}  // namespace mlx::formulas

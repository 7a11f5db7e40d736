#pragma once
// Formulas whose result is a truth value.

#include "formulas/concepts.h"

namespace mlx::formulas {

template <Any T>
auto eq(T x, T y) {
  return x == y;
}

template <Any T>
auto ne(T x, T y) {
  return x != y;
}

template <Real T>
auto lt(T x, T y) {
  return x < y;
}

template <Real T>
auto le(T x, T y) {
  return x <= y;
}

template <Real T>
auto gt(T x, T y) {
  return x > y;
}

template <Real T>
auto ge(T x, T y) {
  return x >= y;
}

template <Any T>
auto logical_not(T x) {
  return x == T(0);
}

template <Any T>
auto logical_and(T x, T y) {
  return (x != T(0)) & (y != T(0));
}

template <Any T>
auto logical_or(T x, T y) {
  return (x != T(0)) | (y != T(0));
}

template <Any T>
auto logical_xor(T x, T y) {
  return (x != T(0)) ^ (y != T(0));
}

template <Any T>
auto isnan(T x) {
  return x != x;
}

template <Any T>
auto isinf(T x) {
  if constexpr (ComplexNumber<T>) {
    return isinf(x);
  } else if constexpr (Floating<T>) {
    return abs(x) == T(__builtin_inf());
  } else {
    return x != x;
  }
}

template <Any T>
auto isfinite(T x) {
  if constexpr (ComplexNumber<T>) {
    return !(isinf(x) | isnan(x));
  } else if constexpr (Floating<T>) {
    return abs(x) < T(__builtin_inf());
  } else {
    return x == x;
  }
}

template <Floating T>
auto isposinf(T x) {
  return x == T(__builtin_inf());
}

template <Floating T>
auto isneginf(T x) {
  return x == T(-__builtin_inf());
}

template <Real T>
auto signbit(T x) {
  return signbit(x);
}

}  // namespace mlx::formulas

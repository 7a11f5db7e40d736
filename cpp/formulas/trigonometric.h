#pragma once
// Circular and hyperbolic functions and their inverses.

#include "formulas/concepts.h"

namespace mlx::formulas {

template <Inexact T>
T sin(T x) {
  return sin(x);
}

template <Inexact T>
T cos(T x) {
  return cos(x);
}

template <Inexact T>
T tan(T x) {
  return tan(x);
}

template <Inexact T>
T asin(T x) {
  return asin(x);
}

template <Inexact T>
T acos(T x) {
  return acos(x);
}

template <Inexact T>
T atan(T x) {
  return atan(x);
}

template <Floating T>
T atan2(T y, T x) {
  return atan2(y, x);
}

template <Inexact T>
T sinh(T x) {
  return sinh(x);
}

template <Inexact T>
T cosh(T x) {
  return cosh(x);
}

template <Inexact T>
T tanh(T x) {
  return tanh(x);
}

template <Inexact T>
T asinh(T x) {
  return asinh(x);
}

template <Inexact T>
T acosh(T x) {
  return acosh(x);
}

template <Inexact T>
T atanh(T x) {
  return atanh(x);
}

// sin(pi x) / (pi x)
template <Inexact T>
T sinc(T x) {
  const T angle = x * T(3.14159265358979323846);
  return select(x == T(0), T(1), sin(angle) / angle);
}

}  // namespace mlx::formulas

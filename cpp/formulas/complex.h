#pragma once
// Complex numbers: parts, and making one from two reals.

#include "formulas/concepts.h"

namespace mlx::formulas {

template <ComplexNumber T>
auto real(T z) {
  return real(z);
}

template <ComplexNumber T>
auto imag(T z) {
  return imag(z);
}

template <ComplexNumber T>
T conj(T z) {
  return conj(z);
}

// Of a real number: 0, or pi where it is negative.
template <Inexact T>
auto angle(T x) {
  if constexpr (ComplexNumber<T>) {
    return angle(x);
  } else {
    return select(x != x, x, select(x < T(0), T(3.14159265358979323846), T(0)));
  }
}

// The number of modulus 1 with the same angle; 0 at 0.
template <ComplexNumber T>
T sgn(T z) {
  const T modulus = T(abs(z));
  return select(modulus == T(0), T(0), z / modulus);
}

template <Floating T>
auto complex(T re, T im) {
  return make_complex(re, im);
}

template <Floating T>
auto polar(T modulus, T angle) {
  return make_complex(modulus * cos(angle), modulus * sin(angle));
}

}  // namespace mlx::formulas

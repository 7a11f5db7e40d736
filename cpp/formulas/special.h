#pragma once
// Special functions of mathematics.

#include "formulas/concepts.h"

namespace mlx::formulas {

template <Floating T>
T erf(T x) {
  return erf(x);
}

template <Floating T>
T erfc(T x) {
  return erfc(x);
}

template <Floating T>
T erfinv(T x) {
  return erfinv(x);
}

template <Floating T>
T erfcx(T x) {
  return erfcx(x);
}

template <Floating T>
T lgamma(T x) {
  return lgamma(x);
}

template <Floating T>
T digamma(T x) {
  return digamma(x);
}

template <Floating T>
T trigamma(T x) {
  return trigamma(x);
}

// The n-th derivative of digamma, n >= 1: (-1)^(n + 1) n! zeta(n + 1, x).
template <Floating T>
T polygamma(T x, T n) {
  return polygamma(x, n);
}

template <Floating T>
T zeta(T x, T q) {
  return zeta(x, q);
}

template <Floating T>
T igamma(T a, T x) {
  return igamma(a, x);
}

template <Floating T>
T igammac(T a, T x) {
  return igammac(a, x);
}

template <Floating T>
T i0(T x) {
  return i0(x);
}

template <Floating T>
T i0e(T x) {
  return i0e(x);
}

template <Floating T>
T i1(T x) {
  return i1(x);
}

template <Floating T>
T i1e(T x) {
  return i1e(x);
}

// Bessel functions of the first and second kind (j, y) and modified ones of the second (k), Airy's function.
template <Floating T>
T bessel_j0(T x) {
  return bessel_j0(x);
}

template <Floating T>
T bessel_j1(T x) {
  return bessel_j1(x);
}

template <Floating T>
T bessel_y0(T x) {
  return bessel_y0(x);
}

template <Floating T>
T bessel_y1(T x) {
  return bessel_y1(x);
}

template <Floating T>
T bessel_k0(T x) {
  return bessel_k0(x);
}

template <Floating T>
T bessel_k1(T x) {
  return bessel_k1(x);
}

template <Floating T>
T scaled_bessel_k0(T x) {
  return scaled_bessel_k0(x);
}

template <Floating T>
T scaled_bessel_k1(T x) {
  return scaled_bessel_k1(x);
}

template <Floating T>
T airy_ai(T x) {
  return airy_ai(x);
}

// Orthogonal polynomials of degree n.
template <Floating T>
T chebyshev_t(T x, T n) {
  return chebyshev_t(x, n);
}

template <Floating T>
T chebyshev_u(T x, T n) {
  return chebyshev_u(x, n);
}

template <Floating T>
T chebyshev_v(T x, T n) {
  return chebyshev_v(x, n);
}

template <Floating T>
T chebyshev_w(T x, T n) {
  return chebyshev_w(x, n);
}

template <Floating T>
T hermite_h(T x, T n) {
  return hermite_h(x, n);
}

template <Floating T>
T hermite_he(T x, T n) {
  return hermite_he(x, n);
}

template <Floating T>
T laguerre_l(T x, T n) {
  return laguerre_l(x, n);
}

template <Floating T>
T legendre_p(T x, T n) {
  return legendre_p(x, n);
}

// The normal distribution: its distribution function, the logarithm of that, and its quantile.
template <Floating T>
T ndtr(T x) {
  return ndtr(x);
}

template <Floating T>
T log_ndtr(T x) {
  return log_ndtr(x);
}

template <Floating T>
T ndtri(T p) {
  return ndtri(p);
}

}  // namespace mlx::formulas

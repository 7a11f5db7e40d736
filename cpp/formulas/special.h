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

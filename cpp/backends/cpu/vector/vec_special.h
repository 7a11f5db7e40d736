#pragma once
// The rarer special functions, a lane at a time in double (see special_functions.h).

#include "backends/cpu/special_functions.h"
#include "backends/cpu/vector/vec_basic.h"

namespace mlx::cpu::MLX_ISA {

template <class E>
concept FloatLane = std::is_floating_point_v<E>;

MLX_INLINE Vec<double> erfinv(Vec<double> x) {
  return map_lanes([](double a) { return special::erfinv(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> lgamma(Vec<E> x) {
  return map_lanes([](double a) { return special::lgamma(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> digamma(Vec<E> x) {
  return map_lanes([](double a) { return special::digamma(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> trigamma(Vec<E> x) {
  return map_lanes([](double a) { return special::trigamma(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> polygamma(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::polygamma(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> zeta(Vec<E> x, Vec<E> q) {
  return map_lanes([](double a, double b) { return special::zeta(a, b); }, x, q);
}
template <FloatLane E>
MLX_INLINE Vec<E> erfcx(Vec<E> x) {
  return map_lanes([](double a) { return special::erfcx(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> ndtri(Vec<E> x) {
  return map_lanes([](double a) { return special::ndtri(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> log_ndtr(Vec<E> x) {
  return map_lanes([](double a) { return special::log_ndtr(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> i0(Vec<E> x) {
  return map_lanes([](double a) { return special::i0(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> i0e(Vec<E> x) {
  return map_lanes([](double a) { return special::i0e(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> i1(Vec<E> x) {
  return map_lanes([](double a) { return special::i1(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> i1e(Vec<E> x) {
  return map_lanes([](double a) { return special::i1e(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> bessel_j0(Vec<E> x) {
  return map_lanes([](double a) { return special::bessel_j0(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> bessel_j1(Vec<E> x) {
  return map_lanes([](double a) { return special::bessel_j1(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> bessel_y0(Vec<E> x) {
  return map_lanes([](double a) { return special::bessel_y0(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> bessel_y1(Vec<E> x) {
  return map_lanes([](double a) { return special::bessel_y1(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> bessel_k0(Vec<E> x) {
  return map_lanes([](double a) { return special::bessel_k0(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> bessel_k1(Vec<E> x) {
  return map_lanes([](double a) { return special::bessel_k1(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> scaled_bessel_k0(Vec<E> x) {
  return map_lanes([](double a) { return special::scaled_bessel_k0(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> scaled_bessel_k1(Vec<E> x) {
  return map_lanes([](double a) { return special::scaled_bessel_k1(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> airy_ai(Vec<E> x) {
  return map_lanes([](double a) { return special::airy_ai(a); }, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> chebyshev_t(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::chebyshev_t(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> chebyshev_u(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::chebyshev_u(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> chebyshev_v(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::chebyshev_v(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> chebyshev_w(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::chebyshev_w(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> hermite_h(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::hermite_h(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> hermite_he(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::hermite_he(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> laguerre_l(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::laguerre_l(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> legendre_p(Vec<E> x, Vec<E> n) {
  return map_lanes([](double a, double b) { return special::legendre_p(a, b); }, x, n);
}
template <FloatLane E>
MLX_INLINE Vec<E> igamma(Vec<E> a, Vec<E> x) {
  return map_lanes([](double p, double q) { return special::igamma(p, q); }, a, x);
}
template <FloatLane E>
MLX_INLINE Vec<E> igammac(Vec<E> a, Vec<E> x) {
  return map_lanes([](double p, double q) { return special::igammac(p, q); }, a, x);
}

}  // namespace mlx::cpu::MLX_ISA

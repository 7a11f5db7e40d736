#pragma once
// Elementary functions of Vec<double>: the C library's, a lane at a time. Networks seldom compute in double,
// and the library's last-bit accuracy is what such callers want.

#include "backends/cpu/vector/vec_basic.h"

namespace mlx::cpu::MLX_ISA {

MLX_INLINE Vec<double> exp(Vec<double> x) {
  return map_lanes([](double a) { return ::exp(a); }, x);
}
MLX_INLINE Vec<double> exp2(Vec<double> x) {
  return map_lanes([](double a) { return ::exp2(a); }, x);
}
MLX_INLINE Vec<double> expm1(Vec<double> x) {
  return map_lanes([](double a) { return ::expm1(a); }, x);
}
MLX_INLINE Vec<double> log(Vec<double> x) {
  return map_lanes([](double a) { return ::log(a); }, x);
}
MLX_INLINE Vec<double> log2(Vec<double> x) {
  return map_lanes([](double a) { return ::log2(a); }, x);
}
MLX_INLINE Vec<double> log10(Vec<double> x) {
  return map_lanes([](double a) { return ::log10(a); }, x);
}
MLX_INLINE Vec<double> log1p(Vec<double> x) {
  return map_lanes([](double a) { return ::log1p(a); }, x);
}
MLX_INLINE Vec<double> pow(Vec<double> x, Vec<double> y) {
  return map_lanes([](double a, double b) { return ::pow(a, b); }, x, y);
}
MLX_INLINE Vec<double> sin(Vec<double> x) {
  return map_lanes([](double a) { return ::sin(a); }, x);
}
MLX_INLINE Vec<double> cos(Vec<double> x) {
  return map_lanes([](double a) { return ::cos(a); }, x);
}
MLX_INLINE Vec<double> tan(Vec<double> x) {
  return map_lanes([](double a) { return ::tan(a); }, x);
}
MLX_INLINE Vec<double> asin(Vec<double> x) {
  return map_lanes([](double a) { return ::asin(a); }, x);
}
MLX_INLINE Vec<double> acos(Vec<double> x) {
  return map_lanes([](double a) { return ::acos(a); }, x);
}
MLX_INLINE Vec<double> atan(Vec<double> x) {
  return map_lanes([](double a) { return ::atan(a); }, x);
}
MLX_INLINE Vec<double> atan2(Vec<double> y, Vec<double> x) {
  return map_lanes([](double a, double b) { return ::atan2(a, b); }, y, x);
}
MLX_INLINE Vec<double> sinh(Vec<double> x) {
  return map_lanes([](double a) { return ::sinh(a); }, x);
}
MLX_INLINE Vec<double> cosh(Vec<double> x) {
  return map_lanes([](double a) { return ::cosh(a); }, x);
}
MLX_INLINE Vec<double> tanh(Vec<double> x) {
  return map_lanes([](double a) { return ::tanh(a); }, x);
}
MLX_INLINE Vec<double> asinh(Vec<double> x) {
  return map_lanes([](double a) { return ::asinh(a); }, x);
}
MLX_INLINE Vec<double> acosh(Vec<double> x) {
  return map_lanes([](double a) { return ::acosh(a); }, x);
}
MLX_INLINE Vec<double> atanh(Vec<double> x) {
  return map_lanes([](double a) { return ::atanh(a); }, x);
}
MLX_INLINE Vec<double> erf(Vec<double> x) {
  return map_lanes([](double a) { return ::erf(a); }, x);
}
MLX_INLINE Vec<double> erfc(Vec<double> x) {
  return map_lanes([](double a) { return ::erfc(a); }, x);
}
MLX_INLINE Vec<double> ndtr(Vec<double> x) {
  return map_lanes([](double a) { return 0.5 * ::erfc(a * -0x1.6a09e667f3bcdp-1); }, x);
}

}  // namespace mlx::cpu::MLX_ISA

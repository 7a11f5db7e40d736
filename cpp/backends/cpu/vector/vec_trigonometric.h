#pragma once
// Circular functions of Vec<float>, in float for usual angles, and their inverses, evaluated in double and
// rounded once.

#include "backends/cpu/vector/vec_exponential.h"

namespace mlx::cpu::MLX_ISA {

inline constexpr double kPi = 3.14159265358979323846;

namespace core {

// x = (pi / 2) n + r with |r| <= pi / 4, for |x| <= kLargestReduced. The low bits of `quadrant` count n.
inline constexpr double kLargestReduced = 0x1p26;
struct Reduced {
  Vec<double> r;
  Vec<uint64_t> quadrant;
};
MLX_INLINE Reduced reduce_angle(Vec<double> x) {
  const Rounded n = nearest(x * (2 / kPi));
  Vec<double> r;
  if constexpr (kHasFma) {
    r = fma(n.value, Vec<double>(-0x1.921fb54442d18p+0), x);
    r = fma(n.value, Vec<double>(-0x1.1a62633145c07p-54), r);
  } else {
    // Three pieces of pi / 2 short enough that their products with n are exact.
    r = x - n.value * 0x1.921fb5p+0;
    r = r - n.value * 0x1.110b46p-26;
    r = r - n.value * 0x1.1a62633145c07p-54;
  }
  return {r, bit_cast<uint64_t>(n.shifted)};
}

struct SineCosine {
  Vec<double> sine, cosine;
};
MLX_INLINE SineCosine sine_cosine(Vec<double> r) {
  // (sin(r) - r) / r^3 and (cos(r) - 1 + r^2 / 2) / r^4 in terms of r^2, on |r| <= pi / 4
  static constexpr double kSine[] = {-0.166666666415262389, 0.00833332937403791868, -0.0001983933096984095,
                                     2.7182742243204844e-6};
  static constexpr double kCosine[] = {0.0416666666226531652, -0.00138888837380495348,
                                       0.000024799515891533986, -2.72098929735964626e-7};
  const Vec<double> z = r * r;
  return {fma(r * z, polynomial(z, kSine), r),
          fma(z * z, polynomial(z, kCosine), fma(z, Vec<double>(-0.5), Vec<double>(1)))};
}

// sin(x + offset * pi / 2)
template <int kOffset>
MLX_INLINE Vec<double> sine(Vec<double> x) {
  const Reduced reduced = reduce_angle(x);
  const SineCosine both = sine_cosine(reduced.r);
  const Vec<uint64_t> quadrant = reduced.quadrant + Vec<uint64_t>(kOffset);
  const Mask<double> odd = mask_cast<double>((quadrant & Vec<uint64_t>(1)) != Vec<uint64_t>(0));
  const Vec<double> magnitude = select(odd, both.cosine, both.sine);
  const Vec<uint64_t> sign = (quadrant & Vec<uint64_t>(2)) << Vec<uint64_t>(62);
  return bit_cast<double>(bit_cast<uint64_t>(magnitude) ^ sign);
}

MLX_INLINE Vec<double> tangent(Vec<double> x) {
  const Reduced reduced = reduce_angle(x);
  const SineCosine both = sine_cosine(reduced.r);
  const Mask<double> odd = mask_cast<double>((reduced.quadrant & Vec<uint64_t>(1)) != Vec<uint64_t>(0));
  return select(odd, -both.cosine, both.sine) / select(odd, both.sine, both.cosine);
}

// asin on |x| <= 1/2
MLX_INLINE Vec<double> small_arcsine(Vec<double> x) {
  // (asin(x) - x) / x^3 in terms of x^2
  static constexpr double kArcsine[] = {
      0.166666666697081504,  0.0749999952381984604,   0.0446431133260211592,
      0.0303752134372631629, 0.022471554093431568,    0.016475946163167118,
      0.0186379516900243813, -0.00287539603161666273, 0.0319754351537504656};
  const Vec<double> z = x * x;
  return fma(x * z, polynomial(z, kArcsine), x);
}

// atan on |x| <= 1
MLX_INLINE Vec<double> small_arctangent(Vec<double> x) {
  // (atan(x) - x) / x^3 in terms of x^2
  static constexpr double kArctangent[] = {
      -0.333333332959789048,   0.199999968812133611,  -0.142856229327350336,   0.11109754974143514,
      -0.090789188173674179,   0.0762318466701936226, -0.0639150909702206114,  0.0509529188573094031,
      -0.0359381310640617505,  0.0205490866911426035, -0.00860257943962510823, 0.002286843859699898,
      -0.000285499301164317118};
  const Vec<double> z = x * x;
  return fma(x * z, polynomial(z, kArctangent), x);
}

}  // namespace core

// Where floats suffice: the number of multiples below stays small, so that what reduction neglects does.
inline constexpr float kNearAngle = 1e5f;
MLX_INLINE bool all_near(Vec<float> x) { return kHasFma && !any(!(abs(x) <= kNearAngle)); }

// x - n pi / 2, for n next to 2 x / pi, with a relative error of one rounding: the first difference is exact.
MLX_INLINE Vec<float> minus_right_angles(Vec<float> x, Vec<float> n) {
  x = fma(n, Vec<float>(-0x1.921fb6p+0f), x);
  x = fma(n, Vec<float>(0x1.777a5cp-25f), x);
  return fma(n, Vec<float>(0x1.ee59dap-50f), x);
}

// sin(x + offset * pi / 2)
template <int kOffset>
MLX_INLINE Vec<float> near_sine(Vec<float> x) {
  // (sin(r) - r) / r^3 in terms of r^2, on |r| <= pi / 2; of minimax fits the one whose roundings add up
  // least
  static constexpr float kSine[] = {-0.1666665822f, 0.008333049715f, -0.000198082038f, 2.60180127e-06f};
  constexpr float magic = 0x1.8p23f;
  const Vec<float> shifted =
      fma(x, Vec<float>(static_cast<float>(1 / kPi)), Vec<float>(0.5f * kOffset)) + magic;
  const Vec<float> n = shifted - magic;  // half turns
  const Vec<float> r = minus_right_angles(x, n + n - kOffset);
  const Vec<float> z = r * r;
  const Vec<float> sine = fma(r, z * polynomial(z, kSine), r);
  return bit_cast<float>(bit_cast<int32_t>(sine) ^ (bit_cast<int32_t>(shifted) << Vec<int32_t>(31)));
}

// The lanes in double, and those that are too large for it (or infinite, or NaN) one by one.
template <class F, class G>
MLX_INLINE Vec<float> in_double_or_libm(F in_range, G libm, Vec<float> x) {
  const Vec<float> result = in_double(in_range, x);
  const Mask<float> large = !(abs(x) <= static_cast<float>(core::kLargestReduced));
  return any(large) ? select(large, map_lanes(libm, x), result) : result;
}
// A call, since it is rare.
template <int kOffset>
[[gnu::noinline]] inline Vec<float> far_sine(Vec<float> x) {
  return in_double_or_libm([](Vec<double> d) { return core::sine<kOffset>(d); },
                           [](float a) { return kOffset ? ::cos(double{a}) : ::sin(double{a}); }, x);
}

MLX_INLINE Vec<float> sin(Vec<float> x) {
  return select(x == 0, x, all_near(x) ? near_sine<0>(x) : far_sine<0>(x));
}
MLX_INLINE Vec<float> cos(Vec<float> x) { return all_near(x) ? near_sine<1>(x) : far_sine<1>(x); }
MLX_INLINE Vec<float> tan(Vec<float> x) {
  const Vec<float> result = in_double_or_libm([](Vec<double> d) { return core::tangent(d); },
                                              [](float a) { return ::tan(double{a}); }, x);
  return select(x == 0, x, result);
}

MLX_INLINE Vec<float> asin(Vec<float> x) {
  const auto odd = [](Vec<double> a) {
    const Mask<double> large = a > 0.5;
    const Vec<double> part = core::small_arcsine(select(large, sqrt(0.5 * (1 - a)), a));
    return select(large, kPi / 2 - 2 * part, part);
  };
  return copysign(in_double(odd, abs(x)), x);
}
MLX_INLINE Vec<float> acos(Vec<float> x) {
  const auto inverse = [](Vec<double> d) {
    const Vec<double> a = abs(d);
    const Mask<double> large = a > 0.5;
    const Vec<double> part = core::small_arcsine(select(large, sqrt(0.5 * (1 - a)), d));
    const Vec<double> near_one = select(d < 0, kPi - 2 * part, 2 * part);
    return select(large, near_one, kPi / 2 - part);
  };
  return in_double(inverse, x);
}
MLX_INLINE Vec<float> atan(Vec<float> x) {
  const auto odd = [](Vec<double> a) {
    const Mask<double> large = a > 1;
    const Vec<double> part = core::small_arctangent(select(large, 1 / a, a));
    return select(large, kPi / 2 - part, part);
  };
  return copysign(in_double(odd, abs(x)), x);
}
MLX_INLINE Vec<float> atan2(Vec<float> y, Vec<float> x) {
  const auto angle = [](Vec<double> v, Vec<double> u) {
    const Vec<double> rise = abs(v), run = abs(u);
    const Mask<double> steep = rise > run;
    const Vec<double> low = select(steep, run, rise), high = select(steep, rise, run);
    // Two infinities make an angle of 45 degrees, two zeros one of none.
    Vec<double> ratio = select(low == high, Vec<double>(1), low / high);
    ratio = select(rise + run == 0, Vec<double>(0), ratio);
    Vec<double> result = core::small_arctangent(ratio);
    result = select(steep, kPi / 2 - result, result);
    return select(signbit(u), kPi - result, result);
  };
  return copysign(in_double(angle, y, x), y);
}

}  // namespace mlx::cpu::MLX_ISA

#pragma once
// exp, log, pow, the hyperbolic and the error functions of Vec<float>, within 2 ulp over the whole range.
//
// exponentials, logarithms, tanh and erf, which networks live on, are float throughout. The others are
// evaluated in double, in which range and cancellation need no care, and rounded once. Polynomials are
// minimax fits (Remez) of the function named beside them, on the stated interval.

#include "backends/cpu/piecewise.h"
#include "backends/cpu/vector/vec_basic.h"

namespace mlx::cpu::MLX_ISA {

// c[0] + c[1] x + c[2] x^2 + ..., by Horner's rule.
template <class E, int kCount>
MLX_INLINE Vec<E> polynomial(Vec<E> x, const E (&c)[kCount]) {
  Vec<E> sum(c[kCount - 1]);
#pragma GCC unroll 32
  for (int i = kCount - 2; i >= 0; --i) sum = fma(sum, x, Vec<E>(c[i]));
  return sum;
}

inline constexpr float kInfinityF = __builtin_inff();
inline constexpr float kNanF = __builtin_nanf("");
inline constexpr double kLog2E = 0x1.71547652b82fep+0;
inline constexpr double kLn2High = 0x1.62e42fefap-1, kLn2Low = 0x1.cf79abc9e3b39p-40;

// (e^r - 1 - r) / r^2 on |r| <= ln(2) / 2
template <class E>
inline constexpr E kExp[] = {0.500000009580319583, 0.166665183086589284, 0.0416662038893195417,
                             0.00836895334120093632, 0.00139506159564918348};

namespace core {

// Nearest integer as a double and, in the low bits of `shifted`, as an integer. For |x| < 2^51.
struct Rounded {
  Vec<double> shifted, value;
};
MLX_INLINE Rounded nearest(Vec<double> x) {
  constexpr double magic = 0x1.8p52;
  const Vec<double> shifted = x + magic;
  return {shifted, shifted - magic};
}
MLX_INLINE Vec<double> power_of_two(Rounded n) {
  return bit_cast<double>((bit_cast<uint64_t>(n.shifted) << 52) + Vec<uint64_t>(0x3ff0000000000000u));
}

// e^x = scale * (1 + fraction), for |x| < 700.
struct Exponential {
  Vec<double> scale, fraction;
};
MLX_INLINE Exponential exp_parts(Vec<double> x) {
  const Rounded n = nearest(x * kLog2E);
  Vec<double> r = fma(n.value, Vec<double>(-kLn2High), x);
  r = fma(n.value, Vec<double>(-kLn2Low), r);
  return {power_of_two(n), fma(r * r, polynomial(r, kExp<double>), r)};
}
// Beyond 200 everything is 0 or infinity as a float; NaN stays.
MLX_INLINE Vec<double> clamp_exponent(Vec<double> x) {
  x = select(x > 200, Vec<double>(200), x);
  return select(x < -200, Vec<double>(-200), x);
}
MLX_INLINE Vec<double> exp(Vec<double> x) {
  const Exponential e = exp_parts(clamp_exponent(x));
  return fma(e.scale, e.fraction, e.scale);
}
MLX_INLINE Vec<double> expm1(Vec<double> x) {
  const Exponential e = exp_parts(clamp_exponent(x));
  return fma(e.scale, e.fraction, e.scale - 1);
}

// Natural logarithm of a positive, finite number between 2^-500 and 2^500.
MLX_INLINE Vec<double> log(Vec<double> x) {
  // (log((1 + s) / (1 - s)) - 2 s) / s^3 in terms of s^2, for (1 + s) / (1 - s) in [sqrt(1/2), sqrt(2)]
  static constexpr double kLog[] = {0.666666666757996779, 0.39999995622588522, 0.285721090482695885,
                                    0.221761944189146552, 0.195840546299960641};
  constexpr uint64_t bias = uint64_t{512} << 52;
  const Vec<uint64_t> bits = bit_cast<uint64_t>(x);
  const Vec<uint64_t> biased = (bits - Vec<uint64_t>(0x3fe6a09e667f3bcdu - bias)) >> Vec<uint64_t>(52);
  // A small integer becomes a double by lying in the low bits of 2^52.
  const Vec<double> exponent =
      bit_cast<double>(biased + Vec<uint64_t>(0x4330000000000000u)) - Vec<double>(0x1p52 + 512);
  const Vec<double> m = bit_cast<double>(bits - (biased << Vec<uint64_t>(52)) + Vec<uint64_t>(bias));
  const Vec<double> s = (m - 1) / (m + 1);
  const Vec<double> z = s * s;
  const Vec<double> tail = fma(s * z, polynomial(z, kLog), exponent * kLn2Low);
  return fma(exponent, Vec<double>(kLn2High), fma(Vec<double>(2), s, tail));
}

}  // namespace core

// 2^n * x for |n| < 300, rounding once even where the result is denormal.
MLX_INLINE Vec<float> scale_by_power(Vec<float> x, Vec<float> n) {
#if defined(__AVX512F__)
  return Vec<float>(_mm512_scalef_ps(x.v, n.v));
#else
  const Vec<int32_t> power = convert<int32_t>(n);
  const Vec<int32_t> half = power >> Vec<int32_t>(1);
  const auto power_of_two = [](Vec<int32_t> k) { return bit_cast<float>((k + 127) << Vec<int32_t>(23)); };
  return x * power_of_two(half) * power_of_two(power - half);
#endif
}

MLX_INLINE Vec<float> round_small(Vec<float> x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

// x = n ln(2) + r with |r| <= ln(2) / 2, for -106 < x < 90.
struct ReducedExponent {
  Vec<float> n, r;
};
MLX_INLINE ReducedExponent reduce_exponent(Vec<float> x) {
  const Vec<float> n = round_small(x * 0x1.715476p+0f);
  const Vec<float> r = fma(n, Vec<float>(-0x1.63p-1f), x);
  return {n, fma(n, Vec<float>(0x1.bd0106p-13f), r)};
}
MLX_INLINE Vec<float> exp_of_small(Vec<float> r) { return 1 + fma(r * r, polynomial(r, kExp<float>), r); }

// x within bounds; NaN stays. One instruction a bound, where compilers make a comparison and a blend of
// select.
MLX_INLINE Vec<float> at_most(Vec<float> x, float bound) {
#if defined(__AVX512F__)
  return Vec<float>(_mm512_min_ps(_mm512_set1_ps(bound), x.v));
#else
  return select(x > bound, Vec<float>(bound), x);
#endif
}
MLX_INLINE Vec<float> at_least(Vec<float> x, float bound) {
#if defined(__AVX512F__)
  return Vec<float>(_mm512_max_ps(_mm512_set1_ps(bound), x.v));
#else
  return select(x < bound, Vec<float>(bound), x);
#endif
}

MLX_INLINE Vec<float> exp(Vec<float> x) {
  x = at_least(at_most(x, 89), -104);
  const ReducedExponent e = reduce_exponent(x);
  return scale_by_power(exp_of_small(e.r), e.n);
}

MLX_INLINE Vec<float> exp2(Vec<float> x) {
  x = at_least(at_most(x, 129), -151);
  const Vec<float> n = round_small(x);
  const Vec<float> r = (x - n) * 0x1.62e43p-1f;
  return scale_by_power(1 + fma(r * r, polynomial(r, kExp<float>), r), n);
}

MLX_INLINE Vec<float> expm1(Vec<float> x) {
  const ReducedExponent e = reduce_exponent(at_least(at_most(x, 89), -20));
  const Vec<float> fraction = fma(e.r * e.r, polynomial(e.r, kExp<float>), e.r);
  const Vec<float> scale = scale_by_power(Vec<float>(0.5f), e.n);  // half, for 2^128 is too large
  const Vec<float> half = fma(scale, fraction, scale - 0.5f);
  return copysign(half + half, x);
}

// x = 2^exponent (1 + fraction) with 1 + fraction in [3/4, 3/2), for positive, finite x.
struct SplitFloat {
  Vec<float> exponent, fraction;
};
MLX_INLINE SplitFloat split_exponent(Vec<float> x) {
#if defined(__AVX512F__)
  const Vec<float> m(_mm512_getmant_ps(x.v, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_src));
  // What lies below 1 was at least 3/2 and has been halved.
  return {Vec<float>(_mm512_getexp_ps(x.v)) - Vec<float>(_mm512_getexp_ps(m.v)), m - 1};
#else
  const Mask<float> denormal = x < 0x1p-126f;
  const Vec<int32_t> bits = bit_cast<int32_t>(select(denormal, x * 0x1p23f, x));
  const Vec<int32_t> exponent = (bits - 0x3f400000) >> Vec<int32_t>(23);
  const Vec<float> m = bit_cast<float>(bits - (exponent << Vec<int32_t>(23)));
  return {convert<float>(exponent) - select(denormal, Vec<float>(23), Vec<float>(0)), m - 1};
#endif
}

// log(1 + f) - f for 1 + f in [3/4, 3/2], plus a small addend.
MLX_INLINE Vec<float> log_tail(Vec<float> f, Vec<float> addend) {
  // (log(1 + f) - f + f^2 / 2) / f^3
  static constexpr float kLogF[] = {0.3333344912f, -0.2500009584f, 0.1999086063f, -0.1664731137f,
                                    0.1447840215f, -0.1316120941f, 0.1046301443f, -0.04507453728f};
  const Vec<float> square = f * f;
  return fma(Vec<float>(-0.5f), square, fma(square * f, polynomial(f, kLogF), addend));
}

// The logarithm of a number that is no positive, finite one; `inside` for those that are.
MLX_INLINE Vec<float> logarithm_limits(Vec<float> x, Vec<float> inside) {
#if defined(__AVX512F__)
  // A digit for each kind of x, from the right: quiet and signaling NaN, 0, 1, -infinity, infinity, negative,
  // positive. 0 stands for `inside`, 1 for x, 3 for NaN, 4 for -infinity.
  constexpr int answers = 0x03130411;
  return Vec<float>(_mm512_fixupimm_ps(inside.v, x.v, _mm512_set1_epi32(answers), 0));
#else
  const Vec<float> outside = select(x == 0, Vec<float>(-kInfinityF), select(x < 0, Vec<float>(kNanF), x));
  return select((x > 0) & (x < kInfinityF), inside, outside);
#endif
}

inline constexpr float kLn2HighF = 0x1.63p-1f, kLn2LowF = -0x1.bd0106p-13f;

MLX_INLINE Vec<float> log_of_split(SplitFloat x) {
  const Vec<float> tail = log_tail(x.fraction, x.exponent * kLn2LowF);
  return fma(x.exponent, Vec<float>(kLn2HighF), x.fraction + tail);
}
MLX_INLINE Vec<float> log(Vec<float> x) { return logarithm_limits(x, log_of_split(split_exponent(x))); }

MLX_INLINE Vec<float> log2(Vec<float> x) {
  const auto [exponent, fraction] = split_exponent(x);
  const Vec<float> tail = log_tail(fraction, Vec<float>(0));
  // The first sum is exact where it could cancel.
  const Vec<float> rest = fma(fraction, Vec<float>(0x1.c551dap-2f), tail * 0x1.715476p+0f);
  return logarithm_limits(x, (exponent + fraction) + rest);
}
MLX_INLINE Vec<float> log10(Vec<float> x) {
  const auto [exponent, fraction] = split_exponent(x);
  const Vec<float> tail = log_tail(fraction, Vec<float>(0));
  const Vec<float> rest = fma(tail, Vec<float>(0x1.bcb7b2p-2f), exponent * 0x1.3509f8p-18f);
  const Vec<float> sum =
      fma(exponent, Vec<float>(0x1.344000p-2f), fma(fraction, Vec<float>(0x1.bcb7b2p-2f), rest));
  return logarithm_limits(x, sum);
}
MLX_INLINE Vec<float> log1p(Vec<float> x) {
  const Vec<float> sum = 1 + x;
  SplitFloat split = split_exponent(sum);
  // The fraction again, without the sum's rounding error.
  const Vec<float> scale = scale_by_power(Vec<float>(1), -split.exponent);
  split.fraction = fma(scale, x, scale - 1);
  return copysign(logarithm_limits(sum, log_of_split(split)), x);
}

MLX_INLINE Vec<float> pow(Vec<float> x, Vec<float> y) {
  const Vec<float> magnitude = abs(x);
  const auto power = [](Vec<double> base, Vec<double> exponent) {
    return core::exp(exponent * core::log(base));
  };
  Vec<float> result = in_double(power, magnitude, y);
  // The logarithm above is for positive, finite numbers: the rest follow from which way the power goes.
  const Mask<float> zero = x == 0;
  const Vec<float> limit = select((y > 0) ^ zero, Vec<float>(kInfinityF), Vec<float>(0));
  result = select(zero | (magnitude == kInfinityF), limit, result);
  result = select((x != x) | (y != y), Vec<float>(kNanF), result);
  result = select((y == 0) | (x == 1) | ((magnitude == 1) & (abs(y) == kInfinityF)), Vec<float>(1), result);
  const Vec<float> half = y * 0.5f;
  const Mask<float> whole = trunc(y) == y;
  const Mask<float> odd = whole & (trunc(half) != half);
  result = select((x < 0) & (x != -kInfinityF) & !whole & (y == y), Vec<float>(kNanF), result);
  return select(signbit(x) & odd, -result, result);
}

#if defined(__AVX512F__)
MLX_INLINE Vec<float> evaluate(const Piecewise& f, Vec<float> x) {
  const Vec<float> a = at_most(abs(x), Piecewise::kEnd);
  const Vec<float> known = at_least(a, Piecewise::kFirst);
  const __m512i piece = _mm512_srli_epi32(_mm512_castps_si512(known.v), Piecewise::kIndexShift);
  const auto chosen = [piece](const float* table) {
    return Vec<float>(_mm512_permutex2var_ps(_mm512_load_ps(table), piece, _mm512_load_ps(table + 16)));
  };
  const Vec<float> distance = a - chosen(f.centre);
  Vec<float> sum = chosen(f.coefficient[Piecewise::kDegree]);
#pragma GCC unroll 8
  for (int i = Piecewise::kDegree - 1; i > 0; --i) sum = fma(sum, distance, chosen(f.coefficient[i]));
  return copysign(chosen(f.coefficient[0]) + fma(sum, distance, distance), x);
}

MLX_INLINE Vec<float> tanh(Vec<float> x) { return evaluate(piecewise_tanh, x); }
MLX_INLINE Vec<float> erf(Vec<float> x) { return evaluate(piecewise_erf, x); }
#else
MLX_INLINE Vec<float> tanh(Vec<float> x) {
  // (tanh(x) - x) / x^3 in terms of x^2, on |x| <= 0.625
  static constexpr float kTanhF[] = {-0.333333309f,  0.1333320966f,    -0.05394719038f,
                                     0.02170288707f, -0.008182467018f, 0.002147339916f};
  const Vec<float> a = abs(x), z = x * x;
  const Vec<float> small = fma(a * z, polynomial(z, kTanhF), a);
  const Vec<float> large = 1 - 2 / (exp(a + a) + 1);
  return copysign(select(a < 0.625f, small, large), x);
}

MLX_INLINE Vec<float> erf(Vec<float> x) {
  // erf(x) / x - 1 in terms of x^2, on |x| <= 1
  static constexpr float kErfF[] = {0.1283791659f,   -0.3761262714f,    0.1128360018f,  -0.02685444467f,
                                    0.005189535348f, -0.0008020840496f, 7.889115011e-5f};
  // log(erfc(x)) on [1, 4]
  static constexpr float kLogErfcF[] = {0.0001880310599f, -1.129578382f,   -0.6332199735f,
                                        -0.1084184929f,   0.02520820455f,  -0.004204542894f,
                                        0.0004413326195f, -2.168653787e-5f};
  const Vec<float> a = abs(x), z = x * x;
  const Vec<float> small = fma(a, polynomial(z, kErfF), a);
  const Vec<float> t = select(a > 4, Vec<float>(4), a);
  const Vec<float> large = 1 - exp(polynomial(t, kLogErfcF));
  return copysign(select(a < 1, small, large), x);
}
#endif

MLX_INLINE Vec<float> sinh(Vec<float> x) {
  const auto odd = [](Vec<double> d) {
    const Vec<double> e = core::expm1(abs(d));
    return 0.5 * (e + e / (e + 1));
  };
  return copysign(in_double(odd, x), x);
}
MLX_INLINE Vec<float> cosh(Vec<float> x) {
  const auto even = [](Vec<double> d) {
    const Vec<double> e = core::exp(d);
    return 0.5 * (e + 1 / e);
  };
  return in_double(even, x);
}

MLX_INLINE Vec<float> asinh(Vec<float> x) {
  const auto odd = [](Vec<double> a) {
    const Vec<double> z = a * a;
    const Vec<double> series = fma(a * z, Vec<double>(-1.0 / 6), a);
    return select(a < 0x1p-10, series, core::log(a + sqrt(z + 1)));
  };
  const Vec<float> a = abs(x);
  return copysign(select(a < kInfinityF, in_double(odd, a), a), x);
}
MLX_INLINE Vec<float> acosh(Vec<float> x) {
  const Vec<float> inside = in_double([](Vec<double> d) { return core::log(d + sqrt(d * d - 1)); }, x);
  return select((x >= 1) & (x < kInfinityF), inside, select(x < 1, Vec<float>(kNanF), x));
}
MLX_INLINE Vec<float> atanh(Vec<float> x) {
  const auto odd = [](Vec<double> a) {
    const Vec<double> z = a * a;
    const Vec<double> series = fma(a * z, fma(z, Vec<double>(0.2), Vec<double>(1.0 / 3)), a);
    return select(a < 0x1p-10, series, 0.5 * core::log((1 + a) / (1 - a)));
  };
  const Vec<float> a = abs(x);
  const Vec<float> outside = select(a == 1, Vec<float>(kInfinityF), Vec<float>(kNanF));
  return copysign(select(a < 1, in_double(odd, a), outside), x);
}

// p / q within 1 ulp, for 2^-100 < q < 2^100.
MLX_INLINE Vec<float> near_quotient(Vec<float> p, Vec<float> q) {
#if defined(__AVX512F__)
  const Vec<float> guess(_mm512_rcp14_ps(q.v)), quotient = p * guess;
  return fma(guess, fma(-q, quotient, p), quotient);
#else
  return p / q;
#endif
}

// a^2 + c, rounded once although a^2 is not a float. Where fma rounds twice (SSE), a is cut into a short
// number, whose square is exact, and a rest.
MLX_INLINE Vec<float> square_plus(Vec<float> a, Vec<float> c) {
#if defined(__x86_64__) && !defined(__FMA__)
  const Vec<float> high = bit_cast<float>(bit_cast<int32_t>(a) & Vec<int32_t>(-4096));
  return (high * high + c) + (a - high) * (a + high);
#else
  return fma(a, a, c);
#endif
}

// y exp(-a^2 / 2) for 0 <= a <= 14.5. With a^2 = r - 2 ln(2) n it is 2^n y exp(-r / 2), where r keeps all
// bits of the square, which is never rounded by itself.
MLX_INLINE Vec<float> times_gaussian(Vec<float> y, Vec<float> a) {
  const auto remainder = [a](Vec<float> n) {
    return fma(n, Vec<float>(-0x1.bd0106p-12f), square_plus(a, n * 0x1.63p+0f));
  };
  constexpr float half_log2_e = 0x1.715476p-1f;
#if defined(__AVX512F__)
  // n in steps of 1/16, whose low bits choose from a register of powers of two; scalef rounds n down.
  alignas(64) static constexpr float kSixteenths[] = {
      1.0f,        1.04427373f, 1.09050775f, 1.13878858f, 1.18920708f, 1.24185777f, 1.29683959f, 1.35425556f,
      1.41421354f, 1.47682619f, 1.54221082f, 1.61049032f, 1.68179286f, 1.75625217f, 1.8340081f,  1.91520655f};
  // (exp(-r / 2) - 1) / r on |r| <= ln(2) / 16
  static constexpr float kFactor[] = {-0.5f, 0.125004128f, -0.0208325777f};
  constexpr float magic = 0x1.8p19f;
  const Vec<float> shifted = fma(a * a, Vec<float>(-half_log2_e), Vec<float>(magic));
  const Vec<float> n = shifted - magic, r = remainder(n);
  y = y * Vec<float>(_mm512_permutexvar_ps(_mm512_castps_si512(shifted.v), _mm512_load_ps(kSixteenths)));
#else
  // (exp(-r / 2) - 1) / r on |r| <= ln(2)
  static constexpr float kFactor[] = {-0.5000000182f,  0.12499998014f,  -0.0208330246f,
                                      0.002604264297f, -0.00026171428f, 2.1619984e-05f};
  const Vec<float> n = round_small(a * a * -half_log2_e), r = remainder(n);
#endif
  return scale_by_power(fma(y, r * polynomial(r, kFactor), y), n);
}

// The normal distribution function, with one branch: its tail beyond a is exp(-a^2 / 2) times a slow
// function. Within 5 ulp for negative arguments, 2 for positive ones.
MLX_INLINE Vec<float> ndtr(Vec<float> x) {
  // exp(a^2 / 2) ndtr(-a) = P(a) / Q(a) on a in [0, 14.5], where Q begins with a^5. All coefficients are
  // positive, so nothing cancels; by twos, fewer roundings add up than by Horner's rule.
  static constexpr float kP[] = {48.6396484f, 42.5970802f, 17.7953625f, 3.94278216f, 0.39894706f};
  static constexpr float kQ[] = {97.2792969f, 162.811844f, 116.85569f, 45.591568f, 9.88372993f};
  const Vec<float> a = at_most(abs(x), 14.5f);  // beyond, the tail is below the smallest float
  const Vec<float> square = a * a;
  const auto pair = [a](const float* c) { return fma(a, Vec<float>(c[1]), Vec<float>(c[0])); };
  const Vec<float> p = fma(fma(square, Vec<float>(kP[4]), pair(kP + 2)), square, pair(kP));
  const Vec<float> q = fma(fma(square, a + kQ[4], pair(kQ + 2)), square, pair(kQ));
  const Vec<float> tail = times_gaussian(near_quotient(p, q), a);
  return select(x < 0, tail, 1 - tail);
}

MLX_INLINE Vec<float> erfc(Vec<float> x) {
  // exp(x^2) erfc(x) in terms of 1 / (1 + x / 2), on x in [0, 11]
  static constexpr double kErfcx[] = {-1.29228908213722964e-7, 0.282099571364188236,   0.282016922118872062,
                                      0.247564957084676943,    0.171970422711125379,   0.100073535266011099,
                                      -0.0389209163739550404,  -0.0496552673066541945, 0.151081624081559055,
                                      -0.708782388169407795,   1.30890077136439935,    -1.24994352816583619,
                                      0.681694814922791278,    -0.204620328123519592,  0.0265199384666082018};
  const auto complement = [](Vec<double> d) {
    Vec<double> a = abs(d);
    a = select(a > 11, Vec<double>(11), a);
    const Vec<double> tail =
        core::exp(-a * a) * polynomial(1 / fma(a, Vec<double>(0.5), Vec<double>(1)), kErfcx);
    return select(d < 0, 2 - tail, tail);
  };
  return in_double(complement, x);
}

MLX_INLINE Vec<float> erfinv(Vec<float> x) {
  // erfinv(x) / x in terms of w = -log(1 - x^2), on w <= 5, and of sqrt(w) beyond
  static constexpr double kCentre[] = {
      0.886226925439981341,     0.232013667621693898,     0.0115493268838929648,   -0.00233501926222038753,
      -0.000128274747117671881, 0.0000469970549641905498, 1.6088093771718901e-6,   -7.19923216317599171e-7,
      -1.78609083313722979e-7,  6.85916200519320382e-8,   -8.63071609668388238e-9, 4.51001718254160087e-10,
      -4.26858807653139997e-13, -6.20826336706381559e-13};
  static constexpr double kTail[] = {
      -3.06478313226788234,   12.8558936775530416,     -17.9472395418149985,    14.5496453522221489,
      -7.17027659033096935,   2.2248258484031176,      -0.414795761201378309,   0.0343533723863981046,
      0.00277725521864962169, -0.00102619917834963652, 0.000103086590601539998, -3.83995056608594353e-6};
  const auto odd = [](Vec<double> d) {
    const Vec<double> w = -core::log((1 - d) * (1 + d));
    return d * select(w < 5, polynomial(w, kCentre), polynomial(sqrt(w), kTail));
  };
  const Vec<float> a = abs(x);
  const Vec<float> outside = select(a == 1, Vec<float>(kInfinityF), Vec<float>(kNanF));
  return copysign(select(a < 1, in_double(odd, a), outside), x);
}

}  // namespace mlx::cpu::MLX_ISA

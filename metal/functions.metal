// The functions that formulas call (cpp/backends/gpu/expr.h), for those types that have them here. A formula that
// calls another one is left to the CPU.
namespace mlx {

// ---- integers

inline uchar abs(uchar x) { return x; }
inline int abs(int x) { return x < 0 ? -x : x; }
inline long abs(long x) { return x < 0 ? -x : x; }
inline bool signbit(uchar x) { return x < 0; }
inline bool signbit(int x) { return x < 0; }
inline bool signbit(long x) { return x < 0; }
inline uchar floor(uchar x) { return x; }
inline int floor(int x) { return x; }
inline long floor(long x) { return x; }
inline uchar ceil(uchar x) { return x; }
inline int ceil(int x) { return x; }
inline long ceil(long x) { return x; }
inline uchar round(uchar x) { return x; }
inline int round(int x) { return x; }
inline long round(long x) { return x; }
inline uchar trunc(uchar x) { return x; }
inline int trunc(int x) { return x; }
inline long trunc(long x) { return x; }

template <typename T>
inline T greatest_divisor(T x, T y) {
  while (y != 0) {
    const T rest = x % y;
    x = y;
    y = rest;
  }
  return abs(x);
}
inline uchar gcd(uchar x, uchar y) { return greatest_divisor(x, y); }
inline int gcd(int x, int y) { return greatest_divisor(x, y); }
inline long gcd(long x, long y) { return greatest_divisor(x, y); }

// By squaring. Of negative powers, only those of 1 and -1 are integers other than 0.
template <typename T>
inline T integer_power(T x, T y) {
  if (y < 0) return x == T(1) ? T(1) : x == T(-1) ? ((y & 1) ? T(-1) : T(1)) : T(0);
  T power = 1;
  for (; y > 0; y >>= 1) {
    if (y & 1) power *= x;
    x *= x;
  }
  return power;
}
inline uchar pow(uchar x, uchar y) { return integer_power(x, y); }
inline int pow(int x, int y) { return integer_power(x, y); }
inline long pow(long x, long y) { return integer_power(x, y); }

// ---- reals

inline float conj(float x) { return x; }
inline float abs(float x) { return metal::abs(x); }
inline bool signbit(float x) { return metal::signbit(x); }
inline float floor(float x) { return metal::floor(x); }
inline float ceil(float x) { return metal::ceil(x); }
inline float round(float x) { return metal::rint(x); }
inline float trunc(float x) { return metal::trunc(x); }
inline float fmod(float x, float y) { return metal::fmod(x, y); }
inline float copysign(float x, float y) { return metal::copysign(x, y); }
inline float sqrt(float x) { return metal::sqrt(x); }
inline float rsqrt(float x) { return 1.0f / metal::sqrt(x); }
inline float exp(float x) { return metal::exp(x); }
inline float exp2(float x) { return metal::exp2(x); }
inline float log(float x) { return metal::log(x); }
inline float log2(float x) { return metal::log2(x); }
inline float log10(float x) { return metal::log10(x); }
inline float pow(float x, float y) { return metal::pow(x, y); }
inline float sin(float x) { return metal::sin(x); }
inline float cos(float x) { return metal::cos(x); }
inline float tan(float x) { return metal::tan(x); }
inline float asin(float x) { return metal::asin(x); }
inline float acos(float x) { return metal::acos(x); }
inline float atan(float x) { return metal::atan(x); }
inline float atan2(float y, float x) { return metal::atan2(y, x); }
inline float acosh(float x) { return metal::acosh(x); }
inline float atanh(float x) { return metal::atanh(x); }

// e^x - 1. Near zero by the exactly known rounding error of u = e^x: (u - 1) x / log(u) (Kahan).
inline float expm1(float x) {
  if (abs(x) < 1e-5f) return x + 0.5f * x * x;
  const float u = exp(x);
  if (abs(x) > 0.7f || !(u > 0)) return u - 1.0f;
  return (u - 1.0f) * x / log(u);
}
// log(1 + x), by the same trick: log(u) x / (u - 1) with u = 1 + x.
inline float log1p(float x) {
  const float u = 1.0f + x;
  if (u == 1.0f) return x;
  if (!(u > 0) || isinf(u)) return log(u);
  return log(u) * (x / (u - 1.0f));
}
inline float sinh(float x) {
  const float size = abs(x);
  if (size > 88.0f) {
    const float half_power = exp(0.5f * size);
    return copysign(0.5f * half_power * half_power, x);
  }
  const float e = expm1(size);
  return copysign(0.5f * (e + e / (e + 1.0f)), x);
}
inline float cosh(float x) {
  const float half_power = exp(0.5f * abs(x));
  return 0.5f * half_power * half_power + 0.5f / half_power / half_power;
}
inline float tanh(float x) {
  const float size = abs(x);
  if (size > 10.0f) return copysign(1.0f, x);
  const float e = expm1(-2.0f * size);
  return x != x ? x : copysign(-e / (2.0f + e), x);
}
inline float asinh(float x) {
  const float size = abs(x);
  if (size > 1e9f) return copysign(log(size) + 0.69314718f, x);
  return copysign(log1p(size + size * size / (1.0f + sqrt(size * size + 1.0f))), x);
}
inline float hypot(float x, float y) {
  if (isinf(x) || isinf(y)) return INFINITY;
  const float high = max(abs(x), abs(y)), low = min(abs(x), abs(y));
  if (high == 0 || x != x || y != y) return abs(x) + abs(y);
  const float ratio = low / high;
  return high * sqrt(1.0f + ratio * ratio);
}
inline float nextafter(float x, float y) {
  if (x != x || y != y) return x + y;
  if (x == y) return y;
  if (x == 0) return copysign(as_type<float>(1), y);
  const int bits = as_type<int>(x);
  return as_type<float>((x < y) == (x > 0) ? bits + 1 : bits - 1);
}

// The complementary error function of x >= 0.5, as e^(-x^2) times a polynomial in t = 1 / (1 + x / 2)
// (the rational Chebyshev fit of Numerical Recipes, section 6.2, has 1.2e-7).
inline float erfc_polynomial(float t) {
  float p = 0.17087277f;
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  return p * t - 1.26551223f;
}
inline float erfc_above(float x) {
  if (x > 10.5f) return 0.0f;
  const float t = 1.0f / (1.0f + 0.5f * x);
  // The square in two parts, so that its rounding error does not reach the exponent.
  const float high = as_type<float>(as_type<uint>(x) & 0xfffff000u), low = x - high;
  return t * exp(-high * high) * exp(erfc_polynomial(t) - low * (x + high));
}
// The same times e^(x^2).
inline float erfcx_above(float x) {
  const float t = 1.0f / (1.0f + 0.5f * x);
  return t * exp(erfc_polynomial(t));
}
// The series of Maclaurin, for |x| < 1.
inline float erf_near_zero(float x) {
  const float s = x * x;
  float p = 1.0f / 685440.0f;
  p = p * -s + 1.0f / 75600.0f;
  p = p * -s + 1.0f / 9360.0f;
  p = p * -s + 1.0f / 1320.0f;
  p = p * -s + 1.0f / 216.0f;
  p = p * -s + 1.0f / 42.0f;
  p = p * -s + 0.1f;
  p = p * -s + 1.0f / 3.0f;
  p = p * -s + 1.0f;
  return 1.12837917f * x * p;
}
inline float erf(float x) {
  const float size = abs(x);
  if (!(size >= 0.75f)) return erf_near_zero(x);
  return copysign(1.0f - erfc_above(size), x);
}
inline float erfc(float x) {
  if (!(abs(x) >= 0.75f)) return 1.0f - erf_near_zero(x);
  return x > 0 ? erfc_above(x) : 2.0f - erfc_above(-x);
}
// erfc(t) / 2 with t = -x / sqrt(2). What t lacks in digits counts t^2 times in the tail, so it is put back.
inline float ndtr(float x) {
  const float t = -0.707106769f * x, tail = 0.5f * erfc(t);
  if (!(t > 1.0f) || tail == 0) return tail;
  const float rest = fma(-0.707106769f, x, -t) - 1.21016178e-8f * x;
  return tail * (1.0f - rest * (2.0f * t + 1.0f / t));
}

// ---- complex numbers

inline complex64 conj(complex64 z) { return complex64(z.re, -z.im); }
inline float abs(complex64 z) { return hypot(z.re, z.im); }
inline float angle(complex64 z) { return atan2(z.im, z.re); }
inline bool isinf(complex64 z) { return metal::isinf(z.re) || metal::isinf(z.im); }

}  // namespace mlx

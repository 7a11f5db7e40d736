// The functions of complex numbers that formulas call. Branch cuts are those of C's <complex.h>.
namespace mlx {
namespace complexes {

// a b - c d with one rounding error (Kahan).
inline float difference(float a, float b, float c, float d) {
  const float other = c * d;
  return fma(a, b, -other) + fma(-c, d, other);
}
inline complex64 scaled(complex64 z, float by) { return complex64(z.re * by, z.im * by); }
inline complex64 turned(complex64 z) { return complex64(-z.im, z.re); }       // i z
inline complex64 turned_back(complex64 z) { return complex64(z.im, -z.re); }  // -i z
inline bool is_finite(complex64 z) { return abs(z.re) < INFINITY && abs(z.im) < INFINITY; }

// e^x times (cos y, sin y); 0 times an infinite power is 0.
inline complex64 powered(float power, float y) {
  return complex64(power * cos(y), y == 0 ? y : power * sin(y));
}
inline complex64 exp(complex64 z) {
  if (z.re == -INFINITY) return is_finite(complex64(0, z.im)) ? powered(0.0f, z.im) : complex64(0, 0);
  if (z.re == INFINITY && !is_finite(complex64(0, z.im))) return complex64(INFINITY, NAN);
  if (z.re > 88.0f && z.re < INFINITY) return scaled(powered(mlx::exp(z.re - 64.0f), z.im), 6.2351491e27f);
  return powered(mlx::exp(z.re), z.im);
}
inline complex64 exp2(complex64 z) {
  const float x = mlx::exp2(z.re), angle = 0.693147182f * z.im;
  if (metal::isinf(z.re)) return exp(complex64(z.re, angle));
  // What the angle lacks in digits turns the result a little further.
  const float rest = fma(0.693147182f, z.im, -angle) - 1.90465421e-9f * z.im;
  const complex64 w = powered(x, angle);
  return rest == rest ? complex64(fma(-rest, w.im, w.re), fma(rest, w.re, w.im)) : w;
}
inline complex64 expm1(complex64 z) {
  const float half_sine = sin(0.5f * z.im), x = mlx::expm1(z.re);
  return complex64(x * cos(z.im) - 2.0f * half_sine * half_sine, mlx::exp(z.re) * sin(z.im));
}

// log |z|: near 1 by what |z|^2 has beyond it.
inline float log_modulus(complex64 z) {
  const float high = max(abs(z.re), abs(z.im)), low = min(abs(z.re), abs(z.im));
  if (high > 0.5f && high < 2.0f) {
    const float rest = fma(high - 1.0f, high + 1.0f, low * low);
    if (rest > -0.5f && rest < 1.0f) return 0.5f * mlx::log1p(rest);
  }
  return mlx::log(hypot(z.re, z.im));
}
inline complex64 log(complex64 z) { return complex64(log_modulus(z), atan2(z.im, z.re)); }
inline complex64 log2(complex64 z) { return scaled(log(z), 1.44269504f); }
inline complex64 log10(complex64 z) { return scaled(log(z), 0.434294482f); }
inline complex64 log1p(complex64 z) {
  const float size = fma(z.im, z.im, z.re * (2.0f + z.re));
  const float modulus =
      size > -0.5f && size < 1.0f ? 0.5f * mlx::log1p(size) : mlx::log(hypot(1.0f + z.re, z.im));
  return complex64(modulus, atan2(z.im, 1.0f + z.re));
}

// Scaled, so that neither a square nor the sum of squares leaves the range.
inline complex64 sqrt(complex64 z) {
  if (metal::isinf(z.im)) return complex64(INFINITY, z.im);
  if (metal::isinf(z.re)) {
    const float rest = z.im != z.im ? z.im : 0.0f;
    return z.re > 0 ? complex64(z.re, copysign(rest, z.im)) : complex64(rest, copysign(INFINITY, z.im));
  }
  if (z.re == 0 && z.im == 0) return complex64(0, z.im);
  const float size = max(abs(z.re), abs(z.im));
  const float scale = size > 0x1p100f ? 0x1p-60f : size < 0x1p-60f ? 0x1p80f : 1.0f;
  const float back = size > 0x1p100f ? 0x1p30f : size < 0x1p-60f ? 0x1p-40f : 1.0f;
  const complex64 w = complex64(z.re * scale, z.im * scale);
  const float root = mlx::sqrt(0.5f * (hypot(w.re, w.im) + abs(w.re))), other = 0.5f * w.im / root;
  if (z.re >= 0) return complex64(root * back, other * back);
  return complex64(abs(other) * back, copysign(root, z.im) * back);
}
inline complex64 rsqrt(complex64 z) { return complex64(1, 0) / sqrt(z); }

// Whether only the first part of a function of x and of the angle y has a value.
inline bool has_no_angle(complex64 z) { return !(abs(z.im) < INFINITY) && (z.re == 0 || metal::isinf(z.re)); }

inline complex64 sinh(complex64 z) {
  if (has_no_angle(z)) return complex64(z.re == 0 ? z.re : INFINITY, NAN);
  if (abs(z.re) > 88.0f && is_finite(z)) {
    const complex64 e = exp(complex64(abs(z.re), z.im));
    return complex64(copysign(0.5f, z.re) * e.re, 0.5f * e.im);
  }
  return complex64(mlx::sinh(z.re) * cos(z.im), z.im == 0 ? z.im : mlx::cosh(z.re) * sin(z.im));
}
inline complex64 cosh(complex64 z) {
  if (has_no_angle(z)) return z.re == 0 ? complex64(NAN, 0) : complex64(INFINITY, NAN);
  if (abs(z.re) > 88.0f && is_finite(z)) {
    const complex64 e = exp(complex64(abs(z.re), z.im));
    return complex64(0.5f * e.re, copysign(0.5f, z.re) * e.im);
  }
  return complex64(
      mlx::cosh(z.re) * cos(z.im),
      z.im == 0 ? copysign(z.im, copysign(1.0f, z.re) * copysign(1.0f, z.im)) : mlx::sinh(z.re) * sin(z.im));
}
// By the tangent of y, so that nothing cancels (Kahan, "Branch cuts for complex elementary functions", 1987).
inline complex64 tanh(complex64 z) {
  if (z.re == 0 && has_no_angle(z)) return complex64(z.re, NAN);
  if (z.re != z.re && z.im == 0) return z;
  if (abs(z.re) > 20.0f) {
    const float turn = abs(z.im) < INFINITY ? sin(2.0f * z.im) : 0.0f;
    return complex64(copysign(1.0f, z.re), 2.0f * turn * mlx::exp(-2.0f * abs(z.re)));
  }
  const float t = mlx::tan(z.im), s = mlx::sinh(z.re), beta = fma(t, t, 1.0f),
              rho = mlx::sqrt(fma(s, s, 1.0f));
  if (metal::isinf(t)) return complex64(rho / s, 1.0f / t);
  const float below = fma(beta * s, s, 1.0f);
  return complex64(beta * rho * s / below, t / below);
}
inline complex64 sin(complex64 z) { return turned_back(sinh(turned(z))); }
inline complex64 cos(complex64 z) { return cosh(turned(z)); }
inline complex64 tan(complex64 z) { return turned_back(tanh(turned(z))); }

// The square roots of 1 - z and 1 + z, of which the inverses are made (Kahan, 1987).
struct Roots {
  complex64 minus, plus;
};
inline Roots roots(complex64 z) {
  return {sqrt(complex64(1.0f - z.re, -z.im)), sqrt(complex64(1.0f + z.re, z.im))};
}
// An infinite number seen from afar: its direction, with parts of 0 and 1.
inline bool is_infinite(complex64 z) { return metal::isinf(z.re) || metal::isinf(z.im); }
inline complex64 direction(complex64 z) {
  return complex64(z.re != z.re ? z.re : copysign(metal::isinf(z.re) ? 1.0f : 0.0f, z.re),
                   z.im != z.im ? z.im : copysign(metal::isinf(z.im) ? 1.0f : 0.0f, z.im));
}
// On the imaginary axis half of what these functions give is known, whatever the other half is.
inline bool is_lost_on_axis(complex64 z) { return z.re == 0 && z.im != z.im; }

inline complex64 asin(complex64 z) {
  if (is_lost_on_axis(z)) return z;
  if (is_infinite(z)) {
    const complex64 d = direction(z);
    return complex64(mlx::atan2(d.re, abs(d.im)), copysign(INFINITY, z.im));
  }
  const Roots r = roots(z);
  return complex64(mlx::atan2(z.re, difference(r.minus.re, r.plus.re, r.minus.im, r.plus.im)),
                   mlx::asinh(difference(r.minus.re, r.plus.im, r.minus.im, r.plus.re)));
}
inline complex64 acos(complex64 z) {
  if (is_lost_on_axis(z)) return complex64(1.57079633f, NAN);
  if (is_infinite(z)) {
    const complex64 d = direction(z);
    return complex64(mlx::atan2(abs(d.im), d.re), -copysign(INFINITY, z.im));
  }
  const Roots r = roots(z);
  return complex64(2.0f * mlx::atan2(r.minus.re, r.plus.re),
                   mlx::asinh(difference(r.plus.re, r.minus.im, r.plus.im, r.minus.re)));
}
inline complex64 acosh(complex64 z) {
  if (is_lost_on_axis(z)) return complex64(NAN, 1.57079633f);
  if (is_infinite(z)) {
    const complex64 d = direction(z);
    return complex64(INFINITY, mlx::atan2(d.im, d.re));
  }
  const complex64 a = sqrt(complex64(z.re - 1.0f, z.im)), b = sqrt(complex64(z.re + 1.0f, z.im));
  return complex64(mlx::asinh(fma(a.re, b.re, a.im * b.im)), 2.0f * mlx::atan2(a.im, b.re));
}
inline complex64 asinh(complex64 z) { return turned_back(asin(turned(z))); }
inline complex64 atanh(complex64 z) {
  if (is_lost_on_axis(z)) return z;
  if (is_infinite(z))
    return complex64(copysign(0.0f, z.re), z.im != z.im ? z.im : copysign(1.57079633f, z.im));
  const float x = abs(z.re), y = z.im, apart = 1.0f - x;
  if (x > 0x1p30f || abs(y) > 0x1p30f) {
    const complex64 rest = complex64(1, 0) / z;
    return complex64(rest.re, copysign(1.57079633f, y));
  }
  const float real = 0.25f * mlx::log1p(4.0f * x / fma(apart, apart, y * y));
  const float angle = 0.5f * mlx::atan2(2.0f * y, fma(apart, 1.0f + x, -y * y));
  return complex64(copysign(real, z.re), angle);
}
inline complex64 atan(complex64 z) { return turned_back(atanh(turned(z))); }

}  // namespace complexes
}  // namespace mlx

// Bessel's and Airy's functions (see special_functions.h).

#include <cmath>
#include <limits>
#include <numbers>

#include "backends/cpu/special_functions.h"

namespace mlx::cpu::special {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

struct Pair {
  double zero, one;  // orders mu and mu + 1
};

// exp(x) K of orders mu and mu + 1 for x >= 1.5, by Steed's continued fraction (Temme, "On the numerical
// evaluation of the modified Bessel function of the third kind", 1975).
Pair scaled_k_by_fraction(double mu, double x) {
  const double first = 0.25 - mu * mu;
  double b = 2 * (1 + x), d = 1 / b, h = d, step = d;
  double q1 = 0, q2 = 1, c = first, q = first, a = -first, s = 1 + q * step;
  for (int i = 2; i < 10000; ++i) {
    a -= 2 * (i - 1);
    c = -a * c / i;
    const double next = (q1 - b * q2) / a;
    q1 = q2;
    q2 = next;
    q += c * next;
    b += 2;
    d = 1 / (b + a * d);
    step = (b * d - 1) * step;
    h += step;
    const double change = q * step;
    s += change;
    if (std::fabs(change) < kEpsilon * std::fabs(s)) break;
  }
  const double k = std::sqrt(std::numbers::pi / (2 * x)) / s;
  return {k, k * (mu + x + 0.5 - first * h) / x};
}

// K0 and K1 for 0 < x < 2 (DLMF 10.31).
Pair k_by_series(double x) {
  const double z = x * x / 4, log_half = std::log(x / 2) + std::numbers::egamma;
  double term = 1, harmonic = 0, zero = -log_half, one = 0;
  for (int k = 0; k < 40; ++k) {
    // The terms of order 1 are those of order 0 over k + 1.
    one += term / (k + 1) * (2 * (log_half - harmonic) - 1.0 / (k + 1));
    term *= z / ((k + 1.0) * (k + 1.0));
    harmonic += 1.0 / (k + 1);
    zero += term * (harmonic - log_half);
  }
  return {zero, 1 / x + x / 4 * one};
}

Pair scaled_k(double x) {
  if (x >= 2) return scaled_k_by_fraction(0, x);
  const Pair k = k_by_series(x);
  return {k.zero * std::exp(x), k.one * std::exp(x)};
}

Pair k(double x) {
  if (x < 2) return k_by_series(x);
  const Pair scaled = scaled_k_by_fraction(0, x);
  return {scaled.zero * std::exp(-x), scaled.one * std::exp(-x)};
}

// What a function with a pole at 0 gives outside (0, infinity).
template <class F>
double on_positive(double x, double at_zero, F inside) {
  if (std::isnan(x) || x < 0) return kNan;
  if (x == 0) return at_zero;
  if (x == kInfinity) return 0;
  return inside(x);
}

// Ai and its derivative, carried from `from` to `to` by the Taylor series of y'' = x y.
Pair airy_step(double from, double to, Pair y) {
  const double h = to - from;
  double before = 0, now = y.zero, after = y.one;  // the coefficients k - 1, k and k + 1
  double power = 1, value = 0, slope = 0;
  for (int i = 0; i < 60; ++i) {
    value += now * power;
    slope += (i + 1) * after * power;
    const double next = (from * now + before) / ((i + 1.0) * (i + 2.0));
    before = now;
    now = after;
    after = next;
    power *= h;
  }
  return {value, slope};
}

// (DLMF 9.7.9.)
double airy_far_left(double x) {
  const double zeta = 2.0 / 3 * std::pow(-x, 1.5), angle = zeta - std::numbers::pi / 4;
  double term = 1, even = 0, odd = 0;
  for (int i = 0; i < 16; ++i) {
    const double signed_term = (i / 2) % 2 ? -term : term;
    (i % 2 ? odd : even) += signed_term;
    term *= (6 * i + 1.0) * (6 * i + 5.0) / (72.0 * (i + 1) * zeta);
  }
  return (std::cos(angle) * even + std::sin(angle) * odd) /
         (std::sqrt(std::numbers::pi) * std::pow(-x, 0.25));
}

}  // namespace

double bessel_j0(double x) { return std::isinf(x) ? 0 : ::j0(x); }
double bessel_j1(double x) { return std::isinf(x) ? 0 : ::j1(x); }
double bessel_y0(double x) {
  return on_positive(x, -kInfinity, [](double a) { return ::y0(a); });
}
double bessel_y1(double x) {
  return on_positive(x, -kInfinity, [](double a) { return ::y1(a); });
}
double bessel_k0(double x) {
  return on_positive(x, kInfinity, [](double a) { return k(a).zero; });
}
double bessel_k1(double x) {
  return on_positive(x, kInfinity, [](double a) { return k(a).one; });
}
double scaled_bessel_k0(double x) {
  return on_positive(x, kInfinity, [](double a) { return scaled_k(a).zero; });
}
double scaled_bessel_k1(double x) {
  return on_positive(x, kInfinity, [](double a) { return scaled_k(a).one; });
}

double airy_ai(double x) {
  if (std::isnan(x) || std::isinf(x)) return std::isnan(x) ? x : 0;
  if (x > 110) return 0;
  if (x > 2) {
    const double zeta = 2.0 / 3 * x * std::sqrt(x);
    return std::sqrt(x / 3) / std::numbers::pi * std::exp(-zeta) * scaled_k_by_fraction(1.0 / 3, zeta).zero;
  }
  if (x < -20) return airy_far_left(x);
  // Steps of 1 away from 0, where the series is exact enough.
  Pair y{0.355028053887817239, -0.258819403792806798};
  double at = 0;
  while (std::fabs(x - at) > 1) {
    const double next = at + (x > at ? 1 : -1);
    y = airy_step(at, next, y);
    at = next;
  }
  return airy_step(at, x, y).zero;
}

}  // namespace mlx::cpu::special

#include "backends/cpu/special_functions.h"

#include <cmath>
#include <limits>

#if defined(__APPLE__)
// <math.h> shows it under _REENTRANT alone.
extern "C" double lgamma_r(double, int*);
#endif

namespace mlx::cpu::special {

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

// Bernoulli numbers B_2, B_4, ... B_20.
constexpr double kBernoulli[] = {1.0 / 6,       -1.0 / 30, 1.0 / 42,      -1.0 / 30,     5.0 / 66,
                                 -691.0 / 2730, 7.0 / 6,   -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};

// exp(-|x|) I_n(x) for n = 0 or 1, |x| <= 30: the defining power series (DLMF 10.25.2), all terms positive.
double bessel_series(int order, double x) {
  const double quarter = 0.25 * x * x;
  double term = order == 0 ? 1.0 : 0.5 * x, sum = term;
  for (int k = 1; term > kEpsilon * 0.25 * sum; ++k) {
    term *= quarter / (static_cast<double>(k) * (k + order));
    sum += term;
  }
  return sum;
}

// exp(-x) I_n(x) for large x: Hankel's asymptotic expansion (DLMF 10.40.1).
double bessel_asymptotic(int order, double x) {
  const double mu = 4.0 * order * order;
  double term = 1, sum = 1;
  for (int k = 1; k < 40; ++k) {
    const double odd = 2.0 * k - 1;
    const double next = -term * (mu - odd * odd) / (8 * x * k);
    if (std::fabs(next) > std::fabs(term)) break;
    term = next;
    sum += term;
    if (std::fabs(term) < kEpsilon * std::fabs(sum)) break;
  }
  return sum / std::sqrt(2 * kPi * x);
}

constexpr double kBesselSwitch = 30;

double scaled_bessel(int order, double x) {
  return x <= kBesselSwitch ? std::exp(-x) * bessel_series(order, x) : bessel_asymptotic(order, x);
}

double bessel(int order, double x) {
  if (x <= kBesselSwitch) return bessel_series(order, x);
  // exp(x) in halves: it overflows before the product does.
  const double half = std::exp(0.5 * x);
  return bessel_asymptotic(order, x) * half * half;
}

// x^a exp(-x) / Gamma(a), the common factor of both incomplete gamma functions.
double gamma_density(double a, double x) {
  if (a < 20) return std::exp(a * std::log(x) - x - lgamma(a));
  // Near x = a the exponent's terms cancel; write them by the relative difference and Stirling's series.
  const double t = (x - a) / a;
  const double difference = std::fabs(t) < 0.4 ? std::log1p(t) - t : std::log(x / a) - t;
  const double r = 1 / (a * a);
  const double stirling = (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r / 1680))) / a;
  return std::exp(a * difference - stirling) * std::sqrt(a / (2 * kPi));
}

// Lower function by its power series (DLMF 8.11.4).
double lower_series(double a, double x) {
  double term = 1 / a, sum = term;
  for (double k = a + 1; std::fabs(term) > kEpsilon * 0.25 * std::fabs(sum); ++k) {
    term *= x / k;
    sum += term;
  }
  return gamma_density(a, x) * sum;
}

// Upper function by its continued fraction (DLMF 8.9.2), evaluated by Lentz's method.
double upper_fraction(double a, double x) {
  constexpr double tiny = 1e-300;
  double b = x + 1 - a, c = 1 / tiny, d = 1 / b, product = d;
  for (int k = 1; k < 100000; ++k) {
    const double numerator = -k * (k - a);
    b += 2;
    d = numerator * d + b;
    if (std::fabs(d) < tiny) d = tiny;
    c = b + numerator / c;
    if (std::fabs(c) < tiny) c = tiny;
    d = 1 / d;
    product *= d * c;
    if (std::fabs(d * c - 1) < kEpsilon) break;
  }
  return gamma_density(a, x) * product;
}

// Whether the power series of the lower function converges sooner than the fraction of the upper one.
bool series_is_better(double a, double x) { return x < a + 1; }

// Arguments at which the pair (lower, upper) has a limit; false if there is none.
bool incomplete_gamma_limit(double a, double x, double* lower) {
  if (!(x >= 0) || !(a >= 0)) {
    *lower = kNan;
  } else if (a == 0) {
    *lower = x > 0 ? 1 : kNan;
  } else if (x == 0) {
    *lower = 0;
  } else if (std::isinf(a)) {
    *lower = std::isinf(x) ? kNan : 0;
  } else if (std::isinf(x)) {
    *lower = 1;
  } else {
    return false;
  }
  return true;
}

}  // namespace

double lgamma(double x) {
#if defined(__GLIBC__) || defined(__APPLE__)
  int sign;  // the reentrant form: lgamma() itself writes a global
  return ::lgamma_r(x, &sign);
#else
  return std::lgamma(x);
#endif
}

double digamma(double x) {
  if (x == 0) return std::copysign(kInfinity, -x);
  double result = 0;
  if (x < 0) {
    if (x == std::floor(x)) return kNan;
    // Reflection (DLMF 5.5.4), with the angle reduced before the tangent.
    const double fraction = x - std::round(x);
    result = -kPi / std::tan(kPi * fraction);
    x = 1 - x;
  }
  for (; x < 10; ++x) result -= 1 / x;
  const double z = 1 / (x * x);
  double tail = 0;
  for (int k = 7; k >= 1; --k) tail = z * (kBernoulli[k - 1] / (2 * k) + tail);
  return result + std::log(x) - 0.5 / x - tail;
}

double trigamma(double x) {
  double sign = 1, result = 0;
  if (x < 0.5) {
    // Reflection (DLMF 5.15.6).
    const double sine = std::sin(kPi * (x - std::round(x)));
    result = -(kPi * kPi) / (sine * sine);
    sign = -1;
    x = 1 - x;
  }
  for (; x < 10; ++x) result += 1 / (x * x);
  const double z = 1 / (x * x);
  double tail = 0;
  for (int k = 7; k >= 1; --k) tail = z * (kBernoulli[k - 1] + tail);
  return sign * (result + (1 + 0.5 / x + tail) / x);
}

double polygamma(double x, double n) {
  return (std::fmod(n, 2) == 0 ? -1 : 1) * std::tgamma(n + 1) * zeta(n + 1, x);
}

double zeta(double x, double q) {
  if (x == 1) return kInfinity;
  if (!(x > 1) || std::isnan(q)) return kNan;
  if (q <= 0) {
    if (q == std::floor(q)) return kInfinity;
    if (x != std::floor(x)) return kNan;
  }
  // Euler and Maclaurin's summation (DLMF 25.11.28) from the tenth term on.
  double sum = 0, at = q;
  for (int n = 0; n < 10 || at <= 9; ++n, at += 1) {
    const double term = std::pow(at, -x);
    sum += term;
    if (at > 0 && std::fabs(term) < kEpsilon * 0.01 * std::fabs(sum)) return sum;
  }
  double power = std::pow(at, -x);
  sum += power * at / (x - 1) + 0.5 * power;
  double factor = x, divisor = 2;  // x (x + 1) ... (x + 2k - 2) and (2k)!
  power /= at;
  for (int k = 1; k <= 10; ++k) {
    const double term = kBernoulli[k - 1] * factor / divisor * power;
    sum += term;
    if (std::fabs(term) < kEpsilon * 0.1 * std::fabs(sum)) break;
    factor *= (x + 2 * k - 1) * (x + 2 * k);
    divisor *= (2.0 * k + 1) * (2 * k + 2);
    power /= at * at;
  }
  return sum;
}

double erfcx(double x) {
  if (x < 25) {
    // exp(x^2) with the rounding error of x^2 put back.
    const double square = x * x, error = std::fma(x, x, -square);
    if (x < -27) return kInfinity;
    return std::exp(square) * (1 + error) * std::erfc(x);
  }
  if (x > 1e8) return 1 / (x * std::sqrt(kPi));
  // Asymptotic expansion (DLMF 7.12.1).
  const double z = 0.5 / (x * x);
  double term = 1, sum = 1;
  for (int k = 1; k < 12; ++k) {
    term *= -(2 * k - 1) * z;
    sum += term;
  }
  return sum / (x * std::sqrt(kPi));
}

namespace {

// Quantile of the normal distribution for p in (0, 1/2], by Newton's method in log p, on which the
// logarithm of the distribution function is smooth and concave, so that it converges from any start.
double lower_quantile(double p) {
  const double target = std::log(p);
  double x = -std::sqrt(std::fmax(0.0, -2 * target - std::log(1 - 2 * target)));
  for (int i = 0; i < 50; ++i) {
    // The derivative of log_ndtr: density over distribution function.
    const double slope = std::sqrt(2 / kPi) / erfcx(-x * std::sqrt(0.5));
    const double step = (log_ndtr(x) - target) / slope;
    x -= step;
    if (std::fabs(step) <= 2 * kEpsilon * std::fabs(x)) break;
  }
  return x;
}

}  // namespace

double ndtri(double p) {
  if (!(p >= 0 && p <= 1)) return kNan;
  if (p == 0) return -kInfinity;
  if (p == 1) return kInfinity;
  if (p == 0.5) return 0;
  return p < 0.5 ? lower_quantile(p) : -lower_quantile(1 - p);
}

double erfinv(double y) {
  const double a = std::fabs(y);
  if (!(a <= 1)) return kNan;
  if (a == 1) return std::copysign(kInfinity, y);
  // A start from the normal quantile in the tail or the first terms of the series in the centre, then
  // Halley's method, which uses erf where y is small and erfc where 1 - y is.
  double x = a < 0.5 ? a * (0.886226925452758 + 0.232013666534654 * a * a)
                     : -lower_quantile(0.5 * (1 - a)) * std::sqrt(0.5);
  for (int i = 0; i < 4; ++i) {
    const double error = a < 0.5 ? std::erf(x) - a : (1 - a) - std::erfc(x);
    const double step = error / (2 / std::sqrt(kPi) * std::exp(-x * x));
    x -= step / (1 + x * step);
  }
  return std::copysign(x, y);
}

double log_ndtr(double x) {
  const double t = x * std::sqrt(0.5);
  if (x < -1) return std::log(0.5 * erfcx(-t)) - t * t;
  return std::log1p(-0.5 * std::erfc(t));
}

double i0(double x) { return std::isnan(x) ? x : bessel(0, std::fabs(x)); }
double i0e(double x) { return std::isnan(x) ? x : scaled_bessel(0, std::fabs(x)); }
double i1(double x) { return std::isnan(x) ? x : std::copysign(bessel(1, std::fabs(x)), x); }
double i1e(double x) { return std::isnan(x) ? x : std::copysign(scaled_bessel(1, std::fabs(x)), x); }

double igamma(double a, double x) {
  double lower;
  if (incomplete_gamma_limit(a, x, &lower)) return lower;
  return series_is_better(a, x) ? lower_series(a, x) : 1 - upper_fraction(a, x);
}

double igammac(double a, double x) {
  double lower;
  if (incomplete_gamma_limit(a, x, &lower)) return 1 - lower;
  return series_is_better(a, x) ? 1 - lower_series(a, x) : upper_fraction(a, x);
}

}  // namespace mlx::cpu::special

// Orthogonal polynomials by their recurrences (DLMF 18.9); see special_functions.h.

#include <cmath>
#include <cstdint>
#include <limits>

#include "backends/cpu/special_functions.h"

namespace mlx::cpu::special {
namespace {

// From this degree on Chebyshev's polynomials are taken from cosines within (-1, 1), at any degree alike.
constexpr double kManySteps = 8;
// Hermite's overflow beyond it.
constexpr double kMostHermite = 512;

// The polynomial of degree n, from those of degree 0 (which is 1) and 1 by next(k, p_k, p_(k - 1)).
template <class Next>
double by_recurrence(double n, double first, Next next) {
  const auto degree = static_cast<int64_t>(n);
  if (degree < 0) return 0;
  if (degree == 0) return 1;
  double before = 1, now = first;
  for (int64_t k = 1; k < degree && !std::isnan(now); ++k) {
    const double after = next(static_cast<double>(k), now, before);
    before = now;
    now = after;
  }
  return now;
}

bool is_odd(double n) { return std::fmod(std::trunc(n), 2) != 0; }

// All four kinds obey the same recurrence. `at_minus_one` is the size of the value at -1, `at_one` the value
// at 1.
template <class Cosines>
double chebyshev(double x, double n, double first, double at_one, double at_minus_one, Cosines cosines) {
  n = std::trunc(n);
  if (n < 0) return 0;
  if (x == 1) return at_one;
  if (x == -1) return is_odd(n) ? -at_minus_one : at_minus_one;
  if (n > kManySteps && std::fabs(x) < 1) return cosines(n, std::acos(x));
  return by_recurrence(n, first, [x](double, double now, double before) { return 2 * x * now - before; });
}

}  // namespace

double chebyshev_t(double x, double n) {
  return chebyshev(x, n, x, 1, 1, [](double k, double angle) { return std::cos(k * angle); });
}

double chebyshev_u(double x, double n) {
  const double size = std::trunc(n) + 1;
  return chebyshev(x, n, 2 * x, size, size,
                   [](double k, double angle) { return std::sin((k + 1) * angle) / std::sin(angle); });
}

double chebyshev_v(double x, double n) {
  return chebyshev(x, n, 2 * x - 1, 1, 2 * std::trunc(n) + 1,
                   [](double k, double angle) { return std::cos((k + 0.5) * angle) / std::cos(angle / 2); });
}

double chebyshev_w(double x, double n) {
  return chebyshev(x, n, 2 * x + 1, 2 * std::trunc(n) + 1, 1,
                   [](double k, double angle) { return std::sin((k + 0.5) * angle) / std::sin(angle / 2); });
}

double hermite_h(double x, double n) {
  if (n > kMostHermite) return std::numeric_limits<double>::quiet_NaN();
  return by_recurrence(n, 2 * x,
                       [x](double k, double now, double before) { return 2 * x * now - 2 * k * before; });
}

double hermite_he(double x, double n) {
  if (n > kMostHermite) return std::numeric_limits<double>::quiet_NaN();
  return by_recurrence(n, x, [x](double k, double now, double before) { return x * now - k * before; });
}

double laguerre_l(double x, double n) {
  return by_recurrence(n, 1 - x, [x](double k, double now, double before) {
    return ((2 * k + 1 - x) * now - k * before) / (k + 1);
  });
}

double legendre_p(double x, double n) {
  if (n >= 0 && std::fabs(x) == 1) return x < 0 && is_odd(n) ? -1 : 1;
  return by_recurrence(n, x, [x](double k, double now, double before) {
    return ((2 * k + 1) * x * now - k * before) / (k + 1);
  });
}

}  // namespace mlx::cpu::special

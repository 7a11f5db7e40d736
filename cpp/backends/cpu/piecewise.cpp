#include "backends/cpu/piecewise.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>

namespace mlx::cpu {

namespace {

template <int kDegree>
using Polynomial = std::array<double, kDegree + 1>;

// The polynomial in x - centre that has f's values at the Chebyshev points of [low, high], by Newton's
// divided differences: close to the best there is.
template <int kDegree, class F>
Polynomial<kDegree> interpolate(F f, double low, double high, double centre) {
  Polynomial<kDegree> at, difference;
  for (int i = 0; i <= kDegree; ++i) {
    const double x = std::cos(std::numbers::pi * (i + 0.5) / (kDegree + 1));
    const double point = (low + high) / 2 + x * (high - low) / 2;
    at[i] = point - centre, difference[i] = f(point);
  }
  for (int order = 1; order <= kDegree; ++order)
    for (int i = kDegree; i >= order; --i)
      difference[i] = (difference[i] - difference[i - 1]) / (at[i] - at[i - order]);
  Polynomial<kDegree> result{};
  for (int i = kDegree; i >= 0; --i) {  // result = result (x - at[i]) + difference[i]
    for (int k = kDegree; k > 0; --k) result[k] = result[k - 1] - at[i] * result[k];
    result[0] = difference[i] - at[i] * result[0];
  }
  return result;
}

}  // namespace

Piecewise::Piecewise(double (*function)(double)) {
  for (int i = 0; i < kPieces; ++i) {
    const double power = kFirst * (1 << i / 4), low = power * (1 + i % 4 / 4.0), high = low + power / 4;
    const float start = static_cast<float>(low);
    uint32_t bits;
    std::memcpy(&bits, &start, sizeof(bits));
    const int place = static_cast<int>(bits >> kIndexShift) % kPieces;
    centre[place] = i == 0 ? 0.0f : static_cast<float>((low + high) / 2);
    Polynomial<kDegree> p{};
    if (i == 0) {  // f / x, so that the smallest x keep their relative accuracy
      const auto slope = interpolate<kDegree - 1>([=](double x) { return function(x) / x; }, 0, high, 0);
      for (int k = 0; k < kDegree; ++k) p[k + 1] = slope[k];
    } else {
      p = interpolate<kDegree>(function, low, high, centre[place]);
    }
    p[1] -= 1;
    for (int k = 0; k <= kDegree; ++k) coefficient[k][place] = static_cast<float>(p[k]);
  }
}

const Piecewise piecewise_tanh(std::tanh), piecewise_erf(std::erf);

}  // namespace mlx::cpu

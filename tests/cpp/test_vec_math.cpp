// float32 functions against the C library's in long double, over the whole range of floats, for the
// instruction set that the program picks (MLX_CPU_ISA chooses another).

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "backends/cpu/special_functions.h"
#include "backends/cpu/vector_kernels.h"

namespace mlx::cpu {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Every 997th float, both signs, denormals, infinities and NaNs among them, and the values where functions
// change their ways.
std::vector<float> sweep(uint32_t stride = 997) {
  std::vector<float> xs = {
      0.0f,           -0.0f,       1.0f,        -1.0f,       0.5f,       -0.5f,        2.0f,
      -2.0f,          kInf,        -kInf,       kNan,        1e-45f,     -1e-45f,      0x1p-126f,
      -0x1p-126f,     88.72284f,   88.72283f,   89.0f,       -87.33f,    -103.97f,     -104.0f,
      128.0f,         -149.0f,     -150.0f,     0.99999994f, 1.0000001f, -0.99999994f, 3.4028235e38f,
      -3.4028235e38f, 0.625f,      4.0f,        10.05f,      0x1p26f,    1.5707964f,   3.1415927f,
      0x1.921fb6p+1f, 16777216.0f, 16777217.0f, 0.70710677f};
  for (uint64_t bits = 0; bits <= 0xffffffffu; bits += stride) {
    xs.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  return xs;
}

// Distance from the exact value in units of the float's last place.
double error_in_ulp(float got, long double exact) {
  if (std::isnan(exact)) return std::isnan(got) ? 0 : 1e30;
  if (std::isnan(got)) return 1e30;
  const float rounded = static_cast<float>(exact);
  if (std::isinf(rounded) || std::isinf(got)) {
    if (got == rounded) return 0;
    // The largest float and infinity are neighbours.
    const float limit = std::numeric_limits<float>::max();
    return std::fabs(got) >= limit && std::fabs(rounded) >= limit && (got > 0) == (rounded > 0) ? 1 : 1e30;
  }
  if (rounded == 0 && exact == 0 && std::signbit(rounded) != std::signbit(got)) return 1e30;
  int exponent;
  std::frexp(rounded, &exponent);
  const long double ulp = std::ldexp(1.0L, std::max(exponent, -125) - 24);
  return static_cast<double>(std::fabs(static_cast<long double>(got) - exact) / ulp);
}

std::vector<float> apply(Formula formula, const std::vector<float>& x, const std::vector<float>& y = {}) {
  std::vector<float> out(x.size());
  const void* inputs[] = {x.data(), y.data()};
  vector_kernels().pointwise(formula, ComputeType::Float32).kernel(inputs, out.data(), x.size());
  return out;
}

using Exact = long double (*)(double);
struct UnaryCase {
  Formula formula;
  Exact exact;
  double tolerance = 2;
};
void PrintTo(const UnaryCase& c, std::ostream* out) { *out << name(c.formula); }

class Unary : public testing::TestWithParam<UnaryCase> {};

TEST_P(Unary, IsWithinTwoUlpEverywhere) {
  const auto [formula, exact, tolerance] = GetParam();
  const std::vector<float> xs = sweep();
  const std::vector<float> got = apply(formula, xs);
  double worst = 0;
  float worst_at = 0;
  for (size_t i = 0; i < xs.size(); ++i) {
    const double error = error_in_ulp(got[i], exact(xs[i]));
    if (error > worst) worst = error, worst_at = xs[i];
  }
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, tolerance) << "at x = " << testing::PrintToString(worst_at) << ", where the kernel gives "
                              << apply(formula, {worst_at})[0] << " and the exact value is "
                              << static_cast<double>(exact(worst_at));
}

// Double precision leaves 29 bits to spare; where a composition would lose them, it is in long double.
const UnaryCase kUnaryCases[] = {
    {Formula::exp, [](double x) -> long double { return std::exp(x); }},
    {Formula::exp2, [](double x) -> long double { return std::exp2(x); }},
    {Formula::expm1, [](double x) -> long double { return std::expm1(x); }},
    {Formula::log, [](double x) -> long double { return std::log(x); }},
    {Formula::log2, [](double x) -> long double { return std::log2(x); }},
    {Formula::log10, [](double x) -> long double { return std::log10(x); }},
    {Formula::log1p, [](double x) -> long double { return std::log1p(x); }},
    {Formula::sqrt, [](double x) -> long double { return std::sqrt(x); }},
    {Formula::rsqrt, [](double x) -> long double { return 1 / std::sqrt(x); }},
    {Formula::reciprocal, [](double x) -> long double { return 1 / x; }},
    {Formula::sin, [](double x) -> long double { return std::sin(x); }},
    {Formula::cos, [](double x) -> long double { return std::cos(x); }},
    {Formula::tan, [](double x) -> long double { return std::tan(x); }},
    {Formula::asin, [](double x) -> long double { return std::asin(x); }},
    {Formula::acos, [](double x) -> long double { return std::acos(x); }},
    {Formula::atan, [](double x) -> long double { return std::atan(x); }},
    {Formula::sinh, [](double x) -> long double { return std::sinh(x); }},
    {Formula::cosh, [](double x) -> long double { return std::cosh(x); }},
    {Formula::tanh, [](double x) -> long double { return std::tanh(x); }},
    {Formula::asinh, [](double x) -> long double { return std::asinh(x); }},
    {Formula::acosh, [](double x) -> long double { return std::acosh(x); }},
    {Formula::atanh, [](double x) -> long double { return std::atanh(x); }},
    {Formula::erf, [](double x) -> long double { return std::erf(x); }},
    {Formula::erfc, [](double x) -> long double { return std::erfc(x); }},
    {Formula::ndtr, [](double x) -> long double { return 0.5L * std::erfc(-x * 0.70710678118654752440L); },
     5},
    {Formula::erfinv, [](double x) -> long double { return special::erfinv(x); }},
    {Formula::sigmoid, [](double x) -> long double { return 1 / (1 + std::exp(-x)); }},
    {Formula::floor, [](double x) -> long double { return std::floor(x); }, 0},
    {Formula::ceil, [](double x) -> long double { return std::ceil(x); }, 0},
    {Formula::round, [](double x) -> long double { return std::nearbyint(x); }, 0},
    {Formula::trunc, [](double x) -> long double { return std::trunc(x); }, 0},
    {Formula::abs, [](double x) -> long double { return std::fabs(x); }, 0},
    {Formula::neg, [](double x) -> long double { return -x; }, 0},
};

INSTANTIATE_TEST_SUITE_P(Float32, Unary, testing::ValuesIn(kUnaryCases),
                         [](const auto& info) { return std::string(name(info.param.formula)); });

using BinaryExact = long double (*)(double, double);
struct BinaryCase {
  Formula formula;
  BinaryExact exact;
  double tolerance = 2;
};
void PrintTo(const BinaryCase& c, std::ostream* out) { *out << name(c.formula); }

class Binary : public testing::TestWithParam<BinaryCase> {};

TEST_P(Binary, IsWithinTwoUlpEverywhere) {
  const auto [formula, exact, tolerance] = GetParam();
  // Pairs of any two magnitudes, pairs of like magnitude, and every pair of special values.
  std::vector<float> xs, ys;
  const std::vector<float> all = sweep(2003);
  uint64_t state = 1;
  for (size_t i = 0; i < all.size(); ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    xs.push_back(all[i]);
    ys.push_back(i % 2 ? all[(state >> 33) % all.size()]
                       : static_cast<float>(static_cast<int64_t>(state >> 40) - (1 << 23)) * 0x1p-19f);
    xs.push_back(std::fabs(static_cast<float>(state >> 48)) * 0x1p-12f);
    ys.push_back(ys.back());
  }
  const float specials[] = {0.0f,    -0.0f,         1.0f,           -1.0f,       2.0f,        -2.0f, 3.0f,
                            -3.0f,   0.5f,          -0.5f,          kInf,        -kInf,       kNan,  1e-45f,
                            -1e-45f, 3.4028235e38f, -3.4028235e38f, 16777215.0f, -16777216.0f};
  for (float x : specials) {
    for (float y : specials) xs.push_back(x), ys.push_back(y);
  }
  const std::vector<float> got = apply(formula, xs, ys);
  double worst = 0;
  size_t at = 0;
  for (size_t i = 0; i < xs.size(); ++i) {
    const double error = error_in_ulp(got[i], exact(xs[i], ys[i]));
    if (error > worst) worst = error, at = i;
  }
  EXPECT_LE(worst, tolerance) << "at (" << testing::PrintToString(xs[at]) << ", "
                              << testing::PrintToString(ys[at]) << "), where the kernel gives " << got[at]
                              << " and the exact value is " << static_cast<double>(exact(xs[at], ys[at]));
}

const BinaryCase kBinaryCases[] = {
    {Formula::pow, [](double x, double y) -> long double { return std::pow(x, y); }},
    {Formula::atan2, [](double y, double x) -> long double { return std::atan2(y, x); }},
    {Formula::hypot, [](double x, double y) -> long double { return std::hypot(x, y); }},
    {Formula::fmod, [](double x, double y) -> long double { return std::fmod(x, y); }, 0},
    {Formula::copysign, [](double x, double y) -> long double { return std::copysign(x, y); }, 0},
    {Formula::nextafter,
     [](double x, double y) -> long double {
       return std::nextafterf(static_cast<float>(x), static_cast<float>(y));
     },
     0},
};

INSTANTIATE_TEST_SUITE_P(Float32, Binary, testing::ValuesIn(kBinaryCases),
                         [](const auto& info) { return std::string(name(info.param.formula)); });

}  // namespace
}  // namespace mlx::cpu

// The tables of kernels: tails and results of every width, integer corner cases, conversions, special
// functions. MLX_CPU_ISA chooses the instruction set.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <complex>
#include <cstdint>
#include <limits>
#include <vector>

#include "backends/cpu/special_functions.h"
#include "backends/cpu/vector_kernels.h"
#include "base/half.h"

namespace mlx::cpu {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

template <class E>
constexpr ComputeType kComputeTypeOf = ComputeType::UInt8;
template <>
constexpr ComputeType kComputeTypeOf<int32_t> = ComputeType::Int32;
template <>
constexpr ComputeType kComputeTypeOf<int64_t> = ComputeType::Int64;
template <>
constexpr ComputeType kComputeTypeOf<float> = ComputeType::Float32;
template <>
constexpr ComputeType kComputeTypeOf<double> = ComputeType::Float64;
template <>
constexpr ComputeType kComputeTypeOf<std::complex<float>> = ComputeType::Complex64;

// One call of a formula on single numbers.
template <class R, class E, class... Rest>
R call(Formula formula, E first, Rest... rest) {
  const E arguments[] = {first, static_cast<E>(rest)...};
  const void* inputs[1 + sizeof...(rest)];
  for (size_t i = 0; i < std::size(arguments); ++i) inputs[i] = &arguments[i];
  R result;
  vector_kernels().pointwise(formula, kComputeTypeOf<E>).kernel(inputs, &result, 1);
  return result;
}

template <class To, class From>
To convert(DType from, DType to, From value) {
  To result;
  vector_kernels().convert[static_cast<int>(from)][static_cast<int>(to)](&value, &result, 1);
  return result;
}

template <class E>
class AnyLength : public testing::Test {};
using Lengths = testing::Types<uint8_t, int32_t, int64_t, float, double, std::complex<float>>;
TYPED_TEST_SUITE(AnyLength, Lengths);

TYPED_TEST(AnyLength, EveryElementIsComputedAndNothingBehindThem) {
  for (int n = 0; n < 150; ++n) {
    std::vector<TypeParam> x(n), y(n), sum(n + 1, TypeParam(77)), expected(n + 1, TypeParam(77));
    std::vector<uint8_t> equal(n + 1, 99);
    for (int i = 0; i < n; ++i) {
      x[i] = TypeParam(i);
      y[i] = TypeParam(3 * (i % 2));
      expected[i] = static_cast<TypeParam>(x[i] + y[i]);
    }
    const void* inputs[] = {x.data(), y.data()};
    const PointwiseEntry& add = vector_kernels().pointwise(Formula::add, kComputeTypeOf<TypeParam>);
    add.kernel(inputs, sum.data(), n);
    EXPECT_EQ(sum, expected) << n;
    const void* both[] = {sum.data(), expected.data()};
    vector_kernels().pointwise(Formula::eq, kComputeTypeOf<TypeParam>).kernel(both, equal.data(), n);
    EXPECT_EQ(equal, [&] {
      std::vector<uint8_t> e(n + 1, 1);
      e[n] = 99;
      return e;
    }()) << n;
    add.kernel(inputs, x.data(), n);  // in place
    EXPECT_EQ(x, std::vector<TypeParam>(expected.begin(), expected.end() - 1)) << n;
  }
}

TEST(Table, LeavesOutWhatIsNotDefined) {
  const VectorKernels& kernels = vector_kernels();
  EXPECT_EQ(kernels.pointwise(Formula::exp, ComputeType::Int32).kernel, nullptr);
  EXPECT_EQ(kernels.pointwise(Formula::bitwise_and, ComputeType::Float32).kernel, nullptr);
  EXPECT_EQ(kernels.pointwise(Formula::maximum, ComputeType::Complex64).kernel, nullptr);
  EXPECT_EQ(kernels.pointwise(Formula::complex, ComputeType::Complex64).kernel, nullptr);
  for (int i = 0; i < kFormulaCount; ++i) {
    int count = 0;
    for (int type = 0; type < kComputeTypeCount; ++type) {
      count += kernels.pointwise(static_cast<Formula>(i), static_cast<ComputeType>(type)).kernel != nullptr;
    }
    EXPECT_GT(count, 0) << name(static_cast<Formula>(i)) << " has no kernel at all";
  }
}

TEST(Table, SaysWhatAResultIs) {
  const VectorKernels& kernels = vector_kernels();
  EXPECT_EQ(kernels.pointwise(Formula::lt, ComputeType::Int64).result, Result::Bool);
  EXPECT_EQ(kernels.pointwise(Formula::eq, ComputeType::Complex64).result, Result::Bool);
  EXPECT_EQ(kernels.pointwise(Formula::abs, ComputeType::Complex64).result, Result::Real);
  EXPECT_EQ(kernels.pointwise(Formula::abs, ComputeType::Float32).result, Result::Same);
  EXPECT_EQ(kernels.pointwise(Formula::polar, ComputeType::Float64).result, Result::Complex);
}

TEST(Integers, DivideWithoutTraps) {
  constexpr int32_t low = std::numeric_limits<int32_t>::min();
  constexpr int64_t low64 = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(call<int32_t>(Formula::div_trunc, low, -1), low);
  EXPECT_EQ(call<int64_t>(Formula::div_trunc, low64, -1), low64);
  EXPECT_EQ(call<int32_t>(Formula::remainder, low, -1), 0);
  EXPECT_EQ(call<int32_t>(Formula::div_trunc, low, 2147483647), -1);
  EXPECT_EQ(call<int32_t>(Formula::div_trunc, 2147483647, 2147483647), 1);
  EXPECT_EQ(call<int32_t>(Formula::div_trunc, -7, 2), -3);
  EXPECT_EQ(call<int32_t>(Formula::div_floor, -7, 2), -4);
  EXPECT_EQ(call<int32_t>(Formula::div_floor, -8, 2), -4);
  EXPECT_EQ(call<int32_t>(Formula::remainder, -7, 2), 1);
  EXPECT_EQ(call<int32_t>(Formula::remainder, 7, -2), -1);
  EXPECT_EQ(call<int64_t>(Formula::fmod, int64_t{-7}, 2), -1);
  EXPECT_EQ(call<uint8_t>(Formula::div_floor, uint8_t{250}, 7), 35);
}

TEST(Integers, ShiftBeyondTheWidth) {
  EXPECT_EQ(call<int32_t>(Formula::bitwise_left_shift, 1, 33), 0);
  EXPECT_EQ(call<int32_t>(Formula::bitwise_left_shift, 2, -1), 0);
  EXPECT_EQ(call<int32_t>(Formula::bitwise_right_shift, -8, 40), -1);
  EXPECT_EQ(call<int32_t>(Formula::bitwise_right_shift, 8, -1), 0);
  EXPECT_EQ(call<int32_t>(Formula::bitwise_right_shift, -8, 1), -4);
  EXPECT_EQ(call<uint8_t>(Formula::bitwise_right_shift, uint8_t{200}, 8), 0);
  EXPECT_EQ(call<uint8_t>(Formula::bitwise_right_shift, uint8_t{200}, 3), 25);
}

TEST(Integers, PowersAndDivisors) {
  EXPECT_EQ(call<int64_t>(Formula::pow, int64_t{3}, 39), 4052555153018976267);
  EXPECT_EQ(call<int32_t>(Formula::pow, -2, 31), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(call<int32_t>(Formula::pow, 0, 0), 1);
  EXPECT_EQ(call<int32_t>(Formula::gcd, -12, 18), 6);
  EXPECT_EQ(call<int32_t>(Formula::lcm, -6, 4), 12);
  EXPECT_EQ(call<int32_t>(Formula::lcm, 0, 0), 0);
  EXPECT_EQ(call<int32_t>(Formula::sign, -5), -1);
  EXPECT_EQ(call<uint8_t>(Formula::sign, uint8_t{200}), 1);
}

TEST(Floats, DivideAsPythonDoes) {
  for (const auto [x, y] :
       {std::pair{7.0, 2.0}, {-7.0, 2.0}, {7.0, -2.0}, {1.0, 0.1}, {-1.0, kInf}, {5.0, -kInf}}) {
    const double floor_quotient = call<double>(Formula::div_floor, x, y);
    const double rest = call<double>(Formula::remainder, x, y);
    EXPECT_TRUE(rest == 0 || std::signbit(rest) == std::signbit(y)) << x << " % " << y << " = " << rest;
    if (std::isfinite(y)) {
      EXPECT_DOUBLE_EQ(floor_quotient * y + rest, x);
    } else {
      EXPECT_EQ(floor_quotient, -1);
    }
  }
  EXPECT_EQ(call<float>(Formula::div_floor, 1.0f, 0.0f), static_cast<float>(kInf));
  EXPECT_TRUE(std::isnan(call<float>(Formula::remainder, 1.0f, 0.0f)));
  EXPECT_TRUE(std::isnan(call<float>(Formula::div_floor, static_cast<float>(kInf), 2.0f)));
  EXPECT_TRUE(std::signbit(call<float>(Formula::div_floor, -0.0f, 3.0f)));
}

TEST(Floats, NanWinsOrLosesAsTheNameSays) {
  EXPECT_TRUE(std::isnan(call<double>(Formula::maximum, kNan, 1.0)));
  EXPECT_TRUE(std::isnan(call<double>(Formula::maximum, 1.0, kNan)));
  EXPECT_TRUE(std::isnan(call<double>(Formula::minimum, 1.0, kNan)));
  EXPECT_TRUE(std::isnan(call<double>(Formula::clamp, 1.0, kNan, 2.0)));
  EXPECT_TRUE(std::isnan(call<double>(Formula::clamp, 1.0, 0.0, kNan)));
  EXPECT_TRUE(std::isnan(call<double>(Formula::relu, kNan)));
  EXPECT_EQ(call<double>(Formula::fmax, kNan, 1.0), 1.0);
  EXPECT_EQ(call<double>(Formula::fmin, 1.0, kNan), 1.0);
  EXPECT_EQ(call<double>(Formula::sign, kNan), 0.0);
  EXPECT_EQ(call<double>(Formula::xlogy, 0.0, kInf), 0.0);
  EXPECT_TRUE(std::isnan(call<double>(Formula::xlogy, 0.0, kNan)));
}

TEST(Floats, LimitsOfActivations) {
  EXPECT_EQ(call<double>(Formula::logaddexp, kInf, kInf), kInf);
  EXPECT_EQ(call<double>(Formula::logaddexp, -kInf, -kInf), -kInf);
  EXPECT_DOUBLE_EQ(call<double>(Formula::logaddexp, 1000.0, 1000.0), 1000 + std::log(2.0));
  EXPECT_EQ(call<double>(Formula::log_sigmoid, -200.0), -200.0);
  EXPECT_EQ(call<double>(Formula::softplus, 1000.0, 1, 20), 1000.0);
  EXPECT_EQ(call<double>(Formula::binary_cross_entropy, 0.0, 1), 100.0);
  EXPECT_EQ(call<double>(Formula::mish, 100.0), 100.0);
  EXPECT_EQ(call<double>(Formula::where, 0.0, 1, 2), 2.0);
  EXPECT_EQ(call<double>(Formula::lerp, 1.0, 3, 1), 3.0);
  EXPECT_DOUBLE_EQ(call<double>(Formula::gelu, 1.0), 0.5 * (1 + std::erf(std::sqrt(0.5))));
}

// Each derivative against the central difference of its formula.
TEST(Floats, BackwardFormulasAreDerivatives) {
  constexpr double h = 1e-6;
  const auto check = [](Formula forward, Formula backward, auto... parameters) {
    for (const double x : {-4.2, -1.3, -0.2, 0.4, 1.7, 5.1}) {
      const double slope =
          (call<double>(forward, x + h, parameters...) - call<double>(forward, x - h, parameters...)) /
          (2 * h);
      EXPECT_NEAR(call<double>(backward, 1.0, x, parameters...), slope, 1e-7)
          << name(backward) << " at " << x;
    }
  };
  check(Formula::gelu, Formula::gelu_backward);
  check(Formula::gelu_tanh, Formula::gelu_tanh_backward);
  check(Formula::silu, Formula::silu_backward);
  check(Formula::mish, Formula::mish_backward);
  check(Formula::softplus, Formula::softplus_backward, 1.5, 20.0);
  check(Formula::elu, Formula::elu_backward, 1.5, 0.7, 1.2);
  check(Formula::log_sigmoid, Formula::log_sigmoid_backward);
  check(Formula::hardswish, Formula::hardswish_backward);
  check(Formula::hardsigmoid, Formula::hardsigmoid_backward);
  check(Formula::leaky_relu, Formula::leaky_relu_backward, 0.1);
  check(Formula::smooth_l1, Formula::smooth_l1_backward, 0.8);
  check(Formula::huber, Formula::huber_backward, 0.8);
  check(Formula::softshrink, Formula::shrink_backward, 0.5);
  for (const double x : {-1.3, 0.4}) {
    EXPECT_DOUBLE_EQ(call<double>(Formula::tanh_backward, 2.0, x), 2 * (1 - x * x));
    EXPECT_DOUBLE_EQ(call<double>(Formula::sigmoid_backward, 2.0, x), 2 * x * (1 - x));
  }
}

TEST(Complex, AgreesWithTheStandardLibrary) {
  using C = std::complex<float>;
  const C z(1.5f, -2.25f), w(-0.5f, 3.0f);
  const auto near = [](C a, C b) { EXPECT_LT(std::abs(a - b), 3e-6f * std::abs(b)) << a << " is not " << b; };
  near(call<C>(Formula::mul, z, w), z * w);
  near(call<C>(Formula::div, z, w), z / w);
  near(call<C>(Formula::exp, z), std::exp(z));
  near(call<C>(Formula::log, z), std::log(z));
  near(call<C>(Formula::pow, z, w), std::pow(z, w));
  near(call<C>(Formula::tanh, z), std::tanh(z));
  near(call<C>(Formula::log1p, z), std::log(1.0f + z));
  near(call<C>(Formula::expm1, z), std::exp(z) - 1.0f);
  near(call<C>(Formula::conj, z), std::conj(z));
  near(call<C>(Formula::sgn, z), z / std::abs(z));
  near(call<C>(Formula::complex, 1.5f, -2.25f), z);
  near(call<C>(Formula::polar, 2.0f, 0.5f), std::polar(2.0f, 0.5f));
  EXPECT_FLOAT_EQ(call<float>(Formula::abs, z), std::abs(z));
  EXPECT_FLOAT_EQ(call<float>(Formula::angle, z), std::arg(z));
  EXPECT_EQ(call<float>(Formula::imag, z), -2.25f);
  EXPECT_EQ(call<C>(Formula::pow, C(0), C(0)), C(1));
}

TEST(Convert, EveryHalfSurvivesBeingAFloat) {
  std::vector<uint16_t> halves(65536), back(65536);
  std::vector<float> floats(65536);
  for (int i = 0; i < 65536; ++i) halves[i] = static_cast<uint16_t>(i);
  for (const DType dtype : {DType::Float16, DType::BFloat16}) {
    const int row = static_cast<int>(dtype);
    vector_kernels().widen[row](halves.data(), floats.data(), 65536);
    vector_kernels().narrow[row](floats.data(), back.data(), 65536);
    for (int i = 0; i < 65536; ++i) {
      if (std::isnan(floats[i])) continue;
      ASSERT_EQ(back[i], halves[i]);
    }
  }
}

TEST(Convert, FloatsRoundToTheNearestHalf) {
  std::vector<float> floats;
  for (uint64_t bits = 0; bits < 1ull << 32; bits += 991)
    floats.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  std::vector<uint16_t> halves(floats.size()), brains(floats.size());
  vector_kernels().narrow[static_cast<int>(DType::Float16)](floats.data(), halves.data(), floats.size());
  vector_kernels().narrow[static_cast<int>(DType::BFloat16)](floats.data(), brains.data(), floats.size());
  for (size_t i = 0; i < floats.size(); ++i) {
    // nextafter in the 16-bit type: no neighbour may be nearer.
    const float x = floats[i], half = static_cast<float>(Half::from_bits(halves[i]));
    const float brain = static_cast<float>(BFloat16::from_bits(brains[i]));
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(half) && std::isnan(brain));
      continue;
    }
    const auto step = [](double rounded, double value, int bits, int least) {
      int exponent;
      std::frexp(value, &exponent);
      return std::fabs(rounded - value) <= std::ldexp(0.5, std::max(exponent - bits, least));
    };
    if (std::fabs(x) >= 65520) {
      ASSERT_TRUE(std::isinf(half)) << x;
    } else {
      ASSERT_TRUE(step(half, x, 11, -24)) << x << " became " << half;
    }
    if (std::isinf(brain)) {
      ASSERT_GE(std::fabs(x), 0x1.ffp127f);
    } else {
      ASSERT_TRUE(step(brain, x, 8, -133)) << x << " became " << brain;
    }
  }
}

TEST(Convert, FloatsTruncateAndNeverTrap) {
  EXPECT_EQ(convert<int32_t>(DType::Float32, DType::Int32, -1.7f), -1);
  EXPECT_EQ(convert<int32_t>(DType::Float32, DType::Int32, 3e9f), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(convert<int32_t>(DType::Float64, DType::Int32, kNan), std::numeric_limits<int32_t>::min());
  EXPECT_EQ(convert<int64_t>(DType::Float64, DType::Int64, -kInf), std::numeric_limits<int64_t>::min());
  EXPECT_EQ(convert<int64_t>(DType::Float32, DType::Int64, 3e9f), 3000000000);
  EXPECT_EQ(convert<int8_t>(DType::Float32, DType::Int8, 300.7f), 44);
  EXPECT_EQ(convert<uint8_t>(DType::Float32, DType::UInt8, -1.5f), 255);
  EXPECT_EQ(convert<uint8_t>(DType::Float64, DType::UInt8, 4294967297.0), 1);
}

TEST(Convert, BoolsComplexAndWrapping) {
  EXPECT_EQ(convert<uint8_t>(DType::Float32, DType::Bool, 0.25f), 1);
  EXPECT_EQ(convert<uint8_t>(DType::Float64, DType::Bool, kNan), 1);
  EXPECT_EQ(convert<uint8_t>(DType::Float32, DType::Bool, -0.0f), 0);
  EXPECT_EQ(convert<uint8_t>(DType::Complex64, DType::Bool, std::complex<float>(0, 1)), 1);
  EXPECT_EQ(convert<uint8_t>(DType::UInt8, DType::Bool, uint8_t{200}), 1);
  EXPECT_EQ(convert<float>(DType::Complex64, DType::Float32, std::complex<float>(3, 1)), 3.0f);
  EXPECT_EQ(convert<std::complex<double>>(DType::Int16, DType::Complex128, int16_t{-3}),
            std::complex<double>(-3));
  EXPECT_EQ(convert<int8_t>(DType::Int64, DType::Int8, int64_t{511}), -1);
  EXPECT_EQ(convert<int16_t>(DType::Int32, DType::Int16, 65537), 1);
  EXPECT_EQ(convert<uint16_t>(DType::Int64, DType::Float16, int64_t{-2}), 0xc000);
  EXPECT_EQ(convert<uint16_t>(DType::Float16, DType::BFloat16, uint16_t{0xc000}), 0xc000);
}

// Values from the NIST Digital Library of Mathematical Functions and from closed forms.
TEST(Special, KnownValues) {
  constexpr double pi = 3.14159265358979323846, euler = 0.57721566490153286;
  EXPECT_DOUBLE_EQ(special::digamma(1), -euler);
  EXPECT_DOUBLE_EQ(special::digamma(0.5), -euler - 2 * std::log(2));
  EXPECT_NEAR(special::digamma(-0.5), -euler - 2 * std::log(2) + 2, 1e-15);
  EXPECT_DOUBLE_EQ(special::trigamma(1), pi * pi / 6);
  EXPECT_NEAR(special::trigamma(-0.5), pi * pi / 2 + 4, 1e-13);
  EXPECT_DOUBLE_EQ(special::zeta(2, 1), pi * pi / 6);
  EXPECT_DOUBLE_EQ(special::zeta(4, 1), std::pow(pi, 4) / 90);
  EXPECT_DOUBLE_EQ(special::zeta(3, 0.5), 7 * 1.2020569031595942854);
  EXPECT_DOUBLE_EQ(special::i0(1), 1.2660658777520083356);
  EXPECT_DOUBLE_EQ(special::i1(-1), -0.56515910399248502721);
  EXPECT_NEAR(special::i0e(30.0001) / special::i0e(30),
              1 - 0.0001 * (1 - special::i1e(30) / special::i0e(30)), 1e-10);
  EXPECT_DOUBLE_EQ(special::erfcx(1), 0.42758357615580700441);
  EXPECT_NEAR(special::erfcx(25.001) / special::erfcx(24.999), 24.999 / 25.001, 1e-6);
  EXPECT_DOUBLE_EQ(special::ndtri(0.975), 1.9599639845400542355);
  EXPECT_NEAR(special::ndtri(1e-300), -37.0470964, 1e-6);
  EXPECT_DOUBLE_EQ(special::erfinv(0.5), 0.47693627620446987338);
  EXPECT_DOUBLE_EQ(std::erf(special::erfinv(0.01)), 0.01);
  EXPECT_DOUBLE_EQ(special::log_ndtr(-40), -804.6084420137537882);
  EXPECT_DOUBLE_EQ(special::igamma(1, 2), 1 - std::exp(-2));
  EXPECT_DOUBLE_EQ(special::igammac(0.5, 3), std::erfc(std::sqrt(3)));
  EXPECT_NEAR(special::igamma(1000, 1000), 0.5042052441, 1e-9);
  EXPECT_DOUBLE_EQ(special::lgamma(0.5), 0.5 * std::log(pi));
}

}  // namespace
}  // namespace mlx::cpu

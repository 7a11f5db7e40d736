// What the emulator makes of the language and its library.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>

#include "gpu.h"

namespace metal_emulator {
namespace {

// Runs `body` on one thread, with `out` a buffer of T; returns the first `count` of what it wrote.
template <class T>
std::vector<T> run(const std::string& type, const std::string& body, std::size_t count,
                   const std::string& before = "") {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(
      before + "\nkernel void f(device " + type + "* out [[buffer(0)]]) {\n" + body + "\n}", "f");
  auto* out = gpu.zeros<T>(count);
  Launch(gpu, pipeline).buffer(out).threads(1, 1);
  return Gpu::values<T>(out);
}

using Floats = std::vector<float>;
using Ints = std::vector<int>;

TEST(Language, ALiteralWithoutSuffixIsAFloat) {
  EXPECT_EQ(run<int>("int", "out[0] = sizeof(1.0); out[1] = sizeof(0.5h);", 2), (Ints{4, 2}));
}

TEST(Language, LongIsOf64Bits) {
  EXPECT_EQ(run<int>("int", "out[0] = sizeof(long); out[1] = sizeof(ulong); out[2] = sizeof(float3);", 3),
            (Ints{8, 8, 16}));
}

TEST(Language, HalfIsRoundedAfterEachOperation) {
  // 2048 + 1 is 2048 in half precision; in float it would be 2049 and the difference 1.
  EXPECT_EQ(
      run<float>("float", "volatile half a = 2048.0h; half b = 1; half c = (a + b) - a; out[0] = c;", 1),
      Floats{0});
}

TEST(Language, BfloatRoundsToNearestEven) {
  const auto bits = run<std::uint16_t>("bfloat", R"(
    out[0] = 1.0f; out[1] = 1.00390625f; out[2] = 1.01171875f; out[3] = bfloat(2.5) * 2; out[4] = INFINITY; out[5] = -3;)",
                                       6);
  EXPECT_EQ(bits, (std::vector<std::uint16_t>{0x3f80, 0x3f80, 0x3f82, 0x40a0, 0x7f80, 0xc040}));
}

TEST(Language, BfloatWithFloatIsFloat) {
  EXPECT_EQ(
      run<int>("int",
               "bfloat b = 1.5f; out[0] = sizeof(b + 1.0f); out[1] = sizeof(b + b); out[2] = sizeof(b * 2);",
               3),
      (Ints{4, 2, 2}));
}

TEST(Language, VectorsAreConstructedIndexedAndSwizzled) {
  EXPECT_EQ(run<float>("float", R"(
    float4 a = float4(1, 2, 3, 4);
    float4 b = float4(a.wz, float2(7));
    float3 c = float3(a.xy, 9) + 1.0f;
    a.yx = b.xy;
    out[0] = a.x; out[1] = a[1]; out[2] = b.z; out[3] = c.z; out[4] = dot(c, c);
    float2 d = float2(half2(0.5h, 0.25h)) * 2;
    out[5] = d.x; out[6] = d.y; out[7] = float4(uint4(3)).w;)",
                       8),
            (Floats{3, 4, 7, 10, 4 + 9 + 100, 1, 0.5f, 3}));
}

TEST(Language, VectorsBehindNamesAreConstructed) {
  EXPECT_EQ(
      run<float>(
          "float",
          "Four a = Four(1, 2, 3, 4); Two b = Two(a.zw); Pair c = Pair(5, 6); auto d = vec<float, 2>(7, 8);"
          "out[0] = a.w; out[1] = b.x; out[2] = c.y; out[3] = d.y;",
          4, "typedef float4 Four; using Two = vec<float, 2>;\n#define Pair vec<float, 2>\n"),
      (Floats{4, 3, 6, 8}));
}

TEST(Language, ComparisonsOfVectorsGiveBools) {
  EXPECT_EQ(run<int>("int", R"(
    float3 a = float3(1, 2, 3), b = float3(2, 2, 2);
    bool3 less = a < b;
    out[0] = less.x; out[1] = less.y; out[2] = any(less); out[3] = all(a <= b); out[4] = any(!less && (a == b));
    float3 c = select(a, b, less);
    out[5] = c.x; out[6] = c.z; out[7] = any(isnan(a / 0.0f - a / 0.0f));)",
                     8),
            (Ints{1, 0, 1, 0, 1, 2, 3, 1}));
}

TEST(Language, BfloatVectorsCompute) {
  EXPECT_EQ(run<float>("float",
                       "bfloat4 a = bfloat4(1.5f); a = a * bfloat4(2, 3, 4, 5) + a; float4 b = float4(a);"
                       "out[0] = b.x; out[1] = b.w; out[2] = sizeof(bfloat4);",
                       3),
            (Floats{4.5f, 9, 8}));
}

TEST(Language, AsTypeKeepsTheBits) {
  EXPECT_EQ(run<std::uint32_t>("uint", "out[0] = as_type<uint>(1.0f); out[1] = as_type<ushort>(1.0h);", 2),
            (std::vector<std::uint32_t>{0x3f800000, 0x3c00}));
}

TEST(Language, MathematicalFunctionsAgreeWithTheHost) {
  const auto result = run<float>("float", R"(
    float x = 0.7f;
    out[0] = exp(x); out[1] = exp2(x); out[2] = log(x); out[3] = log2(x); out[4] = log10(x); out[5] = sin(x);
    out[6] = cos(x); out[7] = tan(x); out[8] = asin(x); out[9] = acos(x); out[10] = atan(x); out[11] = sinh(x);
    out[12] = cosh(x); out[13] = tanh(x); out[14] = asinh(x); out[15] = acosh(x + 1); out[16] = atanh(x);
    out[17] = sqrt(x); out[18] = rsqrt(x); out[19] = pow(x, 2.5f); out[20] = atan2(x, 2.0f); out[21] = fmod(7.5f, 2.0f);
    out[22] = precise::exp(x); out[23] = fast::sin(x); out[24] = fma(x, x, x); out[25] = ldexp(x, 3);)",
                                 26);
  const float x = 0.7f;
  const Floats expected = {std::exp(x),         std::exp2(x),          std::log(x),      std::log2(x),
                           std::log10(x),       std::sin(x),           std::cos(x),      std::tan(x),
                           std::asin(x),        std::acos(x),          std::atan(x),     std::sinh(x),
                           std::cosh(x),        std::tanh(x),          std::asinh(x),    std::acosh(x + 1),
                           std::atanh(x),       std::sqrt(x),          1 / std::sqrt(x), std::pow(x, 2.5f),
                           std::atan2(x, 2.0f), std::fmod(7.5f, 2.0f), std::exp(x),      std::sin(x),
                           std::fma(x, x, x),   std::ldexp(x, 3)};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_FLOAT_EQ(result[i], expected[i]) << i;
}

TEST(Language, RoundingAndSigns) {
  EXPECT_EQ(run<float>("float", R"(
    out[0] = rint(2.5f); out[1] = round(2.5f); out[2] = trunc(-2.7f); out[3] = floor(-2.1f); out[4] = ceil(2.1f);
    out[5] = sign(-3.0f); out[6] = copysign(2.0f, -1.0f); out[7] = fract(2.25f); out[8] = step(1.0f, 0.5f);
    out[9] = mix(1.0f, 3.0f, 0.25f); out[10] = saturate(1.5f); out[11] = clamp(5.0f, 0.0f, 2.0f); out[12] = abs(-4.0f);)",
                       13),
            (Floats{2, 3, -2, -3, 3, -1, -2, 0.25f, 0, 1.5f, 1, 2, 4}));
}

TEST(Language, FrexpAndModfGiveTwoResults) {
  EXPECT_EQ(
      run<float>("float",
                 "int e; out[0] = frexp(12.0f, e); out[1] = e; float w; out[2] = modf(3.25f, w); out[3] = w;",
                 4),
      (Floats{0.75f, 4, 0.25f, 3}));
}

TEST(Language, MathematicsOfHalfAndVectors) {
  const auto result = run<float>("float", R"(
    half h = exp(half(0.5h)); float4 v = sqrt(float4(4, 9, 16, 25)); half2 m = max(half2(1, 2), half2(2, 1));
    out[0] = h; out[1] = v.w; out[2] = m.x + m.y; out[3] = fmax(NAN, 3.0f);)",
                                 4);
  EXPECT_NEAR(result[0], std::exp(0.5f), 1e-3);
  EXPECT_EQ(Floats(result.begin() + 1, result.end()), (Floats{5, 4, 3}));
}

TEST(Language, NotANumberIsSeen) {
  EXPECT_EQ(run<int>("int", R"(
    volatile float zero = 0; float n = zero / zero, i = 1 / zero;
    out[0] = isnan(n); out[1] = isnan(i); out[2] = isinf(i); out[3] = isfinite(n); out[4] = signbit(-zero);
    out[5] = isnan(half(n)); out[6] = isinf(bfloat(i));)",
                     7),
            (Ints{1, 0, 1, 0, 1, 1, 1}));
}

TEST(Language, FunctionsOfIntegers) {
  EXPECT_EQ(run<int>("int", R"(
    out[0] = popcount(0xf0u); out[1] = clz(1u); out[2] = ctz(8u); out[3] = clz(0); out[4] = clz(uchar(1));
    out[5] = reverse_bits(1u) == 0x80000000u; out[6] = mulhi(0x80000000u, 6u); out[7] = mulhi(-1, 2);
    out[8] = mulhi(1ul << 63, 4ul); out[9] = rotate(0x80000001u, 1u); out[10] = abs(-5); out[11] = min(-1, 1);
    out[12] = addsat(uchar(250), uchar(10)); out[13] = select(1, 2, true); out[14] = popcount(ulong(-1));)",
                     15),
            (Ints{4, 31, 3, 32, 7, 1, 3, -1, 2, 3, 5, -1, 255, 2, 64}));
}

TEST(Language, LimitsOfTypes) {
  EXPECT_EQ(run<float>("float", R"(
    out[0] = numeric_limits<float>::max(); out[1] = numeric_limits<half>::max(); out[2] = numeric_limits<int>::lowest();
    out[3] = -numeric_limits<float>::infinity(); out[4] = numeric_limits<uchar>::max(); out[5] = FLT_MAX;
    out[6] = numeric_limits<bfloat>::epsilon(); out[7] = M_PI_F;)",
                       8),
            (Floats{std::numeric_limits<float>::max(), 65504, -2147483648.0f, -INFINITY, 255,
                    std::numeric_limits<float>::max(), 0x1p-7f, 3.14159265f}));
}

TEST(Language, TablesTemplatesAndHelpersWithAddressSpaces) {
  EXPECT_EQ(
      run<float>(
          "float",
          "thread float local[3] = {1, 2, 3}; out[0] = total(local, 3) + kTable[1] + Twice<float>()(2.0f);",
          1, R"(
    constant float kTable[2] = {10, 20};
    constant constexpr int kUnused = 3;
    template <typename T> struct Twice { T operator()(T x) const { return x * 2; } };
    template <typename T> T total(const thread T* values, uint n) { T s = 0; for (uint i = 0; i < n; ++i) s += values[i]; return s; })"),
      Floats{30});
}

TEST(Language, AtomicsOfAllKinds) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    kernel void f(device atomic_uint* n [[buffer(0)]], device atomic_float* x [[buffer(1)]],
                  device atomic_int* extremes [[buffer(2)]], uint i [[thread_position_in_grid]]) {
      threadgroup atomic_int local;
      atomic_store_explicit(&local, 7, memory_order_relaxed);
      atomic_fetch_add_explicit(&n[0], 1, memory_order_relaxed);
      atomic_fetch_or_explicit(&n[1], 1u << (i % 32), memory_order_relaxed);
      atomic_fetch_add_explicit(x, 0.5f, memory_order_relaxed);
      atomic_fetch_max_explicit(&extremes[0], int(i), memory_order_relaxed);
      atomic_fetch_min_explicit(&extremes[1], -int(i), memory_order_relaxed);
      uint old = atomic_load_explicit(&n[2], memory_order_relaxed);
      while (!atomic_compare_exchange_weak_explicit(&n[2], &old, old + 2, memory_order_relaxed, memory_order_relaxed)) {}
    })",
                                "f");
  auto* n = gpu.zeros<unsigned>(3);
  auto* x = gpu.zeros<float>(1);
  auto* extremes = gpu.zeros<int>(2);
  Launch(gpu, pipeline).buffer(n).buffer(x).buffer(extremes).threads(20000, 100);
  EXPECT_EQ(Gpu::values<unsigned>(n), (std::vector<unsigned>{20000, 0xffffffff, 40000}));
  EXPECT_EQ(Gpu::values<float>(x), Floats{10000});
  EXPECT_EQ(Gpu::values<int>(extremes), (Ints{19999, -19999}));
}

TEST(Language, FastMathMayForgetNotANumber) {
  Gpu gpu;
  NS::Error* error = nullptr;
  const std::string source = kPrelude +
                             "kernel void f(device const float* x [[buffer(0)]], device int* y "
                             "[[buffer(1)]]) { y[0] = isnan(x[0]); }";
  MTL::CompileOptions* options = MTL::CompileOptions::alloc()->init();
  options->setMathMode(MTL::MathModeFast);
  MTL::Library* library = gpu.device()->newLibrary(ns(source), options, &error);
  options->release();
  ASSERT_NE(library, nullptr);
  MTL::Function* function = library->newFunction(ns("f"));
  MTL::ComputePipelineState* pipeline = gpu.device()->newComputePipelineState(function, &error);
  auto* y = gpu.buffer<int>({5});
  Launch(gpu, pipeline).buffer(gpu.buffer<float>({NAN})).buffer(y).threads(1, 1);
  EXPECT_EQ(Gpu::values<int>(y)[0], 0);
  pipeline->release();
  function->release();
  library->release();
}

}  // namespace
}  // namespace metal_emulator

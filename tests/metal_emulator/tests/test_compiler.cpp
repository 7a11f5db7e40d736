// From text to kernels: errors, macros, the rewriter.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "gpu.h"
#include "metal_emulator.h"
#include "msl_rewriter.h"

namespace metal_emulator {
namespace {

std::string error_of(const std::string& source) {
  Gpu gpu;
  try {
    gpu.pipeline(source, "f");
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(Compiler, AnErrorNamesTheLineOfTheText) {
  // Two lines of prelude stand before.
  const std::string error =
      error_of("\n// comment\nkernel void f(device float* x [[buffer(0)]]) {\n  x[0] = y;\n}\n");
  EXPECT_NE(error.find("program_source:6:10: error: use of undeclared identifier 'y'"), std::string::npos)
      << error;
}

TEST(Compiler, AParameterWithoutAttributeIsAnError) {
  const std::string error = error_of("kernel void f(device float* x) {}");
  EXPECT_NE(error.find("program_source:3:1: error: parameter 'device float* x' of a kernel has no attribute"),
            std::string::npos)
      << error;
}

TEST(Compiler, DoubleAndErfAreMissing) {
  EXPECT_NE(error_of("kernel void f(device float* x [[buffer(0)]]) { x[0] = erf(x[0]); }"), "");
}

TEST(Compiler, AMixtureOfTypesInMaxIsAmbiguous) {
  EXPECT_NE(
      error_of("kernel void f(device float* x [[buffer(0)]]) { x[0] = max(x[0], 0); }").find("ambiguous"),
      std::string::npos);
}

TEST(Compiler, AThreadgroupVariableOutsideOfAKernelIsAnError) {
  EXPECT_NE(
      error_of("void g() { threadgroup float x[4]; }\nkernel void f(device float* x [[buffer(0)]]) { g(); }")
          .find("threadgroup variables are declared in kernels"),
      std::string::npos);
}

TEST(Compiler, APointerWithoutAddressSpaceIsAnError) {
  const std::string kernel = "\nkernel void f(device float* x [[buffer(0)]]) { x[0] = 1; }";
  for (const char* text :
       {"float g(const float* p) { return p[0]; }", "template <class T> void g(uint n, T& p) { p = n; }",
        "void g() { float a = 1; const float& b = a; }", "struct S { int* p; };"}) {
    EXPECT_NE(error_of(text + kernel).find("program_source:3:1: error:"), std::string::npos) << text;
  }
  for (const char* text :
       {"float g(const device float* p) { return p[0] * p[1]; }",
        "template <class T> void g(uint n, thread T& p) { if (n & 1) { p = n; } }",
        "struct S { float x; S(float y) : x(y) {} }; uint g(uint n) { uint b = 2; return n * b & 3; }",
        "float g(vec<float, 4> v, uint n = 2 * 3) { thread float* p = reinterpret_cast<thread float*>(&v); "
        "return *p; }"}) {
    EXPECT_EQ(error_of(text + kernel), "") << text;
  }
}

TEST(Compiler, KernelsMayComeOutOfMacros) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    #define KERNEL(NAME, T) kernel void NAME(device T* x [[buffer(0)]], uint i [[thread_position_in_grid]]) { \
      threadgroup T local[4]; local[i] = x[i]; threadgroup_barrier(mem_flags::mem_threadgroup); x[i] = local[3 - i]; }
    KERNEL(turn_int, int)
    KERNEL(turn_float, float))",
                                "turn_float");
  auto* x = gpu.buffer<float>({1, 2, 3, 4});
  Launch(gpu, pipeline).buffer(x).threads(4, 4);
  EXPECT_EQ(Gpu::values<float>(x), (std::vector<float>{4, 3, 2, 1}));
}

TEST(Compiler, ConditionsMayStandAroundKernelsAndInTheirParameters) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    #define WITH_BIAS 1
    #if !WITH_BIAS
    kernel void f(device int* x [[buffer(0)]]) { nonsense; }
    #else
    kernel void f(device int* x [[buffer(0)]],
    #if WITH_BIAS
                  constant int& bias [[buffer(1)]],
    #endif
                  uint i [[thread_position_in_grid]]) { x[i] += bias; }
    #endif)",
                                "f");
  auto* x = gpu.buffer<int>({1, 2});
  Launch(gpu, pipeline).buffer(x).bytes(10).threads(2, 2);
  EXPECT_EQ(Gpu::values<int>(x), (std::vector<int>{11, 12}));
}

TEST(Compiler, SeveralKernelsShareALibrary) {
  Gpu gpu;
  const std::string source = R"(
    kernel void one(device int* x [[buffer(0)]]) { threadgroup int a[4]; a[0] = 1; x[0] = a[0]; }
    kernel void two(device int* x [[buffer(0)]]) { threadgroup int a[8], b[8]; a[0] = 2; b[1] = 3; x[0] = a[0] + b[1]; })";
  auto* x = gpu.zeros<int>(1);
  auto* two = gpu.pipeline(source, "two");
  EXPECT_EQ(gpu.pipeline(source, "one")->staticThreadgroupMemoryLength(), 16);
  EXPECT_EQ(two->staticThreadgroupMemoryLength(), 64);
  Launch(gpu, two).buffer(x).threads(1, 1);
  EXPECT_EQ(Gpu::values<int>(x)[0], 5);
}

TEST(Compiler, TheSameTextIsNotCompiledAgain) {
  Gpu gpu;
  const std::string source = "kernel void f(device int* x [[buffer(0)]]) { x[0] = 42; }";
  gpu.pipeline(source, "f");
  const auto before = metal_emulator_statistics();
  gpu.pipeline(source, "f");
  const auto after = metal_emulator_statistics();
  EXPECT_EQ(after.libraries_compiled, before.libraries_compiled);
  EXPECT_EQ(after.libraries_from_cache, before.libraries_from_cache);
}

TEST(Compiler, ClangMayBeStartedAnewEachTime) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto run = [] {
    setenv("METAL_EMULATOR_SERVER", "0", 1);
    // A text that no cache knows.
    const std::string error = error_of("// " + std::to_string(getpid()) + "\nkernel void f() { nonsense; }");
    std::exit(error.find("program_source:4:19: error:") == std::string::npos);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

TEST(Rewriter, KeepsLinesAndLeavesCommentsAndStringsAlone) {
  const std::string source =
      "// kernel void a(\n/* threadgroup\n int x; */ constant char* text = \"kernel void b(\";\n"
      "kernel void f(device int* x [[buffer(0)]],\n   uint i\n [[thread_position_in_grid]]) {\n x[i] = 1; "
      "}\nint last;\n";
  const Rewritten rewritten = rewrite_msl(source);
  EXPECT_EQ(rewritten.errors, "");
  EXPECT_FALSE(rewritten.needs_preprocessing);
  EXPECT_EQ(std::count(rewritten.text.begin(), rewritten.text.end(), '\n'),
            std::count(source.begin(), source.end(), '\n') + 2);
  EXPECT_EQ(rewritten.text.find("METAL_EMULATOR_KERNEL(f, false, 1024, (\"x\", \"i\"), "
                                "metal_emulator::Slot<metal_emulator::Source::buffer, (0)>, "
                                "metal_emulator::Slot<metal_emulator::Source::thread_position_in_grid>)"),
            rewritten.text.find("x[i] = 1; }") + 12);
}

TEST(Rewriter, PointersToThreadgroupMemoryAreNoVariables) {
  const Rewritten rewritten = rewrite_msl(
      "template <class T> void g(threadgroup T* p) { threadgroup T* q = p; threadgroup vec<T, 4>& r = "
      "*(threadgroup vec<T, 4>*)q; }\n"
      "kernel void f(threadgroup float* x [[threadgroup(0)]]) { threadgroup float* y = x; }");
  EXPECT_EQ(rewritten.errors, "");
  EXPECT_EQ(rewritten.text.find("METAL_EMULATOR_STATIC"), std::string::npos);
}

}  // namespace
}  // namespace metal_emulator

// The functions of simdgroups, and simdgroup matrices.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "gpu.h"

namespace metal_emulator {
namespace {

// The value of `expression` in each of `count` lanes, where x is the lane's number plus one.
template <class T>
std::vector<T> lanes(const std::string& type, const std::string& expression, std::size_t count = 32) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline("kernel void f(device " + type +
                                    R"(* out [[buffer(0)]], uint i [[thread_position_in_grid]],
    uint lane [[thread_index_in_simdgroup]]) { )" +
                                    type + " x = lane + 1; out[i] = " + expression + "; }",
                                "f");
  auto* out = gpu.zeros<T>(count);
  Launch(gpu, pipeline).buffer(out).threads(count, count);
  return Gpu::values<T>(out);
}

template <class T>
void expect_lanes(const std::vector<T>& result, const std::function<T(int)>& expected) {
  for (std::size_t lane = 0; lane < result.size(); ++lane)
    ASSERT_EQ(result[lane], expected(static_cast<int>(lane))) << lane;
}

TEST(Simdgroups, ReductionsGiveAllLanesTheSame) {
  expect_lanes<float>(lanes<float>("float", "simd_sum(x)"), [](int) { return 528; });
  expect_lanes<int>(lanes<int>("int", "simd_max(x)"), [](int) { return 32; });
  expect_lanes<int>(lanes<int>("int", "simd_min(x)"), [](int) { return 1; });
  expect_lanes<int>(lanes<int>("int", "simd_xor(x)"), [](int) { return 32; });
  expect_lanes<float>(lanes<float>("float", "simd_sum(float4(x, 1, 2, 3)).w"), [](int) { return 96; });
}

TEST(Simdgroups, PrefixSums) {
  expect_lanes<float>(lanes<float>("float", "simd_prefix_inclusive_sum(x)"),
                      [](int lane) { return (lane + 1) * (lane + 2) / 2; });
  expect_lanes<int>(lanes<int>("int", "simd_prefix_exclusive_sum(x)"),
                    [](int lane) { return lane * (lane + 1) / 2; });
}

TEST(Simdgroups, Shuffles) {
  expect_lanes<int>(lanes<int>("int", "simd_shuffle(x, 31 - lane)"), [](int lane) { return 32 - lane; });
  expect_lanes<int>(lanes<int>("int", "simd_shuffle_xor(x, 5)"), [](int lane) { return (lane ^ 5) + 1; });
  expect_lanes<int>(lanes<int>("int", "simd_shuffle_down(x, 3)"),
                    [](int lane) { return lane < 29 ? lane + 4 : lane + 1; });
  expect_lanes<int>(lanes<int>("int", "simd_shuffle_up(x, 3)"),
                    [](int lane) { return lane < 3 ? lane + 1 : lane - 2; });
  expect_lanes<int>(lanes<int>("int", "simd_broadcast(x, 7)"), [](int) { return 8; });
}

TEST(Simdgroups, Votes) {
  expect_lanes<int>(lanes<int>("int", "simd_any(lane == 3)"), [](int) { return 1; });
  expect_lanes<int>(lanes<int>("int", "simd_all(lane < 31)"), [](int) { return 0; });
  expect_lanes<long>(lanes<long>("long", "long((simd_vote::vote_t)simd_ballot(lane % 2 == 0))"),
                     [](int) { return 0x55555555; });
}

TEST(Simdgroups, AGroupThatIsNotFullCountsTheLanesItHas) {
  expect_lanes<int>(lanes<int>("int", "simd_sum(x)", 70), [](int i) { return i < 64 ? 528 : 21; });
}

TEST(Simdgroups, OnlyTheLanesThatComeTakePart) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    kernel void f(device int* out [[buffer(0)]], uint lane [[thread_index_in_simdgroup]]) {
      if (lane < 10) out[lane] = simd_sum(1);
      threadgroup_barrier(mem_flags::mem_device);
      if (lane >= 30) return;
      out[lane + 32] = simd_sum(1);
    })",
                                "f");
  auto* out = gpu.zeros<int>(64);
  Launch(gpu, pipeline).buffer(out).threads(32, 32);
  const auto result = Gpu::values<int>(out);
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(result[lane], lane < 10 ? 10 : 0);
    EXPECT_EQ(result[lane + 32], lane < 30 ? 30 : 0);
  }
}

std::vector<float> pattern(std::size_t count, int seed) {
  std::vector<float> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = static_cast<float>((i * 7 + seed) % 13) - 6;
  return result;
}

std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, int n) {
  std::vector<float> c(n * n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      for (int k = 0; k < n; ++k) c[i * n + j] += a[i * n + k] * b[k * n + j];
  return c;
}

// c = a b for square matrices of n, a tile of 8 x 8 each simdgroup.
constexpr const char* kMatmul = R"(
    kernel void matmul(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                       device float* c [[buffer(2)]], constant uint& n [[buffer(3)]],
                       uint2 tile [[threadgroup_position_in_grid]], uint lane [[thread_index_in_simdgroup]]) {
      simdgroup_matrix<ACCUMULATOR, 8, 8> sum = make_filled_simdgroup_matrix<ACCUMULATOR, 8, 8>(0);
      simdgroup_matrix<INPUT, 8, 8> x, y;
      threadgroup INPUT left[64], right[64];
      for (uint k = 0; k < n; k += 8) {
        for (uint i = lane; i < 64; i += 32) {
          left[i] = INPUT(a[(tile.y * 8 + i / 8) * n + k + i % 8]);
          right[(i % 8) * 8 + i / 8] = INPUT(b[(k + i / 8) * n + tile.x * 8 + i % 8]);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        simdgroup_load(x, left, 8);
        simdgroup_load(y, right, 8, ulong2(0, 0), true);
        simdgroup_multiply_accumulate(sum, x, y, sum);
        threadgroup_barrier(mem_flags::mem_threadgroup);
      }
      threadgroup ACCUMULATOR result[64];
      simdgroup_store(sum, result, 8);
      threadgroup_barrier(mem_flags::mem_threadgroup);
      for (uint i = lane; i < 64; i += 32) c[(tile.y * 8 + i / 8) * n + tile.x * 8 + i % 8] = float(result[i]);
    })";

void check_matmul(const std::string& input, const std::string& accumulator) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(
      "#define INPUT " + input + "\n#define ACCUMULATOR " + accumulator + "\n" + kMatmul, "matmul");
  const unsigned n = 40;
  const auto a = pattern(n * n, 1), b = pattern(n * n, 5);
  auto* c = gpu.zeros<float>(n * n);
  Launch(gpu, pipeline)
      .buffer(gpu.buffer(a))
      .buffer(gpu.buffer(b))
      .buffer(c)
      .bytes(n)
      .groups(MTL::Size(5, 5, 1), MTL::Size(32, 1, 1));
  EXPECT_EQ(Gpu::values<float>(c), product(a, b, n));
}

TEST(Matrices, FloatProducts) { check_matmul("float", "float"); }
TEST(Matrices, HalfProductsSummedInFloat) { check_matmul("half", "float"); }
TEST(Matrices, BfloatProductsSummedInFloat) { check_matmul("bfloat", "float"); }
TEST(Matrices, HalfProductsSummedInHalf) { check_matmul("half", "half"); }

TEST(Matrices, TheConstructorFillsTheDiagonal) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(
      "kernel void f(device float* y [[buffer(0)]]) { simdgroup_float8x8 m(3.0f); simdgroup_store(m, y); }",
      "f");
  auto* y = gpu.buffer(std::vector<float>(64, 1));
  Launch(gpu, pipeline).buffer(y).threads(32, 32);
  const auto result = Gpu::values<float>(y);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(result[i], i % 9 == 0 ? 3 : 0);
}

TEST(Matrices, LanesReadAndWriteTheirElements) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    kernel void f(device const float* x [[buffer(0)]], device float* y [[buffer(1)]], device float* sums [[buffer(2)]],
                  uint lane [[thread_index_in_simdgroup]]) {
      simdgroup_float8x8 m;
      simdgroup_load(m, x);
      thread float2& mine = reinterpret_cast<thread float2&>(m.thread_elements());
      sums[lane] = mine.x + mine.y;
      mine = mine * 2.0f + float(lane);
      simdgroup_store(m, y);
    })",
                                "f");
  const auto x = pattern(64, 3);
  auto* y = gpu.zeros<float>(64);
  auto* sums = gpu.zeros<float>(32);
  Launch(gpu, pipeline).buffer(gpu.buffer(x)).buffer(y).buffer(sums).threads(32, 32);
  const auto result = Gpu::values<float>(y), total = Gpu::values<float>(sums);
  for (int lane = 0; lane < 32; ++lane) {
    const int quad = lane / 4;
    const int row = (quad & 4) + lane / 2 % 4, column = (quad & 2) * 2 + lane % 2 * 2;
    EXPECT_EQ(total[lane], x[row * 8 + column] + x[row * 8 + column + 1]);
    for (int k = 0; k < 2; ++k) EXPECT_EQ(result[row * 8 + column + k], x[row * 8 + column + k] * 2 + lane);
  }
}

}  // namespace
}  // namespace metal_emulator

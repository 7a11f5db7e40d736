// Kernels run and give the numbers they should.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "gpu.h"

namespace metal_emulator {
namespace {

std::vector<float> ramp(std::size_t count, float step = 1) {
  std::vector<float> result(count);
  for (std::size_t i = 0; i < count; ++i) result[i] = step * static_cast<float>(i);
  return result;
}

TEST(Kernels, APointwiseKernelRunsOverAPartialGroup) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    struct Params { float scale; uint count; };
    kernel void scale_exp(device const float* x [[buffer(0)]], device float* y [[buffer(1)]],
                          constant Params& p [[buffer(2)]], uint i [[thread_position_in_grid]]) {
      y[i] = precise::exp(x[i]) * p.scale + 1.0;
    })",
                                "scale_exp");
  auto* x = gpu.buffer(ramp(1000, 0.01f));
  auto* y = gpu.zeros<float>(1000);
  struct {
    float scale;
    unsigned count;
  } params{2, 1000};
  Launch(gpu, pipeline).buffer(x).buffer(y).bytes(params).threads(1000, 256);
  const auto result = Gpu::values<float>(y);
  for (int i = 0; i < 1000; ++i) ASSERT_FLOAT_EQ(result[i], std::exp(0.01f * i) * 2 + 1);
}

TEST(Kernels, AReductionMeetsAtBarriersAndInSimdgroups) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    kernel void total(device const float* x [[buffer(0)]], device float* y [[buffer(1)]],
                      uint i [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]],
                      uint group [[simdgroup_index_in_threadgroup]], uint groups [[simdgroups_per_threadgroup]],
                      uint block [[threadgroup_position_in_grid]]) {
      threadgroup float partial[32];
      const float sum = simd_sum(x[i]);
      if (lane == 0) partial[group] = sum;
      threadgroup_barrier(mem_flags::mem_threadgroup);
      if (group == 0) {
        const float all = simd_sum(lane < groups ? partial[lane] : 0.0f);
        if (lane == 0) y[block] = all;
      }
    })",
                                "total");
  auto* x = gpu.buffer(ramp(4096));
  auto* y = gpu.zeros<float>(4);
  Launch(gpu, pipeline).buffer(x).buffer(y).threads(4096, 1024);
  const auto result = Gpu::values<float>(y);
  for (int block = 0; block < 4; ++block) EXPECT_EQ(result[block], 1024 * 1024 * block + 1023 * 512);
}

}  // namespace
}  // namespace metal_emulator

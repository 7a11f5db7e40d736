// Grids, positions, arguments and threadgroup memory.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

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

TEST(Kernels, ALargeDispatchIsSharedByAllCores) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(
      "kernel void square(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) { x[i] *= x[i]; "
      "}",
      "square");
  auto* x = gpu.buffer(ramp(1 << 20, 0.001f));
  Launch(gpu, pipeline).buffer(x).threads(1 << 20, 256);
  const auto result = Gpu::values<float>(x);
  for (int i = 0; i < 1 << 20; ++i) ASSERT_EQ(result[i], 0.001f * i * (0.001f * i));
}

TEST(Kernels, AForkedProcessRunsThemToo) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(
      "kernel void count(device int* x [[buffer(0)]], uint i [[thread_position_in_grid]]) { x[i] = i; }",
      "count");
  auto* x = gpu.zeros<int>(1 << 16);
  Launch(gpu, pipeline).buffer(x).threads(1 << 16, 256);  // the other threads have started
  const pid_t child = fork();
  if (child == 0) {
    Launch(gpu, pipeline).buffer(x).threads(1 << 16, 256);
    _exit(static_cast<int*>(x->contents())[65535] == 65535 ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
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
  auto* x = gpu.buffer(ramp(64 * 1024));
  auto* y = gpu.zeros<float>(64);
  Launch(gpu, pipeline).buffer(x).buffer(y).threads(64 * 1024, 1024);
  const auto result = Gpu::values<float>(y);
  for (int block = 0; block < 64; ++block) EXPECT_EQ(result[block], 1024.0f * 1024 * block + 1023 * 512);
}

// Each thread writes down all it is told about its place.
constexpr const char* kPositions = R"(
    kernel void places(device uint* out [[buffer(0)]], uint3 grid [[thread_position_in_grid]],
                       ushort3 local [[thread_position_in_threadgroup]], uint index [[thread_index_in_threadgroup]],
                       uint3 group [[threadgroup_position_in_grid]], uint3 size [[threads_per_threadgroup]],
                       uint3 groups [[threadgroups_per_grid]], uint3 all [[threads_per_grid]],
                       uint3 full [[dispatch_threads_per_threadgroup]], ushort lane [[thread_index_in_simdgroup]],
                       uint simdgroup [[simdgroup_index_in_threadgroup]], uint width [[threads_per_simdgroup]]) {
      BARRIER
      device uint* o = out + 16 * ((grid.z * all.y + grid.y) * all.x + grid.x);
      o[0] = local.x; o[1] = local.y; o[2] = local.z; o[3] = index;
      o[4] = group.x; o[5] = group.y; o[6] = group.z;
      o[7] = size.x; o[8] = size.y; o[9] = size.z;
      o[10] = groups.x * 100 + groups.y * 10 + groups.z; o[11] = full.x * 100 + full.y * 10 + full.z;
      o[12] = lane; o[13] = simdgroup; o[14] = width; o[15] = 1;
    })";

void check_places(const std::vector<unsigned>& out) {
  // 7 x 5 x 3 threads in groups of 4 x 3 x 2.
  for (unsigned z = 0; z < 3; ++z) {
    for (unsigned y = 0; y < 5; ++y) {
      for (unsigned x = 0; x < 7; ++x) {
        const unsigned* o = out.data() + 16 * ((z * 5 + y) * 7 + x);
        const unsigned width = x / 4 == 1 ? 3 : 4, height = y / 3 == 1 ? 2 : 3, depth = z / 2 == 1 ? 1 : 2;
        const unsigned index = ((z % 2) * height + y % 3) * width + x % 4;
        const std::vector<unsigned> expected = {x % 4,      y % 3,      z % 2,  index, x / 4, y / 3,
                                                z / 2,      width,      height, depth, 222u,  432u,
                                                index % 32, index / 32, 32u,    1u};
        ASSERT_EQ(std::vector<unsigned>(o, o + 16), expected);
      }
    }
  }
}

TEST(Kernels, ThreadsKnowTheirPlaces) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(std::string("#define BARRIER\n") + kPositions, "places");
  auto* out = gpu.zeros<unsigned>(7 * 5 * 3 * 16);
  Launch(gpu, pipeline).buffer(out).threads(MTL::Size(7, 5, 3), MTL::Size(4, 3, 2));
  check_places(Gpu::values<unsigned>(out));
}

TEST(Kernels, FibersKnowTheirPlaces) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(
      std::string("#define BARRIER threadgroup_barrier(mem_flags::mem_none);\n") + kPositions, "places");
  auto* out = gpu.zeros<unsigned>(7 * 5 * 3 * 16);
  Launch(gpu, pipeline).buffer(out).threads(MTL::Size(7, 5, 3), MTL::Size(4, 3, 2));
  check_places(Gpu::values<unsigned>(out));
}

TEST(Kernels, GroupsAreDispatchedWhole) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    kernel void count(device atomic_uint* n [[buffer(0)]], uint size [[threads_per_grid]]) {
      atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
      atomic_store_explicit(n + 1, size, memory_order_relaxed);
    })",
                                "count");
  auto* n = gpu.zeros<unsigned>(2);
  Launch(gpu, pipeline).buffer(n).groups(MTL::Size(300, 1, 1), MTL::Size(32, 2, 1));
  EXPECT_EQ(Gpu::values<unsigned>(n), (std::vector<unsigned>{300 * 64, 300 * 32}));
}

TEST(Kernels, BuffersAreBoundAtOffsetsAndBytesAsArrays) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    kernel void gather(device const int* x [[buffer(0)]], constant long* strides [[buffer(1)]],
                       device int* y [[buffer(2)]], uint i [[thread_position_in_grid]]) {
      y[i] = x[i * strides[0] + strides[1]];
    })",
                                "gather");
  auto* x = gpu.buffer<int>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  auto* y = gpu.zeros<int>(3);
  const long strides[2] = {2, 1};
  Launch(gpu, pipeline).buffer(x, 3 * sizeof(int)).bytes(strides).buffer(y).threads(3, 3);
  EXPECT_EQ(Gpu::values<int>(y), (std::vector<int>{4, 6, 8}));
}

TEST(Kernels, ThreadgroupMemoryIsGivenByLengthOrDeclared) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    kernel void turn(device int* x [[buffer(0)]], threadgroup int* given [[threadgroup(0)]],
                     uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]],
                     uint n [[threads_per_threadgroup]]) {
      constexpr uint kSize = 64;
      threadgroup int declared[2][kSize / 2], single;
      threadgroup int* flat = &declared[0][0];
      if (t == 0) single = 100;
      flat[t] = x[i];
      threadgroup_barrier(mem_flags::mem_threadgroup);
      given[t] = declared[(n - 1 - t) / 32][(n - 1 - t) % 32];
      threadgroup_barrier(mem_flags::mem_threadgroup);
      x[i] = given[t] + single;
    })",
                                "turn");
  EXPECT_EQ(pipeline->staticThreadgroupMemoryLength(), 64 * 4 + 16);
  std::vector<int> values(640);
  for (int i = 0; i < 640; ++i) values[i] = i;
  auto* x = gpu.buffer(values);
  Launch(gpu, pipeline).buffer(x).threadgroup(64 * 4).threads(640, 64);
  const auto result = Gpu::values<int>(x);
  for (int i = 0; i < 640; ++i) ASSERT_EQ(result[i], i / 64 * 64 + 63 - i % 64 + 100);
}

TEST(Kernels, ThreadgroupMemoryStartsWithoutNumbers) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(R"(
    kernel void peek(device float* x [[buffer(0)]]) { threadgroup float y; x[0] = y; })",
                                "peek");
  auto* x = gpu.zeros<float>(1);
  Launch(gpu, pipeline).buffer(x).threads(1, 1);
  EXPECT_TRUE(std::isnan(Gpu::values<float>(x)[0]));
}

TEST(Kernels, APipelineTellsItsLimits) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(
      "[[max_total_threads_per_threadgroup(128)]] kernel void f(device int* x [[buffer(0)]]) { x[0] = 1; }",
      "f");
  EXPECT_EQ(pipeline->maxTotalThreadsPerThreadgroup(), 128);
  EXPECT_EQ(pipeline->threadExecutionWidth(), 32);
  EXPECT_EQ(pipeline->staticThreadgroupMemoryLength(), 0);
  EXPECT_EQ(gpu.device()->maxThreadsPerThreadgroup().width, 1024);
}

}  // namespace
}  // namespace metal_emulator

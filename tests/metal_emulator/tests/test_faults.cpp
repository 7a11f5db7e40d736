// What real hardware lets pass in silence, planted, and caught.
#include <gtest/gtest.h>

#include <cstdlib>

#include "gpu.h"

namespace metal_emulator {
namespace {

// Each test ends the process of its faulty part, which must be one without threads.
class Faults : public ::testing::Test {
 protected:
  Faults() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

constexpr const char* kIndexed = R"(
    kernel void touch(device int* x [[buffer(0)]], constant long& at [[buffer(1)]], device int* y [[buffer(2)]]) {
      ACCESS
    })";

void touch(const std::string& access, long at, std::size_t length) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline("#define ACCESS " + access + "\n" + kIndexed, "touch");
  auto* y = gpu.zeros<int>(16, "other");
  Launch(gpu, pipeline).buffer(gpu.zeros<int>(length, "victim")).bytes(at).buffer(y).threads(1, 1);
}

TEST_F(Faults, AWritePastTheEnd) {
  EXPECT_DEATH(touch("x[at] = 1;", 16, 16),
               "metal emulator: kernel touch (wrote|accessed) out of bounds: 0 bytes past the end of buffer "
               "'victim' \\(64 "
               "bytes\\); bound are x \\[\\[buffer\\(0\\)\\]\\] = 'victim' of 64 bytes");
}

TEST_F(Faults, AReadPastTheEnd) {
  EXPECT_DEATH(touch("y[0] = x[at];", 100, 16),
               "kernel touch (read|accessed) out of bounds: 336 bytes past the end of buffer 'victim'");
}

TEST_F(Faults, AWriteJustPastTheEndOfAnOddLength) {
  EXPECT_DEATH(touch("x[at] = 1;", 5, 5),
               "kernel touch wrote past the end of buffer 'victim' \\(20 bytes\\)");
}

TEST_F(Faults, AWriteJustBeforeTheStart) {
  EXPECT_DEATH(touch("x[at] = 1;", -1, 5),
               "kernel touch wrote before the start of buffer 'victim' \\(20 bytes\\)");
}

TEST_F(Faults, AWriteFarBeforeTheStart) {
  EXPECT_DEATH(touch("x[at] = 1;", -1100, 16),
               "out of bounds: 4400 bytes before the start of buffer 'victim'");
}

TEST_F(Faults, AWildAddress) {
  EXPECT_DEATH(touch("x[at] = 1;", -(1l << 38), 16),
               "kernel touch (wrote|accessed) address .*, which belongs to no buffer");
}

TEST_F(Faults, AnImpossibleAddress) {
  EXPECT_DEATH(touch("x[at] = 1;", 1l << 60, 16), "kernel touch .* an address that cannot exist");
}

TEST_F(Faults, AReadPastTheEndSeesNoNumber) {
  // In what alignment leaves over nothing faults; but what is read there is not a number in any format.
  Gpu gpu;
  auto* pipeline = gpu.pipeline(
      "kernel void f(device float* x [[buffer(0)]], device float* y [[buffer(1)]]) { y[0] = x[1]; }", "f");
  auto* y = gpu.zeros<float>(1);
  Launch(gpu, pipeline).buffer(gpu.zeros<float>(1)).buffer(y).threads(1, 1);
  const float value = Gpu::values<float>(y)[0];
  EXPECT_NE(value, value);
}

TEST_F(Faults, AnIndexOutsideOfAnArray) {
  EXPECT_DEATH(touch("int a[4] = {1, 2, 3, 4}; y[0] = a[at];", 4, 16),
               "kernel touch used an index outside of an array");
}

TEST_F(Faults, ThreadgroupMemoryOutOfBounds) {
  EXPECT_DEATH(touch("threadgroup int a[4]; threadgroup int* p = a; p[at] = 1;", 4, 16),
               "kernel touch (wrote|accessed) threadgroup memory out of bounds");
}

TEST_F(Faults, BytesOutOfBounds) {
  EXPECT_DEATH(touch("y[0] = (&at)[2];", 0, 16),
               "kernel touch (read|accessed) out of bounds of an argument that setBytes gave it");
}

TEST_F(Faults, AnIntegerDividedByZero) {
  EXPECT_DEATH(touch("y[0] = 7 / int(at);", 0, 16), "kernel touch divided an integer by zero");
}

TEST_F(Faults, TheStackOfAThreadUsedUp) {
  EXPECT_DEATH(touch("volatile int big[30000]; for (int i = 30000; i > 0; --i) big[i - 1] = i;"
                     "threadgroup_barrier(mem_flags::mem_none); y[0] = big[at];",
                     1, 16),
               "kernel touch uses more than the 64 KB of stack of a thread");
}

TEST_F(Faults, AnArgumentThatIsNotBound) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(std::string("#define ACCESS\n") + kIndexed, "touch");
    Launch(gpu, pipeline).buffer(gpu.zeros<int>(1)).bytes(1l).threads(1, 1);
  };
  EXPECT_DEATH(run(), "kernel touch: argument 'y' \\[\\[buffer\\(2\\)\\]\\] is not bound");
}

TEST_F(Faults, BytesOfTheWrongSize) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(std::string("#define ACCESS\n") + kIndexed, "touch");
    Launch(gpu, pipeline).buffer(gpu.zeros<int>(1)).bytes(1).buffer(gpu.zeros<int>(1)).threads(1, 1);
  };
  EXPECT_DEATH(run(), "kernel touch: argument 'at' \\[\\[buffer\\(1\\)\\]\\] is of 8 bytes, setBytes gave 4");
}

TEST_F(Faults, ABufferTooShortForItsArgument) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(std::string("#define ACCESS\n") + kIndexed, "touch");
    Launch(gpu, pipeline)
        .buffer(gpu.zeros<int>(1))
        .buffer(gpu.zeros<int>(4), 16)
        .buffer(gpu.zeros<int>(1))
        .threads(1, 1);
  };
  EXPECT_DEATH(run(),
               "argument 'at' \\[\\[buffer\\(1\\)\\]\\] is of 8 bytes, the buffer has 0 from its offset on");
}

TEST_F(Faults, AnOffsetThatIsNotAligned) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(std::string("#define ACCESS\n") + kIndexed, "touch");
    Launch(gpu, pipeline).buffer(gpu.zeros<int>(2), 2).bytes(1l).buffer(gpu.zeros<int>(1)).threads(1, 1);
  };
  EXPECT_DEATH(
      run(),
      "argument 'x' \\[\\[buffer\\(0\\)\\]\\] is bound at offset 2, which is no multiple of the 4 bytes");
}

TEST_F(Faults, MoreThan32KilobytesOfThreadgroupMemory) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(
        "kernel void f(device float* x [[buffer(0)]], threadgroup float* y [[threadgroup(0)]]) {"
        "threadgroup float z[2048]; z[0] = y[0] = x[0]; x[0] = z[0]; }",
        "f");
    Launch(gpu, pipeline).buffer(gpu.zeros<float>(1)).threadgroup(24 * 1024 + 16).threads(1, 1);
  };
  EXPECT_DEATH(run(), "kernel f uses 32784 bytes of threadgroup memory, there are 32768");
}

TEST_F(Faults, AThreadgroupArgumentWithoutLength) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline =
        gpu.pipeline("kernel void f(threadgroup float* y [[threadgroup(3)]]) { y[0] = 1; }", "f");
    Launch(gpu, pipeline).threads(1, 1);
  };
  EXPECT_DEATH(run(), "kernel f: argument 'y' \\[\\[threadgroup\\(3\\)\\]\\] has no length");
}

TEST_F(Faults, MoreThan1024ThreadsInAGroup) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline("kernel void f(device float* x [[buffer(0)]]) { x[0] = 1; }", "f");
    Launch(gpu, pipeline).buffer(gpu.zeros<float>(1)).threads(MTL::Size(64, 64, 1), MTL::Size(32, 33, 1));
  };
  EXPECT_DEATH(run(), "kernel f is dispatched in groups of 1056 threads, it takes 1024 at most");
}

TEST_F(Faults, ABarrierThatNotAllReach) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(
        "kernel void f(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {"
        "if (i >= 5) return; threadgroup_barrier(mem_flags::mem_device); x[i] = 1; }",
        "f");
    Launch(gpu, pipeline).buffer(gpu.zeros<float>(8)).threads(8, 8);
  };
  EXPECT_DEATH(
      run(), "kernel f: 3 of the 8 threads of a group ended while the others wait at a threadgroup_barrier");
}

constexpr const char* kCopy =
    "kernel void copy(device const int* x [[buffer(0)]], device int* y [[buffer(1)]], uint i "
    "[[thread_position_in_grid]]) "
    "{ y[i] = x[i]; }";

TEST_F(Faults, TheCpuTouchesABufferThatPendingWorkUses) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(kCopy, "copy");
    auto* y = gpu.zeros<int>(4, "result");
    Launch(gpu, pipeline).buffer(gpu.zeros<int>(4)).buffer(y).submit(4, 4);
    std::printf("%d\n", static_cast<int*>(y->contents())[1]);
  };
  EXPECT_DEATH(run(),
               "the CPU touched buffer 'result' \\(16 bytes, at byte 4\\) while work that uses it is pending "
               "\\(copy\\)");
}

TEST_F(Faults, TheCpuMayTouchItWhenTheWorkHasRunUntilNewWorkComes) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(kCopy, "copy");
    auto* x = gpu.buffer<int>({1, 2, 3, 4});
    auto* y = gpu.zeros<int>(4, "y");
    auto* z = gpu.zeros<int>(4, "z");
    MTL::CommandBuffer* first = Launch(gpu, pipeline).buffer(x).buffer(y).submit(4, 4);
    MTL::CommandBuffer* second = Launch(gpu, pipeline).buffer(y).buffer(z).submit(4, 4);
    first->waitUntilCompleted();
    static_cast<int*>(x->contents())[0] = 5;  // only the first one used x
    if (second->status() != MTL::CommandBufferStatusCommitted) std::exit(1);
    static_cast<int*>(y->contents())[0] = 5;
  };
  EXPECT_DEATH(run(), "the CPU touched buffer 'y' .* pending \\(copy\\)");
}

TEST_F(Faults, TheCpuUsesABufferAfterItsRelease) {
  const auto run = [] {
    Gpu gpu;
    MTL::Buffer* buffer = gpu.device()->newBuffer(100, MTL::ResourceStorageModeShared);
    buffer->setLabel(ns("gone"));
    int* contents = static_cast<int*>(buffer->contents());
    buffer->release();
    contents[0] = 1;
  };
  EXPECT_DEATH(run(), "the CPU (wrote|accessed) buffer 'gone' \\(100 bytes\\) after it was released");
}

TEST_F(Faults, ABufferReleasedBeforeWorkThatDoesNotRetainIt) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(kCopy, "copy");
    MTL::Buffer* buffer = gpu.device()->newBuffer(16, MTL::ResourceStorageModeShared);
    buffer->setLabel(ns("gone"));
    MTL::CommandBuffer* commands = gpu.queue()->commandBufferWithUnretainedReferences();
    MTL::ComputeCommandEncoder* encoder = commands->computeCommandEncoder();
    encoder->setComputePipelineState(pipeline);
    encoder->setBuffer(buffer, 0, 0);
    encoder->setBuffer(gpu.zeros<int>(4), 0, 1);
    encoder->dispatchThreads(MTL::Size(4, 1, 1), MTL::Size(4, 1, 1));
    encoder->endEncoding();
    commands->commit();
    buffer->release();
    commands->waitUntilCompleted();
  };
  EXPECT_DEATH(run(),
               "kernel copy uses buffer 'gone' \\(16 bytes\\), which was released before the kernel ran");
}

// The sum of neighbours within a group, by way of threadgroup memory.
std::string neighbours(const std::string& barrier) {
  return "kernel void neighbours(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {"
         "threadgroup float shared[64]; shared[i] = x[i]; " +
         barrier + " x[i] += shared[63 - i]; }";
}

void look_for_races(const std::string& source, const std::string& name) {
  setenv("METAL_EMULATOR_RACES", "1", 1);
  Gpu gpu;
  std::vector<float> values(64);
  for (int i = 0; i < 64; ++i) values[i] = i;
  Launch(gpu, gpu.pipeline(source, name)).buffer(gpu.buffer(values, "values")).threads(64, 64);
}

TEST_F(Faults, ARaceWhereABarrierIsMissing) {
  EXPECT_DEATH(
      look_for_races(neighbours(""), "neighbours"),
      "kernel neighbours has a race: argument 'x' \\(buffer 'values'\\) differs at byte .* in another order");
}

TEST_F(Faults, NoRaceWithTheBarrier) {
  const auto run = [] {
    look_for_races(neighbours("threadgroup_barrier(mem_flags::mem_threadgroup);"), "neighbours");
    std::exit(0);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

TEST_F(Faults, ARaceInDeviceMemoryBetweenThreads) {
  EXPECT_DEATH(
      look_for_races("kernel void shift(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) "
                     "{ x[i] = x[(i + 1) % 64]; }",
                     "shift"),
      "kernel shift has a race");
}

TEST_F(Faults, ARaceAroundAMatrix) {
  const auto source = [](const std::string& barrier) {
    return "kernel void f(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {"
           "threadgroup float shared[64]; simdgroup_float8x8 m; shared[i] = x[i];"
           "threadgroup_barrier(mem_flags::mem_threadgroup); if (i < 32) { simdgroup_load(m, shared);"
           "simdgroup_multiply_accumulate(m, m, m, m); simdgroup_store(m, shared); }" +
           barrier + " x[i] = shared[i]; }";
  };
  EXPECT_DEATH(look_for_races(source(""), "f"), "kernel f has a race");
  const auto run = [&] {
    look_for_races(source("threadgroup_barrier(mem_flags::mem_threadgroup);"), "f");
    std::exit(0);
  };
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(0), "");
}

TEST_F(Faults, LanesThatMeetInDifferentFunctions) {
  const auto run = [] {
    Gpu gpu;
    auto* pipeline = gpu.pipeline(
        "kernel void f(device int* x [[buffer(0)]], uint i [[thread_position_in_grid]]) "
        "{ x[i] = i < 16 ? simd_sum(1) : simd_max(2); }",
        "f");
    Launch(gpu, pipeline).buffer(gpu.zeros<int>(32)).threads(32, 32);
  };
  EXPECT_DEATH(run(), "kernel f: lanes of one simdgroup meet in different simdgroup functions");
}

}  // namespace
}  // namespace metal_emulator

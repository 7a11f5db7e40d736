// Queues, command buffers, blits, errors and handlers.
#include <gtest/gtest.h>

#include <functional>

#include "gpu.h"
#include "metal_emulator.h"

namespace metal_emulator {
namespace {

constexpr const char* kAddOne =
    "kernel void add_one(device int* x [[buffer(0)]], uint i [[thread_position_in_grid]]) { x[i] += 1; }";

TEST(Commands, RunInOrderOfCommitWhenTheLastIsWaitedFor) {
  Gpu gpu;
  auto* add_one = gpu.pipeline(kAddOne, "add_one");
  auto* twice = gpu.pipeline(
      "kernel void twice(device int* x [[buffer(0)]], uint i [[thread_position_in_grid]]) { x[i] *= 2; }",
      "twice");
  auto* x = gpu.buffer<int>({1, 2});
  MTL::CommandBuffer* first = Launch(gpu, add_one).buffer(x).submit(2, 2);
  MTL::CommandBuffer* second = Launch(gpu, twice).buffer(x).submit(2, 2);
  EXPECT_EQ(first->status(), MTL::CommandBufferStatusCommitted);
  second->waitUntilCompleted();
  EXPECT_EQ(first->status(), MTL::CommandBufferStatusCompleted);
  EXPECT_EQ(Gpu::values<int>(x), (std::vector<int>{4, 6}));
}

TEST(Commands, AnEncoderKeepsItsBindingsFromDispatchToDispatch) {
  Gpu gpu;
  auto* x = gpu.buffer<int>({1, 2});
  MTL::CommandBuffer* commands = gpu.queue()->commandBuffer();
  MTL::ComputeCommandEncoder* encoder = commands->computeCommandEncoder(MTL::DispatchTypeConcurrent);
  encoder->setComputePipelineState(gpu.pipeline(kAddOne, "add_one"));
  encoder->setBuffer(x, 0, 0);
  encoder->setLabel(ns("encoder"));
  encoder->insertDebugSignpost(ns("here"));
  for (int i = 0; i < 3; ++i) {
    encoder->dispatchThreads(MTL::Size(2, 1, 1), MTL::Size(2, 1, 1));
    encoder->memoryBarrier(MTL::BarrierScopeBuffers);
  }
  encoder->endEncoding();
  commands->commit();
  commands->waitUntilCompleted();
  EXPECT_EQ(Gpu::values<int>(x), (std::vector<int>{4, 5}));
}

TEST(Commands, BlitsCopyAndFill) {
  Gpu gpu;
  auto* x = gpu.buffer<int>({1, 2, 3, 4});
  auto* y = gpu.zeros<int>(4);
  MTL::CommandBuffer* commands = gpu.queue()->commandBuffer();
  MTL::BlitCommandEncoder* encoder = commands->blitCommandEncoder();
  encoder->copyFromBuffer(x, 4, y, 8, 8);
  encoder->fillBuffer(x, NS::Range(0, 4), 0xff);
  encoder->endEncoding();
  commands->commit();
  commands->waitUntilCompleted();
  EXPECT_EQ(Gpu::values<int>(y), (std::vector<int>{0, 0, 2, 3}));
  EXPECT_EQ(Gpu::values<int>(x), (std::vector<int>{-1, 2, 3, 4}));
}

TEST(Commands, HandlersAreCalledOnceWithTheirCommandBuffer) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(kAddOne, "add_one");
  MTL::CommandBuffer* commands = gpu.queue()->commandBuffer();
  MTL::ComputeCommandEncoder* encoder = commands->computeCommandEncoder();
  encoder->setComputePipelineState(pipeline);
  encoder->setBuffer(gpu.zeros<int>(1), 0, 0);
  encoder->dispatchThreads(MTL::Size(1, 1, 1), MTL::Size(1, 1, 1));
  encoder->endEncoding();
  auto kept = std::make_shared<int>(0);
  MTL::CommandBuffer* seen = nullptr;
  MTL::CommandBuffer** const seen_by_block = &seen;
  commands->addCompletedHandler(std::function<void(MTL::CommandBuffer*)>(
      [kept](MTL::CommandBuffer* done) { *kept += done->status() == MTL::CommandBufferStatusCompleted; }));
  commands->addCompletedHandler(^(MTL::CommandBuffer* done) {
    *seen_by_block = done;
  });
  commands->commit();
  EXPECT_EQ(*kept, 0);
  commands->waitUntilCompleted();
  commands->waitUntilCompleted();
  EXPECT_EQ(*kept, 1);
  EXPECT_EQ(seen, commands);
  EXPECT_EQ(kept.use_count(), 1);
}

TEST(Commands, AHandlerMayCommitMoreWork) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(kAddOne, "add_one");
  auto* x = gpu.buffer<int>({0});
  MTL::CommandBuffer* next = nullptr;
  MTL::CommandBuffer* commands = gpu.queue()->commandBuffer();
  commands->addCompletedHandler(std::function<void(MTL::CommandBuffer*)>(
      [&](MTL::CommandBuffer*) { next = Launch(gpu, pipeline).buffer(x).submit(1, 1); }));
  commands->commit();
  commands->waitUntilCompleted();
  ASSERT_NE(next, nullptr);
  next->waitUntilCompleted();
  EXPECT_EQ(Gpu::values<int>(x)[0], 1);
}

TEST(Commands, AFailureIsToldByStatusAndErrorAndNothingRuns) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(kAddOne, "add_one");
  auto* x = gpu.buffer<int>({7});
  metal_emulator_fail_next_command_buffer("out of luck");
  MTL::CommandBuffer* commands = Launch(gpu, pipeline).buffer(x).submit(1, 1);
  commands->waitUntilCompleted();
  EXPECT_EQ(commands->status(), MTL::CommandBufferStatusError);
  EXPECT_STREQ(commands->error()->localizedDescription()->utf8String(), "out of luck");
  EXPECT_STREQ(commands->error()->domain()->utf8String(), "MTLCommandBufferErrorDomain");
  EXPECT_EQ(Gpu::values<int>(x)[0], 7);
  MTL::CommandBuffer* after = Launch(gpu, pipeline).buffer(x).submit(1, 1);
  after->waitUntilCompleted();
  EXPECT_EQ(after->error(), nullptr);
  EXPECT_EQ(Gpu::values<int>(x)[0], 8);
}

TEST(Commands, AQueueHoldsNoMoreThanItsCapacity) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(kAddOne, "add_one");
  auto* x = gpu.buffer<int>({0});
  MTL::CommandBuffer* first = Launch(gpu, pipeline).buffer(x).submit(1, 1);
  for (int i = 1; i < 64; ++i) Launch(gpu, pipeline).buffer(x).submit(1, 1);
  EXPECT_EQ(first->status(), MTL::CommandBufferStatusCommitted);
  MTL::CommandBuffer* last = Launch(gpu, pipeline).buffer(x).submit(1, 1);
  EXPECT_EQ(first->status(), MTL::CommandBufferStatusCompleted);
  EXPECT_EQ(last->status(), MTL::CommandBufferStatusCommitted);
  last->waitUntilCompleted();
  EXPECT_EQ(Gpu::values<int>(x)[0], 65);
}

TEST(Commands, ARetainedBufferOutlivesItsOwner) {
  Gpu gpu;
  auto* pipeline = gpu.pipeline(kAddOne, "add_one");
  MTL::Buffer* x = gpu.device()->newBuffer(4, MTL::ResourceStorageModeShared);
  MTL::CommandBuffer* commands = Launch(gpu, pipeline).buffer(x).submit(1, 1);
  x->release();
  const auto before = metal_emulator_live_objects("MTLBuffer");
  commands->waitUntilCompleted();
  EXPECT_EQ(commands->status(), MTL::CommandBufferStatusCompleted);
  EXPECT_EQ(metal_emulator_live_objects("MTLBuffer"), before - 1);
}

}  // namespace
}  // namespace metal_emulator

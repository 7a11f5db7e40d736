// Objects, their counts and pools, and messages that go wrong.
#include <gtest/gtest.h>

#include "gpu.h"
#include "metal_emulator.h"

namespace metal_emulator {
namespace {

class Objects : public ::testing::Test {
 protected:
  Objects() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(Objects, NothingIsLeftWhenAllIsReleased) {
  const std::size_t before = metal_emulator_live_objects(nullptr);
  {
    Gpu gpu;
    auto* pipeline = gpu.pipeline("kernel void f(device int* x [[buffer(0)]]) { x[0] = 1; }", "f");
    Launch(gpu, pipeline).buffer(gpu.zeros<int>(1)).threads(1, 1);
    Launch(gpu, pipeline).buffer(gpu.zeros<int>(1)).submit(1, 1)->waitUntilCompleted();
  }
  // The device is the system's.
  EXPECT_EQ(metal_emulator_live_objects(nullptr), std::max<std::size_t>(before, 1));
}

TEST_F(Objects, ALeakIsReportedByClassAndLabel) {
  Gpu gpu;
  MTL::Buffer* leaked = gpu.device()->newBuffer(48, MTL::ResourceStorageModeShared);
  leaked->setLabel(ns("forgotten"));
  testing::internal::CaptureStderr();
  metal_emulator_report_live_objects();
  const std::string report = testing::internal::GetCapturedStderr();
  EXPECT_NE(report.find("1 live objects of class MTLBuffer"), std::string::npos) << report;
  EXPECT_NE(report.find("live buffer 'forgotten' of 48 bytes"), std::string::npos) << report;
  leaked->release();
}

TEST_F(Objects, APoolReleasesWhatWasAutoreleasedSince) {
  NS::AutoreleasePool* outer = NS::AutoreleasePool::alloc()->init();
  ns("outer");
  const std::size_t before = metal_emulator_live_objects("NSString");
  NS::AutoreleasePool* inner = NS::AutoreleasePool::alloc()->init();
  NS::String* kept = ns("kept")->retain();
  ns("dropped");
  EXPECT_EQ(metal_emulator_live_objects("NSString"), before + 2);
  inner->drain();
  EXPECT_EQ(metal_emulator_live_objects("NSString"), before + 1);
  EXPECT_STREQ(kept->utf8String(), "kept");
  EXPECT_EQ(kept->retainCount(), 1);
  kept->release();
  outer->release();
  EXPECT_EQ(metal_emulator_live_objects("NSString"), before - 1);
}

TEST_F(Objects, AMessageToNilGivesZero) {
  MTL::Buffer* buffer = nullptr;
  EXPECT_EQ(buffer->contents(), nullptr);
  EXPECT_EQ(buffer->length(), 0);
}

TEST_F(Objects, StringsAndBuffers) {
  Gpu gpu;
  NS::String* text = ns("gr\xc3\xbc\xc3\x9f");
  EXPECT_EQ(text->length(), 4);
  EXPECT_TRUE(text->isEqualToString(ns("gr\xc3\xbc\xc3\x9f")));
  MTL::Buffer* buffer = gpu.zeros<float>(10, "ten");
  EXPECT_EQ(buffer->length(), 40);
  EXPECT_STREQ(buffer->label()->utf8String(), "ten");
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->contents()) % 64, 0);
  EXPECT_TRUE(gpu.device()->hasUnifiedMemory());
  EXPECT_TRUE(gpu.device()->supportsFamily(MTL::GPUFamilyApple7));
  EXPECT_GE(gpu.device()->currentAllocatedSize(), 40);
}

TEST_F(Objects, AReleaseTooMany) {
  const auto run = [] {
    Gpu gpu;
    MTL::Buffer* buffer = gpu.device()->newBuffer(4, MTL::ResourceStorageModeShared);
    buffer->release();
    buffer->release();
  };
  EXPECT_DEATH(run(),
               "metal emulator: 'release' was sent to an object of class MTLBuffer that has already been "
               "released to the end");
}

TEST_F(Objects, AMessageToTheDead) {
  const auto run = [] {
    Gpu gpu;
    MTL::Buffer* buffer = gpu.device()->newBuffer(4, MTL::ResourceStorageModeShared);
    buffer->release();
    buffer->contents();
  };
  EXPECT_DEATH(run(), "'contents' was sent to an object of class MTLBuffer that has already been released");
}

TEST_F(Objects, AMessageThatNobodyKnows) {
  const auto run = [] {
    Gpu gpu;
    gpu.device()->newFence();
  };
  EXPECT_DEATH(run(), "no method -\\[MTLDevice newFence\\]");
}

TEST_F(Objects, AnEncoderThatDoesNotEnd) {
  const auto run = [] {
    Gpu gpu;
    gpu.queue()->commandBuffer()->computeCommandEncoder();
  };
  EXPECT_DEATH(run(), "an encoder was released without endEncoding");
}

TEST_F(Objects, ACommitTwice) {
  const auto run = [] {
    Gpu gpu;
    MTL::CommandBuffer* commands = gpu.queue()->commandBuffer();
    commands->commit();
    commands->commit();
  };
  EXPECT_DEATH(run(), "a command buffer was committed twice");
}

TEST_F(Objects, MoreBytesThanMetalTakes) {
  const auto run = [] {
    Gpu gpu;
    std::vector<char> bytes(4097);
    gpu.queue()->commandBuffer()->computeCommandEncoder()->setBytes(bytes.data(), bytes.size(), 0);
  };
  EXPECT_DEATH(run(), "setBytes of 4097 bytes: Metal takes 1 to 4096");
}

}  // namespace
}  // namespace metal_emulator

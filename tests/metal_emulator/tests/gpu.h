// A device with what a test needs of it: kernels from text, buffers from vectors, and a run.
#pragma once

#include <Metal/Metal.hpp>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace metal_emulator {

// What stands before each kernel.
inline const std::string kPrelude = "#include <metal_stdlib>\nusing namespace metal;\n";

inline NS::String* ns(const std::string& text) {
  return NS::String::string(text.c_str(), NS::UTF8StringEncoding);
}

class Gpu {
 public:
  Gpu()
      : pool_(NS::AutoreleasePool::alloc()->init()),
        device_(MTL::CreateSystemDefaultDevice()),
        queue_(device_->newCommandQueue()) {}
  ~Gpu() {
    for (MTL::Buffer* buffer : buffers_) buffer->release();
    for (MTL::ComputePipelineState* pipeline : pipelines_) pipeline->release();
    queue_->release();
    device_->release();
    pool_->release();
  }
  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;

  MTL::Device* device() const { return device_; }
  MTL::CommandQueue* queue() const { return queue_; }

  // With safe mathematics. Throws clang's messages.
  MTL::ComputePipelineState* pipeline(const std::string& source, const std::string& name) {
    MTL::CompileOptions* options = MTL::CompileOptions::alloc()->init();
    options->setFastMathEnabled(false);
    NS::Error* error = nullptr;
    MTL::Library* library = device_->newLibrary(ns(kPrelude + source), options, &error);
    options->release();
    if (library == nullptr) throw std::runtime_error(error->localizedDescription()->utf8String());
    MTL::Function* function = library->newFunction(ns(name));
    library->release();
    if (function == nullptr) throw std::runtime_error("no function " + name);
    MTL::ComputePipelineState* pipeline = device_->newComputePipelineState(function, &error);
    function->release();
    if (pipeline == nullptr) throw std::runtime_error(error->localizedDescription()->utf8String());
    pipelines_.push_back(pipeline);
    return pipeline;
  }

  template <class T>
  MTL::Buffer* buffer(const std::vector<T>& values, const std::string& label = "") {
    MTL::Buffer* made =
        device_->newBuffer(values.data(), values.size() * sizeof(T), MTL::ResourceStorageModeShared);
    if (!label.empty()) made->setLabel(ns(label));
    buffers_.push_back(made);
    return made;
  }

  template <class T>
  MTL::Buffer* zeros(std::size_t count, const std::string& label = "") {
    return buffer(std::vector<T>(count), label);
  }

  template <class T>
  static std::vector<T> values(MTL::Buffer* buffer) {
    const T* first = static_cast<const T*>(buffer->contents());
    return {first, first + buffer->length() / sizeof(T)};
  }

 private:
  NS::AutoreleasePool* pool_;
  MTL::Device* device_;
  MTL::CommandQueue* queue_;
  std::vector<MTL::Buffer*> buffers_;
  std::vector<MTL::ComputePipelineState*> pipelines_;
};

// One kernel in one command buffer: `Launch(gpu, pipeline).buffer(x).bytes(n).threads(100, 32)` runs it to
// its end.
class Launch {
 public:
  Launch(Gpu& gpu, MTL::ComputePipelineState* pipeline)
      : commands_(gpu.queue()->commandBuffer()), encoder_(commands_->computeCommandEncoder()) {
    encoder_->setComputePipelineState(pipeline);
  }

  Launch& buffer(MTL::Buffer* buffer, std::size_t offset = 0) {
    encoder_->setBuffer(buffer, offset, next_++);
    return *this;
  }
  template <class T>
  Launch& bytes(const T& value) {
    encoder_->setBytes(&value, sizeof value, next_++);
    return *this;
  }
  Launch& threadgroup(std::size_t length, std::size_t index = 0) {
    encoder_->setThreadgroupMemoryLength(length, index);
    return *this;
  }

  void threads(MTL::Size grid, MTL::Size group) {
    encoder_->dispatchThreads(grid, group);
    commit();
    commands_->waitUntilCompleted();
  }
  void threads(std::size_t grid, std::size_t group) {
    threads(MTL::Size(grid, 1, 1), MTL::Size(group, 1, 1));
  }
  void groups(MTL::Size groups, MTL::Size group) {
    encoder_->dispatchThreadgroups(groups, group);
    commit();
    commands_->waitUntilCompleted();
  }
  // Commits without waiting.
  MTL::CommandBuffer* submit(std::size_t grid, std::size_t group) {
    encoder_->dispatchThreads(MTL::Size(grid, 1, 1), MTL::Size(group, 1, 1));
    commit();
    return commands_;
  }

 private:
  void commit() {
    encoder_->endEncoding();
    commands_->commit();
  }

  MTL::CommandBuffer* commands_;
  MTL::ComputeCommandEncoder* encoder_;
  std::size_t next_ = 0;
};

}  // namespace metal_emulator

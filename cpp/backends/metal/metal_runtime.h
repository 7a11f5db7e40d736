#pragma once
// Metal as a gpu::Runtime: shared memory, pipelines by their source text, and command buffers that each hold
// a batch of kernels. Only this room sees metal-cpp.

#include <Metal/Metal.hpp>
#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "backends/gpu/runtime.h"

namespace mlx::gpu {

struct Kernel {
  std::string function;
  MTL::ComputePipelineState* state;
};

}  // namespace mlx::gpu

namespace mlx::metal {

// The blocks of memory that are out, found by any address within. Batches are known by numbers, in order.
class BufferTable {
 public:
  struct Entry {
    MTL::Buffer* buffer;
    uint64_t last_read = 0, last_write = 0;  // the last batches that do so
    bool shared = false;
  };

  void add(MTL::Buffer* buffer);
  // The block that starts at p, which the table forgets.
  MTL::Buffer* remove(const void* p);
  // The block around p, and how far into it p is. Throws RuntimeError when p lies in none.
  Entry& find(const void* p, size_t* offset = nullptr);

 private:
  std::map<uintptr_t, Entry> blocks_;
};

class MetalRuntime : public gpu::Runtime {
 public:
  explicit MetalRuntime(MTL::Device* device);

  void* acquire(size_t bytes) noexcept override;
  void release(void* p, size_t bytes) noexcept override;

  const gpu::Kernel* kernel(std::string_view source, const char* function) override;
  void run(const gpu::Dispatch& dispatch) override;
  void wait(const void* p, bool reads) override;
  void synchronize() override;
  bool is_busy(const void* p) override;
  void share_with_host(const void* p, bool shared) override;

 private:
  // Kernels that the device gets at once.
  struct Batch {
    uint64_t number;
    MTL::CommandBuffer* commands;
    std::vector<const char*> ops;
  };

  MTL::ComputeCommandEncoder* encoder();
  size_t bind(const gpu::Argument& argument, uint32_t slot, bool& shared);
  void commit();
  void wait_for(uint64_t batch);
  void finish(Batch batch);
  bool is_done(uint64_t batch) const;
  MTL::ComputePipelineState* compile(const std::string& source, const char* function);

  MTL::Device* device_;
  MTL::CommandQueue* queue_;

  std::mutex mutex_;
  BufferTable buffers_;
  std::unordered_map<std::string, gpu::Kernel> kernels_;  // by function and source
  Batch open_{1, nullptr, {}};
  MTL::ComputeCommandEncoder* encoder_ = nullptr;
  size_t open_bytes_ = 0;
  std::deque<Batch> running_;  // committed, oldest first
};

}  // namespace mlx::metal

#pragma once
// An allocator that keeps freed blocks for later requests, for any device.

#include <list>
#include <mutex>
#include <vector>

#include "memory/allocator.h"
#include "memory/memory_counter.h"
#include "memory/system_memory.h"

namespace mlx {

// Eight size classes a doubling, so at most 12.5 % is lost to rounding. A request is served only by a block
// of its own class: the size given to deallocate() then tells the block's, and no table of live blocks is
// needed. The cache is bounded; what was freed longest ago leaves first.
class CachingAllocator : public Allocator {
 public:
  CachingAllocator(MemorySource& source, size_t cache_limit);
  ~CachingAllocator() override;
  CachingAllocator(const CachingAllocator&) = delete;
  CachingAllocator& operator=(const CachingAllocator&) = delete;

  void* allocate(size_t bytes) override;
  void deallocate(void* p, size_t bytes) noexcept override;
  void empty_cache() noexcept override;
  MemoryStats stats() override;
  void reset_peak() override { counter_.reset_peak(); }

  // The size of the block that serves a request of `bytes`, which is not 0.
  static size_t rounded_size(size_t bytes);

  // Says what was asked for and what is held.
  [[noreturn]] void throw_out_of_memory(size_t bytes);

  // Shared with whoever else hands out this device's memory.
  MemoryCounter& counter() { return counter_; }
  // Held around fork(), so that the child does not inherit it locked by a thread that it does not have.
  std::mutex& mutex() { return mutex_; }

 private:
  struct Block {
    void* data;
    size_t bytes;
  };
  using Blocks = std::list<Block>;

  void* take_cached(size_t size);
  void release_oldest() noexcept;

  MemorySource& source_;
  const size_t cache_limit_;
  MemoryCounter counter_;
  std::mutex mutex_;
  Blocks by_age_;                                    // oldest first
  std::vector<std::vector<Blocks::iterator>> bins_;  // a size class each, oldest first
  size_t cached_bytes_ = 0;
  int64_t allocations_ = 0;
  int64_t cache_hits_ = 0;
};

}  // namespace mlx

#pragma once
// Host blocks of up to 4 KiB, from free lists of the calling thread: a few nanoseconds and no lock. A block
// that is freed on another thread than it came from simply joins that thread's list.

#include <cstddef>
#include <cstdint>

#include "memory/memory_counter.h"

namespace mlx::small_blocks {

constexpr size_t kMaxBytes = 4096;

// `bytes` is 1 to kMaxBytes. Null when the system has no more memory.
void* allocate(size_t bytes, MemoryCounter& counter) noexcept;
void deallocate(void* p, size_t bytes, MemoryCounter& counter) noexcept;

// Frees the calling thread's lists; other threads keep theirs, which are bounded.
void empty_cache() noexcept;

// Brings `counter` up to date with the calling thread.
void flush_count(MemoryCounter& counter) noexcept;

struct ThreadStats {
  int64_t cached_bytes;
  int64_t allocations;
  int64_t cache_hits;
};
// Of all threads, finished ones included.
ThreadStats stats();

}  // namespace mlx::small_blocks

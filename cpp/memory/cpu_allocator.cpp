#include "memory/cpu_allocator.h"

#include <pthread.h>

#include <memory>
#include <mutex>

#include "memory/caching_allocator.h"
#include "memory/small_blocks.h"
#include "memory/system_memory.h"

namespace mlx {
namespace {

class CpuAllocator : public Allocator {
 public:
  void* allocate(size_t bytes) override {
    if (bytes == 0) return nullptr;
    if (bytes > small_blocks::kMaxBytes) return large_.allocate(bytes);
    void* p = small_blocks::allocate(bytes, large_.counter());
    return p ? p : allocate_small_again(bytes);
  }

  void deallocate(void* p, size_t bytes) noexcept override {
    if (!p) return;
    if (bytes > small_blocks::kMaxBytes) return large_.deallocate(p, bytes);
    small_blocks::deallocate(p, bytes, large_.counter());
  }

  void empty_cache() noexcept override {
    small_blocks::empty_cache();
    large_.empty_cache();
  }

  MemoryStats stats() override {
    small_blocks::flush_count(large_.counter());
    MemoryStats stats = large_.stats();
    const small_blocks::ThreadStats small = small_blocks::stats();
    stats.cached_bytes += small.cached_bytes;
    stats.allocations += small.allocations;
    stats.cache_hits += small.cache_hits;
    return stats;
  }

  void reset_peak() override {
    small_blocks::flush_count(large_.counter());
    large_.reset_peak();
  }

  std::mutex& mutex() { return large_.mutex(); }

 private:
  void* allocate_small_again(size_t bytes) {
    empty_cache();
    void* p = small_blocks::allocate(bytes, large_.counter());
    if (!p) large_.throw_out_of_memory(bytes);
    return p;
  }

  SystemMemory system_;
  CachingAllocator large_{system_, total_memory() / 4};
};

CpuAllocator& instance() {
  // Never destroyed: tensors that statics or the interpreter hold are freed in an order nobody controls, some
  // after this file's own statics would have gone.
  static CpuAllocator& allocator = *std::make_unique<CpuAllocator>().release();
  return allocator;
}

// fork() copies a mutex as it stands, but not the thread that would unlock it.
[[maybe_unused]] const int g_survives_fork =
    pthread_atfork([] { instance().mutex().lock(); }, [] { instance().mutex().unlock(); },
                   [] { instance().mutex().unlock(); });

}  // namespace

Allocator& cpu_allocator() { return instance(); }

}  // namespace mlx

#include "memory/small_blocks.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>

#include "base/fast_thread_local.h"

namespace mlx::small_blocks {
namespace {

constexpr size_t kStep = 64;
constexpr size_t kClasses = kMaxBytes / kStep;
// What one thread keeps of one class: room for the small tensors of a training step's graph.
constexpr size_t kMaxListBytes = size_t{256} << 10;
constexpr int64_t kCountStep = int64_t{64} << 10;

// A free block holds the list's link and its own depth, so that the list needs no counter beside it.
struct FreeBlock {
  FreeBlock* next;
  size_t depth;
};

// Written by its own thread alone and read by stats(); adding with a load and a store costs nothing more than
// a plain variable.
class Tally {
 public:
  void add(int64_t n) { value_.store(get() + n, std::memory_order_relaxed); }
  int64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

struct ThreadCache {
  std::array<FreeBlock*, kClasses> lists{};
  Tally cached_bytes;
  Tally allocations;
  Tally misses;
  int64_t uncounted_bytes = 0;  // allocated less freed, not yet told to the MemoryCounter
  MemoryCounter* counter = nullptr;
  ThreadCache* next = nullptr;  // in the registry
  enum { kNew, kOpen, kClosed } state = kNew;

  void count(int64_t bytes, MemoryCounter& to) {
    uncounted_bytes += bytes;
    if (uncounted_bytes >= kCountStep || uncounted_bytes <= -kCountStep) flush(to);
  }
  void flush(MemoryCounter& to) {
    to.add(uncounted_bytes);
    uncounted_bytes = 0;
  }
};

// Constant-initialised and trivially destroyed: no guard on the fast path, and still usable by statics that
// free tensors after the thread has closed its lists.
constinit thread_local ThreadCache t_cache;
constinit MLX_FAST_THREAD_LOCAL ThreadCache* t_cache_at = nullptr;

ThreadCache& local_cache() {
  if (!t_cache_at) [[unlikely]]
    t_cache_at = &t_cache;
  return *t_cache_at;
}

// All open threads, and the totals of finished ones.
constinit std::mutex g_registry_mutex;
constinit ThreadCache* g_registry = nullptr;
constinit int64_t g_finished_allocations = 0;
constinit int64_t g_finished_misses = 0;

void release_lists(ThreadCache& cache) noexcept {
  for (FreeBlock*& head : cache.lists) {
    while (head) {
      FreeBlock* block = head;
      head = block->next;
      std::free(block);
    }
  }
  cache.cached_bytes.add(-cache.cached_bytes.get());
}

// After a fork the child has this thread alone: the memory in which the others kept their caches is free for
// its new threads. The lock is held meanwhile, so that the registry is whole.
[[maybe_unused]] const int g_survives_fork =
    pthread_atfork([] { g_registry_mutex.lock(); }, [] { g_registry_mutex.unlock(); },
                   [] {
                     const bool open = t_cache.state == ThreadCache::kOpen;
                     g_registry = open ? &t_cache : nullptr;
                     t_cache.next = nullptr;
                     g_registry_mutex.unlock();
                   });

// Hands a thread's lists back when it ends.
struct Closer {
  ~Closer() {
    ThreadCache& cache = t_cache;
    release_lists(cache);
    if (cache.counter) cache.flush(*cache.counter);
    cache.state = ThreadCache::kClosed;
    const std::lock_guard lock(g_registry_mutex);
    ThreadCache** link = &g_registry;
    while (*link != &cache) link = &(*link)->next;
    *link = cache.next;
    g_finished_allocations += cache.allocations.get();
    g_finished_misses += cache.misses.get();
  }
};

void open(ThreadCache& cache, MemoryCounter& counter) noexcept {
  cache.state = ThreadCache::kOpen;
  cache.counter = &counter;
  {
    const std::lock_guard lock(g_registry_mutex);
    cache.next = g_registry;
    g_registry = &cache;
  }
  thread_local const Closer closer;
  static_cast<void>(closer);
}

size_t class_of(size_t bytes) { return (bytes - 1) / kStep; }

}  // namespace

void* allocate(size_t bytes, MemoryCounter& counter) noexcept {
  ThreadCache& cache = local_cache();
  const size_t which = class_of(bytes);
  const size_t size = (which + 1) * kStep;
  void* p = cache.lists[which];
  if (p) [[likely]] {
    cache.lists[which] = cache.lists[which]->next;
    cache.cached_bytes.add(-static_cast<int64_t>(size));
  } else {
    if (cache.state == ThreadCache::kNew) open(cache, counter);
    p = std::aligned_alloc(kStep, size);
    if (!p) return nullptr;
    cache.misses.add(1);
  }
  cache.allocations.add(1);
  cache.count(static_cast<int64_t>(size), counter);
  return p;
}

void deallocate(void* p, size_t bytes, MemoryCounter& counter) noexcept {
  ThreadCache& cache = local_cache();
  const size_t which = class_of(bytes);
  const size_t size = (which + 1) * kStep;
  if (cache.state == ThreadCache::kNew) open(cache, counter);
  cache.count(-static_cast<int64_t>(size), counter);
  FreeBlock* head = cache.lists[which];
  const size_t depth = head ? head->depth + 1 : 1;
  if (depth * size > kMaxListBytes || cache.state == ThreadCache::kClosed) return std::free(p);
  cache.lists[which] = new (p) FreeBlock{head, depth};
  cache.cached_bytes.add(static_cast<int64_t>(size));
}

void empty_cache() noexcept { release_lists(t_cache); }

void flush_count(MemoryCounter& counter) noexcept { t_cache.flush(counter); }

ThreadStats stats() {
  const std::lock_guard lock(g_registry_mutex);
  ThreadStats total{0, g_finished_allocations, g_finished_allocations - g_finished_misses};
  for (const ThreadCache* cache = g_registry; cache; cache = cache->next) {
    total.cached_bytes += cache->cached_bytes.get();
    total.allocations += cache->allocations.get();
    total.cache_hits += cache->allocations.get() - cache->misses.get();
  }
  return total;
}

}  // namespace mlx::small_blocks

// The allocators: sizes, reuse, limits, threads and failures.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "base/error.h"
#include "memory/allocator.h"
#include "memory/caching_allocator.h"
#include "memory/system_memory.h"

namespace mlx {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// A system with so many bytes, which records what is out.
class LimitedMemory : public MemorySource {
 public:
  explicit LimitedMemory(size_t limit) : limit_(limit) {}
  void* acquire(size_t bytes) noexcept override {
    if (held_ + bytes > limit_) return nullptr;
    void* p = heap_.acquire(bytes);
    sizes_[p] = bytes;
    held_ += bytes;
    ++acquired_;
    return p;
  }
  void release(void* p, size_t bytes) noexcept override {
    EXPECT_EQ(sizes_.at(p), bytes);
    sizes_.erase(p);
    held_ -= bytes;
    heap_.release(p, bytes);
  }
  size_t held() const { return held_; }
  int acquired() const { return acquired_; }

 private:
  SystemMemory heap_;
  std::map<void*, size_t> sizes_;
  const size_t limit_;
  size_t held_ = 0;
  int acquired_ = 0;
};

TEST(CachingAllocator, RoundsToSizeClassesThatWasteAtMostAnEighth) {
  for (size_t bytes = 65; bytes < 100 * kMiB; bytes += bytes / 37 + 1) {
    const size_t size = CachingAllocator::rounded_size(bytes);
    ASSERT_GE(size, bytes);
    ASSERT_LE(size - bytes, bytes / 8) << bytes;
    ASSERT_EQ(CachingAllocator::rounded_size(size), size);
  }
}

TEST(CachingAllocator, GivesTheSameBlockAgain) {
  LimitedMemory memory(100 * kMiB);
  CachingAllocator allocator(memory, 50 * kMiB);
  void* first = allocator.allocate(kMiB);
  allocator.deallocate(first, kMiB);
  void* second = allocator.allocate(kMiB - 1000);  // of the same class
  EXPECT_EQ(first, second);
  EXPECT_EQ(memory.acquired(), 1);
  EXPECT_EQ(allocator.stats().cache_hits, 1);
  allocator.deallocate(second, kMiB - 1000);
}

TEST(CachingAllocator, CountsWhatItHolds) {
  LimitedMemory memory(100 * kMiB);
  CachingAllocator allocator(memory, 50 * kMiB);
  void* a = allocator.allocate(2 * kMiB);
  void* b = allocator.allocate(3 * kMiB);
  allocator.deallocate(a, 2 * kMiB);
  MemoryStats stats = allocator.stats();
  EXPECT_EQ(stats.allocated_bytes, static_cast<int64_t>(3 * kMiB));
  EXPECT_EQ(stats.cached_bytes, static_cast<int64_t>(2 * kMiB));
  EXPECT_EQ(stats.peak_allocated_bytes, static_cast<int64_t>(5 * kMiB));
  EXPECT_EQ(stats.allocations, 2);
  allocator.reset_peak();
  EXPECT_EQ(allocator.stats().peak_allocated_bytes, static_cast<int64_t>(3 * kMiB));
  allocator.deallocate(b, 3 * kMiB);
  allocator.empty_cache();
  EXPECT_EQ(allocator.stats().cached_bytes, 0);
  EXPECT_EQ(memory.held(), 0u);
}

TEST(CachingAllocator, ReleasesTheOldestBlockWhenTheCacheIsFull) {
  LimitedMemory memory(100 * kMiB);
  CachingAllocator allocator(memory, 3 * kMiB);
  void* oldest = allocator.allocate(kMiB);
  void* middle = allocator.allocate(2 * kMiB);
  void* youngest = allocator.allocate(kMiB);
  allocator.deallocate(oldest, kMiB);
  allocator.deallocate(middle, 2 * kMiB);
  allocator.deallocate(youngest, kMiB);
  EXPECT_EQ(allocator.stats().cached_bytes, static_cast<int64_t>(3 * kMiB));
  EXPECT_EQ(allocator.allocate(kMiB), youngest);
  EXPECT_EQ(allocator.allocate(2 * kMiB), middle);
  EXPECT_EQ(memory.acquired(), 3);
  allocator.deallocate(middle, 2 * kMiB);
  allocator.deallocate(youngest, kMiB);
}

TEST(CachingAllocator, KeepsNoBlockLargerThanTheCache) {
  LimitedMemory memory(100 * kMiB);
  CachingAllocator allocator(memory, kMiB);
  allocator.deallocate(allocator.allocate(2 * kMiB), 2 * kMiB);
  EXPECT_EQ(memory.held(), 0u);
}

TEST(CachingAllocator, EmptiesItsCacheBeforeItGivesUp) {
  LimitedMemory memory(10 * kMiB);
  CachingAllocator allocator(memory, 10 * kMiB);
  allocator.deallocate(allocator.allocate(8 * kMiB), 8 * kMiB);
  void* p = allocator.allocate(5 * kMiB);
  EXPECT_NE(p, nullptr);
  allocator.deallocate(p, 5 * kMiB);
}

TEST(CachingAllocator, SaysWhatWasAskedAndWhatIsHeld) {
  LimitedMemory memory(10 * kMiB);
  CachingAllocator allocator(memory, 10 * kMiB);
  void* p = allocator.allocate(4 * kMiB);
  try {
    allocator.allocate(16 * kMiB);
    FAIL() << "no error";
  } catch (const OutOfMemoryError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("cannot allocate 16777216 bytes (16.00 MiB): 4.00 MiB in use, 0 B cached"),
              std::string::npos)
        << text;
  }
  allocator.deallocate(p, 4 * kMiB);
}

TEST(CachingAllocator, RefusesMoreThanTheAddressSpaceWithoutAskingTheSystem) {
  LimitedMemory memory(SIZE_MAX / 2);
  CachingAllocator allocator(memory, kMiB);
  for (const size_t bytes : {SIZE_MAX, SIZE_MAX / 2, (size_t{1} << 60), (size_t{1} << 47) + 1}) {
    EXPECT_THROW(allocator.allocate(bytes), OutOfMemoryError) << bytes;
  }
  EXPECT_EQ(memory.acquired(), 0);
}

class CpuAllocatorSizes : public testing::TestWithParam<size_t> {};

TEST_P(CpuAllocatorSizes, GivesAlignedMemoryThatCanBeWritten) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  const size_t bytes = GetParam();
  void* p = allocator.allocate(bytes);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(p) % 64, 0u);
  std::memset(p, 1, bytes);
  allocator.deallocate(p, bytes);
}

INSTANTIATE_TEST_SUITE_P(Bytes, CpuAllocatorSizes,
                         testing::Values(1, 63, 64, 65, 4095, 4096, 4097, 65536, 4 * kMiB - 1, 4 * kMiB,
                                         4 * kMiB + 1, 33 * kMiB));

TEST(CpuAllocator, GivesNullForNothing) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  EXPECT_EQ(allocator.allocate(0), nullptr);
  allocator.deallocate(nullptr, 0);
}

TEST(CpuAllocator, CountsSmallBlocksOfThisThreadExactly) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  const int64_t before = allocator.stats().allocated_bytes;
  void* a = allocator.allocate(1);
  void* b = allocator.allocate(100);
  EXPECT_EQ(allocator.stats().allocated_bytes - before, 64 + 128);
  allocator.deallocate(a, 1);
  allocator.deallocate(b, 100);
  EXPECT_EQ(allocator.stats().allocated_bytes, before);
}

TEST(CpuAllocator, NeverGivesABlockTwice) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  std::mt19937 random(0);
  std::map<char*, size_t> live;
  for (int i = 0; i < 20000; ++i) {
    if (live.size() < 200 || random() % 2) {
      const size_t bytes = 1 + random() % (random() % 8 ? 5000 : 200000);
      char* p = static_cast<char*>(allocator.allocate(bytes));
      const auto next = live.lower_bound(p);
      ASSERT_TRUE(next == live.end() || p + bytes <= next->first);
      ASSERT_TRUE(next == live.begin() || std::prev(next)->first + std::prev(next)->second <= p);
      live[p] = bytes;
    } else {
      auto victim = std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
      allocator.deallocate(victim->first, victim->second);
      live.erase(victim);
    }
  }
  for (const auto& [p, bytes] : live) allocator.deallocate(p, bytes);
}

TEST(CpuAllocator, TakesBackBlocksOnAnotherThread) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  const int64_t before = allocator.stats().allocated_bytes;
  std::vector<void*> blocks;
  for (int i = 0; i < 10000; ++i) blocks.push_back(allocator.allocate(100));
  std::thread([&] {
    for (void* p : blocks) allocator.deallocate(p, 100);
    // What a thread keeps of one class is bounded.
    EXPECT_GE(allocator.stats().cached_bytes, 128);
  }).join();
  EXPECT_EQ(allocator.stats().allocated_bytes, before);
}

TEST(CpuAllocator, HandsAFinishedThreadsListsBack) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  allocator.empty_cache();
  std::thread([&] { allocator.deallocate(allocator.allocate(64), 64); }).join();
  EXPECT_EQ(allocator.stats().cached_bytes, 0);
}

TEST(CpuAllocator, WorksInAForkedChild) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  void* p = allocator.allocate(kMiB);
  const pid_t child = fork();
  if (child == 0) {
    std::memset(p, 1, kMiB);
    allocator.deallocate(p, kMiB);
    _exit(allocator.allocate(kMiB) == p ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  allocator.deallocate(p, kMiB);
}

TEST(CpuAllocator, KnowsNoThreadsOfItsParentAfterAFork) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  std::atomic<bool> used{false}, stop{false};
  std::thread other([&] {
    allocator.deallocate(allocator.allocate(64), 64);
    used = true;
    while (!stop) std::this_thread::yield();
  });
  while (!used) std::this_thread::yield();
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);  // a registry that runs in a circle never ends
    // These get the stacks, and with them the thread-local memory, of the parent's threads.
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
      threads.emplace_back([&] { allocator.deallocate(allocator.allocate(64), 64); });
    for (std::thread& thread : threads) thread.join();
    std::thread([&] {
      allocator.deallocate(allocator.allocate(64), 64);
      allocator.stats();
    }).join();
    _exit(0);
  }
  int status = -1;
  waitpid(child, &status, 0);
  stop = true;
  other.join();
  EXPECT_EQ(status, 0);
}

TEST(CpuAllocator, RaisesOnMoreThanTheMachineHas) {
  Allocator& allocator = mlx::allocator(DeviceType::CPU);
  EXPECT_THROW(allocator.allocate(size_t{1} << 60), OutOfMemoryError);
}

}  // namespace
}  // namespace mlx

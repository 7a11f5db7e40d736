#include "memory/caching_allocator.h"

#include <algorithm>
#include <array>
#include <bit>
#include <iomanip>
#include <new>

#include "base/error.h"

namespace mlx {
namespace {

constexpr size_t kMinBlock = 64;
constexpr size_t kClassesPerDoubling = 8;
// No x86-64 or arm64 process has more than 2^47 bytes of addresses.
constexpr int kAddressBits = 47;
constexpr size_t kMaxBlock = size_t{1} << kAddressBits;
constexpr size_t kClasses = kClassesPerDoubling * (kAddressBits - 6) + 1;

// The class of a size that rounded_size() returned.
size_t class_of(size_t size) {
  const size_t floor = std::bit_floor(size);
  const auto doubling = static_cast<size_t>(std::countr_zero(floor) - std::countr_zero(kMinBlock));
  return kClassesPerDoubling * doubling + (size - floor) / (floor / kClassesPerDoubling);
}

std::string human(size_t bytes) {
  constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024; value /= 1024) ++unit;
  std::ostringstream out;
  out << std::fixed << std::setprecision(unit ? 2 : 0) << value << ' ' << units[unit];
  return out.str();
}

}  // namespace

CachingAllocator::CachingAllocator(MemorySource& source, size_t cache_limit)
    : source_(source), cache_limit_(cache_limit), bins_(kClasses) {}

CachingAllocator::~CachingAllocator() { empty_cache(); }

size_t CachingAllocator::rounded_size(size_t bytes) {
  if (bytes <= kMinBlock) return kMinBlock;
  const size_t step = std::bit_floor(bytes) / kClassesPerDoubling;
  return (bytes + step - 1) / step * step;
}

void* CachingAllocator::allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes > kMaxBlock) throw_out_of_memory(bytes);
  const size_t size = rounded_size(bytes);
  void* p = take_cached(size);
  // The system is asked outside the lock: it may take long, and others need not wait for it.
  if (!p) p = source_.acquire(size);
  if (!p) {
    empty_cache();
    p = source_.acquire(size);
  }
  if (!p) throw_out_of_memory(bytes);
  counter_.add(static_cast<int64_t>(size));
  return p;
}

void* CachingAllocator::take_cached(size_t size) {
  const std::lock_guard lock(mutex_);
  ++allocations_;
  auto& bin = bins_[class_of(size)];
  if (bin.empty()) return nullptr;
  ++cache_hits_;
  // The youngest block: the likeliest to be still in the processor's cache.
  const auto block = bin.back();
  bin.pop_back();
  void* p = block->data;
  by_age_.erase(block);
  cached_bytes_ -= size;
  return p;
}

void CachingAllocator::deallocate(void* p, size_t bytes) noexcept {
  if (!p) return;
  const size_t size = rounded_size(bytes);
  counter_.add(-static_cast<int64_t>(size));
  if (size > cache_limit_) return source_.release(p, size);
  const std::lock_guard lock(mutex_);
  while (cached_bytes_ + size > cache_limit_) release_oldest();
  auto& bin = bins_[class_of(size)];
  try {
    if (bin.size() == bin.capacity()) bin.reserve(2 * bin.size() + 4);
    by_age_.push_back({p, size});
  } catch (const std::bad_alloc&) {  // no memory for the note, so nothing to keep
    return source_.release(p, size);
  }
  bin.push_back(std::prev(by_age_.end()));
  cached_bytes_ += size;
}

void CachingAllocator::release_oldest() noexcept {
  const Block block = by_age_.front();
  auto& bin = bins_[class_of(block.bytes)];
  bin.erase(bin.begin());  // a bin is in order of age too
  by_age_.pop_front();
  cached_bytes_ -= block.bytes;
  source_.release(block.data, block.bytes);
}

void CachingAllocator::empty_cache() noexcept {
  const std::lock_guard lock(mutex_);
  for (auto& bin : bins_) bin.clear();
  for (const Block& block : by_age_) source_.release(block.data, block.bytes);
  by_age_.clear();
  cached_bytes_ = 0;
}

MemoryStats CachingAllocator::stats() {
  const std::lock_guard lock(mutex_);
  return {.allocated_bytes = counter_.current(),
          .cached_bytes = static_cast<int64_t>(cached_bytes_),
          .peak_allocated_bytes = counter_.peak(),
          .allocations = allocations_,
          .cache_hits = cache_hits_};
}

void CachingAllocator::throw_out_of_memory(size_t bytes) {
  const MemoryStats now = stats();
  throw OutOfMemoryError("cannot allocate ", bytes, " bytes (", human(bytes),
                         "): ", human(static_cast<size_t>(std::max<int64_t>(now.allocated_bytes, 0))),
                         " in use, ", human(static_cast<size_t>(now.cached_bytes)),
                         " cached; free tensors that are no longer needed or work on smaller pieces");
}

}  // namespace mlx

#pragma once
// The seam between tensors and memory: what the allocator of a device provides.

#include <cstddef>
#include <cstdint>

#include "base/device.h"

namespace mlx {

// What a device's allocator holds, in bytes as rounded up to size classes. Blocks of up to 4 KiB are counted
// in steps of 64 KiB a thread (the calling thread's are exact), since counting each would cost as much as
// giving it out.
struct MemoryStats {
  int64_t allocated_bytes = 0;       // in use by tensors
  int64_t cached_bytes = 0;          // free, and kept for the next request
  int64_t peak_allocated_bytes = 0;  // the largest allocated_bytes since the start or reset_peak()
  int64_t allocations = 0;           // requests so far
  int64_t cache_hits = 0;            // those that a cached block served
};

class Allocator {
 public:
  virtual ~Allocator() = default;

  // Uninitialised memory, 64-byte aligned; null for zero bytes. Throws OutOfMemoryError.
  virtual void* allocate(size_t bytes) = 0;

  // Takes back what allocate(bytes) gave, on any thread; null is allowed.
  virtual void deallocate(void* p, size_t bytes) noexcept = 0;

  // Returns when the device has done what it was told to write into the memory around p.
  virtual void wait(void*) {}
  // Tells that the host looks at the memory around p whenever it likes, as through a NumPy array.
  virtual void share(void*) {}

  virtual void empty_cache() noexcept = 0;
  virtual MemoryStats stats() = 0;
  virtual void reset_peak() = 0;
};

// The allocator of a device. The CPU's is always there; a GPU's backend registers its own. An allocator is
// never destroyed: tensors may be freed while the process exits.
Allocator& allocator(DeviceType type);
void register_allocator(DeviceType type, Allocator* allocator);

// A device that takes time to look for is looked for when it is first asked for: `open` then registers it, if
// it is there.
void register_opener(DeviceType type, void (*open)());
void open_device(DeviceType type);

}  // namespace mlx

#pragma once

// The seam between tensors and memory: what every device's allocator provides.

#include <cstddef>

namespace mlx::memory {

class Allocator {
 public:
  virtual ~Allocator() = default;

  // Memory for `bytes` bytes, 64-byte aligned and uninitialised; null for zero bytes.
  // Throws mlx::OutOfMemoryError.
  virtual void* allocate(size_t bytes) = 0;

  // Takes back what `allocate` of this allocator returned; null is allowed. Any thread may call it.
  virtual void deallocate(void* p, size_t bytes) noexcept = 0;
};

}  // namespace mlx::memory

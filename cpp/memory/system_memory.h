#pragma once
// Where blocks come from before any cache: a source of raw memory, and the host's own.

#include <cstddef>

namespace mlx {

class MemorySource {
 public:
  virtual ~MemorySource() = default;
  // 64-byte aligned memory, or null when there is none to be had.
  virtual void* acquire(size_t bytes) noexcept = 0;
  virtual void release(void* p, size_t bytes) noexcept = 0;
};

// The C library's heap; from 4 MiB, pages of the system's own, huge ones where it offers them.
class SystemMemory : public MemorySource {
 public:
  void* acquire(size_t bytes) noexcept override;
  void release(void* p, size_t bytes) noexcept override;
};

// The memory this process may use: the machine's, or its control group's limit where that is lower.
size_t total_memory();

}  // namespace mlx

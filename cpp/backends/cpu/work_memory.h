#pragma once
// Memory that a thread keeps for the inside of products, as BLAS libraries do. It is no tensors' memory: it
// is not counted among theirs, and an empty cache does not empty it. What it grows to is bounded by its
// users.

#include <array>
#include <cstdint>
#include <memory>
#include <new>

namespace mlx::cpu {

// What one thread may need at the same time.
enum class WorkRole : uint8_t { SharedLeft, SharedRight, Left, Right, Sums };

// Uninitialised words of this thread, valid until it asks for the same role again.
inline uint32_t* work_memory(WorkRole role, int64_t words) {
  constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(uint32_t* p) const { ::operator delete(p, kAlignment); }
  };
  struct Buffer {
    std::unique_ptr<uint32_t, Free> memory;
    int64_t words = 0;
  };
  thread_local std::array<Buffer, 5> buffers;
  Buffer& buffer = buffers[static_cast<size_t>(role)];
  if (buffer.words < words) {
    buffer.memory.reset();
    buffer.words = 0;
    buffer.memory.reset(
        static_cast<uint32_t*>(::operator new(static_cast<size_t>(words) * sizeof(uint32_t), kAlignment)));
    buffer.words = words;
  }
  return buffer.memory.get();
}

}  // namespace mlx::cpu

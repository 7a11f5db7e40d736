#pragma once
// Strides as kernels read them: some dimensions of a tensor, collapsed into the fewest.

#include <span>

#include "backends/gpu/gpu_backend.h"

namespace mlx::gpu {

inline constexpr size_t kDims = 8;

// As in metal/prelude.metal.
struct Dims {
  uint32_t count = 0;
  uint32_t sizes[kDims] = {};
  int64_t steps[kDims] = {};

  // False if there are more dimensions, or longer ones, than a kernel takes.
  bool add(int64_t size, int64_t step);
  bool assign(const Shape& shape, const Shape& strides);
};

// What counts the elements of kernels that see so many.
inline const char* index_text(int64_t count) { return count > INT32_MAX ? "ulong" : "uint"; }

// The power of two that is at least n, between 1 and `most`, a power of two itself.
inline uint32_t power_of_two(int64_t n, uint32_t most) {
  uint32_t power = 1;
  while (power < n && power < most) power *= 2;
  return power;
}

}  // namespace mlx::gpu

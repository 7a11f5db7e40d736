#pragma once
// How rows of a matrix are shared out among threads (metal/rows.h).

#include "backends/gpu/dims.h"

namespace mlx::gpu {

inline constexpr uint32_t kRowThreads = 256;

// As in the kernels' text.
struct Rows {
  uint32_t rows, n, lanes;

  explicit Rows(const Tensor& matrix)
      : rows(static_cast<uint32_t>(matrix.size(0))),
        n(static_cast<uint32_t>(matrix.size(1))),
        lanes(power_of_two((matrix.size(1) + 3) / 4, kRowThreads)) {}

  // Float32, and few enough rows and columns for 32 bits.
  static bool fit(const Tensor& matrix) {
    return matrix.dtype() == DType::Float32 && matrix.size(0) < INT32_MAX && matrix.size(1) < INT32_MAX;
  }
  Size groups() const { return groups_of(rows, kRowThreads / lanes); }
};

}  // namespace mlx::gpu

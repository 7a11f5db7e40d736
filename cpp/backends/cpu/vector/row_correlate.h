#pragma once
// One row of a convolution of a single channel.

#include "backends/cpu/row_kernels.h"
#include "backends/cpu/vector/vec_basic.h"

namespace mlx::cpu::MLX_ISA {

// kVectors registers of results from `at` on.
template <int kVectors>
MLX_INLINE void correlate_block(const float* x, const int64_t* places, const float* weights, int64_t taps,
                                float* out, int64_t at) {
  constexpr int kLanes = Vec<float>::kLanes;
  Vec<float> sum[kVectors];
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) sum[i] = Vec<float>(0);
  for (int64_t t = 0; t < taps; ++t) {
    const float* from = x + places[t] + at;
#pragma GCC unroll 4
    for (int i = 0; i < kVectors; ++i)
      sum[i] = fma(Vec<float>::load(from + i * kLanes), Vec<float>(weights[t]), sum[i]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < kVectors; ++i) sum[i].store(out + at + i * kLanes);
}

inline void correlate_row(const float* x, const int64_t* places, const float* weights, int64_t taps,
                          float* out, int64_t n) {
  constexpr int kLanes = Vec<float>::kLanes;
  if (n < kLanes) {
    for (int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (int64_t t = 0; t < taps; ++t) sum = __builtin_fmaf(x[places[t] + j], weights[t], sum);
      out[j] = sum;
    }
    return;
  }
  int64_t j = 0;
  for (; j + 4 * kLanes <= n; j += 4 * kLanes) correlate_block<4>(x, places, weights, taps, out, j);
  for (; j + kLanes <= n; j += kLanes) correlate_block<1>(x, places, weights, taps, out, j);
  // The last results are computed with some that are there already.
  if (j < n) correlate_block<1>(x, places, weights, taps, out, n - kLanes);
}

}  // namespace mlx::cpu::MLX_ISA

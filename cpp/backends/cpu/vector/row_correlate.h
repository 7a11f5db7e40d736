#pragma once
// Rows of a convolution of a single channel, and of its gradients.

#include "backends/cpu/row_kernels.h"
#include "backends/cpu/vector/folds.h"
#include "backends/cpu/vector/vec_lanes.h"

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
    Vec<float> sum(0);
    for (int64_t t = 0; t < taps; ++t) sum = fma(load_some(x + places[t], n), Vec<float>(weights[t]), sum);
    return store_up_to(sum, out, n);
  }
  int64_t j = 0;
  for (; j + 4 * kLanes <= n; j += 4 * kLanes) correlate_block<4>(x, places, weights, taps, out, j);
  for (; j + kLanes <= n; j += kLanes) correlate_block<1>(x, places, weights, taps, out, j);
  // The last results are computed with some that are there already.
  if (j < n) correlate_block<1>(x, places, weights, taps, out, n - kLanes);
}

inline void scatter_row(const float* grad, const int64_t* places, const float* weights, int64_t taps,
                        float* x, int64_t n) {
  constexpr int kLanes = Vec<float>::kLanes;
  for (int64_t t = 0; t < taps; ++t) {
    float* to = x + places[t];
    const Vec<float> weight(weights[t]);
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes)
      fma(Vec<float>::load(grad + j), weight, Vec<float>::load(to + j)).store(to + j);
    if (j < n) store_up_to(fma(load_some(grad + j, n - j), weight, load_some(to + j, n - j)), to + j, n - j);
  }
}

inline double correlation(const float* x, int64_t x_stride, const float* grad, int64_t grad_stride,
                          int64_t rows, int64_t n) {
  constexpr int kLanes = Vec<float>::kLanes;
  constexpr int64_t kRows = 64;  // that are added up in float
  double total = 0;
  for (int64_t begin = 0; begin < rows; begin += kRows) {
    const int64_t end = rows - begin < kRows ? rows : begin + kRows;
    Vec<float> sum(0), rest(0);
    for (int64_t r = begin; r < end; ++r) {
      const float *a = x + r * x_stride, *b = grad + r * grad_stride;
      int64_t j = 0;
      for (; j + kLanes <= n; j += kLanes) sum = fma(Vec<float>::load(a + j), Vec<float>::load(b + j), sum);
      if (j < n) rest = fma(load_some(a + j, n - j), load_some(b + j, n - j), rest);
    }
    total += fold_lanes(sum, Sum{}) + fold_lanes(rest, Sum{});
  }
  return total;
}

inline constexpr CorrelateEntry correlate_entry = {&correlate_row, &scatter_row, &correlation};

}  // namespace mlx::cpu::MLX_ISA

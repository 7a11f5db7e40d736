#pragma once
// A tile of a product: as many registers of results as the processor has room for.

#include "backends/cpu/product_kernels.h"
#include "backends/cpu/vector/vec_basic.h"
#include "backends/cpu/vector/vec_lanes.h"

namespace mlx::cpu::MLX_ISA {

#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int kTileRows = 8;  // 24 of 32 registers
#else
inline constexpr int kTileRows = 4;  // 12 of 16
#endif

// Multiply::add(a, b, c) is c + a * b, for whatever the words are.
template <class Multiply, int kRows, int kVectors, bool kAcross>
void product_tile(int64_t steps, const uint32_t* a_words, int64_t a_stride, const uint32_t* b_words,
                  int64_t b_stride, float* c, int64_t ldc, bool add, int64_t columns) {
  // Steps of an operand that is not packed may be pages apart, which the processor does not foresee.
  constexpr int kLanes = Vec<float>::kLanes, kAhead = 8;
  const float *a = reinterpret_cast<const float*>(a_words), *b = reinterpret_cast<const float*>(b_words);
  const int64_t last = columns - (kVectors - 1) * kLanes;
  for (int i = 0; i < kRows; ++i) __builtin_prefetch(c + i * ldc, 1);
  Vec<float> sum[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i)
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) sum[i][j] = Vec<float>(0);
  for (int64_t s = 0; s < steps; ++s, a += kAcross ? a_stride : 1, b += b_stride) {
    Vec<float> right[kVectors];
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) {
      right[j] = Vec<float>::load(b + j * kLanes);
      __builtin_prefetch(b + kAhead * b_stride + j * kLanes);
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      const Vec<float> left(a[kAcross ? i : i * a_stride]);
#pragma GCC unroll 3
      for (int j = 0; j < kVectors; ++j) sum[i][j] = Multiply::add(left, right[j], sum[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
    float* row = c + i * ldc;
#pragma GCC unroll 3
    for (int j = 0; j < kVectors; ++j) {
      const bool full = j < kVectors - 1;
      float* to = row + j * kLanes;
      if (add) sum[i][j] = sum[i][j] + (full ? Vec<float>::load(to) : load_some(to, last));
      full ? sum[i][j].store(to) : store_up_to(sum[i][j], to, last);
    }
  }
}

template <class Multiply, bool kAcross, int... kRow>
constexpr TileTable tiles_of_rows(std::integer_sequence<int, kRow...>) {
  return {{{&product_tile<Multiply, kRow + 1, 1, kAcross>, &product_tile<Multiply, kRow + 1, 2, kAcross>,
            &product_tile<Multiply, kRow + 1, 3, kAcross>}...}};
}
template <class Multiply, bool kAcross>
constexpr TileTable all_tiles() {
  return tiles_of_rows<Multiply, kAcross>(std::make_integer_sequence<int, kTileRows>{});
}

}  // namespace mlx::cpu::MLX_ISA

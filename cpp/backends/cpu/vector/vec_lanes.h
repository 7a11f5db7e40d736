#pragma once
// Moving lanes of floats: parts of a register in memory, and the lanes of two registers into two others.

#include "backends/cpu/vector/vec.h"

namespace mlx::cpu::MLX_ISA {

// Of the first `count` lanes alone, at least one.
MLX_INLINE void store_up_to(Vec<float> v, float* to, int64_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v.v);
#else
  if (count == Vec<float>::kLanes) return v.store(to);
  store_head(v, to, count);
#endif
}

MLX_INLINE Vec<float> load_some(const float* from, int64_t count) {
#if defined(__AVX512F__)
  return Vec<float>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from));
#else
  return load_up_to<Vec<float> >(from, count);
#endif
}

// Lanes [first, last) of a register; both may lie outside of it, first <= last.
class LaneRange {
 public:
  MLX_INLINE LaneRange(int64_t first, int64_t last) : first_(inside(first)), last_(inside(last)) {}

  // Zeros in the other lanes, whose memory is not read.
  MLX_INLINE Vec<float> load(const float* from) const {
#if defined(__AVX512F__)
    const auto mask = static_cast<__mmask16>((1u << last_) - (1u << first_));
    return Vec<float>(_mm512_maskz_loadu_ps(mask, from));
#else
    if (last_ - first_ == kLanes) return Vec<float>::load(from);
    Vec<float> padded(0);
    std::memcpy(reinterpret_cast<float*>(&padded) + first_, from + first_,
                static_cast<size_t>(last_ - first_) * sizeof(float));
    return padded;
#endif
  }

 private:
  static constexpr int kLanes = Vec<float>::kLanes;
  static constexpr int inside(int64_t lane) {
    return lane < 0 ? 0 : lane > kLanes ? kLanes : static_cast<int>(lane);
  }

  int first_, last_;
};

using FloatLanes = std::make_integer_sequence<int, Vec<float>::kLanes>;

// a[0], b[0], a[1], b[1], ...
template <int... kLane>
MLX_INLINE void zip(Vec<float> a, Vec<float> b, Vec<float>& low, Vec<float>& high,
                    std::integer_sequence<int, kLane...>) {
  constexpr int kLanes = sizeof...(kLane);
  low.v = __builtin_shufflevector(a.v, b.v, (kLane / 2 + kLane % 2 * kLanes)...);
  high.v = __builtin_shufflevector(a.v, b.v, (kLanes / 2 + kLane / 2 + kLane % 2 * kLanes)...);
}

// The reverse: the lanes of even and of odd numbers.
template <int... kLane>
MLX_INLINE void unzip(Vec<float> low, Vec<float> high, Vec<float>& even, Vec<float>& odd,
                      std::integer_sequence<int, kLane...>) {
  even.v = __builtin_shufflevector(low.v, high.v, (2 * kLane)...);
  odd.v = __builtin_shufflevector(low.v, high.v, (2 * kLane + 1)...);
}

}  // namespace mlx::cpu::MLX_ISA

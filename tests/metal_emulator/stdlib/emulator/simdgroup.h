// Barriers and the functions by which the lanes of a simdgroup talk. The lanes meet in the emulator; the last
// one to come computes for all.
#pragma once
#pragma clang system_header

#include "../metal_emulator_abi.h"
#include "vectors.h"

namespace metal {

enum class mem_flags : uint {
  mem_none = 0,
  mem_device = 1,
  mem_threadgroup = 2,
  mem_texture = 4,
  mem_threadgroup_imageblock = 8
};
METAL_FUNCTION constexpr mem_flags operator|(mem_flags a, mem_flags b) {
  return static_cast<mem_flags>(static_cast<uint>(a) | static_cast<uint>(b));
}

METAL_FUNCTION void threadgroup_barrier(mem_flags) { metal_emulator_threadgroup_barrier(); }

using metal_emulator::Lanes;

template <class T>
METAL_FUNCTION T& lane_value(Lanes& lanes, uint lane) {
  return *reinterpret_cast<T*>(lanes.values[lane]);
}
METAL_FUNCTION bool is_active(const Lanes& lanes, uint lane) { return (lanes.active >> lane & 1) != 0; }
METAL_FUNCTION uint this_lane() { return metal_emulator_thread->lane; }

// Tells the functions apart, so that lanes which meet in different ones are noticed.
template <int n>
inline constexpr char kOperation = 0;

METAL_FUNCTION void simdgroup_barrier(mem_flags) {
  metal_emulator::exchange(nullptr, 0, nullptr, &kOperation<0>);
}

// All lanes get the values of the active ones put together, in a tree as the hardware does.
template <class T, class Function>
METAL_FUNCTION T simd_reduce(T value, Function) {
  static_assert(sizeof(T) <= 32, "a simdgroup function takes values of up to 32 bytes");
  constexpr metal_emulator::Combine combine = [](Lanes& lanes) {
    T tree[metal_emulator::kSimdWidth];
    uint count = 0;
    for (uint lane = 0; lane < metal_emulator::kSimdWidth; ++lane) {
      if (is_active(lanes, lane)) tree[count++] = lane_value<T>(lanes, lane);
    }
    while (count > 1) {
      const uint half_count = count / 2;
      for (uint i = 0; i < half_count; ++i) tree[i] = Function{}(tree[2 * i], tree[2 * i + 1]);
      if (count % 2 != 0) tree[half_count] = tree[count - 1];
      count -= half_count;
    }
    for (uint lane = 0; lane < metal_emulator::kSimdWidth; ++lane) lane_value<T>(lanes, lane) = tree[0];
  };
  Lanes& lanes =
      metal_emulator::exchange(&value, sizeof value, combine, reinterpret_cast<const void*>(combine));
  return lane_value<T>(lanes, 0);
}

template <bool inclusive, class T, class Function>
METAL_FUNCTION T simd_scan(T value, T identity, Function) {
  constexpr metal_emulator::Combine combine = [](Lanes& lanes) {
    T sum;
    bool first = true;
    for (uint lane = 0; lane < metal_emulator::kSimdWidth; ++lane) {
      if (!is_active(lanes, lane)) continue;
      T& slot = lane_value<T>(lanes, lane);
      const T before = sum;
      sum = first ? slot : static_cast<T>(Function{}(sum, slot));
      if (inclusive) {
        slot = sum;
      } else if (!first) {
        slot = before;
      }
      first = false;
    }
  };
  Lanes& lanes =
      metal_emulator::exchange(&value, sizeof value, combine, reinterpret_cast<const void*>(combine));
  const uint before = lanes.active & ((1u << this_lane()) - 1);
  return !inclusive && before == 0 ? identity : lane_value<T>(lanes, this_lane());
}

#define METAL_REDUCTION(name, expression)                                           \
  template <class T>                                                                \
  METAL_FUNCTION T simd_##name(T value) {                                           \
    return simd_reduce(value, [](T a, T b) { return static_cast<T>(expression); }); \
  }
METAL_REDUCTION(sum, a + b)
METAL_REDUCTION(product, a* b)
METAL_REDUCTION(max, max(a, b))
METAL_REDUCTION(min, min(a, b))
METAL_REDUCTION(and, a& b)
METAL_REDUCTION(or, a | b)
METAL_REDUCTION(xor, a ^ b)
#undef METAL_REDUCTION

template <class T>
METAL_FUNCTION T simd_prefix_inclusive_sum(T value) {
  return simd_scan<true>(value, T(0), [](T a, T b) { return static_cast<T>(a + b); });
}
template <class T>
METAL_FUNCTION T simd_prefix_exclusive_sum(T value) {
  return simd_scan<false>(value, T(0), [](T a, T b) { return static_cast<T>(a + b); });
}
template <class T>
METAL_FUNCTION T simd_prefix_inclusive_product(T value) {
  return simd_scan<true>(value, T(1), [](T a, T b) { return static_cast<T>(a * b); });
}
template <class T>
METAL_FUNCTION T simd_prefix_exclusive_product(T value) {
  return simd_scan<false>(value, T(1), [](T a, T b) { return static_cast<T>(a * b); });
}

// The value of another lane. Where that lane does not exist or does not take part, Metal leaves the result
// undefined: here it is made of bytes that are no number.
template <int operation, class T>
METAL_FUNCTION T shuffled(T value, uint from) {
  static_assert(sizeof(T) <= 32, "a simdgroup function takes values of up to 32 bytes");
  Lanes& lanes = metal_emulator::exchange(&value, sizeof value, nullptr, &kOperation<operation>);
  if (from < metal_emulator::kSimdWidth && is_active(lanes, from)) return lane_value<T>(lanes, from);
  T undefined;
  __builtin_memset(&undefined, 0xff, sizeof undefined);
  return undefined;
}

template <class T>
METAL_FUNCTION T simd_shuffle(T value, ushort lane) {
  return shuffled<1>(value, lane);
}
template <class T>
METAL_FUNCTION T simd_broadcast(T value, ushort lane) {
  return shuffled<2>(value, lane);
}
template <class T>
METAL_FUNCTION T simd_shuffle_xor(T value, ushort mask) {
  return shuffled<3>(value, this_lane() ^ mask);
}
// Without wrapping: a lane whose source lies outside keeps its own value.
template <class T>
METAL_FUNCTION T simd_shuffle_up(T value, ushort delta) {
  return shuffled<4>(value, this_lane() < delta ? this_lane() : this_lane() - delta);
}
template <class T>
METAL_FUNCTION T simd_shuffle_down(T value, ushort delta) {
  const uint from = this_lane() + delta;
  return shuffled<5>(value, from >= metal_emulator::kSimdWidth ? this_lane() : from);
}
template <class T>
METAL_FUNCTION T simd_shuffle_rotate_up(T value, ushort delta) {
  return shuffled<6>(value, (this_lane() - delta) % metal_emulator::kSimdWidth);
}
template <class T>
METAL_FUNCTION T simd_shuffle_rotate_down(T value, ushort delta) {
  return shuffled<7>(value, (this_lane() + delta) % metal_emulator::kSimdWidth);
}
template <class T>
METAL_FUNCTION T simd_broadcast_first(T value) {
  Lanes& lanes = metal_emulator::exchange(&value, sizeof value, nullptr, &kOperation<8>);
  return lane_value<T>(lanes, __builtin_ctz(lanes.active));
}

class simd_vote {
 public:
  using vote_t = ulong;
  explicit constexpr simd_vote(vote_t votes = 0) : votes_(votes) {}
  explicit constexpr operator vote_t() const { return votes_; }
  constexpr bool all() const { return votes_ == 0xffffffffu; }
  constexpr bool any() const { return votes_ != 0; }

 private:
  vote_t votes_;
};

METAL_FUNCTION simd_vote simd_active_threads_mask() {
  return simd_vote(metal_emulator::exchange(nullptr, 0, nullptr, &kOperation<9>).active);
}
METAL_FUNCTION simd_vote simd_ballot(bool condition) {
  const uint vote = condition ? 1u << this_lane() : 0u;
  return simd_vote(simd_or(vote));
}
METAL_FUNCTION bool simd_any(bool condition) { return simd_or(condition ? 1u : 0u) != 0; }
METAL_FUNCTION bool simd_all(bool condition) { return simd_and(condition ? 1u : 0u) != 0; }
METAL_FUNCTION bool simd_is_first() {
  Lanes& lanes = metal_emulator::exchange(nullptr, 0, nullptr, &kOperation<10>);
  return static_cast<uint>(__builtin_ctz(lanes.active)) == this_lane();
}

}  // namespace metal

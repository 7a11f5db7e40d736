#pragma once
// Vec<E>: one hardware register of numbers, with operators, comparisons, select and conversions.
//
// A generic formula written for "a number" computes kLanes of them at once when given a Vec. Written over
// the vector extensions of GCC and Clang, and compiled once per instruction set (see vec_native.h).

#include <cstring>
#include <type_traits>
#include <utility>

#include "backends/cpu/vector/vec_native.h"
#include "formulas/concepts.h"

namespace mlx::cpu::MLX_ISA {

// The signed integer as wide as E, in which a comparison's lanes are -1 or 0.
template <int kBytes>
struct SignedOfSize;
template <>
struct SignedOfSize<1> {
  using type = int8_t;
};
template <>
struct SignedOfSize<2> {
  using type = int16_t;
};
template <>
struct SignedOfSize<4> {
  using type = int32_t;
};
template <>
struct SignedOfSize<8> {
  using type = int64_t;
};
template <class E>
using SignedLane = typename SignedOfSize<sizeof(E)>::type;

template <class E>
struct Vec;

// The lane-wise truth of a comparison of Vec<E>.
template <class E>
struct Mask {
  using Bits = Native<SignedLane<E>>;
  static constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(E));
  Bits bits;

  Mask() = default;
  MLX_INLINE explicit Mask(Bits lanes) : bits(lanes) {}
  MLX_INLINE Mask(bool value) : bits(Bits{} - static_cast<SignedLane<E>>(value)) {}

  MLX_INLINE friend Mask operator&(Mask a, Mask b) { return Mask(a.bits & b.bits); }
  MLX_INLINE friend Mask operator|(Mask a, Mask b) { return Mask(a.bits | b.bits); }
  MLX_INLINE friend Mask operator^(Mask a, Mask b) { return Mask(a.bits ^ b.bits); }
  MLX_INLINE friend Mask operator!(Mask a) { return Mask(~a.bits); }

  // Whether any lane is true.
  MLX_INLINE friend bool any(Mask a) { return native_any((NativeInt)a.bits); }

  // One byte a lane, 0 or 1: how a bool tensor stores it.
  MLX_INLINE void store_bools(void* out) const {
    using Bytes = Native<int8_t, kLanes>;
    const Bytes bytes = __builtin_convertvector(bits, Bytes) & 1;
    std::memcpy(out, &bytes, sizeof(bytes));
  }
};

template <class E>
struct Vec {
  using Element = E;
  using Lanes = Native<E>;
  static constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(E));
  Lanes v;

  Vec() = default;
  MLX_INLINE explicit Vec(Lanes lanes) : v(lanes) {}
  // A number stands for itself in every lane, so that formulas may say `x * 2`.
  template <class N>
    requires std::is_arithmetic_v<N>
  MLX_INLINE Vec(N number) : v(static_cast<E>(number) - Lanes{}) {}  // x - 0 keeps -0; 0 + x would not

  MLX_INLINE static Vec load(const void* from) {
    Vec a;
    std::memcpy(&a.v, from, sizeof(Lanes));
    return a;
  }
  MLX_INLINE void store(void* to) const { std::memcpy(to, &v, sizeof(Lanes)); }
  MLX_INLINE E operator[](int lane) const { return v[lane]; }

  MLX_INLINE friend Vec operator+(Vec a, Vec b) { return Vec(a.v + b.v); }
  MLX_INLINE friend Vec operator-(Vec a, Vec b) { return Vec(a.v - b.v); }
  MLX_INLINE friend Vec operator*(Vec a, Vec b) { return Vec(a.v * b.v); }
  MLX_INLINE friend Vec operator-(Vec a) { return Vec(-a.v); }
  MLX_INLINE friend Vec operator/(Vec a, Vec b) {
    if constexpr (std::is_floating_point_v<E>) return Vec(a.v / b.v);
    if constexpr (std::is_integral_v<E>) return divide_integers(a, b);
  }
  MLX_INLINE friend Vec operator%(Vec a, Vec b)
    requires std::is_integral_v<E>
  {
    return a - divide_integers(a, b) * b;
  }

  MLX_INLINE friend Vec operator&(Vec a, Vec b)
    requires std::is_integral_v<E>
  {
    return Vec(a.v & b.v);
  }
  MLX_INLINE friend Vec operator|(Vec a, Vec b)
    requires std::is_integral_v<E>
  {
    return Vec(a.v | b.v);
  }
  MLX_INLINE friend Vec operator^(Vec a, Vec b)
    requires std::is_integral_v<E>
  {
    return Vec(a.v ^ b.v);
  }
  MLX_INLINE friend Vec operator~(Vec a)
    requires std::is_integral_v<E>
  {
    return Vec(~a.v);
  }
  // Counts must lie in [0, width): shift_left() and shift_right() in the formulas see to that.
  MLX_INLINE friend Vec operator<<(Vec a, Vec count)
    requires std::is_integral_v<E>
  {
    return Vec(a.v << count.v);
  }
  MLX_INLINE friend Vec operator>>(Vec a, Vec count)
    requires std::is_integral_v<E>
  {
    return Vec(a.v >> count.v);
  }

  MLX_INLINE friend Mask<E> operator==(Vec a, Vec b) { return Mask<E>(a.v == b.v); }
  MLX_INLINE friend Mask<E> operator!=(Vec a, Vec b) { return Mask<E>(a.v != b.v); }
  MLX_INLINE friend Mask<E> operator<(Vec a, Vec b) { return Mask<E>(a.v < b.v); }
  MLX_INLINE friend Mask<E> operator<=(Vec a, Vec b) { return Mask<E>(a.v <= b.v); }
  MLX_INLINE friend Mask<E> operator>(Vec a, Vec b) { return Mask<E>(a.v > b.v); }
  MLX_INLINE friend Mask<E> operator>=(Vec a, Vec b) { return Mask<E>(a.v >= b.v); }

  MLX_INLINE friend Vec select(Mask<E> condition, Vec a, Vec b) { return Vec(condition.bits ? a.v : b.v); }
};

// The first `count` lanes of memory, zeros after them.
template <class V>
MLX_INLINE V load_head(const void* from, int64_t count) {
  V padded(0);
  std::memcpy(&padded, from, static_cast<size_t>(count) * sizeof(typename V::Element));
  return padded;
}
template <class V>
MLX_INLINE void store_head(V v, void* to, int64_t count) {
  std::memcpy(to, &v, static_cast<size_t>(count) * sizeof(typename V::Element));
}
template <class V>
MLX_INLINE V load_up_to(const typename V::Element* from, int64_t count) {
  return count == V::kLanes ? V::load(from) : load_head<V>(from, count);
}

// The same bits read as lanes of another type of the same width.
template <class To, class From>
MLX_INLINE Vec<To> bit_cast(Vec<From> a) {
  static_assert(sizeof(To) == sizeof(From));
  return Vec<To>((Native<To>)a.v);
}

template <class To, class From>
MLX_INLINE Mask<To> mask_cast(Mask<From> a) {
  static_assert(sizeof(To) == sizeof(From));
  return Mask<To>(a.bits);
}

// Lane-wise conversion between types of the same width (float <-> int32, double <-> int64). The values
// must be in range.
template <class To, class From>
MLX_INLINE Vec<To> convert(Vec<From> a) {
  static_assert(sizeof(To) == sizeof(From));
  return Vec<To>(__builtin_convertvector(a.v, Native<To>));
}

// Two registers of doubles hold what one register of floats or int32s holds.
struct DoublePair {
  Vec<double> low, high;
};

template <class E, int... kLane>
MLX_INLINE DoublePair widen_lanes(Vec<E> a, std::integer_sequence<int, kLane...>) {
  constexpr int half = sizeof...(kLane);
  const auto low = __builtin_shufflevector(a.v, a.v, kLane...);
  const auto high = __builtin_shufflevector(a.v, a.v, (kLane + half)...);
  return {Vec<double>(native_widen(low)), Vec<double>(native_widen(high))};
}
template <class E>
MLX_INLINE DoublePair to_doubles(Vec<E> a) {
  static_assert(sizeof(E) == 4);
  return widen_lanes(a, std::make_integer_sequence<int, Vec<double>::kLanes>{});
}

template <class E, int... kLane>
MLX_INLINE Vec<E> join_lanes(DoublePair pair, std::integer_sequence<int, kLane...>) {
  const auto low = __builtin_convertvector(pair.low.v, Native<E, Vec<double>::kLanes>);
  const auto high = __builtin_convertvector(pair.high.v, Native<E, Vec<double>::kLanes>);
  return Vec<E>(__builtin_shufflevector(low, high, kLane...));
}
template <class E>
MLX_INLINE Vec<E> from_doubles(DoublePair pair) {
  static_assert(sizeof(E) == 4);
  return join_lanes<E>(pair, std::make_integer_sequence<int, Vec<E>::kLanes>{});
}

// Calls a scalar function on each lane: for functions too rare to deserve vector code.
template <class E, class F, class... Rest>
MLX_INLINE Vec<E> map_lanes(F function, Vec<E> first, Rest... rest) {
  Native<E> result{};
  for (int i = 0; i < Vec<E>::kLanes; ++i) result[i] = static_cast<E>(function(first.v[i], rest.v[i]...));
  return Vec<E>(result);
}

}  // namespace mlx::cpu::MLX_ISA

namespace mlx::formulas {

template <class E>
inline constexpr NumberKind kNumberKind<cpu::MLX_ISA::Vec<E>> =
    std::is_floating_point_v<E> ? NumberKind::Real : NumberKind::Integer;

}  // namespace mlx::formulas

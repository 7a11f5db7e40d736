// Functions of integers.
#pragma once
#pragma clang system_header

#include "math.h"

namespace metal {

template <class T>
concept Integer = __is_integral(T) && !__is_same(T, bool);

template <Integer T>
METAL_FUNCTION T popcount(T x) {
  return static_cast<T>(__builtin_popcountl(static_cast<make_unsigned_t<T>>(x)));
}
template <Integer T>
METAL_FUNCTION T clz(T x) {
  constexpr int bits = 8 * sizeof(T);
  return static_cast<T>(x == 0 ? bits : __builtin_clzl(static_cast<make_unsigned_t<T>>(x)) - (64 - bits));
}
template <Integer T>
METAL_FUNCTION T ctz(T x) {
  return static_cast<T>(x == 0 ? static_cast<int>(8 * sizeof(T))
                               : __builtin_ctzl(static_cast<make_unsigned_t<T>>(x)));
}
template <Integer T>
METAL_FUNCTION T reverse_bits(T x) {
  return static_cast<T>(__builtin_bitreverse64(static_cast<make_unsigned_t<T>>(x)) >> (64 - 8 * sizeof(T)));
}
template <Integer T>
METAL_FUNCTION T mulhi(T x, T y) {
  if constexpr (sizeof(T) == 8) {
    using Wide = conditional_t<(T(-1) < T(0)), __int128, unsigned __int128>;
    return static_cast<T>((static_cast<Wide>(x) * y) >> 64);
  } else {
    using Wide = conditional_t<(T(-1) < T(0)), long, ulong>;
    return static_cast<T>((static_cast<Wide>(x) * static_cast<Wide>(y)) >> (8 * sizeof(T)));
  }
}
template <Integer T>
METAL_FUNCTION T madhi(T x, T y, T z) {
  return static_cast<T>(mulhi(x, y) + z);
}
template <Integer T>
METAL_FUNCTION T rotate(T x, T count) {
  using Unsigned = make_unsigned_t<T>;
  constexpr uint bits = 8 * sizeof(T);
  const uint by = static_cast<uint>(count) % bits;
  const auto word = static_cast<Unsigned>(x);
  return static_cast<T>(by == 0 ? word : static_cast<Unsigned>((word << by) | (word >> (bits - by))));
}
template <Integer T>
METAL_FUNCTION T absdiff(T x, T y) {
  return static_cast<T>(x > y ? x - y : y - x);
}
template <Integer T>
METAL_FUNCTION T addsat(T x, T y) {
  T sum;
  if (!__builtin_add_overflow(x, y, &sum)) return sum;
  return x < T(0) ? numeric_limits<T>::min() : numeric_limits<T>::max();
}
template <Integer T>
METAL_FUNCTION T subsat(T x, T y) {
  T difference;
  if (!__builtin_sub_overflow(x, y, &difference)) return difference;
  return y > T(0) ? numeric_limits<T>::min() : numeric_limits<T>::max();
}
template <Integer T>
METAL_FUNCTION T extract_bits(T x, uint offset, uint bits) {
  if (bits == 0) return T(0);
  constexpr uint width = 8 * sizeof(T);
  using Unsigned = make_unsigned_t<T>;
  const auto left = static_cast<T>(static_cast<Unsigned>(x) << (width - bits - offset));
  return static_cast<T>(left >> (width - bits));
}
template <Integer T>
METAL_FUNCTION T insert_bits(T base, T insert, uint offset, uint bits) {
  const ulong mask = bits >= 64 ? ~0ul : (1ul << bits) - 1;
  return static_cast<T>((static_cast<ulong>(base) & ~(mask << offset)) |
                        ((static_cast<ulong>(insert) & mask) << offset));
}

#define METAL_VECTOR(name)                                                           \
  template <IsVector V>                                                              \
  METAL_FUNCTION V name(V x) {                                                       \
    for (int i = 0; i < VectorTraits<V>::size; ++i) x[i] = name(ElementOf<V>(x[i])); \
    return x;                                                                        \
  }
METAL_VECTOR(popcount)
METAL_VECTOR(clz)
METAL_VECTOR(ctz)
METAL_VECTOR(reverse_bits)
#undef METAL_VECTOR

template <IsVector V>
METAL_FUNCTION V mulhi(V x, V y) {
  for (int i = 0; i < VectorTraits<V>::size; ++i) x[i] = mulhi(ElementOf<V>(x[i]), ElementOf<V>(y[i]));
  return x;
}

}  // namespace metal

#pragma once
// Elements as unsigned integers in the same order, beside their places: what sorting and selecting work on.

#include <bit>
#include <cstdint>
#include <type_traits>

#include "base/dtype.h"

namespace mlx::cpu {

// An unsigned integer that orders as the element does. All NaN are one largest key, and the zeros are one.
template <class T>
std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t> order_key(T v) {
  if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return order_key(static_cast<float>(v));
  } else if constexpr (std::is_floating_point_v<T>) {
    using U = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    constexpr U sign = U(1) << (8 * sizeof(T) - 1);
    const U bits = std::bit_cast<U>(v == T(0) ? T(0) : v);
    const U key = bits ^ (bits & sign ? ~U(0) : sign);
    return v != v ? ~U(0) : key;
  } else {
    using U = std::conditional_t<sizeof(T) <= 4, uint32_t, uint64_t>;
    using S = std::conditional_t<sizeof(T) <= 4, int32_t, int64_t>;
    return static_cast<U>(static_cast<S>(v)) ^ (U(1) << (8 * sizeof(U) - 1));
  }
}

template <class T>
using KeyOf = decltype(order_key(T{}));

// A 32-bit key and a place, packed: comparing the words compares keys, then places.
struct PackedItem {
  using Key = uint32_t;
  uint64_t word;
  PackedItem() = default;
  PackedItem(Key key, int64_t place) : word(uint64_t{key} << 32 | static_cast<uint64_t>(place)) {}
  Key key() const { return static_cast<Key>(word >> 32); }
  int64_t place() const { return static_cast<int64_t>(word & 0xffffffffu); }
  friend bool operator<(PackedItem a, PackedItem b) { return a.word < b.word; }
};

struct WideItem {
  using Key = uint64_t;
  Key bits;
  int64_t at;
  WideItem() = default;
  WideItem(Key key, int64_t place) : bits(key), at(place) {}
  Key key() const { return bits; }
  int64_t place() const { return at; }
  friend bool operator<(const WideItem& a, const WideItem& b) {
    return a.bits != b.bits ? a.bits < b.bits : a.at < b.at;
  }
};

// A 32-bit key packs with a place below 2^32; longer rows and wider keys take two words.
template <class T>
constexpr bool packs(int64_t n) {
  return sizeof(KeyOf<T>) == 4 && n <= int64_t{0xffffffff};
}

}  // namespace mlx::cpu

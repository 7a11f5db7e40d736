#pragma once
// The two 16-bit floating-point storage types. They only store: arithmetic is done in float.
//
// Everything here is forced inline: kernels are compiled once per instruction set, and an inline function
// that the linker merged across those builds could carry AVX-512 code to a machine without it.

#include <bit>
#include <cstdint>

namespace mlx {

struct Half {
  uint16_t bits = 0;

  Half() = default;
  [[gnu::always_inline]] explicit constexpr Half(float value) : bits(round_from(value)) {}
  [[gnu::always_inline]] explicit constexpr operator float() const { return widen(bits); }
  [[gnu::always_inline]] static constexpr Half from_bits(uint16_t bits) {
    Half half;
    half.bits = bits;
    return half;
  }

 private:
  [[gnu::always_inline]] static constexpr uint16_t round_from(float value) {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    const uint32_t magnitude = word & 0x7fffffffu;
    const uint32_t sign = (word >> 16) & 0x8000u;
    if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {
      // Below the smallest normal half: adding 0.5 makes the float unit do the denormal rounding.
      const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
      return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3f000000u));
    }
    // Rebias the exponent, then round to nearest even on the 13 bits dropped; a carry reaches infinity.
    const uint32_t rounded = magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u);
    return static_cast<uint16_t>(sign | (rounded >> 13));
  }

  [[gnu::always_inline]] static constexpr float widen(uint16_t bits) {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    const uint32_t magnitude = bits & 0x7fffu;
    if (magnitude >= 0x7c00u) return std::bit_cast<float>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
    // Multiplying by 2^112 moves the exponent from half's bias to float's, denormals included.
    const float scaled = std::bit_cast<float>(magnitude << 13) * 0x1p112f;
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(scaled));
  }
};

struct BFloat16 {
  uint16_t bits = 0;

  BFloat16() = default;
  [[gnu::always_inline]] explicit constexpr BFloat16(float value) : bits(round_from(value)) {}
  [[gnu::always_inline]] explicit constexpr operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
  [[gnu::always_inline]] static constexpr BFloat16 from_bits(uint16_t bits) {
    BFloat16 value;
    value.bits = bits;
    return value;
  }

 private:
  [[gnu::always_inline]] static constexpr uint16_t round_from(float value) {
    const uint32_t word = std::bit_cast<uint32_t>(value);
    if ((word & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((word >> 16) | 0x40u);
    return static_cast<uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
  }
};

static_assert(sizeof(Half) == 2 && sizeof(BFloat16) == 2);

}  // namespace mlx

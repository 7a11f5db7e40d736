#pragma once
// Functions of Vec that are exact, or nearly: signs, rounding, division, remainders, integer powers.

#include <cmath>

#include "backends/cpu/vector/vec.h"

namespace mlx::cpu::MLX_ISA {

template <class E>
inline constexpr SignedLane<E> kSignBit =
    static_cast<SignedLane<E>>(static_cast<std::make_unsigned_t<SignedLane<E>>>(1) << (8 * sizeof(E) - 1));

template <class E>
MLX_INLINE Vec<E> abs(Vec<E> x) {
  using I = SignedLane<E>;
  if constexpr (std::is_floating_point_v<E>) return bit_cast<E>(bit_cast<I>(x) & Vec<I>(~kSignBit<E>));
  if constexpr (std::is_unsigned_v<E>) return x;
  if constexpr (std::is_signed_v<E> && std::is_integral_v<E>) return select(x < 0, -x, x);
}

template <class E>
MLX_INLINE Mask<E> signbit(Vec<E> x) {
  if constexpr (std::is_floating_point_v<E>) return mask_cast<E>(bit_cast<SignedLane<E>>(x) < 0);
  if constexpr (std::is_integral_v<E>) return x < 0;
}

template <class E>
  requires std::is_floating_point_v<E>
MLX_INLINE Vec<E> copysign(Vec<E> magnitude, Vec<E> sign) {
  using I = SignedLane<E>;
  const Vec<I> bit(kSignBit<E>);
  return bit_cast<E>((bit_cast<I>(magnitude) & ~bit) | (bit_cast<I>(sign) & bit));
}

template <class E>
MLX_INLINE Mask<E> isnan(Vec<E> x) {
  return x != x;
}

template <class E>
  requires std::is_floating_point_v<E>
MLX_INLINE Vec<E> fma(Vec<E> a, Vec<E> b, Vec<E> c) {
  return Vec<E>(native_fma(a.v, b.v, c.v));
}
template <class E>
  requires std::is_floating_point_v<E>
MLX_INLINE Vec<E> sqrt(Vec<E> x) {
  return Vec<E>(native_sqrt(x.v));
}
template <class E>
  requires std::is_floating_point_v<E>
MLX_INLINE Vec<E> rsqrt(Vec<E> x) {
  return 1 / sqrt(x);
}

template <class E>
MLX_INLINE Vec<E> floor(Vec<E> x) {
  if constexpr (std::is_floating_point_v<E>) return Vec<E>(native_round<kDown>(x.v));
  return x;
}
template <class E>
MLX_INLINE Vec<E> ceil(Vec<E> x) {
  if constexpr (std::is_floating_point_v<E>) return Vec<E>(native_round<kUp>(x.v));
  return x;
}
// Halves go to the even neighbour.
template <class E>
MLX_INLINE Vec<E> round(Vec<E> x) {
  if constexpr (std::is_floating_point_v<E>) return Vec<E>(native_round<kNearestEven>(x.v));
  return x;
}
template <class E>
MLX_INLINE Vec<E> trunc(Vec<E> x) {
  if constexpr (std::is_floating_point_v<E>) return Vec<E>(native_round<kToZero>(x.v));
  return x;
}

// Applies a function of doubles to floats: the simplest way to be right to the last bit of a float.
template <class F>
MLX_INLINE Vec<float> in_double(F function, Vec<float> x) {
  const DoublePair wide = to_doubles(x);
  return from_doubles<float>({function(wide.low), function(wide.high)});
}
template <class F>
MLX_INLINE Vec<float> in_double(F function, Vec<float> x, Vec<float> y) {
  const DoublePair a = to_doubles(x), b = to_doubles(y);
  return from_doubles<float>({function(a.low, b.low), function(a.high, b.high)});
}

// Quotient towards zero. Never traps: a zero divisor (which ops refuse beforehand) counts as one, and the
// one quotient that overflows wraps.
template <class E>
  requires std::is_integral_v<E>
MLX_INLINE Vec<E> divide_integers(Vec<E> a, Vec<E> b) {
  if constexpr (sizeof(E) == 4) {
    // Doubles hold every int32, and their rounded quotient never crosses an integer.
    const Vec<E> divisor = select((b == 0) | (b == -1), Vec<E>(1), b);
    const DoublePair p = to_doubles(a), q = to_doubles(divisor);
    const Vec<E> quotient = from_doubles<E>({p.low / q.low, p.high / q.high});
    return select(b == -1, -a, quotient);
  } else {
    const auto divide = [](E p, E q) -> E {
      if (q == 0) return p;
      if constexpr (std::is_signed_v<E>) {
        if (q == E(-1)) return -p;
      }
      return p / q;
    };
    return map_lanes(divide, a, b);
  }
}

// C's remainder, with the dividend's sign; exact.
template <class E>
MLX_INLINE Vec<E> fmod(Vec<E> a, Vec<E> b) {
  if constexpr (std::is_integral_v<E>) {
    return a % b;
  } else if constexpr (sizeof(E) == 8) {
    return map_lanes([](double p, double q) { return ::fmod(p, q); }, a, b);
  } else {
    // Below 2^28 the double quotient of two floats truncates to the right integer, and the product and
    // difference that follow are exact.
    const auto remainder = [](Vec<double> p, Vec<double> q) { return p - trunc(p / q) * q; };
    const Vec<float> quotient = a / b;
    const Mask<float> hard = !(abs(quotient) < 0x1p27f);
    if (any(hard)) return map_lanes([](float p, float q) { return ::fmodf(p, q); }, a, b);
    return copysign(select(abs(b) > 0x1.fffffep127f, a, in_double(remainder, a, b)), a);
  }
}

template <class E>
  requires std::is_floating_point_v<E>
MLX_INLINE Vec<E> hypot(Vec<E> x, Vec<E> y) {
  if constexpr (sizeof(E) == 8) {
    return map_lanes([](double p, double q) { return ::hypot(p, q); }, x, y);
  } else {
    const Vec<float> infinity(__builtin_inff());
    const Vec<float> length =
        in_double([](Vec<double> p, Vec<double> q) { return sqrt(p * p + q * q); }, x, y);
    return select((abs(x) == infinity) | (abs(y) == infinity), infinity, length);
  }
}

template <class E>
  requires std::is_floating_point_v<E>
MLX_INLINE Vec<E> nextafter(Vec<E> x, Vec<E> y) {
  if constexpr (sizeof(E) == 8) return map_lanes([](double p, double q) { return ::nextafter(p, q); }, x, y);
  if constexpr (sizeof(E) == 4) return map_lanes([](float p, float q) { return ::nextafterf(p, q); }, x, y);
}

// Integer powers by squaring, wrapping. A negative exponent gives the truncated reciprocal.
template <class E>
  requires std::is_integral_v<E>
MLX_INLINE Vec<E> pow(Vec<E> base, Vec<E> exponent) {
  const auto power = [](E x, E n) -> E {
    if constexpr (std::is_signed_v<E>) {
      if (n < 0) return x == 1 ? 1 : x == -1 ? (n % 2 ? -1 : 1) : 0;
    }
    E result = 1;
    for (; n; n /= 2) {
      if (n % 2) result *= x;
      x *= x;
    }
    return result;
  };
  return map_lanes(power, base, exponent);
}

template <class E>
  requires std::is_integral_v<E>
MLX_INLINE Vec<E> gcd(Vec<E> a, Vec<E> b) {
  const auto divisor = [](E x, E y) -> E {
    using U = std::make_unsigned_t<E>;
    U p = x < 0 ? U(0) - U(x) : U(x), q = y < 0 ? U(0) - U(y) : U(y);
    while (q) {
      const U rest = p % q;
      p = q;
      q = rest;
    }
    return static_cast<E>(p);
  };
  return map_lanes(divisor, a, b);
}

// A real number is its own conjugate.
template <class E>
MLX_INLINE Vec<E> conj(Vec<E> x) {
  return x;
}

}  // namespace mlx::cpu::MLX_ISA

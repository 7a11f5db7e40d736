// numeric_limits and the constants of <metal_math>.
#pragma once
#pragma clang system_header

#include "types.h"

namespace metal {

template <class T>
struct numeric_limits {
  static_assert(__is_integral(T), "numeric_limits: unknown type");
  static constexpr bool is_integer = true;
  static constexpr bool is_signed = T(-1) < T(0);
  static constexpr int digits = 8 * sizeof(T) - is_signed;
  METAL_FUNCTION static constexpr T max() { return static_cast<T>(~0ul >> (64 - digits)); }
  METAL_FUNCTION static constexpr T min() { return is_signed ? static_cast<T>(-max() - 1) : T(0); }
  METAL_FUNCTION static constexpr T lowest() { return min(); }
};

template <>
struct numeric_limits<bool> {
  static constexpr bool is_integer = true;
  static constexpr bool is_signed = false;
  METAL_FUNCTION static constexpr bool max() { return true; }
  METAL_FUNCTION static constexpr bool min() { return false; }
  METAL_FUNCTION static constexpr bool lowest() { return false; }
};

// From words, so that each value is exact.
template <class T, class Word, Word greatest, Word smallest, Word step, Word infinite, Word nan>
struct FloatLimits {
  static constexpr bool is_integer = false;
  static constexpr bool is_signed = true;
  static constexpr bool has_infinity = true;
  static constexpr bool has_quiet_NaN = true;
  METAL_FUNCTION static constexpr T max() { return __builtin_bit_cast(T, greatest); }
  METAL_FUNCTION static constexpr T lowest() { return -max(); }
  METAL_FUNCTION static constexpr T min() { return __builtin_bit_cast(T, smallest); }
  METAL_FUNCTION static constexpr T epsilon() { return __builtin_bit_cast(T, step); }
  METAL_FUNCTION static constexpr T infinity() { return __builtin_bit_cast(T, infinite); }
  METAL_FUNCTION static constexpr T quiet_NaN() { return __builtin_bit_cast(T, nan); }
};
template <>
struct numeric_limits<float>
    : FloatLimits<float, uint, 0x7f7fffffu, 0x00800000u, 0x34000000u, 0x7f800000u, 0x7fc00000u> {};
template <>
struct numeric_limits<half> : FloatLimits<half, ushort, 0x7bff, 0x0400, 0x1400, 0x7c00, 0x7e00> {};
template <>
struct numeric_limits<bfloat> : FloatLimits<bfloat, ushort, 0x7f7f, 0x0080, 0x3c00, 0x7f80, 0x7fc0> {};

}  // namespace metal

#define CHAR_BIT 8
#define SCHAR_MAX 127
#define SCHAR_MIN (-128)
#define UCHAR_MAX 255
#define CHAR_MAX 127
#define CHAR_MIN (-128)
#define SHRT_MAX 32767
#define SHRT_MIN (-32768)
#define USHRT_MAX 65535
#define INT_MAX 2147483647
#define INT_MIN (-2147483647 - 1)
#define UINT_MAX 4294967295u
#define LONG_MAX 9223372036854775807l
#define LONG_MIN (-9223372036854775807l - 1)
#define ULONG_MAX 18446744073709551615ul

#define INFINITY (__builtin_inff())
#define NAN (__builtin_nanf(""))
#define HUGE_VALF (__builtin_inff())
#define HUGE_VALH (half(__builtin_inff()))
#define MAXFLOAT 0x1.fffffep+127f
#define FLT_MAX 0x1.fffffep+127f
#define FLT_MIN 0x1p-126f
#define FLT_EPSILON 0x1p-23f
#define FLT_DIG 6
#define FLT_MANT_DIG 24
#define HALF_MAX (half(65504.0f))
#define HALF_MIN (half(0x1p-14f))
#define HALF_EPSILON (half(0x1p-10f))
#define M_E_F 2.71828182845904523536028747135266250f
#define M_LOG2E_F 1.44269504088896340735992468100189214f
#define M_LOG10E_F 0.434294481903251827651128918916605082f
#define M_LN2_F 0.693147180559945309417232121458176568f
#define M_LN10_F 2.30258509299404568401799145468436421f
#define M_PI_F 3.14159265358979323846264338327950288f
#define M_PI_2_F 1.57079632679489661923132169163975144f
#define M_PI_4_F 0.785398163397448309615660845819875721f
#define M_1_PI_F 0.318309886183790671537767526745028724f
#define M_2_PI_F 0.636619772367581343075535053490057448f
#define M_2_SQRTPI_F 1.12837916709551257389615890312154517f
#define M_SQRT2_F 1.41421356237309504880168872420969808f
#define M_SQRT1_2_F 0.707106781186547524400844362104849039f

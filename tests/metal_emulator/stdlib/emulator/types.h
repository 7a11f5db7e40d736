// Scalar types, bfloat, and the few type traits that kernels use.
#pragma once
#pragma clang system_header

#define METAL_FUNCTION inline __attribute__((always_inline))

using uchar = unsigned char;
using ushort = unsigned short;
using uint = unsigned int;
using ulong = unsigned long;
using half = _Float16;
using size_t = unsigned long;
using ptrdiff_t = long;
using int8_t = signed char;
using uint8_t = unsigned char;
using int16_t = short;
using uint16_t = unsigned short;
using int32_t = int;
using uint32_t = unsigned int;
using int64_t = long;
using uint64_t = unsigned long;

namespace metal {

template <bool condition, class A, class B>
struct conditional {
  using type = A;
};
template <class A, class B>
struct conditional<false, A, B> {
  using type = B;
};
template <bool condition, class A, class B>
using conditional_t = typename conditional<condition, A, B>::type;

template <bool condition, class T = void>
struct enable_if {};
template <class T>
struct enable_if<true, T> {
  using type = T;
};
template <bool condition, class T = void>
using enable_if_t = typename enable_if<condition, T>::type;

template <class T, T v>
struct integral_constant {
  static constexpr T value = v;
  constexpr operator T() const { return v; }
};
template <bool b>
using bool_constant = integral_constant<bool, b>;
using true_type = bool_constant<true>;
using false_type = bool_constant<false>;

template <class A, class B>
inline constexpr bool is_same_v = __is_same(A, B);
template <class A, class B>
struct is_same : bool_constant<is_same_v<A, B>> {};

template <class T>
using remove_cv_t = __remove_cv(T);
template <class T>
using remove_reference_t = __remove_reference_t(T);
template <class T>
using remove_pointer_t = __remove_pointer(T);
template <class T>
using make_unsigned_t = __make_unsigned(T);
template <class T>
using make_signed_t = __make_signed(T);

}  // namespace metal

struct bfloat {
  ushort bits;

  bfloat() = default;
  METAL_FUNCTION constexpr bfloat(float value) : bits(round(value)) {}
  template <class T>
    requires(__is_arithmetic(T) && !__is_same(T, float))
  METAL_FUNCTION constexpr bfloat(T value) : bits(round(static_cast<float>(value))) {}

  METAL_FUNCTION constexpr operator float() const { return __builtin_bit_cast(float, uint{bits} << 16); }

 private:
  // To nearest, ties to even; a NaN stays one.
  METAL_FUNCTION static constexpr ushort round(float value) {
    const uint word = __builtin_bit_cast(uint, value);
    if ((word & 0x7fffffffu) > 0x7f800000u) return static_cast<ushort>((word >> 16) | 0x40);
    return static_cast<ushort>((word + 0x7fffu + ((word >> 16) & 1)) >> 16);
  }
};

namespace metal {

template <class T>
inline constexpr bool is_floating_point_v =
    __is_floating_point(T) || __is_same(T, _Float16) || is_same_v<T, bfloat>;
template <class T>
inline constexpr bool is_integral_v = __is_integral(T);
template <class T>
inline constexpr bool is_arithmetic_v = is_floating_point_v<T> || is_integral_v<T>;
template <class T>
inline constexpr bool is_signed_v = is_floating_point_v<T> || __is_signed(T);
template <class T>
inline constexpr bool is_unsigned_v = __is_unsigned(T);
template <class T>
struct is_floating_point : bool_constant<is_floating_point_v<T>> {};
template <class T>
struct is_integral : bool_constant<is_integral_v<T>> {};
template <class T>
struct is_arithmetic : bool_constant<is_arithmetic_v<T>> {};
template <class T>
struct is_signed : bool_constant<is_signed_v<T>> {};
template <class T>
struct is_unsigned : bool_constant<is_unsigned_v<T>> {};

// The type of bfloat <op> T: float stays float, all else becomes bfloat.
template <class T>
using BfloatResult = conditional_t<is_same_v<T, float>, float, bfloat>;

}  // namespace metal

#define METAL_BFLOAT_OPERATOR(op)                                                                  \
  METAL_FUNCTION constexpr bfloat operator op(bfloat a, bfloat b) { return float(a) op float(b); } \
  template <class T>                                                                               \
    requires(__is_arithmetic(T))                                                                   \
  METAL_FUNCTION constexpr metal::BfloatResult<T> operator op(bfloat a, T b) {                     \
    return float(a) op float(b);                                                                   \
  }                                                                                                \
  template <class T>                                                                               \
    requires(__is_arithmetic(T))                                                                   \
  METAL_FUNCTION constexpr metal::BfloatResult<T> operator op(T a, bfloat b) {                     \
    return float(a) op float(b);                                                                   \
  }                                                                                                \
  template <class T>                                                                               \
  METAL_FUNCTION constexpr bfloat& operator op## = (bfloat & a, T b) {                             \
    return a = bfloat(float(a) op float(b));                                                       \
  }
METAL_BFLOAT_OPERATOR(+)
METAL_BFLOAT_OPERATOR(-)
METAL_BFLOAT_OPERATOR(*)
METAL_BFLOAT_OPERATOR(/)
#undef METAL_BFLOAT_OPERATOR
METAL_FUNCTION constexpr bfloat operator-(bfloat a) {
  a.bits ^= 0x8000;
  return a;
}

#define METAL_BFLOAT_COMPARISON(op)                                                              \
  METAL_FUNCTION constexpr bool operator op(bfloat a, bfloat b) { return float(a) op float(b); } \
  template <class T>                                                                             \
    requires(__is_arithmetic(T))                                                                 \
  METAL_FUNCTION constexpr bool operator op(bfloat a, T b) {                                     \
    return float(a) op float(b);                                                                 \
  }                                                                                              \
  template <class T>                                                                             \
    requires(__is_arithmetic(T))                                                                 \
  METAL_FUNCTION constexpr bool operator op(T a, bfloat b) {                                     \
    return float(a) op float(b);                                                                 \
  }
METAL_BFLOAT_COMPARISON(==)
METAL_BFLOAT_COMPARISON(!=)
METAL_BFLOAT_COMPARISON(<)
METAL_BFLOAT_COMPARISON(<=)
METAL_BFLOAT_COMPARISON(>)
METAL_BFLOAT_COMPARISON(>=)
#undef METAL_BFLOAT_COMPARISON

// The mathematical, common and relational functions, on float, half, bfloat and their vectors. What MSL does
// not have (erf, expm1, log1p, double) is missing here too.
#pragma once
#pragma clang system_header

#include "limits.h"
#include "vectors.h"

namespace metal {

template <class V>
concept IsVector = VectorTraits<V>::size > 1;
template <class V>
using ElementOf = typename VectorTraits<V>::Element;

// A function of scalars, element by element.
#define METAL_VECTOR_1(name)                                                              \
  template <IsVector V>                                                                   \
  METAL_FUNCTION V name(V x) {                                                            \
    V result;                                                                             \
    for (int i = 0; i < VectorTraits<V>::size; ++i) result[i] = name(ElementOf<V>(x[i])); \
    return result;                                                                        \
  }
#define METAL_VECTOR_2(name)                                    \
  template <IsVector V>                                         \
  METAL_FUNCTION V name(V x, V y) {                             \
    V result;                                                   \
    for (int i = 0; i < VectorTraits<V>::size; ++i)             \
      result[i] = name(ElementOf<V>(x[i]), ElementOf<V>(y[i])); \
    return result;                                              \
  }
#define METAL_VECTOR_3(name)                                                        \
  template <IsVector V>                                                             \
  METAL_FUNCTION V name(V x, V y, V z) {                                            \
    V result;                                                                       \
    for (int i = 0; i < VectorTraits<V>::size; ++i)                                 \
      result[i] = name(ElementOf<V>(x[i]), ElementOf<V>(y[i]), ElementOf<V>(z[i])); \
    return result;                                                                  \
  }

// A function of float, which half and bfloat go through.
#define METAL_MATH_1(name, expression)                                                        \
  METAL_FUNCTION float name(float x) { return expression; }                                   \
  METAL_FUNCTION half name(half x) { return static_cast<half>(name(static_cast<float>(x))); } \
  METAL_FUNCTION bfloat name(bfloat x) { return name(static_cast<float>(x)); }                \
  METAL_VECTOR_1(name)
#define METAL_MATH_2(name, expression)                                            \
  METAL_FUNCTION float name(float x, float y) { return expression; }              \
  METAL_FUNCTION half name(half x, half y) {                                      \
    return static_cast<half>(name(static_cast<float>(x), static_cast<float>(y))); \
  }                                                                               \
  METAL_FUNCTION bfloat name(bfloat x, bfloat y) {                                \
    return name(static_cast<float>(x), static_cast<float>(y));                    \
  }                                                                               \
  METAL_VECTOR_2(name)
#define METAL_MATH_3(name, expression)                                                                   \
  METAL_FUNCTION float name(float x, float y, float z) { return expression; }                            \
  METAL_FUNCTION half name(half x, half y, half z) {                                                     \
    return static_cast<half>(name(static_cast<float>(x), static_cast<float>(y), static_cast<float>(z))); \
  }                                                                                                      \
  METAL_FUNCTION bfloat name(bfloat x, bfloat y, bfloat z) {                                             \
    return name(static_cast<float>(x), static_cast<float>(y), static_cast<float>(z));                    \
  }                                                                                                      \
  METAL_VECTOR_3(name)

// sin(pi x) and cos(pi x): reduced exactly first, since pi x has lost the digits that matter.
METAL_FUNCTION float reduce_half_turns(float x) { return x - 2.0f * __builtin_rintf(0.5f * x); }

METAL_MATH_1(exp, __builtin_expf(x))
METAL_MATH_1(exp2, __builtin_exp2f(x))
METAL_MATH_1(exp10, __builtin_powf(10.0f, x))
METAL_MATH_1(log, __builtin_logf(x))
METAL_MATH_1(log2, __builtin_log2f(x))
METAL_MATH_1(log10, __builtin_log10f(x))
METAL_MATH_1(sin, __builtin_sinf(x))
METAL_MATH_1(cos, __builtin_cosf(x))
METAL_MATH_1(tan, __builtin_tanf(x))
METAL_MATH_1(asin, __builtin_asinf(x))
METAL_MATH_1(acos, __builtin_acosf(x))
METAL_MATH_1(atan, __builtin_atanf(x))
METAL_MATH_1(sinh, __builtin_sinhf(x))
METAL_MATH_1(cosh, __builtin_coshf(x))
METAL_MATH_1(tanh, __builtin_tanhf(x))
METAL_MATH_1(asinh, __builtin_asinhf(x))
METAL_MATH_1(acosh, __builtin_acoshf(x))
METAL_MATH_1(atanh, __builtin_atanhf(x))
METAL_MATH_1(sinpi, __builtin_sinf(M_PI_F* reduce_half_turns(x)))
METAL_MATH_1(cospi, __builtin_cosf(M_PI_F* reduce_half_turns(x)))
METAL_MATH_1(tanpi, __builtin_tanf(M_PI_F* reduce_half_turns(x)))
METAL_MATH_1(sqrt, __builtin_sqrtf(x))
METAL_MATH_1(rsqrt, 1.0f / __builtin_sqrtf(x))
METAL_MATH_1(fabs, __builtin_fabsf(x))
METAL_MATH_1(floor, __builtin_floorf(x))
METAL_MATH_1(ceil, __builtin_ceilf(x))
METAL_MATH_1(rint, __builtin_rintf(x))
METAL_MATH_1(round, __builtin_roundf(x))
METAL_MATH_1(trunc, __builtin_truncf(x))
METAL_MATH_1(fract, __builtin_fminf(x - __builtin_floorf(x), 0x1.fffffep-1f))
METAL_MATH_1(sign, x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x == 0.0f ? x : 0.0f)
METAL_MATH_1(saturate, __builtin_fminf(__builtin_fmaxf(x, 0.0f), 1.0f))

METAL_MATH_2(atan2, __builtin_atan2f(x, y))
METAL_MATH_2(pow, __builtin_powf(x, y))
METAL_MATH_2(powr, x < 0.0f ? __builtin_nanf("") : __builtin_powf(x, y))
METAL_MATH_2(fmod, __builtin_fmodf(x, y))
METAL_MATH_2(fmin, __builtin_fminf(x, y))
METAL_MATH_2(fmax, __builtin_fmaxf(x, y))
METAL_MATH_2(fdim, __builtin_fdimf(x, y))
METAL_MATH_2(copysign, __builtin_copysignf(x, y))
METAL_MATH_2(step, y < x ? 0.0f : 1.0f)

METAL_MATH_3(mix, x + (y - x) * z)
METAL_MATH_3(smoothstep, (z = saturate((z - x) / (y - x)), z * z * (3.0f - 2.0f * z)))
METAL_MATH_3(fmin3, __builtin_fminf(x, __builtin_fminf(y, z)))
METAL_MATH_3(fmax3, __builtin_fmaxf(x, __builtin_fmaxf(y, z)))

// Exact in its own type, not by way of float.
METAL_FUNCTION float fma(float x, float y, float z) { return __builtin_fmaf(x, y, z); }
METAL_FUNCTION half fma(half x, half y, half z) {
  return static_cast<half>(
      __builtin_fma(static_cast<double>(x), static_cast<double>(y), static_cast<double>(z)));
}
METAL_FUNCTION bfloat fma(bfloat x, bfloat y, bfloat z) { return __builtin_fmaf(x, y, z); }
METAL_VECTOR_3(fma)

METAL_FUNCTION float nextafter(float x, float y) { return __builtin_nextafterf(x, y); }
METAL_FUNCTION half nextafter(half x, half y) {
  if (x != x || y != y) return x + y;
  if (x == y) return y;
  if (x == half(0.0f)) return __builtin_bit_cast(half, static_cast<ushort>(y > x ? 0x0001 : 0x8001));
  const ushort word = __builtin_bit_cast(ushort, x);
  const bool outward = (y > x) == (x > half(0.0f));
  return __builtin_bit_cast(half, static_cast<ushort>(outward ? word + 1 : word - 1));
}
METAL_VECTOR_2(nextafter)

METAL_FUNCTION float ldexp(float x, int exponent) { return __builtin_ldexpf(x, exponent); }
METAL_FUNCTION half ldexp(half x, int exponent) {
  return static_cast<half>(__builtin_ldexpf(static_cast<float>(x), exponent));
}
METAL_FUNCTION float frexp(float x, int& exponent) { return __builtin_frexpf(x, &exponent); }
METAL_FUNCTION half frexp(half x, int& exponent) {
  return static_cast<half>(__builtin_frexpf(static_cast<float>(x), &exponent));
}
METAL_FUNCTION int ilogb(float x) { return __builtin_ilogbf(x); }
METAL_FUNCTION float modf(float x, float& whole) { return __builtin_modff(x, &whole); }
METAL_FUNCTION half modf(half x, half& whole) {
  float part;
  const float fraction = __builtin_modff(static_cast<float>(x), &part);
  whole = static_cast<half>(part);
  return static_cast<half>(fraction);
}
METAL_FUNCTION float sincos(float x, float& cosine) {
  cosine = __builtin_cosf(x);
  return __builtin_sinf(x);
}
METAL_FUNCTION half sincos(half x, half& cosine) {
  cosine = cos(x);
  return sin(x);
}

// min, max, clamp and abs: each type for itself, so that a mixture of types is as ambiguous as it is in
// Metal. Unlike fmin and fmax they promise nothing about NaN.
#define METAL_COMMON(T)                                                                 \
  METAL_FUNCTION T min(T x, T y) { return y < x ? y : x; }                              \
  METAL_FUNCTION T max(T x, T y) { return x < y ? y : x; }                              \
  METAL_FUNCTION T clamp(T x, T low, T high) { return min(max(x, low), high); }         \
  METAL_FUNCTION T min3(T x, T y, T z) { return min(x, min(y, z)); }                    \
  METAL_FUNCTION T max3(T x, T y, T z) { return max(x, max(y, z)); }                    \
  METAL_FUNCTION T median3(T x, T y, T z) { return max(min(x, y), min(max(x, y), z)); } \
  METAL_FUNCTION T select(T x, T y, bool condition) { return condition ? y : x; }
METAL_COMMON(float)
METAL_COMMON(half)
METAL_COMMON(bfloat)
METAL_COMMON(char)
METAL_COMMON(int8_t)
METAL_COMMON(uchar)
METAL_COMMON(short)
METAL_COMMON(ushort)
METAL_COMMON(int)
METAL_COMMON(uint)
METAL_COMMON(long)
METAL_COMMON(ulong)
#undef METAL_COMMON
METAL_VECTOR_2(min)
METAL_VECTOR_2(max)
METAL_VECTOR_3(clamp)
METAL_VECTOR_3(min3)
METAL_VECTOR_3(max3)
METAL_VECTOR_3(median3)
template <IsVector V>
METAL_FUNCTION V min(V x, ElementOf<V> y) {
  return min(x, make_vector<V>(y));
}
template <IsVector V>
METAL_FUNCTION V max(V x, ElementOf<V> y) {
  return max(x, make_vector<V>(y));
}
template <IsVector V>
METAL_FUNCTION V clamp(V x, ElementOf<V> low, ElementOf<V> high) {
  return clamp(x, make_vector<V>(low), make_vector<V>(high));
}
template <IsVector V>
METAL_FUNCTION V mix(V x, V y, ElementOf<V> a) {
  return mix(x, y, make_vector<V>(a));
}

#define METAL_ABS(T) \
  METAL_FUNCTION T abs(T x) { return static_cast<T>(x < T(0) ? -x : x); }
METAL_FUNCTION float abs(float x) { return fabs(x); }
METAL_FUNCTION half abs(half x) { return fabs(x); }
METAL_FUNCTION bfloat abs(bfloat x) { return fabs(x); }
METAL_ABS(int8_t)
METAL_ABS(char)
METAL_ABS(short)
METAL_ABS(int)
METAL_ABS(long)
#undef METAL_ABS
METAL_VECTOR_1(abs)

#define METAL_RELATION(name, expression)                                                  \
  METAL_FUNCTION bool name(float x) { return expression; }                                \
  METAL_FUNCTION bool name(half x) { return name(static_cast<float>(x)); }                \
  METAL_FUNCTION bool name(bfloat x) { return name(static_cast<float>(x)); }              \
  template <IsVector V>                                                                   \
  METAL_FUNCTION BoolVector<VectorTraits<V>::size> name(V x) {                            \
    BoolVector<VectorTraits<V>::size> result;                                             \
    for (int i = 0; i < VectorTraits<V>::size; ++i) result[i] = name(ElementOf<V>(x[i])); \
    return result;                                                                        \
  }
METAL_RELATION(isnan, __builtin_isnan(x))
METAL_RELATION(isinf, __builtin_isinf(x))
METAL_RELATION(isfinite, __builtin_isfinite(x))
METAL_RELATION(isnormal, __builtin_isnormal(x))
METAL_RELATION(signbit, __builtin_signbit(x))
#undef METAL_RELATION

METAL_FUNCTION bool any(bool x) { return x; }
METAL_FUNCTION bool all(bool x) { return x; }
template <IsVector V>
METAL_FUNCTION bool any(V x) {
  bool result = false;
  for (int i = 0; i < VectorTraits<V>::size; ++i) result |= x[i] != 0;
  return result;
}
template <IsVector V>
METAL_FUNCTION bool all(V x) {
  bool result = true;
  for (int i = 0; i < VectorTraits<V>::size; ++i) result &= x[i] != 0;
  return result;
}
template <IsVector V, IsVector Mask>
METAL_FUNCTION V select(V x, V y, Mask condition) {
  for (int i = 0; i < VectorTraits<V>::size; ++i) {
    if (condition[i]) x[i] = y[i];
  }
  return x;
}

template <IsVector V>
METAL_FUNCTION ElementOf<V> dot(V x, V y) {
  ElementOf<V> sum = x[0] * y[0];
  for (int i = 1; i < VectorTraits<V>::size; ++i) sum += x[i] * y[i];
  return sum;
}
template <IsVector V>
METAL_FUNCTION ElementOf<V> length(V x) {
  return sqrt(dot(x, x));
}

#undef METAL_MATH_1
#undef METAL_MATH_2
#undef METAL_MATH_3
#undef METAL_VECTOR_1
#undef METAL_VECTOR_2
#undef METAL_VECTOR_3

// The host computes both with full precision.
namespace precise {
using namespace metal;
}
namespace fast {
using namespace metal;
}

}  // namespace metal

#pragma once
// The few operations that the compiler's vector extensions cannot express, by instruction set: fused
// multiply-add, square root, rounding. Everything else in vec.h is plain C++ on vector types.
//
// Included only from files compiled once per instruction set, with MLX_ISA naming the namespace. Nothing
// outside that namespace may be defined here, lest the linker merge code across instruction sets.

#ifndef MLX_ISA
#error "compile this through mlx_add_vector_sources(), which defines MLX_ISA"
#endif

#include <cstdint>
#include <type_traits>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace mlx::cpu::MLX_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
inline constexpr bool kHasFma = true;
#else
inline constexpr bool kHasFma = false;
#endif

template <class E, int kLanes>
struct NativeVector {
  typedef E type __attribute__((vector_size(kLanes * sizeof(E))));
};
template <class E, int kLanes = kVectorBytes / static_cast<int>(sizeof(E))>
using Native = typename NativeVector<E, kLanes>::type;

// What [[gnu::always_inline]] needs spelled on every function of a vector library.
#define MLX_INLINE [[gnu::always_inline]] inline

// Rounding directions, numbered as x86's rounding instructions number them.
enum RoundingMode : int { kNearestEven = 0, kDown = 1, kUp = 2, kToZero = 3 };

using NativeFloat = Native<float>;
using NativeDouble = Native<double>;
using NativeInt = Native<int64_t>;

// Half a register of floats or int32s as a register of doubles. (GCC 12 converts quarters and joins them.)
template <class Half>
MLX_INLINE NativeDouble native_widen(Half half) {
#if defined(__AVX512F__)
  if constexpr (std::is_same_v<Half, Native<float, 8>>) return _mm512_cvtps_pd(half);
  if constexpr (std::is_same_v<Half, Native<int32_t, 8>>) return _mm512_cvtepi32_pd((__m256i)half);
#elif defined(__AVX2__)
  if constexpr (std::is_same_v<Half, Native<float, 4>>) return _mm256_cvtps_pd(half);
  if constexpr (std::is_same_v<Half, Native<int32_t, 4>>) return _mm256_cvtepi32_pd((__m128i)half);
#else
  return __builtin_convertvector(half, NativeDouble);
#endif
}

#if defined(__AVX512F__)

MLX_INLINE NativeFloat native_fma(NativeFloat a, NativeFloat b, NativeFloat c) {
  return _mm512_fmadd_ps(a, b, c);
}
MLX_INLINE NativeDouble native_fma(NativeDouble a, NativeDouble b, NativeDouble c) {
  return _mm512_fmadd_pd(a, b, c);
}
MLX_INLINE NativeFloat native_sqrt(NativeFloat a) { return _mm512_sqrt_ps(a); }
MLX_INLINE NativeDouble native_sqrt(NativeDouble a) { return _mm512_sqrt_pd(a); }
template <int kMode>
MLX_INLINE NativeFloat native_round(NativeFloat a) {
  return _mm512_roundscale_ps(a, kMode | _MM_FROUND_NO_EXC);
}
template <int kMode>
MLX_INLINE NativeDouble native_round(NativeDouble a) {
  return _mm512_roundscale_pd(a, kMode | _MM_FROUND_NO_EXC);
}
MLX_INLINE bool native_any(NativeInt a) { return _mm512_test_epi64_mask((__m512i)a, (__m512i)a) != 0; }

#elif defined(__AVX2__)

MLX_INLINE NativeFloat native_fma(NativeFloat a, NativeFloat b, NativeFloat c) {
  return _mm256_fmadd_ps(a, b, c);
}
MLX_INLINE NativeDouble native_fma(NativeDouble a, NativeDouble b, NativeDouble c) {
  return _mm256_fmadd_pd(a, b, c);
}
MLX_INLINE NativeFloat native_sqrt(NativeFloat a) { return _mm256_sqrt_ps(a); }
MLX_INLINE NativeDouble native_sqrt(NativeDouble a) { return _mm256_sqrt_pd(a); }
template <int kMode>
MLX_INLINE NativeFloat native_round(NativeFloat a) {
  return _mm256_round_ps(a, kMode | _MM_FROUND_NO_EXC);
}
template <int kMode>
MLX_INLINE NativeDouble native_round(NativeDouble a) {
  return _mm256_round_pd(a, kMode | _MM_FROUND_NO_EXC);
}
MLX_INLINE bool native_any(NativeInt a) { return _mm256_testz_si256((__m256i)a, (__m256i)a) == 0; }

#elif defined(__x86_64__)

MLX_INLINE NativeFloat native_fma(NativeFloat a, NativeFloat b, NativeFloat c) { return a * b + c; }
MLX_INLINE NativeDouble native_fma(NativeDouble a, NativeDouble b, NativeDouble c) { return a * b + c; }
MLX_INLINE NativeFloat native_sqrt(NativeFloat a) { return _mm_sqrt_ps(a); }
MLX_INLINE NativeDouble native_sqrt(NativeDouble a) { return _mm_sqrt_pd(a); }
template <int kMode>
MLX_INLINE NativeFloat native_round(NativeFloat a) {
  return _mm_round_ps(a, kMode | _MM_FROUND_NO_EXC);
}
template <int kMode>
MLX_INLINE NativeDouble native_round(NativeDouble a) {
  return _mm_round_pd(a, kMode | _MM_FROUND_NO_EXC);
}
MLX_INLINE bool native_any(NativeInt a) { return _mm_testz_si128((__m128i)a, (__m128i)a) == 0; }

#elif defined(__ARM_NEON)

MLX_INLINE NativeFloat native_fma(NativeFloat a, NativeFloat b, NativeFloat c) {
  return (NativeFloat)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
MLX_INLINE NativeDouble native_fma(NativeDouble a, NativeDouble b, NativeDouble c) {
  return (NativeDouble)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
MLX_INLINE NativeFloat native_sqrt(NativeFloat a) { return (NativeFloat)vsqrtq_f32((float32x4_t)a); }
MLX_INLINE NativeDouble native_sqrt(NativeDouble a) { return (NativeDouble)vsqrtq_f64((float64x2_t)a); }

template <int kMode>
MLX_INLINE NativeFloat native_round(NativeFloat a) {
  const float32x4_t x = (float32x4_t)a;
  if constexpr (kMode == kNearestEven) return (NativeFloat)vrndnq_f32(x);
  if constexpr (kMode == kDown) return (NativeFloat)vrndmq_f32(x);
  if constexpr (kMode == kUp) return (NativeFloat)vrndpq_f32(x);
  if constexpr (kMode == kToZero) return (NativeFloat)vrndq_f32(x);
}
template <int kMode>
MLX_INLINE NativeDouble native_round(NativeDouble a) {
  const float64x2_t x = (float64x2_t)a;
  if constexpr (kMode == kNearestEven) return (NativeDouble)vrndnq_f64(x);
  if constexpr (kMode == kDown) return (NativeDouble)vrndmq_f64(x);
  if constexpr (kMode == kUp) return (NativeDouble)vrndpq_f64(x);
  if constexpr (kMode == kToZero) return (NativeDouble)vrndq_f64(x);
}
MLX_INLINE bool native_any(NativeInt a) { return vmaxvq_u32((uint32x4_t)a) != 0; }

#else
#error "no vector instruction set is known for this processor"
#endif

}  // namespace mlx::cpu::MLX_ISA

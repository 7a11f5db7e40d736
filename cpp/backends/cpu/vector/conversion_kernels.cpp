// Conversions between element types, with PyTorch's meaning of a cast: integers wrap, floats are truncated
// towards zero on the way to an integer, complex numbers lose their imaginary part, and anything but zero is
// true. A float that an integer cannot hold gives the smallest integer, as x86 processors do.

#include "backends/cpu/vector/pointwise_kernels.h"
#include "base/half.h"

namespace mlx::cpu::MLX_ISA {

namespace {

// A bool as it is stored. (A byte that is not 0 or 1 is undefined in a C++ bool, but harmless here.)
struct BoolByte {
  uint8_t byte;
};

// The storage type of each dtype, in the order of the enumeration.
template <class... E>
struct TypeList {
  static constexpr int kCount = sizeof...(E);
};
using StorageTypes = TypeList<BoolByte, uint8_t, int8_t, int16_t, int32_t, int64_t, Half, BFloat16, float,
                              double, Complex<float>, Complex<double>>;
static_assert(StorageTypes::kCount == kDTypeCount);

template <class E>
inline constexpr bool kIsComplex = false;
template <class R>
inline constexpr bool kIsComplex<Complex<R>> = true;

template <class E>
inline constexpr bool kIsHalf = std::is_same_v<E, Half> || std::is_same_v<E, BFloat16>;

template <class I, class F>
MLX_INLINE I truncate_to(F x) {
  constexpr F bound = static_cast<F>(I(1) << (8 * sizeof(I) - 2)) * 2;
  return x >= -bound && x < bound ? static_cast<I>(x) : static_cast<I>(kSignBit<I>);
}

template <class To, class From>
MLX_INLINE To cast(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<From, BoolByte>) {
    return cast<To>(x.byte);
  } else if constexpr (std::is_same_v<To, BoolByte>) {
    if constexpr (kIsComplex<From>) return {static_cast<uint8_t>(x.re != 0 || x.im != 0)};
    if constexpr (!kIsComplex<From>) return {static_cast<uint8_t>(x != 0)};
  } else if constexpr (kIsComplex<To>) {
    using R = decltype(To::re);
    if constexpr (kIsComplex<From>) return To(static_cast<R>(x.re), static_cast<R>(x.im));
    if constexpr (!kIsComplex<From>) return To(static_cast<R>(x), R(0));
  } else if constexpr (kIsComplex<From>) {
    return cast<To>(x.re);
  } else if constexpr (std::is_integral_v<To> && std::is_same_v<From, float>) {
    // Through int32 for the narrow types: a float beyond its range is a multiple of 256 anyway.
    return static_cast<To>(truncate_to<std::conditional_t<sizeof(To) == 8, int64_t, int32_t>>(x));
  } else if constexpr (std::is_integral_v<To> && std::is_same_v<From, double>) {
    constexpr bool wide = sizeof(To) == 8 || std::is_unsigned_v<To>;
    return static_cast<To>(truncate_to<std::conditional_t<wide, int64_t, int32_t>>(x));
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
MLX_INLINE void cast_all(const From* in, To* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = cast<To>(in[i]);
}

void widen_halves(const BFloat16* in, float* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<float>(in[i]);
}
void narrow_floats(const float* in, BFloat16* out, int64_t n) {
  for (int64_t i = 0; i < n; ++i) out[i] = BFloat16(in[i]);
}

void widen_halves(const Half* in, float* out, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16) {
    _mm512_storeu_ps(out + i, _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + i))));
  }
#elif defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
  }
#elif defined(__ARM_NEON)
  for (; i + 4 <= n; i += 4) {
    vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&in[i].bits))));
  }
#endif
  for (; i < n; ++i) out[i] = static_cast<float>(in[i]);
}
void narrow_floats(const float* in, Half* out, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512F__)
  for (; i + 16 <= n; i += 16) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                        _mm512_cvtps_ph(_mm512_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
  }
#elif defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT));
  }
#elif defined(__ARM_NEON)
  for (; i + 4 <= n; i += 4) {
    vst1_u16(&out[i].bits, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(in + i))));
  }
#endif
  for (; i < n; ++i) out[i] = Half(in[i]);
}

// The 16-bit types convert by way of float, a tile at a time.
constexpr int64_t kTile = 512;

template <class From, class To>
void convert_array(const void* from, void* to, int64_t n) {
  const From* in = static_cast<const From*>(from);
  To* out = static_cast<To*>(to);
  if constexpr (std::is_same_v<From, To>) {
    std::memmove(out, in, n * sizeof(To));
  } else if constexpr (kIsHalf<From> && std::is_same_v<To, float>) {
    widen_halves(in, out, n);
  } else if constexpr (std::is_same_v<From, float> && kIsHalf<To>) {
    narrow_floats(in, out, n);
  } else if constexpr (kIsHalf<From> || kIsHalf<To>) {
    float tile[kTile];
    for (int64_t i = 0; i < n; i += kTile) {
      const int64_t count = n - i < kTile ? n - i : kTile;
      if constexpr (kIsHalf<From>) widen_halves(in + i, tile, count);
      if constexpr (!kIsHalf<From>) cast_all(in + i, tile, count);
      if constexpr (kIsHalf<To>) narrow_floats(tile, out + i, count);
      if constexpr (!kIsHalf<To>) cast_all(tile, out + i, count);
    }
  } else {
    cast_all(in, out, n);
  }
}

template <class From, class... To>
constexpr void fill_row(ConvertKernel* row, TypeList<To...>) {
  int i = 0;
  ((row[i++] = &convert_array<From, To>), ...);
}

template <class... From>
constexpr void fill_rows(VectorKernels& kernels, TypeList<From...> types) {
  int i = 0;
  (fill_row<From>(kernels.convert[i++], types), ...);
}

#define MLX_QUOTE_(name) #name
#define MLX_QUOTE(name) MLX_QUOTE_(name)

constexpr VectorKernels make_kernels() {
  VectorKernels kernels = {MLX_QUOTE(MLX_ISA),
                           {pointwise_uint8, pointwise_int32, pointwise_int64, pointwise_float32,
                            pointwise_float64, pointwise_complex64, pointwise_complex128},
                           {},
                           {},
                           {}};
  fill_rows(kernels, StorageTypes{});
  for (int i = 0; i < kDTypeCount; ++i) {
    const int wide = static_cast<int>(storage_type(compute_index(static_cast<DType>(i))));
    kernels.widen[i] = kernels.convert[i][wide];
    kernels.narrow[i] = kernels.convert[wide][i];
  }
  return kernels;
}

}  // namespace

constinit const VectorKernels kernels = make_kernels();

}  // namespace mlx::cpu::MLX_ISA

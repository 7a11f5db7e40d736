#pragma once
// Packing operands of a product into panels (see product_kernels.h).

#include "backends/cpu/vector/product_tile.h"
#include "base/half.h"

namespace mlx::cpu::MLX_ISA {

using FloatVec = Vec<float>;
inline constexpr int kLanes = FloatVec::kLanes;
using ShortLanes = Native<uint16_t, kLanes>;
using WordLanes = Native<uint32_t>;

MLX_INLINE FloatVec as_floats(WordLanes words) { return FloatVec((NativeFloat)words); }

MLX_INLINE WordLanes load_shorts(const void* from) {
  ShortLanes narrow;
  std::memcpy(&narrow, from, sizeof(narrow));
  return __builtin_convertvector(narrow, WordLanes);
}

// The first `count` elements of memory in a register's worth of them. No others are read.
template <class T>
struct Tail {
  T elements[kLanes];

  MLX_INLINE Tail(const T* from, int64_t count) {
#if defined(__AVX512F__)
    const auto mask = static_cast<__mmask16>((1u << count) - 1);
    if constexpr (sizeof(T) == 4) _mm512_storeu_ps(elements, _mm512_maskz_loadu_ps(mask, from));
    if constexpr (sizeof(T) == 2)
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(elements), _mm256_maskz_loadu_epi16(mask, from));
#else
    for (int64_t i = 0; i < kLanes; ++i) elements[i] = i < count ? from[i] : T();
#endif
  }
};

// A word of a panel is one element, widened to a float.
template <class T>
struct FloatWords {
  using Element = T;
  static constexpr int kDepth = 1;

  MLX_INLINE static FloatVec load(const T* from) {
    if constexpr (std::is_same_v<T, float>) return FloatVec::load(from);
    if constexpr (std::is_same_v<T, BFloat16>) return as_floats(load_shorts(from) << 16);
    if constexpr (std::is_same_v<T, Half>) return load_halves(from);
  }
  MLX_INLINE static float word(const T* from) { return static_cast<float>(*from); }

 private:
  MLX_INLINE static FloatVec load_halves(const T* from) {
#if defined(__AVX512F__)
    return FloatVec(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))));
#elif defined(__F16C__)
    return FloatVec(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
#else
    NativeFloat wide;
    for (int i = 0; i < kLanes; ++i) wide[i] = static_cast<float>(from[i]);
    return FloatVec(wide);
#endif
  }
};

// A word is two bfloat16 of neighbouring depths; behind the last depth stands a zero.
struct PairWords {
  using Element = BFloat16;
  static constexpr int kDepth = 2;

  MLX_INLINE static FloatVec load(const BFloat16* from) { return FloatVec::load(from); }
  MLX_INLINE static FloatVec join(const BFloat16* first, const BFloat16* second) {
    return as_floats(load_shorts(first) | (load_shorts(second) << 16));
  }
  MLX_INLINE static float word(const BFloat16* first, const BFloat16* second) {
    const uint32_t high = second ? second->bits : 0u;
    return __builtin_bit_cast(float, first->bits | (high << 16));
  }
};

// One step of a panel: its lines' words from one row, or from two that make pairs. `row` may be overwritten
// up to a register behind its end.
template <class Words>
MLX_INLINE void gather_step(const void* const* rows, bool pair, const Segment* segments, int64_t count,
                            bool overrun, float* row) {
  using T = typename Words::Element;
  const auto load = [&](const T* from, const T* other) {
    if constexpr (Words::kDepth == 1) return Words::load(from);
    if constexpr (Words::kDepth == 2) return pair ? Words::join(from, other) : as_floats(load_shorts(from));
  };
  for (const Segment* s = segments; s != segments + count; ++s) {
    const T* from = static_cast<const T*>(rows[0]) + s->offset;
    const T* other = pair ? static_cast<const T*>(rows[1]) + s->offset : from;
    float* to = row + s->lane;
    int64_t i = 0;
    for (; i + (overrun ? 1 : kLanes) <= s->length; i += kLanes) load(from + i, other + i).store(to + i);
    if (i >= s->length) continue;
    const Tail<T> tail(from + i, s->length - i), other_tail(other + i, s->length - i);
    load(tail.elements, other_tail.elements).store(to + i);
  }
}

// The next panel reads the neighbouring elements of every row. The processor does not foresee that.
MLX_INLINE void prefetch_neighbours(const void* row, const Segment* segments, int64_t count, int64_t item) {
  for (const Segment* s = segments; s != segments + count; ++s) {
    const char* from = static_cast<const char*>(row) + (s->offset + s->length) * item;
    for (int64_t at = 0; at < s->length * item; at += 64) __builtin_prefetch(from + at);
  }
}

template <class Words>
void gather_panel(const void* const* rows, int64_t depths, const Segment* segments, int64_t count,
                  bool overrun, int64_t width, void* panel) {
  const int64_t steps = (depths + Words::kDepth - 1) / Words::kDepth;
  float* out = static_cast<float*>(panel);
  for (int64_t s = 0; s < steps; ++s, rows += Words::kDepth) {
    const bool pair = Words::kDepth == 2 && 2 * s + 1 < depths;
    if (!overrun) prefetch_neighbours(rows[0], segments, count, sizeof(typename Words::Element));
    // Registers reach beyond a row, into rows that are written later. The panel's end is not passed.
    if ((steps - s) * width >= width + kLanes) {
      gather_step<Words>(rows, pair, segments, count, overrun, out + s * width);
    } else {
      float row[(kTileVectors + 1) * kLanes + kTileRows];
      gather_step<Words>(rows, pair, segments, count, overrun, row);
      std::memcpy(out + s * width, row, static_cast<size_t>(width) * sizeof(float));
    }
  }
}

// Lines of kLanes words each become words of kLines lines each: every round of zipping moves one bit of a
// word's line number from the front of its place to the back.
template <int kLines>
MLX_INLINE void transpose_registers(FloatVec (&lines)[kLines]) {
#pragma GCC unroll 4
  for (int round = 1; round < kLines; round *= 2) {
    FloatVec zipped[kLines];
#pragma GCC unroll 8
    for (int i = 0; i < kLines / 2; ++i)
      zip(lines[i], lines[i + kLines / 2], zipped[2 * i], zipped[2 * i + 1], FloatLanes{});
#pragma GCC unroll 16
    for (int i = 0; i < kLines; ++i) lines[i] = zipped[i];
  }
}

// kLines lines of a panel; if it has more, kLines is a register's. Missing lines repeat the last.
template <class Words, int kLines>
void transpose_lines(const typename Words::Element* from, int64_t stride, int64_t lines, int64_t depths,
                     int64_t width, float* out) {
  const int64_t steps = (depths + Words::kDepth - 1) / Words::kDepth, whole = depths / Words::kDepth;
  const auto line = [&](int64_t i) { return from + (i < lines ? i : lines - 1) * stride; };
  int64_t s = 0;
  for (; s + kLanes <= whole; s += kLanes) {
    FloatVec block[kLines];
#pragma GCC unroll 16
    for (int i = 0; i < kLines; ++i) block[i] = Words::load(line(i) + s * Words::kDepth);
    transpose_registers(block);
    const int64_t step = width == kLines ? kLanes : width;
#pragma GCC unroll 16
    for (int i = 0; i < kLines; ++i) block[i].store(out + s * width + i * step);
  }
  for (; s < steps; ++s)
    for (int64_t i = 0; i < kLines; ++i) {
      const auto* at = line(i) + s * Words::kDepth;
      if constexpr (Words::kDepth == 1) out[s * width + i] = Words::word(at);
      if constexpr (Words::kDepth == 2) out[s * width + i] = Words::word(at, s < whole ? at + 1 : nullptr);
    }
}

template <class Words>
void transpose_panel(const void* from, int64_t stride, int64_t lines, int64_t depths, int64_t width,
                     void* panel) {
  using T = typename Words::Element;
  const T* first = static_cast<const T*>(from);
  float* out = static_cast<float*>(panel);
  if (width == kTileRows) return transpose_lines<Words, kTileRows>(first, stride, lines, depths, width, out);
  for (int64_t i = 0; i < lines; i += kLanes)
    transpose_lines<Words, kLanes>(first + i * stride, stride, lines - i, depths, width, out + i);
}

}  // namespace mlx::cpu::MLX_ISA

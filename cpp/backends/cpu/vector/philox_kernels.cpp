// Philox 4x32-10 (Salmon et al., 2011) over registers, and the distributions that speed matters for.

#include "backends/cpu/philox.h"
#include "backends/cpu/vector/vec_math.h"

namespace mlx::cpu::MLX_ISA {
namespace {

using Words = Vec<uint32_t>;
constexpr int kLanes = Words::kLanes;
static_assert(kPhiloxBlocks % kLanes == 0);

// The 64-bit products of the even lanes with a number.
MLX_INLINE Native<uint64_t> multiply_even(Native<uint64_t> a, uint32_t factor) {
#if defined(__AVX512F__)
  return (Native<uint64_t>)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi32(static_cast<int>(factor)));
#elif defined(__AVX2__)
  return (Native<uint64_t>)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi32(static_cast<int>(factor)));
#elif defined(__x86_64__)
  return (Native<uint64_t>)_mm_mul_epu32((__m128i)a, _mm_set1_epi32(static_cast<int>(factor)));
#elif defined(__ARM_NEON)
  return (Native<uint64_t>)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(factor));
#else
  return (a & 0xffffffffu) * factor;
#endif
}

struct Product {
  Words high, low;
};
MLX_INLINE Product multiply(Words a, uint32_t factor) {
  const auto pairs = (Native<uint64_t>)a.v;
  const Native<uint64_t> even = multiply_even(pairs, factor), odd = multiply_even(pairs >> 32, factor);
  const Native<uint64_t> low_half = (Native<uint64_t>{} + 0xffffffffu);
  return {Words((Native<uint32_t>)((even >> 32) | (odd & ~low_half))),
          Words((Native<uint32_t>)((even & low_half) | (odd << 32)))};
}

struct Block {
  Words words[4];
};

// The blocks number `at` ... `at` + kLanes - 1 of the stream with this seed.
MLX_INLINE Block philox_blocks(uint64_t seed, uint64_t at) {
  Native<uint32_t> lane{};
  for (int i = 0; i < kLanes; ++i) lane[i] = static_cast<uint32_t>(i);
  const Words low = Words(lane) + Words(static_cast<uint32_t>(at));
  // The high word grows by one in the lanes whose low word wrapped around.
  const Words carry = select(low < Words(static_cast<uint32_t>(at)), Words(1u), Words(0u));
  Words x0 = low, x1 = Words(static_cast<uint32_t>(at >> 32)) + carry, x2(0u), x3(0u);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Product a = multiply(x0, 0xd2511f53u), b = multiply(x2, 0xcd9e8d57u);
    x0 = b.high ^ x1 ^ Words(k0);
    x2 = a.high ^ x3 ^ Words(k1);
    x1 = b.low;
    x3 = a.low;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  return {{x0, x1, x2, x3}};
}

// Calls f(blocks, offset of their lanes within the group, group) for all blocks of the groups.
template <class F>
MLX_INLINE void for_blocks(Stream s, int64_t first, int64_t groups, F f) {
  for (int64_t g = 0; g < groups; ++g)
    for (int b = 0; b < kPhiloxBlocks; b += kLanes)
      f(philox_blocks(s.seed, s.position + static_cast<uint64_t>((first + g) * kPhiloxBlocks + b)), b, g);
}

// 24 bits as a float in [0, 1).
MLX_INLINE Vec<float> unit(Words w) { return convert<float>(bit_cast<int32_t>(w >> Words(8u))) * 0x1p-24f; }

void words(Stream s, int64_t first, int64_t groups, uint32_t* out) {
  for_blocks(s, first, groups, [&](const Block& block, int b, int64_t g) {
    for (int w = 0; w < 4; ++w) block.words[w].store(out + g * kPhiloxGroup + w * kPhiloxBlocks + b);
  });
}

void uniform(Stream s, int64_t first, int64_t groups, float* out) {
  for_blocks(s, first, groups, [&](const Block& block, int b, int64_t g) {
    for (int w = 0; w < 4; ++w) unit(block.words[w]).store(out + g * kPhiloxGroup + w * kPhiloxBlocks + b);
  });
}

// sin and cos of 2 pi x for x in [0, 1): reduced to an eighth of a turn, where short polynomials do.
struct Turn {
  Vec<float> sine, cosine;
};
MLX_INLINE Turn sin_cos_turns(Vec<float> x) {
  // Taylor series in (pi / 2) r for |r| <= 1 / 2, exact to the last bit of a float there.
  static constexpr float kSine[] = {1.57079632679f, -0.645964097506f, 0.0796926262461f, -0.00468175413532f,
                                    0.000160441184787f};
  static constexpr float kCosine[] = {
      1.0f, -1.23370055014f, 0.253669507901f, -0.0208634807634f, 0.000919260274839f, -0.0000252020423731f};
  const Vec<float> quarters = x * 4, n = round_small(quarters), r = quarters - n;
  const Vec<float> z = r * r;
  const Vec<float> s = r * polynomial(z, kSine), c = polynomial(z, kCosine);
  const Vec<int32_t> quadrant = convert<int32_t>(n);
  const Mask<float> odd = mask_cast<float>((quadrant & Vec<int32_t>(1)) == Vec<int32_t>(1));
  const Vec<float> sine = select(odd, c, s), cosine = select(odd, s, c);
  const Vec<int32_t> sine_sign = (quadrant & Vec<int32_t>(2)) << Vec<int32_t>(30);
  const Vec<int32_t> cosine_sign = ((quadrant + Vec<int32_t>(1)) & Vec<int32_t>(2)) << Vec<int32_t>(30);
  return {bit_cast<float>(bit_cast<int32_t>(sine) ^ sine_sign),
          bit_cast<float>(bit_cast<int32_t>(cosine) ^ cosine_sign)};
}

// Two normal numbers of two uniform ones (Box and Muller, 1958).
void normal(Stream s, int64_t first, int64_t groups, float mean, float deviation, float* out) {
  const Vec<float> m(mean), d(deviation);
  for_blocks(s, first, groups, [&](const Block& block, int b, int64_t g) {
    float* to = out + g * kPhiloxGroup + b;
    for (int pair = 0; pair < 4; pair += 2) {
      // In (0, 1], with 32 bits below 2^-8, so that the tails reach beyond six deviations.
      const Vec<float> u =
          convert<float>(bit_cast<int32_t>(block.words[pair] >> Words(1u))) * 0x1p-31f + 0x1p-32f;
      const Vec<float> radius = sqrt(log(u) * -2.0f) * d;
      const Turn turn = sin_cos_turns(unit(block.words[pair + 1]));
      fma(radius, turn.cosine, m).store(to + pair * kPhiloxBlocks);
      fma(radius, turn.sine, m).store(to + (pair + 1) * kPhiloxBlocks);
    }
  });
}

// 53 bits of two words as a double in [0, 1).
void uniform_double(Stream s, int64_t first, int64_t groups, double* out) {
  for_blocks(s, first, groups, [&](const Block& block, int b, int64_t g) {
    for (int pair = 0; pair < 2; ++pair)
      for (int i = 0; i < kLanes; ++i) {
        const uint64_t bits =
            static_cast<uint64_t>(block.words[2 * pair][i]) << 32 | block.words[2 * pair + 1][i];
        out[g * (kPhiloxGroup / 2) + pair * kPhiloxBlocks + b + i] =
            static_cast<double>(bits >> 11) * 0x1p-53;
      }
  });
}

void dropout(Stream s, int64_t first, int64_t groups, uint32_t threshold, float scale, const float* in,
             float* out) {
  const Words least(threshold);
  const Vec<float> by(scale), zero(0.0f);
  for_blocks(s, first, groups, [&](const Block& block, int b, int64_t g) {
    for (int w = 0; w < 4; ++w) {
      const int64_t at = g * kPhiloxGroup + w * kPhiloxBlocks + b;
      select(mask_cast<float>(block.words[w] >= least), Vec<float>::load(in + at) * by, zero).store(out + at);
    }
  });
}

}  // namespace

extern const PhiloxKernels philox;
const PhiloxKernels philox = {words, uniform, normal, uniform_double, dropout};

}  // namespace mlx::cpu::MLX_ISA

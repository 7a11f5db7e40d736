// Random numbers: Philox 4x32-10 (Salmon et al., 2011), a thread a block. The numbers are those of the CPU: of
// each group of 16 blocks, the 64 words are first the blocks' words 0, then their words 1, 2 and 3.
//
// OUT: the elements' type; WIDE, if defined: integers of more than 32 bits, of two words each.
#include "functions.metal"

constant constexpr uint kBlocks = 16;

struct Drawing {
  ulong seed, position, count;
  float a, b;
  uint distribution;  // as in cpp/backends/kernels.h
  uint threshold;     // of dropout
  long low;
  ulong range;
  Dims out, in;
};

inline uint4 philox(ulong seed, ulong position) {
  uint4 x = uint4(uint(position), uint(position >> 32), 0, 0);
  uint2 key = uint2(uint(seed), uint(seed >> 32));
  for (uint round = 0; round < 10; ++round) {
    const ulong a = ulong(x.x) * 0xd2511f53u, b = ulong(x.z) * 0xcd9e8d57u;
    x = uint4(uint(b >> 32) ^ x.y ^ key.x, uint(b), uint(a >> 32) ^ x.w ^ key.y, uint(a));
    key += uint2(0x9e3779b9u, 0xbb67ae85u);
  }
  return x;
}

// 24 bits as a float in [0, 1).
inline float unit(uint word) { return float(word >> 8) * 0x1p-24f; }

// Two normal numbers of two words (Box and Muller, 1958). The angle is reduced to an eighth of a turn, where
// Taylor's series are exact to the last bit of a float.
inline float2 normal_pair(uint first, uint second, float mean, float deviation) {
  const float u = float(first >> 1) * 0x1p-31f + 0x1p-32f;
  const float radius = sqrt(log(u) * -2.0f) * deviation;
  const float quarters = unit(second) * 4, n = rint(quarters), r = quarters - n, z = r * r;
  float s = 0.000160441184787f;
  s = s * z - 0.00468175413532f;
  s = s * z + 0.0796926262461f;
  s = s * z - 0.645964097506f;
  s = (s * z + 1.57079632679f) * r;
  float c = -0.0000252020423731f;
  c = c * z + 0.000919260274839f;
  c = c * z - 0.0208634807634f;
  c = c * z + 0.253669507901f;
  c = c * z - 1.23370055014f;
  c = c * z + 1.0f;
  const int quadrant = int(n);
  float sine = (quadrant & 1) ? c : s, cosine = (quadrant & 1) ? s : c;
  if (quadrant & 2) sine = -sine;
  if ((quadrant + 1) & 2) cosine = -cosine;
  return float2(fma(radius, cosine, mean), fma(radius, sine, mean));
}

// The narrow types hold fewer bits than a float has, and rounding up would reach the end of the interval.
template <typename T>
struct Steps {
  static float cut(float x) { return x; }
};
template <>
struct Steps<half> {
  static float cut(float x) { return floor(x * 2048.0f) / 2048.0f; }
};
template <>
struct Steps<bfloat> {
  static float cut(float x) { return floor(x * 256.0f) / 256.0f; }
};

// A share x of the interval [a, b), rounded as on the CPU: after the product, and after the sum. The end is
// excluded even where rounding would reach it.
inline float within(float x, float a, float b) {
#pragma clang fp contract(off)
  if (a == 0 && b == 1) return x;
  const float part = x * (b - a), last = b > a ? mlx::nextafter(b, a) : a;
  return min(part + a, last);
}

enum : uint { kUniform, kNormal, kLogNormal, kExponential, kCauchy, kGeometric, kBernoulli };

inline float4 sample(uint4 words, constant Drawing& d) {
  float4 y;
  if (d.distribution == kNormal || d.distribution == kLogNormal) {
    y.xy = normal_pair(words.x, words.y, d.a, d.b);
    y.zw = normal_pair(words.z, words.w, d.a, d.b);
    if (d.distribution == kLogNormal)
      for (uint k = 0; k < 4; ++k) y[k] = exp(y[k]);
    return y;
  }
  for (uint k = 0; k < 4; ++k) {
    const float u = unit(words[k]);
    if (d.distribution == kUniform) {
      y[k] = within(Steps<OUT>::cut(u), d.a, d.b);
    } else if (d.distribution == kExponential) {
      y[k] = max(-mlx::log1p(-u), 0x1p-126f) / d.a;
    } else if (d.distribution == kCauchy) {
      y[k] = d.a + d.b * tan(3.14159265f * (u - 0.5f));
    } else {
      y[k] = u < d.a ? 1.0f : 0.0f;
    }
  }
  return y;
}

kernel void random_floats(device Memory<OUT>* out [[buffer(0)]], constant Drawing& d [[buffer(1)]],
                          uint block [[thread_position_in_grid]]) {
  const ulong first = ulong(block / kBlocks) * (4 * kBlocks) + block % kBlocks;
  if (first >= d.count) return;
  const float4 y = sample(philox(d.seed, d.position + block), d);
  for (uint k = 0; k < 4; ++k) {
    const ulong i = first + k * kBlocks;
    if (i < d.count) out[offset_of(d.out, i)] = stored<OUT>(y[k]);
  }
}

// The high half of a product.
inline ulong high_product(ulong a, ulong b) {
  const ulong a0 = a & 0xffffffffu, a1 = a >> 32, b0 = b & 0xffffffffu, b1 = b >> 32;
  const ulong low = a0 * b0, middle = a1 * b0 + (low >> 32), other = a0 * b1 + (middle & 0xffffffffu);
  return a1 * b1 + (middle >> 32) + (other >> 32);
}

// `range` numbers from `low` on, by the high part of a product (Lemire, 2019).
kernel void random_integers(device Memory<OUT>* out [[buffer(0)]], constant Drawing& d [[buffer(1)]],
                            uint block [[thread_position_in_grid]]) {
  const uint4 words = philox(d.seed, d.position + block);
#ifdef WIDE
  const ulong first = ulong(block / kBlocks) * (2 * kBlocks) + block % kBlocks;
  for (uint k = 0; k < 2; ++k) {
    const ulong i = first + k * kBlocks;
    const ulong word = ulong(words[2 * k]) << 32 | words[2 * k + 1];
    const long y = long(ulong(d.low) + (d.range ? high_product(word, d.range) : word));
    if (i < d.count) out[offset_of(d.out, i)] = stored<OUT>(y);
  }
#else
  const ulong first = ulong(block / kBlocks) * (4 * kBlocks) + block % kBlocks;
  for (uint k = 0; k < 4; ++k) {
    const ulong i = first + k * kBlocks;
    const long y = d.low + long((ulong(words[k]) * d.range) >> 32);
    if (i < d.count) out[offset_of(d.out, i)] = stored<OUT>(y);
  }
#endif
}

// An element stays, scaled by `a`, where its word is at least the threshold.
inline float scaled(float x, float by) { return x * by; }
inline complex64 scaled(complex64 x, float by) { return complex64(x.re * by, x.im * by); }
kernel void dropout(device Memory<OUT>* out [[buffer(0)]], constant Drawing& d [[buffer(1)]],
                    device const Memory<OUT>* in [[buffer(2)]], uint block [[thread_position_in_grid]]) {
  const ulong first = ulong(block / kBlocks) * (4 * kBlocks) + block % kBlocks;
  if (first >= d.count) return;
  const uint4 words = philox(d.seed, d.position + block);
  for (uint k = 0; k < 4; ++k) {
    const ulong i = first + k * kBlocks;
    if (i >= d.count) continue;
    const COMPUTE x = convert<COMPUTE>(in[offset_of(d.in, i)]);
    out[offset_of(d.out, i)] =
        stored<OUT>(words[k] >= d.threshold ? scaled(x, d.a) : convert<COMPUTE>(0.0f));
  }
}

// Random numbers. What may raise an error (probabilities that are tensors), what needs doubles and what draws
// one number after the other is the CPU's.

#include <algorithm>

#include "backends/gpu/dims.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

constexpr uint32_t kThreads = 256;
// A group of blocks makes so many words (see metal/random.metal).
constexpr int64_t kBlocks = 16, kWords = 64;

// As in the kernels' text.
struct Drawing {
  uint64_t seed, position, count;
  float a = 0, b = 0;
  uint32_t distribution = 0, threshold = 0;
  int64_t low = 0;
  uint64_t range = 0;
  Dims out, in;

  template <class K>
  Drawing(const K& k, const Tensor& result)
      : seed(k.seed), position(k.position), count(static_cast<uint64_t>(result.numel())) {}
};

// A thread a block, of whole groups of blocks.
Size blocks_for(int64_t elements, int64_t per_group) {
  return groups_of(ceil_div(elements, per_group) * kBlocks, kThreads);
}

bool random(const Random& k, const Launch& launch, Runtime& runtime) {
  const Tensor& out = launch.out();
  const bool integers = k.distribution == Distribution::Integer;
  if (!has_type(out.dtype()) || out.is_complex() || k.distribution == Distribution::Geometric) return false;
  Drawing d(k, out);
  if (!d.out.assign(out.shape(), out.strides()) || out.numel() > UINT32_MAX) return false;
  d.a = static_cast<float>(k.a);
  d.b = static_cast<float>(k.b);
  d.distribution = static_cast<uint32_t>(k.distribution);
  d.low = k.low;
  d.range = k.range;
  const bool wide = integers && (k.range == 0 || k.range > (uint64_t{1} << 32));
  run(runtime, launch,
      kernel(runtime, "random", integers ? "random_integers" : "random_floats",
             {{"OUT", type_text(out.dtype())}, {"COMPUTE", "float"}, {wide ? "WIDE" : "NARROW", "1"}}),
      {write(out), bytes(d)}, blocks_for(out.numel(), wide ? kWords / 2 : kWords), {kThreads});
  return true;
}

bool dropout(const RandomDropout& k, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  if (!has_type(out.dtype()) || in.dtype() != out.dtype() || out.numel() > UINT32_MAX) return false;
  Drawing d(k, out);
  if (!d.out.assign(out.shape(), out.strides()) ||
      !d.in.assign(out.shape(), broadcast_strides(in, out.shape())))
    return false;
  // The probability as a share of the 2^32 words; 1 drops all of them through the scale.
  d.threshold = static_cast<uint32_t>(std::min(k.p * 0x1p32, 4294967295.0));
  d.a = k.p >= 1 ? 0.0f : static_cast<float>(1 / (1 - k.p));
  run(runtime, launch,
      kernel(runtime, "random", "dropout",
             {{"OUT", type_text(out.dtype())},
              {"COMPUTE", out.is_complex() ? "complex64" : "float"},
              {"NARROW", "1"}}),
      {write(out), bytes(d), read(in)}, blocks_for(out.numel(), kWords), {kThreads});
  return true;
}

GPU_KERNEL(Random, random);
GPU_KERNEL(RandomDropout, dropout);

}  // namespace
}  // namespace mlx::gpu

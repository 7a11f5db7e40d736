// Sequences, evenly spaced numbers, triangles.

#include <bit>

#include "backends/gpu/dims.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

constexpr uint32_t kThreads = 256;

// As in the kernels' text.
struct Long {
  float high = 0, low = 0;
  Long() = default;
  explicit Long(double x) : high(static_cast<float>(x)), low(static_cast<float>(x - high)) {}
};
struct Progression {
  uint64_t count, turn;
  int64_t stride, first = 0, by = 0;
  Long start, end, step;
};
struct Triangular {
  uint64_t count;
  uint32_t rows, columns, upper;
  int64_t diagonal;
  Dims in, out;
};

bool is_finite(double x) { return x - x == 0; }

// Counts in two floats a number; what does not fit them is the CPU's.
bool run_progression(const Launch& launch, Runtime& runtime, const char* function, const Progression& p) {
  const Tensor& out = launch.out();
  if (!has_type(out.dtype()) || out.is_complex() || out.numel() > INT32_MAX) return false;
  for (const Long& x : {p.start, p.end, p.step})
    if (!is_finite(x.high)) return false;
  run(runtime, launch, kernel(runtime, "patterns", function, {{"OUT", type_text(out.dtype())}}),
      {write(out), bytes(p)}, groups_of(out.numel(), kThreads), {kThreads});
  return true;
}

bool sequence(const Sequence& k, const Launch& launch, Runtime& runtime) {
  const Tensor& out = launch.out();
  const auto count = static_cast<uint64_t>(out.numel());
  Progression p{count, count, out.dim() ? out.stride(0) : 1};
  if (k.start.is_integral() && k.step.is_integral()) {
    p.first = k.start.to_int();
    p.by = k.step.to_int();
    return run_progression(launch, runtime, "count_up", p);
  }
  if (!out.is_floating()) return false;
  p.start = Long(k.start.to_double());
  p.step = Long(k.step.to_double());
  return run_progression(launch, runtime, "progress", p);
}

bool spaced(const Spaced& k, const Launch& launch, Runtime& runtime) {
  const Tensor& out = launch.out();
  if (k.powers || !out.is_floating()) return false;
  const int64_t steps = out.numel();
  const double start = k.start.to_double(), end = k.end.to_double();
  Progression p{static_cast<uint64_t>(steps), static_cast<uint64_t>(steps == 1 ? 1 : steps / 2), out.stride(0)};
  p.start = Long(start);
  p.end = Long(end);
  p.step = Long(steps > 1 ? (end - start) / static_cast<double>(steps - 1) : 0);
  return run_progression(launch, runtime, "progress", p);
}

bool triangle(const Triangle& k, const Launch& launch, Runtime& runtime) {
  const Tensor &in = launch.in(0), &out = launch.out();
  if (out.numel() > INT32_MAX || out.item_size() > 8) return false;
  Triangular t{static_cast<uint64_t>(out.numel()), static_cast<uint32_t>(out.size(-2)),
               static_cast<uint32_t>(out.size(-1)), k.upper, k.diagonal, {}, {}};
  if (!t.in.assign(out.shape(), in.strides()) || !t.out.assign(out.shape(), out.strides())) return false;
  const char* words[] = {"uchar", "ushort", "uint", "ulong"};
  const char* word = words[std::bit_width(out.item_size()) - 1];
  run(runtime, launch, kernel(runtime, "patterns", "triangle", {{"OUT", word}}),
      {read(in), write(out), bytes(t)}, groups_of(out.numel(), kThreads), {kThreads});
  return true;
}

GPU_KERNEL(Sequence, sequence);
GPU_KERNEL(Spaced, spaced);
GPU_KERNEL(Triangle, triangle);

}  // namespace
}  // namespace mlx::gpu

// Pointwise kernels: tiles of the operands, one vector kernel, a tile of the result.

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"
#include "backends/cpu/vector_kernels.h"
#include "backends/fused.h"

namespace mlx::cpu {
namespace {

constexpr int kMaxArguments = 8;
constexpr int64_t kGrain = 32 * kTile;

bool divides(Formula f) {
  return f == Formula::div_trunc || f == Formula::div_floor || f == Formula::fmod || f == Formula::remainder;
}

void refuse_zero(const void* divisor, DType compute, int64_t n) {
  visit_compute(compute, [&](auto zero) {
    using T = decltype(zero);
    if constexpr (std::is_integral_v<T>) {
      const T* p = static_cast<const T*>(divisor);
      if (std::find(p, p + n, T(0)) != p + n)
        throw RuntimeError("ZeroDivisionError: integer division or modulo by zero");
    }
  });
}

// The number `value`, repeated, as an argument of the kernel.
struct ParamTile {
  alignas(64) char data[kTile * kMaxItem];
  void fill(const Scalar& value, DType compute, int64_t n) {
    visit_compute(compute, [&](auto zero) {
      using T = decltype(zero);
      std::fill_n(reinterpret_cast<T*>(data), n, value.to<T>());
    });
  }
};

// Operands that need no tiles: contiguous, of the compute type, all of the output's shape.
bool all_direct(const Pointwise& k, const Launch& launch, DType result) {
  const Tensor& out = launch.out();
  if (k.param_count || !out.is_contiguous() || out.dtype() != result) return false;
  for (const Tensor* t : launch.inputs)
    if (t->dtype() != k.compute || !t->is_contiguous() || t->numel() != out.numel()) return false;
  return true;
}

void run_direct(const Pointwise& k, const Launch& launch, PointwiseKernel kernel) {
  const Tensor& out = launch.out();
  const int64_t in_size = static_cast<int64_t>(item_size(k.compute)),
                out_size = static_cast<int64_t>(out.item_size());
  parallel_for(0, out.numel(), kGrain, [&](int64_t begin, int64_t end) {
    const void* inputs[kMaxArguments];
    for (size_t i = 0; i < launch.inputs.size(); ++i)
      inputs[i] = static_cast<char*>(launch.in(i).raw()) + begin * in_size;
    kernel(inputs, static_cast<char*>(out.raw()) + begin * out_size, end - begin);
  });
}

template <size_t... I>
void run_tiles(const Pointwise& k, const std::vector<Layout>& layouts, const Layout& out, DType result,
               PointwiseKernel kernel, int64_t total, bool check_divisor, std::index_sequence<I...>) {
  constexpr size_t count = sizeof...(I);
  TileCuts cuts;
  for (const Layout& l : layouts) cuts.add(l);
  cuts.add(out);
  parallel_for(0, total, kGrain, [&](int64_t begin, int64_t end) {
    TileReader readers[count] = {TileReader(layouts[I], k.compute)...};
    TileWriter writer(out, result);
    ParamTile params[kMaxParams];
    const void* arguments[kMaxArguments];
    for (int p = 0; p < k.param_count; ++p) {
      params[p].fill(k.params[p], k.compute, std::min(kTile, end - begin));
      arguments[count + static_cast<size_t>(p)] = params[p].data;
    }
    for (int64_t at = begin, n = 0; at < end; at += n) {
      n = cuts.length(at, end);
      ((arguments[I] = readers[I].read(at, n)), ...);
      if (check_divisor) refuse_zero(arguments[1], k.compute, n);
      kernel(arguments, writer.target(at, n), n);
      writer.done(at, n);
    }
  });
}

void pointwise(const Pointwise& k, const Launch& launch) {
  const Tensor& out = launch.out();
  const PointwiseEntry& entry = vector_kernels().pointwise(k.formula, compute_index(k.compute));
  if (!entry.kernel)
    throw NotImplementedError(name(k.formula), "(): not implemented for tensors of ",
                              name(launch.in(0).dtype()));
  const DType result = result_type(entry.result, k.compute);
  bool check_divisor = is_integral(k.compute) && divides(k.formula);
  if (!check_divisor && all_direct(k, launch, result)) return run_direct(k, launch, entry.kernel);

  std::vector<Layout> layouts;
  for (const Tensor* t : launch.inputs) layouts.emplace_back(*t, out.shape());
  Layout target(out, out.shape());
  auto run = [&](auto count) {
    run_tiles(k, layouts, target, result, entry.kernel, out.numel(), check_divisor, count);
  };
  switch (launch.inputs.size()) {
    case 1:
      return run(std::make_index_sequence<1>());
    case 2:
      return run(std::make_index_sequence<2>());
    case 3:
      return run(std::make_index_sequence<3>());
    default:
      return run(std::make_index_sequence<4>());
  }
}

CPU_KERNEL(Pointwise, pointwise);

}  // namespace
}  // namespace mlx::cpu

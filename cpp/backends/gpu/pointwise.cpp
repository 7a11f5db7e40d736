// Pointwise kernels, copies and fills.

#include <cstring>

#include "backends/fused.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

// A division of integers by zero is an error that is raised at once, so the CPU does it.
bool may_raise(const Pointwise& k) {
  const Formula f = k.formula;
  return !is_inexact(k.compute) && (f == Formula::div_trunc || f == Formula::div_floor ||
                                    f == Formula::fmod || f == Formula::remainder);
}

bool pointwise(const Pointwise& k, const Launch& launch, Runtime& runtime) {
  if (may_raise(k)) return false;
  const FormulaText& formula = formula_text(k.formula, k.compute);
  if (formula.text.empty()) return false;
  const DType compute = k.compute == DType::Bool ? DType::UInt8 : k.compute;
  const Tensor& out = launch.out();
  Elementwise kernel(runtime, name(k.formula), out.shape());
  for (const Tensor* t : launch.inputs) kernel.input(*t, compute);
  for (int i = 0; i < k.param_count; ++i) kernel.value(k.params[i], compute);
  kernel.output(out, out.strides(), result_type(formula.result, compute));
  return kernel.run(name(k.formula), [&] {
    std::string list;
    for (size_t i = 0; i < launch.inputs.size() + k.param_count; ++i) list += str(i ? ", x" : "x", i);
    return Arithmetic{formula.text, str("    const auto y0 = formula_", name(k.formula), "(", list, ");\n")};
  });
}

bool copy(const Copy&, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  Elementwise kernel(runtime, "copy", out.shape());
  kernel.input(in, in.dtype());
  kernel.output(out, out.strides(), in.dtype());
  return kernel.run("copy", [] { return Arithmetic{"", "    const auto y0 = x0;\n"}; });
}

// The host's memory is read by the host, but for a number, which travels with the command.
bool transfer(const Transfer&, const Launch& launch, Runtime& runtime) {
  return launch.in(0).numel() == 1 && copy({}, launch, runtime);
}

bool fill(const Fill& k, const Launch& launch, Runtime& runtime) {
  const Tensor& out = launch.out();
  if (!has_type(out.dtype())) return false;
  Elementwise kernel(runtime, "fill", out.shape());
  kernel.value(visit(out.dtype(),
                     [&](auto zero) {
                       std::memcpy(&zero, k.bits, sizeof zero);
                       return Scalar(zero);
                     }),
               out.dtype());
  kernel.output(out, out.strides(), out.dtype());
  return kernel.run("copy", [] { return Arithmetic{"", "    const auto y0 = x0;\n"}; });
}

GPU_KERNEL(Pointwise, pointwise);
GPU_KERNEL(Copy, copy);
GPU_KERNEL(Transfer, transfer);
GPU_KERNEL(Fill, fill);

}  // namespace
}  // namespace mlx::gpu

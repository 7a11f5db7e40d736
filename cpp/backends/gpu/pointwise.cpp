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

// What the host holds, in memory of the device's that no queued work knows; undefined if there is none to be
// had.
Tensor staged(const Tensor& in, Device device, Runtime& runtime) {
  const size_t bytes = static_cast<size_t>(in.numel()) * item_size(in.dtype());
  void* memory = runtime.acquire(bytes);
  if (!memory) return {};
  const Tensor copy = tensor_over(
      Storage::adopt(memory, bytes, device, [&runtime, memory, bytes] { runtime.release(memory, bytes); }),
      in.shape(), contiguous_strides(in.shape()), 0, in.dtype());
  const Tensor *to = &copy, *from = &in;
  const Transfer transfer;
  backend(DeviceType::CPU).run({kernel_number<Transfer>(), &transfer, sizeof transfer, {&to, 1}, {&from, 1}});
  return copy;
}

// A number of the host's travels with the command. Other elements the host writes itself, if it may do so at
// once: where queued work uses the result's memory, as it is when a batch of a data set takes the place of
// the one before, a kernel copies them in its turn, and nobody waits.
bool transfer(const Transfer&, const Launch& launch, Runtime& runtime) {
  const Tensor &out = launch.out(), &in = launch.in(0);
  if (in.numel() == 1) return copy({}, launch, runtime);
  if (in.device().type != DeviceType::CPU || !has_type(in.dtype()) || !has_type(out.dtype()) ||
      !runtime.is_busy(out.raw()))
    return false;
  const Tensor here = staged(in, out.device(), runtime);
  if (!here.defined()) return false;
  const Tensor* from = &here;
  return copy({}, {launch.kernel, launch.params, launch.params_size, launch.outputs, {&from, 1}}, runtime);
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

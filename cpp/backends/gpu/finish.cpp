#include "backends/gpu/finish.h"

#include "backends/gpu/fused_text.h"

namespace mlx::gpu {
namespace {

// The operand's elements, in the same order, as a tensor of another shape; a copy if no strides do that.
Tensor reshaped(const Tensor& t, const Shape& shape) {
  if (t.shape() == shape) return t;
  Shape strides;
  if (view_strides(t.shape(), t.strides(), shape, strides)) return view_of(t, shape, strides, t.offset());
  const Tensor copy = allocate(t.shape(), t.dtype(), t.device());
  const Tensor *outputs[] = {&copy}, *inputs[] = {&t};
  constexpr Copy kCopy;
  backend(t.device().type).run({kernel_number<Copy>(), &kCopy, sizeof kCopy, outputs, inputs});
  return view_of(copy, shape, contiguous_strides(shape), 0);
}

bool run_rounded(const Head& head, const char* op, const Tensor& out, const Tensor* addend,
                 const Shape& addend_strides, Runtime& runtime) {
  const DType sum = is_floating(out.dtype()) ? DType::Float32 : out.dtype();
  Elementwise kernel(runtime, op, out.shape());
  kernel.computed(sum);
  if (addend) kernel.input(*addend, addend_strides, sum);
  kernel.output(out, out.strides(), sum);
  return kernel.finish(head, addend ? "plus" : "rounded", [&] {
    return Arithmetic{"", addend ? "    const auto y0 = x0 + x1;\n" : "    const auto y0 = x0;\n"};
  });
}

}  // namespace

ProgramOperands::ProgramOperands(Elementwise& kernel, const FusedProgram& p,
                                 std::span<const Tensor* const> inputs,
                                 std::span<const Tensor* const> outputs, const Shape& shape, bool computed) {
  operands_.reserve(p.inputs.size() + p.stores.size());
  if (computed) kernel.computed(p.inputs[0]);
  for (size_t i = computed; i < p.inputs.size(); ++i) {
    const Tensor& t = *inputs[i - computed];
    operands_.push_back(t.device().type == DeviceType::CPU ? t : reshaped(t, shape));
    kernel.input(operands_.back(), operands_.back().strides(), p.inputs[i]);
  }
  for (const auto& c : p.constants) kernel.value(c.value, c.type);
  for (const auto& s : p.stores) {
    operands_.push_back(reshaped(*outputs[s.output], shape));
    kernel.output(operands_.back(), operands_.back().strides(), s.type);
  }
}

bool run_product(const Head& head, const Launch& launch, const Tensor* addend, const Shape& addend_strides,
                 Runtime& runtime) {
  return run_rounded(head, kernel_name(launch.kernel), launch.out(), addend, addend_strides, runtime);
}

bool run_product(const Head& head, const Launch& launch, const FusedProgram& p, Runtime& runtime) {
  const char* op = kernel_name(launch.kernel);
  const auto others = launch.inputs.subspan(2);
  if (can_be_written(p)) {
    Elementwise kernel(runtime, op, p.shape);
    const ProgramOperands operands(kernel, p, others, launch.outputs, p.shape, true);
    if (kernel.finish(head, name_of(p), [&] { return arithmetic_of(p); })) return true;
  }
  // More operands than a kernel takes, or a function that it lacks: one after the other.
  const Tensor product = allocate(p.shape, p.inputs[0], launch.out().device());
  if (!run_rounded(head, op, product, nullptr, {}, runtime)) return false;
  std::vector<const Tensor*> inputs{&product};
  inputs.insert(inputs.end(), others.begin(), others.end());
  const Fused program{&p};
  backend(product.device().type)
      .run({kernel_number<Fused>(), &program, sizeof program, launch.outputs, inputs});
  return true;
}

}  // namespace mlx::gpu

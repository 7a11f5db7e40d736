// Programs of the compiler: each becomes the text of one kernel, or of the last part of a product's.

#include "backends/gpu/finish.h"
#include "backends/gpu/fused_text.h"

namespace mlx::gpu {
namespace {

// Runs the program over elements of this shape; `value`, if there is one, takes what a reduction will read.
bool run_program(const FusedProgram& p, const Launch& launch, const Shape& shape, const Tensor* value,
                 DType value_type, Runtime& runtime) {
  if (!can_be_written(p)) return false;
  Elementwise kernel(runtime, "fused", shape);
  const ProgramOperands operands(kernel, p, launch.inputs, launch.outputs, shape);
  if (value) kernel.output(*value, value->strides(), value_type);
  return kernel.run(name_of(p), [&] { return arithmetic_of(p); });
}

bool fused(const Fused& k, const Launch& launch, Runtime& runtime) {
  return run_program(*k.program, launch, launch.out().shape(), nullptr, {}, runtime);
}

// The type of the value that a reduction reads: that of the last step that wrote its register.
DType value_type(const FusedProgram& p) {
  DType type = DType::Float32;
  const size_t inputs = p.inputs.size(), at = static_cast<size_t>(p.value);
  if (at < inputs)
    type = p.inputs[at];
  else if (at < inputs + p.constants.size())
    type = p.constants[at - inputs].type;
  for (const auto& s : p.steps)
    if (s.result == p.value) type = s.to;
  return type;
}

// The output that holds what the reduction reads, if there is one.
const Tensor* stored_value(const FusedProgram& p, const Launch& launch, DType type) {
  for (const FusedProgram::Store& s : p.stores)
    if (s.from == p.value && s.type == type) return &launch.out(s.output);
  return nullptr;
}

// A program, then a reduction of what it computed.
bool fused_reduce(const FusedReduce& k, const Launch& launch, Runtime& runtime) {
  const FusedProgram& p = *k.program;
  const DType type = value_type(p);
  const Shape& shape = p.inputs.empty() ? p.shape : launch.in(0).shape();
  if (!has_type(type)) return false;
  const Tensor* stored = stored_value(p, launch, type);
  const Tensor value = stored ? *stored : allocate(shape, type, launch.out().device());
  if (!run_program(p, launch, shape, stored ? nullptr : &value, type, runtime)) return false;
  const Tensor seen = view_of(value, p.shape, contiguous_strides(p.shape), value.offset());
  const Tensor *outputs[] = {&launch.out()}, *inputs[] = {&seen};
  backend(launch.out().device().type)
      .run({kernel_number<Reduce>(), &k.reduce, sizeof k.reduce, outputs, inputs});
  return true;
}

GPU_KERNEL(Fused, fused);
GPU_KERNEL(FusedReduce, fused_reduce);

}  // namespace
}  // namespace mlx::gpu

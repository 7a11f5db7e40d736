// Products that end in a program of the compiler: part by part while it is in the first-level cache where the
// product is packed here, else one after the other.

#include "backends/cpu/convolution_shapes.h"
#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/matrix_stacks.h"
#include "backends/cpu/product_endings.h"

namespace mlx::cpu {
namespace {

// Where the product can lie: in an output that takes elements of its type, when no operand of the program
// lies there too. The program then works in place.
const Tensor* room_for_product(const FusedProgram& p, const Launch& launch) {
  for (const FusedProgram::Store& s : p.stores) {
    const Tensor& out = launch.out(s.output);
    const bool shared = std::any_of(launch.inputs.begin(), launch.inputs.end(), [&](const Tensor* in) {
      return in->storage().get() == out.storage().get();
    });
    if (s.type == p.inputs[0] && !shared) return &out;
  }
  return nullptr;
}

// The same for sums in float32 of factors of that type.
const Tensor* room_for_sums(const FusedProgram& p, const Launch& launch) {
  return launch.in(0).dtype() == DType::Float32 ? room_for_product(p, launch) : nullptr;
}

template <class Product>
void multiply_and_run(const Product& product, const FusedProgram& p, const Launch& launch) {
  const Tensor* room = room_for_product(p, launch);
  const Tensor sums = room ? view_of(*room, p.shape, contiguous_strides(p.shape), room->offset())
                           : allocate(p.shape, p.inputs[0]);
  const Tensor* made[] = {&sums};
  backend(DeviceType::CPU)
      .run({kernel_number<Product>(), &product, sizeof product, made, launch.inputs.first(2)});
  std::vector<const Tensor*> inputs{&sums};
  inputs.insert(inputs.end(), launch.inputs.begin() + 2, launch.inputs.end());
  const Fused program{&p};
  backend(DeviceType::CPU).run({kernel_number<Fused>(), &program, sizeof program, launch.outputs, inputs});
}

void fused_matmul(const FusedMatMul& k, const Launch& launch) {
  const FusedProgram& p = *k.program;
  const Tensor &a = launch.in(0), &b = launch.in(1);
  if (!is_packed(a, b)) return multiply_and_run(MatMul{}, p, launch);
  const Tensor* room = room_for_sums(p, launch);
  const ProgramEnding ending(p, launch.outputs, launch.inputs.subspan(2), room);
  multiply_packed(a, b, room ? room->raw() : nullptr, &ending);
}

void fused_convolution(const FusedConvolution& k, const Launch& launch) {
  const FusedProgram& p = *k.program;
  const Tensor &a = launch.in(0), &b = launch.in(1);
  const ConvolutionShapes s = shapes_of(k.convolution, a, b, p.shape);
  const Convolution::Kind kind = k.convolution.kind;
  if (!is_packed(s, kind, a, b) || !takes_ending(s, kind)) return multiply_and_run(k.convolution, p, launch);
  const Tensor* room = room_for_sums(p, launch);
  const ProgramEnding ending(p, launch.outputs, launch.inputs.subspan(2), room);
  packed_convolution(s, kind, a, b, room ? room->raw() : nullptr, &ending);
}

CPU_KERNEL(FusedMatMul, fused_matmul);
CPU_KERNEL(FusedConvolution, fused_convolution);

}  // namespace
}  // namespace mlx::cpu

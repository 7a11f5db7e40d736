// Products that end in a program of the compiler.

#include "backends/cpu/cpu_backend.h"
#include "backends/fused.h"

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
  multiply_and_run(MatMul{}, *k.program, launch);
}

void fused_convolution(const FusedConvolution& k, const Launch& launch) {
  multiply_and_run(k.convolution, *k.program, launch);
}

CPU_KERNEL(FusedMatMul, fused_matmul);
CPU_KERNEL(FusedConvolution, fused_convolution);

}  // namespace
}  // namespace mlx::cpu

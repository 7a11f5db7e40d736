#pragma once
// How products end: what is done with their elements before these are written.

#include "backends/fused.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {

// The operands of a program, as those of a kernel over elements of `shape`, which some operation that was
// fused may have seen in another. Keeps copies alive, where strides cannot say that.
class ProgramOperands {
 public:
  // With `computed`, the program's first input is what the kernel computes, and `inputs` are the others.
  ProgramOperands(Elementwise& kernel, const FusedProgram& program, std::span<const Tensor* const> inputs,
                  std::span<const Tensor* const> outputs, const Shape& shape, bool computed = false);

 private:
  std::vector<Tensor> operands_;
};

// Queues a product whose elements are written to the launch's output; an addend, whose strides are given for
// the output's shape, is added to them before they are rounded.
bool run_product(const Head& head, const Launch& launch, const Tensor* addend, const Shape& addend_strides,
                 Runtime& runtime);

// Queues a product whose elements are the first input of the program; its others are the launch's from the
// third on.
bool run_product(const Head& head, const Launch& launch, const FusedProgram& program, Runtime& runtime);

}  // namespace mlx::gpu

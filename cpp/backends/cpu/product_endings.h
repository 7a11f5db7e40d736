#pragma once
// Endings of products: an addend, or a program of the compiler.

#include "backends/cpu/fused.h"
#include "backends/cpu/product.h"

namespace mlx::cpu {

// Adds the elements of a tensor, whose strides are given for the output's shape.
class AddendEnding : public ProductEnding {
 public:
  AddendEnding(const Tensor& addend, const Shape& shape, const Shape& strides);
  std::unique_ptr<Finish> start() const override;

 private:
  Layout layout_;
};

// The sums, rounded if the program reads them as a half type, are the program's first input; `others` are the
// rest. `room` is the output that the sums lie in, if one does.
class ProgramEnding : public ProductEnding {
 public:
  ProgramEnding(const FusedProgram& program, std::span<const Tensor* const> outputs,
                std::span<const Tensor* const> others, const Tensor* room);
  std::unique_ptr<Finish> start() const override;
  bool stores() const override { return true; }

 private:
  FusedOperands operands_;
};

}  // namespace mlx::cpu

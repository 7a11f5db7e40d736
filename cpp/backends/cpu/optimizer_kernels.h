#pragma once
// The table of optimizers' steps that are compiled once per instruction set (see formulas/optimizers.h).

#include <cstdint>

#include "backends/cpu/vector_kernels.h"
#include "formulas/optimizers.h"

namespace mlx::cpu {

// Takes one step with n elements of a parameter, its gradient and its states, all contiguous arrays of
// floats or of doubles, in that order. `rule` is the rule that the kernel is compiled for.
using StepFunction = void (*)(const void* rule, void* const* tensors, int64_t n);

struct StepKernel {
  StepFunction of_floats, of_doubles;
};

struct OptimizerKernels {
  StepKernel sgd[2];         // [with momentum]
  StepKernel adam[2];        // [with the largest square so far]
  StepKernel rmsprop[2][2];  // [with momentum][centered]
  StepKernel adagrad;
};

// The table for the instruction set that vector_kernels() chose.
const OptimizerKernels& optimizer_kernels();

}  // namespace mlx::cpu

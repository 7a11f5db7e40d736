#pragma once
// Programs of the compiler as text.

#include "backends/fused.h"
#include "backends/gpu/elementwise.h"

namespace mlx::gpu {

// The program as arithmetic. The `y`s are its stores in their order, then the value that a reduction reads.
Arithmetic arithmetic_of(const FusedProgram& program);

// Whether the language has the types and the formulas.
bool can_be_written(const FusedProgram& program);

// The name under which the arithmetic is known: everything about the program but the operands' layouts.
std::string name_of(const FusedProgram& program);

}  // namespace mlx::gpu

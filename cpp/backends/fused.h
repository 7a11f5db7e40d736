#pragma once
// Chains of pointwise formulas as one kernel. The compiler builds the program; a backend runs it tile by tile
// (the CPU) or turns it into the text of a kernel (a GPU).

#include <vector>

#include "backends/kernels.h"
#include "base/small_vector.h"

namespace mlx {

// A program over registers that each hold a tile of elements. The first registers hold the inputs, the next
// ones the constants; the others are written by the steps, each again and again.
struct FusedProgram {
  struct Step {
    enum Kind : uint8_t { Apply, Convert } kind;
    Formula formula{};  // of Apply
    DType from, to;     // of the arguments and of the result
    int16_t arguments[kMaxParams + 4]{};
    uint8_t argument_count = 1;
    int16_t result = 0;
  };
  struct Constant {
    Scalar value;
    DType type;
  };
  struct Store {
    int16_t from;  // a register
    DType type;
    uint8_t output;  // which of the launch's outputs
  };

  std::vector<DType> inputs;  // the types that the inputs are read as
  std::vector<Constant> constants;
  std::vector<Step> steps;
  std::vector<Store> stores;
  int16_t registers = 0;
  int64_t elements = 0;
  // The shape in which a reduction sees the elements, or a product makes them.
  Shape shape;
  int16_t value = -1;  // the register whose elements at the end a reduction reads
};

// Every output is written from the register that the program says: element i, in row-major order, from
// elements i of the inputs, whose strides are already those of the broadcast.
struct Fused {
  static constexpr const char* name = "fused";
  const FusedProgram* program;
};

// The first output is the reduction of the program's value; the others are written as by Fused.
struct FusedReduce {
  static constexpr const char* name = "fused_reduce";
  const FusedProgram* program;
  Reduce reduce;
};

// The program, then a kernel over the rows of the matrix of its value (softmax, layer_norm): some rows at a
// time, while they are in the cache. The kernel's outputs come first. The inputs are the program's, then
// those of the kernel behind its first, which is the value.
struct FusedRows {
  static constexpr const char* name = "fused_rows";
  const FusedProgram* program;
  DType type;  // of the value
  int kernel;
  uint64_t params[2];
  int outputs;   // of the kernel
  bool by_rows;  // the kernel's other inputs have rows too; else they serve every row
};

// A product, then the program, whose first input is the product's elements: rounded to the factors' type if
// they are read as that, or the sums as they are. The inputs are the factors, then the program's others.
struct FusedMatMul {
  static constexpr const char* name = "fused_matmul";
  const FusedProgram* program;
};

// The same with a convolution that is no weight's gradient.
struct FusedConvolution {
  static constexpr const char* name = "fused_convolution";
  const FusedProgram* program;
  Convolution convolution;
};

// The type of what a formula makes of operands of the compute type `compute`.
inline DType result_type(Result result, DType compute) {
  switch (result) {
    case Result::Same:
      return compute;
    case Result::Bool:
      return DType::Bool;
    case Result::Real:
      return to_real(compute);
    case Result::Complex:
      break;
  }
  return to_complex(compute);
}

}  // namespace mlx

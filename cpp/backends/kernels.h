#pragma once
// The kernels that ops launch: one small struct each, holding the parameters. Outputs and
// inputs are listed beside it. A kernel accepts any strides unless it says otherwise; outputs
// are already of the right shape and dtype.

#include "base/scalar.h"
#include "formulas/formula.h"

namespace mlx {

inline constexpr int kMaxParams = 4;

// out = formula(in..., params...), element by element. Inputs broadcast to out's shape and are
// converted to the compute type `compute`; the result is converted to out's dtype.
struct Pointwise {
  static constexpr const char* name = "pointwise";
  Formula formula;
  DType compute;
  uint8_t param_count;
  Scalar params[kMaxParams];
};

// out = in, converted to out's dtype and broadcast to its shape.
struct Copy {
  static constexpr const char* name = "copy";
};

// out = value in every element (one element of out's dtype, as bits).
struct Fill {
  static constexpr const char* name = "fill";
  unsigned char bits[16];
};

// out[i] = start + i * step.
struct Sequence {
  static constexpr const char* name = "sequence";
  Scalar start, step;
};

enum class Reduction : uint8_t { Sum, Prod, Max, Min, Any, All };

// out = in reduced over the dimensions in which out has size 1 (and in has not). Sum and Prod run in
// out's dtype, which is in's; Any and All write 0 and 1. Max and Min pass NaN on.
struct Reduce {
  static constexpr const char* name = "reduce";
  Reduction kind;
};

// out = a @ b for matrices (m, k) and (k, n), or for stacks of them with equal leading dimensions.
struct MatMul {
  static constexpr const char* name = "matmul";
};

}  // namespace mlx

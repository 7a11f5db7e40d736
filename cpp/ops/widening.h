#pragma once
// Half types are for keeping numbers, not for computing them: an op of several steps takes its steps in the
// type that kernels compute in (float32), and rounds once at the end.

#include "ops.h"

namespace mlx {

inline Tensor as_dtype(const Tensor& t, DType dtype) { return to(t, dtype, false, false); }

// A half type's tensor in the type that it is computed in; all others as they are.
inline Tensor widened(const Tensor& t) {
  return t.defined() && is_reduced(t.dtype()) ? as_dtype(t, compute_type(t.dtype())) : t;
}

}  // namespace mlx

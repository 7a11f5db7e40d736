#pragma once
// Whether a number of Python can be an element of a tensor.

#include "base/scalar.h"

namespace mlx {

// Whether an element of the type can stand for the value, perhaps rounded: false for a real number or NaN
// beyond the type's range, and for an imaginary part where the type is real. As in PyTorch, negative integers
// may wrap around in unsigned types, and integers become infinite in half types.
bool is_representable(const Scalar& value, DType type);

// RuntimeError when it is not.
void check_representable(const Scalar& value, DType type);

}  // namespace mlx

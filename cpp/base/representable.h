#pragma once
// Whether a number of Python can be an element of a tensor.

#include "base/scalar.h"

namespace mlx {

// RuntimeError when `value` lies outside the range of the integers of `type`, is not finite there, or is
// complex where `type` is real. Unsigned types take negative numbers of their size, which wrap; floats round.
void check_representable(const Scalar& value, DType type);

}  // namespace mlx

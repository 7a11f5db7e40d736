#pragma once
// An index among the elements of an index tensor that lies outside of what it indexes. PyTorch raises
// IndexError for some ops and RuntimeError for others; Python sees a class that is both.

#include "base/error.h"

namespace mlx {

struct OutOfBoundsError : IndexError {
  using IndexError::IndexError;
};

}  // namespace mlx

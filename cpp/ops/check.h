#pragma once
// Conditions on the elements of tensors.

#include "backends/backend.h"
#include "ops.h"
#include "tape/grad_mode.h"

namespace mlx {

// Raises the error if an element of `wrong` is true: at once, or in each call of the function that is being
// compiled.
inline void raise_if_any(const Tensor& wrong, Check::Error error, const char* message) {
  GradModeGuard off(false);
  Tensor flag = any(wrong);
  launch(Check{error, message}, std::initializer_list<const Tensor*>{}, {&flag});
}

}  // namespace mlx

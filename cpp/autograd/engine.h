#pragma once
// The backward pass: walks the tape from results to leaves.

#include "tape/autograd_meta.h"

namespace mlx {

struct BackwardOptions {
  bool retain_graph = false;
  bool create_graph = false;
  bool allow_unused = false;
};

// Adds the gradients of `roots` (with cotangents `grads`, ones where undefined) to the leaves.
// With `inputs`, only to those.
void run_backward(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
                  const BackwardOptions& options);

// The gradients of `roots` with respect to `inputs`; nothing is accumulated.
TensorList gradients(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
                     const BackwardOptions& options);

}  // namespace mlx

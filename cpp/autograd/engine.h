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

// The pass that runs on this thread: a number of its own, -1 where none does; and whether it visits the node
// that the gradient of `t` goes to.
int64_t backward_pass();
bool backward_pass_reaches(const Tensor& t);

}  // namespace mlx

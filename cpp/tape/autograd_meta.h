#pragma once
// What the tape keeps for a tensor: its gradient, the node that made it, its hooks.

#include "tape/node.h"

namespace mlx {

using TensorHook = std::function<Tensor(const Tensor& grad)>;  // an undefined result keeps the gradient
using AccumulateHook = std::function<void(const Tensor& leaf)>;

struct AutogradMeta : GradMeta {
  Tensor grad;
  Ref<Node> grad_fn;            // undefined for a leaf
  uint32_t output = 0;          // which output of grad_fn this tensor is
  Node* accumulator = nullptr;  // of a leaf, while somebody holds it
  bool retains_grad = false;
  TensorImpl* self;
  std::vector<std::pair<int64_t, TensorHook>> hooks;  // of a leaf; those of other tensors lie on grad_fn
  std::vector<std::pair<int64_t, AccumulateHook>> accumulate_hooks;

  explicit AutogradMeta(TensorImpl* impl) : self(impl) {}
  ~AutogradMeta() override;
};

// The tensors whose `.grad` was read or written while a function was traced, each with what it was before.
struct GradLog {
  std::vector<std::pair<Tensor, Tensor>> before;
  static inline constinit MLX_FAST_THREAD_LOCAL GradLog* current = nullptr;
  // Called before a gradient is read or written.
  static void note(const Tensor& t) {
    if (current) current->add(t);
  }

 private:
  void add(const Tensor& t);
};

AutogradMeta& autograd_meta(const Tensor& t);  // made when missing
AutogradMeta* autograd_meta_if_any(const Tensor& t);

// The node that made this tensor, undefined for a leaf. A view whose base was changed in place
// gets a new one here.
const Ref<Node>& grad_fn(const Tensor& t);
bool is_leaf(const Tensor& t);

// Where gradients of this tensor go: its grad_fn, or the accumulator of a leaf that requires grad.
Edge gradient_edge(const Tensor& t);

// Makes `t` output number `output` of `node`. `node->outputs` must describe it.
void set_history(const Tensor& t, const Ref<Node>& node, uint32_t output);

// Asks for (or gives up) the gradient of a leaf. RuntimeError for integers and non-leaves.
void set_requires_grad(const Tensor& t, bool on);
void retain_grad(const Tensor& t);
int64_t add_hook(const Tensor& t, TensorHook hook);
int64_t add_accumulate_hook(const Tensor& t, AccumulateHook hook);
void remove_hook(const Tensor& t, int64_t id);
int64_t next_hook_id();

// Adds arriving gradients to the `.grad` of a leaf.
class AccumulateGrad : public Node {
 public:
  explicit AccumulateGrad(const Tensor& leaf);
  ~AccumulateGrad() override;
  std::string kind() const override { return "AccumulateGrad"; }
  Grads backward(const Grads& grads) override;
  const Tensor& leaf() const { return leaf_; }

 private:
  Tensor leaf_;
};

// Defined by the rooms above: the sum of two gradients, and the history of a view whose base has a
// new one.
Tensor sum_of_gradients(const Tensor& a, const Tensor& b, bool in_place);
Tensor own_gradient(const Tensor& grad, const Tensor& leaf);
Ref<Node> history_of_view(const Tensor& view);

}  // namespace mlx

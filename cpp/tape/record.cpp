#include "tape/record.h"

namespace mlx {

void throw_released(const Node& node) {
  throw RuntimeError(
      "trying to backward through the graph a second time (or to read saved tensors after they have been "
      "freed), at ",
      node.name(), "; specify retain_graph=True in the first call of backward() or autograd.grad()");
}

void connect(const Ref<Node>& node, std::span<const Tensor* const> outputs,
             std::span<const Tensor* const> inputs) {
  for (const Tensor* in : inputs) node->next.push_back(gradient_edge(*in));
  for (const Tensor* out : outputs) {
    node->outputs.push_back({out->shape(), out->dtype(), out->device()});
    if (out->is_inexact()) set_history(*out, node, static_cast<uint32_t>(node->outputs.size()) - 1);
  }
}

Tensor NodeLabel::label(Tensor result) const {
  auto* meta = autograd_meta_if_any(result);
  if (meta && meta->grad_fn && meta->grad_fn->sequence() >= since_) meta->grad_fn->set_label(name_);
  return result;
}

Tensor as_view_of(const Tensor& base, Tensor view) {
  TensorImpl* root = base.impl()->base ? base.impl()->base.get() : base.impl();
  if (base.impl()->untracked || base.impl()->inference) return view;
  view.impl()->base = Ref<TensorImpl>(root);
  view.impl()->view_version = view.version();
  if (!GradMode::enabled()) view.impl()->view_kind = ViewKind::NoGrad;
  return view;
}

}  // namespace mlx

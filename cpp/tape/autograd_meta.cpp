#include "tape/autograd_meta.h"

#include "tape/grad_mode.h"

namespace mlx {
namespace {

OutputMeta describe(const Tensor& t) { return {t.shape(), t.dtype(), t.device()}; }

template <class Hooks>
bool erase_hook(Hooks& hooks, int64_t id) {
  return std::erase_if(hooks, [id](auto& h) { return h.first == id; }) > 0;
}

// A hook of a tensor that an op made, as a hook on that op's incoming gradients.
PreHook on_output(uint32_t output, TensorHook hook) {
  return [output, hook = std::move(hook)](Grads& grads) {
    if (!grads[output].defined()) return;
    if (Tensor changed = hook(grads[output]); changed.defined()) grads[output] = changed;
  };
}

}  // namespace

AutogradMeta::~AutogradMeta() {
  if (!retains_grad || !grad_fn) return;
  if (auto* extras = grad_fn->extras_if_any())
    std::erase_if(extras->retained, [this](auto& r) { return r.second == self; });
}

void GradLog::add(const Tensor& t) {
  for (auto& [leaf, grad] : before)
    if (leaf.is(t)) return;
  auto* meta = autograd_meta_if_any(t);
  before.emplace_back(t, meta ? meta->grad : Tensor());
}

AutogradMeta& autograd_meta(const Tensor& t) {
  auto& meta = t.impl()->grad_meta;
  if (!meta) meta = std::make_unique<AutogradMeta>(t.impl());
  return static_cast<AutogradMeta&>(*meta);
}

AutogradMeta* autograd_meta_if_any(const Tensor& t) {
  return static_cast<AutogradMeta*>(t.impl()->grad_meta.get());
}

const Ref<Node>& grad_fn(const Tensor& t) {
  static const Ref<Node> none;
  TensorImpl* impl = t.impl();
  if (impl->base && impl->view_version != impl->storage->version()) {
    // Something wrote to the shared memory: if the base got a new history, so does this view.
    impl->view_version = impl->storage->version();
    if (impl->base->requires_grad && !is_leaf(Tensor(impl->base))) set_history(t, history_of_view(t), 0);
  }
  auto* meta = autograd_meta_if_any(t);
  return meta ? meta->grad_fn : none;
}

bool is_leaf(const Tensor& t) {
  auto* meta = autograd_meta_if_any(t);
  return !meta || !meta->grad_fn;
}

Edge gradient_edge(const Tensor& t) {
  if (!t.defined()) return {};
  if (t.impl()->base) grad_fn(t);  // brings the history of a view up to date
  if (!t.requires_grad()) return {};
  AutogradMeta& meta = autograd_meta(t);
  if (meta.grad_fn) return {meta.grad_fn, meta.output};
  if (meta.accumulator) return {Ref<Node>(meta.accumulator), 0};
  return {Ref<Node>(new AccumulateGrad(t)), 0};
}

void set_history(const Tensor& t, const Ref<Node>& node, uint32_t output) {
  AutogradMeta& meta = autograd_meta(t);
  meta.grad_fn = node;
  meta.output = output;
  t.impl()->requires_grad = true;
  t.impl()->view_version = t.version();
}

void set_requires_grad(const Tensor& t, bool on) {
  if (!is_leaf(t)) {
    if (on) return;
    throw RuntimeError(
        "you can only change requires_grad flags of leaf tensors; use detach() for a tensor that does not "
        "require grad");
  }
  if (on && !t.is_inexact())
    throw RuntimeError("only tensors of floating point and complex dtype can require gradients, not ",
                       t.dtype());
  if (on && t.impl()->inference)
    throw RuntimeError("an inference tensor cannot require gradients; clone() it outside inference mode");
  if (on) autograd_meta(t);
  t.impl()->requires_grad = on;
}

void retain_grad(const Tensor& t) {
  if (!t.requires_grad()) throw RuntimeError("can't retain_grad on a tensor that has requires_grad=False");
  const Ref<Node>& node = grad_fn(t);
  AutogradMeta& meta = autograd_meta(t);
  if (!node || meta.retains_grad) return;  // leaves keep their gradient anyway
  meta.retains_grad = true;
  node->extras().retained.emplace_back(meta.output, t.impl());
}

int64_t next_hook_id() {
  static int64_t id = 0;
  return id++;
}

int64_t add_hook(const Tensor& t, TensorHook hook) {
  if (!t.requires_grad())
    throw RuntimeError("cannot register a hook on a tensor that doesn't require gradient");
  int64_t id = next_hook_id();
  if (const Ref<Node>& node = grad_fn(t))
    node->extras().pre_hooks.emplace_back(id, on_output(autograd_meta(t).output, std::move(hook)));
  else
    autograd_meta(t).hooks.emplace_back(id, std::move(hook));
  return id;
}

int64_t add_accumulate_hook(const Tensor& t, AccumulateHook hook) {
  if (!t.requires_grad() || !is_leaf(t))
    throw RuntimeError(
        "post accumulate grad hooks cannot be registered on non-leaf tensors or tensors that do not require "
        "gradient");
  int64_t id = next_hook_id();
  autograd_meta(t).accumulate_hooks.emplace_back(id, std::move(hook));
  return id;
}

void remove_hook(const Tensor& t, int64_t id) {
  auto* meta = autograd_meta_if_any(t);
  if (!meta || erase_hook(meta->hooks, id) || erase_hook(meta->accumulate_hooks, id)) return;
  if (meta->grad_fn)
    if (auto* extras = meta->grad_fn->extras_if_any()) erase_hook(extras->pre_hooks, id);
}

AccumulateGrad::AccumulateGrad(const Tensor& leaf) : leaf_(leaf) {
  outputs.push_back(describe(leaf));
  autograd_meta(leaf).accumulator = this;
}

AccumulateGrad::~AccumulateGrad() { autograd_meta(leaf_).accumulator = nullptr; }

Grads AccumulateGrad::backward(const Grads& grads) {
  GradLog::note(leaf_);
  AutogradMeta& meta = autograd_meta(leaf_);
  Tensor grad = grads[0];
  if (!grad.defined()) return {};
  if (!meta.grad.defined())
    meta.grad = own_gradient(grad, leaf_);
  else
    meta.grad = sum_of_gradients(meta.grad, grad, !GradMode::enabled());
  for (size_t i = 0; i < meta.accumulate_hooks.size(); ++i) meta.accumulate_hooks[i].second(leaf_);
  return {};
}

}  // namespace mlx

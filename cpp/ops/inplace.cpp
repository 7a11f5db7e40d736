// In-place writes: what may be written to, and what becomes of the tape's history.

#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {
namespace {

// The history of a base tensor of which a view was overwritten: the gradient of the rest goes to the
// base as it was, that of the overwritten part to the value.
class OverwriteView : public Node {
 public:
  OverwriteView(const Tensor& base, const Tensor& view, const Tensor& value)
      : shape_(view.shape()), strides_(view.strides()), offset_(view.offset() - base.offset()) {
    next.push_back(gradient_edge(base));
    next.push_back(gradient_edge(value));
    outputs.push_back({base.shape(), base.dtype(), base.device()});
    base_strides_ = base.strides();
  }
  std::string kind() const override { return "CopySlices"; }

  Grads backward(const Grads& grads) override {
    const Tensor& g = grads[0];
    Grads out(2);
    // Laid out as the base is, so that the view's strides mean the same places.
    Tensor rest = allocate_strided(g.shape(), base_strides_, g.dtype(), g.device());
    copy_(rest, g, false);
    Tensor part = as_strided(rest, shape_, strides_, offset_);
    if (needs(1)) out[1] = clone(part);
    if (needs(0)) {
      zero_(part);
      out[0] = rest;
    }
    return out;
  }

 private:
  Shape shape_, strides_, base_strides_;
  int64_t offset_;
};

// The history of a tensor that was overwritten as a whole: everything goes to the value. What the
// tensor was before gets zeros, unless the value was computed from it.
class Overwrite : public Node {
 public:
  Overwrite(const Tensor& self, const Tensor& value, bool replaces) {
    next.push_back(gradient_edge(value));
    if (replaces) next.push_back(gradient_edge(self));
    outputs.push_back({self.shape(), self.dtype(), self.device()});
  }
  std::string kind() const override { return "CopyBackwards"; }
  Grads backward(const Grads& grads) override {
    if (next.size() == 1 || !needs(1)) return {grads[0]};
    return {grads[0], zeros_like(grads[0])};
  }
};

// Whether nobody but the op that writes it knows this value, so that its node may become that of what is
// written to.
bool is_own_result(const Tensor& value, const Tensor& self) {
  return value.impl()->ref_count() == 1 && !value.impl()->base && !is_leaf(value) &&
         value.dtype() == self.dtype() && value.shape() == self.shape() && value.device() == self.device();
}

void rewrite_history(const Tensor& self, const Tensor& value, bool replaces) {
  if (!self.is_inexact()) return;
  if (self.impl()->base) {
    Tensor base(self.impl()->base);
    if (!value.requires_grad() && !base.requires_grad()) return;
    set_history(base, Ref<Node>(new OverwriteView(base, self, value)), 0);
    set_history(self, history_of_view(self), 0);
  } else if (!replaces && is_own_result(value, self)) {
    const AutogradMeta& meta = autograd_meta(value);
    set_history(self, meta.grad_fn, meta.output);
  } else if (value.requires_grad() || self.requires_grad()) {
    set_history(self, Ref<Node>(new Overwrite(self, value, replaces)), 0);
  }
}

}  // namespace

Ref<Node> history_of_view(const Tensor& view) {
  // The view's place in its base, as a strided view of it.
  Tensor base(view.impl()->base);
  GradModeGuard on(true);
  if (view.dtype() == base.dtype())
    return grad_fn(as_strided(base, view.shape(), view.strides(), view.offset()));
  // A real view of a complex base (or the reverse) sees it through view_as_real first.
  Tensor seen = base.is_complex() ? view_as_real(base) : view_as_complex(base);
  return grad_fn(as_strided(seen, view.shape(), view.strides(), view.offset()));
}

void check_writable(const Tensor& self, const char* op) {
  if (has_internal_overlap(self))
    throw RuntimeError(op,
                       "(): unsupported operation: more than one element of the written-to tensor refers to "
                       "a single memory location. "
                       "Please clone() the tensor before performing the operation.");
  if (GradMode::enabled()) {
    // A view may have been made a leaf, of a base that requires no gradient; views of it share that base.
    const TensorImpl* base = self.impl()->base.get();
    if (self.requires_grad() && (base ? !base->requires_grad : is_leaf(self)))
      throw RuntimeError(op,
                         "(): a leaf Variable that requires grad is being used in an in-place operation; "
                         "write under mlx.no_grad() or to its detach().");
    if (self.impl()->base && self.impl()->base->requires_grad) {
      if (self.impl()->view_kind == ViewKind::NoGrad)
        throw RuntimeError(op,
                           "(): A view was created in no_grad mode and is being modified inplace with grad "
                           "mode enabled; make the view where the write is.");
      if (self.impl()->view_kind == ViewKind::Several)
        throw RuntimeError(
            op,
            "(): This view is the output of a function that returns multiple views, which do not allow the "
            "output views to be modified inplace. Replace the inplace operation by an out-of-place one.");
    }
    if (self.impl()->base && self.impl()->base->requires_grad && is_leaf(Tensor(self.impl()->base)))
      throw RuntimeError(op,
                         "(): a view of a leaf Variable that requires grad is being used in an in-place "
                         "operation; write under mlx.no_grad() or to its detach().");
  }
  if (self.impl()->inference && !GradMode::inference())
    throw RuntimeError(op, "(): Inplace update to inference tensor outside InferenceMode is not allowed.");
}

Tensor readable_copy(const Tensor& self, std::initializer_list<const Tensor*> others) {
  return recording({&self}) || recording(others) ? clone(self) : self;
}

Tensor assign_in_place(const Tensor& self, const Tensor& value, const char* op) {
  bool copying = std::string_view(op) == "copy_";
  if (!copying && !can_cast(value.dtype(), self.dtype()))
    throw RuntimeError(op, "(): result type ", value.dtype(), " can't be cast to the desired output type ",
                       self.dtype());
  if (!copying && value.shape() != self.shape())
    throw RuntimeError(op, "(): output with shape ", self.shape(), " doesn't match the broadcast shape ",
                       value.shape());
  bool record = recording({&self, &value}) ||
                (GradMode::enabled() && self.impl()->base && self.impl()->base->requires_grad);
  copy_data(self, value);
  self.changed();
  if (record) rewrite_history(self, value, copying || std::string_view(op) == "fill_");
  return self;
}

}  // namespace mlx

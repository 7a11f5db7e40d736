#include "tape/saved_tensor.h"

#include "tape/grad_mode.h"

namespace mlx {

SavedTensor::SavedTensor(const Tensor& t, bool is_output, uint32_t output)
    : output_(output), is_output_(is_output) {
  if (!t.defined()) return;
  tensor_ = is_output ? alias(t) : t;
  version_ = t.version();
}

SavedTensor::SavedTensor(SavedTensor&& other) { *this = std::move(other); }

SavedTensor& SavedTensor::operator=(SavedTensor&& other) {
  if (other.tensor_.defined() && other.tensor_.impl()->inference)
    throw RuntimeError(
        "Inference tensors cannot be saved for backward. To work around you can make a clone to get a normal "
        "tensor and use it in autograd.");
  tensor_ = std::move(other.tensor_);
  packed_ = std::move(other.packed_);
  version_ = other.version_;
  output_ = other.output_;
  is_output_ = other.is_output_;
  if (Keeping::packs() && tensor_.defined()) pack();
  return *this;
}

void SavedTensor::pack() {
  GradModeGuard off(false);
  Tensor data = alias(tensor_);
  const uint32_t version = data.version();
  packed_ = SavedTensorHooks::pack(data);
  if (data.version() != version)
    throw RuntimeError(
        "A saved tensor pack hook is modifying its input in place. Tensors provided as input to a pack hook "
        "cannot be modified by in-place operations: save a clone.");
  if (!is_output_) packed_->edge = gradient_edge(tensor_);
  tensor_ = {};
}

Tensor SavedTensor::unpack(const Node& node) const {
  Tensor t = [&] {
    GradModeGuard off(false);
    return alias(packed_->unpack());
  }();
  if (is_output_ && GradMode::enabled())
    set_history(t, Ref<Node>(const_cast<Node*>(&node)), output_);
  else if (packed_->edge.node)
    set_history(t, packed_->edge.node, packed_->edge.output);
  return t;
}

Tensor SavedTensor::get(const Node& node) const {
  if (packed_) return unpack(node);
  if (!tensor_.defined()) return {};
  if (tensor_.version() != version_)
    throw RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        "[mlx.",
        short_name(tensor_.dtype()), "Tensor ", tensor_.shape(), "], saved by ", node.name(),
        ", is at version ", tensor_.version(), "; expected version ", version_,
        " instead. Hint: enable anomaly detection to find the operation that failed to compute its gradient, "
        "with "
        "mlx.autograd.set_detect_anomaly(True).");
  if (!is_output_ || !GradMode::enabled()) return tensor_;
  // A backward pass that is itself recorded needs the history back.
  Tensor t = alias(tensor_);
  set_history(t, Ref<Node>(const_cast<Node*>(&node)), output_);
  return t;
}

}  // namespace mlx

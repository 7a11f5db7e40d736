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
  if (other.kept() && other.tensor_.impl()->inference)
    throw RuntimeError(
        "Inference tensors cannot be saved for backward. To work around you can make a clone to get a normal "
        "tensor and use it in autograd.");
  tensor_ = std::move(other.tensor_);
  version_ = other.version_;
  output_ = other.output_;
  is_output_ = other.is_output_;
  return *this;
}

Tensor SavedTensor::get(const Node& node) const {
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

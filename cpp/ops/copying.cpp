// Copies, casts, and leaving the tape.

#include "backends/backend.h"
#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {

void copy_data(const Tensor& to, const Tensor& from) {
  if (to.numel() == 0 || same_layout(to, from)) return;
  if (!(to.device() == from.device())) return launch(Transfer{}, {&to}, {&from});
  if (may_share_memory(to, from) && to.storage() == from.storage()) {
    // Overlapping: read everything before anything is written.
    Tensor whole = allocate(from.shape(), from.dtype(), from.device());
    launch(Copy{}, {&whole}, {&from});
    launch(Copy{}, {&to}, {&whole});
    return;
  }
  launch(Copy{}, {&to}, {&from});
}

// A copy with memory of its own, row-major.
OP("clone(Tensor input, *, memory_format? memory_format=None) -> Tensor");
Tensor clone(const Tensor& input) {
  Tensor out = allocate(input.shape(), input.dtype(), input.device());
  copy_data(out, input);
  return record("Clone", out, {&input}, [](Backward& b) -> Grads { return {b.grad()}; });
}

// The tensor itself when it is row-major without gaps, else such a copy.
OP("Tensor.contiguous(Tensor input, memory_format? memory_format=None) -> Tensor");
Tensor contiguous(const Tensor& input) { return input.is_contiguous() ? input : clone(input); }

OP("Tensor.is_contiguous(Tensor input, memory_format? memory_format=None) -> bool");
bool is_contiguous(const Tensor& input) { return input.is_contiguous(); }

namespace {

Tensor converted(const Tensor& input, DType dtype, Device device, bool copy) {
  if (!copy && dtype == input.dtype() && device == input.device()) return input;
  Tensor out = allocate(input.shape(), dtype, device);
  copy_data(out, input);
  if (!is_inexact(dtype)) return out;
  return record("ToCopy", out, {&input}, [](Backward& b) -> Grads { return {b.grad()}; });
}

}  // namespace

// The tensor with another dtype or on another device; itself when nothing changes and `copy` is false.
OP("Tensor.to(Tensor input, dtype dtype, bool non_blocking=False, bool copy=False, *, memory_format? "
   "memory_format=None) -> Tensor");
Tensor to(const Tensor& input, DType dtype, bool, bool copy) {
  return converted(input, dtype, input.device(), copy);
}

OP("Tensor.to(Tensor input, device? device=None, dtype? dtype=None, bool non_blocking=False, bool "
   "copy=False, *, memory_format? memory_format=None) -> Tensor");
Tensor to(const Tensor& input, std::optional<Device> device, std::optional<DType> dtype, bool, bool copy) {
  return converted(input, dtype.value_or(input.dtype()), device.value_or(input.device()), copy);
}

OP("Tensor.to(Tensor input, Tensor other, bool non_blocking=False, bool copy=False, *, memory_format? "
   "memory_format=None) -> Tensor");
Tensor to(const Tensor& input, const Tensor& other, bool, bool copy) {
  return converted(input, other.dtype(), other.device(), copy);
}

OP("Tensor.type_as(Tensor input, Tensor other) -> Tensor");
Tensor type_as(const Tensor& input, const Tensor& other) { return to(input, other, false, false); }

OP("Tensor.cpu(Tensor input, memory_format? memory_format=None) -> Tensor");
Tensor cpu(const Tensor& input) { return converted(input, input.dtype(), Device{}, false); }

// The same elements, cut off from the tape; shares memory.
OP("detach(Tensor input) -> Tensor");
Tensor detach(const Tensor& input) { return alias(input); }

OP("Tensor.detach_(Tensor input) -> Tensor");
Tensor detach_(const Tensor& input) {
  if (input.impl()->base) throw RuntimeError("Can't detach views in-place. Use detach() instead.");
  if (auto* meta = autograd_meta_if_any(input)) meta->grad_fn = {};
  input.impl()->requires_grad = false;
  return input;
}

// The single element as a number of Python.
OP("Tensor.item(Tensor input) -> Scalar");
Scalar item(const Tensor& input) {
  if (input.numel() != 1)
    throw RuntimeError("item(): a Tensor with ", input.numel(), " elements cannot be converted to Scalar");
  make_readable(input, "item()");
  return visit(input.dtype(), [&](auto zero) { return Scalar(*input.data<decltype(zero)>()); });
}

// Overwrites the tensor with `src`, broadcast and cast.
OP("Tensor.copy_(Tensor input, Operand src, bool non_blocking=False) -> Tensor");
Tensor copy_(const Tensor& input, const Tensor& src, bool) {
  check_writable(input, "copy_");
  if (broadcast_shapes(input.shape(), src.shape(), "copy_") != input.shape())
    throw RuntimeError("copy_(): shape ", src.shape(), " does not broadcast to ", input.shape());
  return assign_in_place(input, src, "copy_");
}

}  // namespace mlx

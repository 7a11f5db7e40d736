// Tensors made from nothing: filled, counted, spaced.

#include <cstring>

#include "backends/backend.h"
#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {
namespace {

void fill_data(const Tensor& t, const Scalar& value) {
  if (t.numel() == 0) return;
  Fill kernel{};
  visit(t.dtype(), [&](auto zero) {
    auto v = value.to<decltype(zero)>();
    std::memcpy(kernel.bits, &v, sizeof v);
  });
  launch(kernel, {&t}, std::initializer_list<const Tensor*>{});
}

Tensor filled(const Shape& size, const Scalar& value, DType dtype, Device device) {
  Tensor out = allocate(size, dtype, device);
  fill_data(out, value);
  return out;
}

}  // namespace

// Uninitialised memory.
OP("empty(int[] size, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False, memory_format? memory_format=None) -> Tensor");
Tensor empty(const Shape& size, std::optional<DType> dtype, std::optional<Device> device, bool) {
  return allocate(size, dtype.value_or(default_dtype()), device.value_or(Device{}));
}

OP("empty_like(Tensor input, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False, memory_format? memory_format=None) -> Tensor");
Tensor empty_like(const Tensor& input, std::optional<DType> dtype, std::optional<Device> device) {
  return allocate(input.shape(), dtype.value_or(input.dtype()), device.value_or(input.device()));
}

// A tensor full of zeros.
OP("zeros(int[] size, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor zeros(const Shape& size, std::optional<DType> dtype, std::optional<Device> device, bool) {
  return filled(size, 0, dtype.value_or(default_dtype()), device.value_or(Device{}));
}

OP("zeros_like(Tensor input, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False, memory_format? memory_format=None) -> Tensor");
Tensor zeros_like(const Tensor& input, std::optional<DType> dtype, std::optional<Device> device) {
  return filled(input.shape(), 0, dtype.value_or(input.dtype()), device.value_or(input.device()));
}

// A tensor full of ones.
OP("ones(int[] size, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor ones(const Shape& size, std::optional<DType> dtype, std::optional<Device> device, bool) {
  return filled(size, 1, dtype.value_or(default_dtype()), device.value_or(Device{}));
}

OP("ones_like(Tensor input, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False, memory_format? memory_format=None) -> Tensor");
Tensor ones_like(const Tensor& input, std::optional<DType> dtype, std::optional<Device> device) {
  return filled(input.shape(), 1, dtype.value_or(input.dtype()), device.value_or(input.device()));
}

// A tensor full of one number; its dtype follows from the number.
OP("full(int[] size, Scalar fill_value, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False) -> Tensor");
Tensor full(const Shape& size, const Scalar& fill_value, std::optional<DType> dtype, std::optional<Device> device) {
  return filled(size, fill_value, dtype.value_or(fill_value.dtype()), device.value_or(Device{}));
}

OP("full_like(Tensor input, Scalar fill_value, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False, memory_format? memory_format=None) -> Tensor");
Tensor full_like(const Tensor& input, const Scalar& fill_value, std::optional<DType> dtype, std::optional<Device> device) {
  return filled(input.shape(), fill_value, dtype.value_or(input.dtype()), device.value_or(input.device()));
}

// Every element overwritten with one number.
OP("Tensor.fill_(Tensor input, Scalar value) -> Tensor");
Tensor fill_(const Tensor& input, const Scalar& value) {
  check_writable(input, "fill_");
  if (input.requires_grad() && GradMode::enabled()) return assign_in_place(input, full_like(input, value), "fill_");
  fill_data(input, value);
  input.changed();
  return input;
}

OP("Tensor.zero_(Tensor input) -> Tensor");
Tensor zero_(const Tensor& input) { return fill_(input, 0); }

// start, start + step, ... before end.
OP("arange(Scalar start, Scalar end, Scalar step=1, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False) -> Tensor");
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype, std::optional<Device> device) {
  bool whole = start.is_integral() && end.is_integral() && step.is_integral();
  DType type = dtype.value_or(whole ? DType::Int64 : default_dtype());
  if (step.equals(0)) throw RuntimeError("arange(): step must be nonzero");
  double from = start.to_double(), to = end.to_double(), by = step.to_double();
  if (!std::isfinite(from) || !std::isfinite(to)) throw RuntimeError("arange(): unsupported range: ", from, " -> ", to);
  if ((by > 0) != (to >= from) && to != from) throw RuntimeError("arange(): upper bound and lower bound inconsistent with step sign: ", start, " to ", end, " by ", step);
  int64_t count;
  if (whole) {
    int64_t span = end.to_int() - start.to_int(), d = step.to_int();
    count = (span + d - (d > 0 ? 1 : -1)) / d;
  } else {
    count = static_cast<int64_t>(std::ceil((to - from) / by));
  }
  Tensor out = allocate({count}, type, device.value_or(Device{}));
  if (count) launch(Sequence{start, step}, {&out}, std::initializer_list<const Tensor*>{});
  return out;
}

OP("arange(Scalar end, *, dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False) -> Tensor");
Tensor arange(const Scalar& end, std::optional<DType> dtype, std::optional<Device> device) { return arange(0, end, 1, dtype, device); }

}  // namespace mlx

// Tensors made from nothing: filled, counted, spaced.

#include <cstring>

#include "backends/backend.h"
#include "base/representable.h"
#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {
namespace {

void fill_data(const Tensor& t, const Scalar& value) {
  check_representable(value, t.dtype());
  if (t.numel() == 0) return;
  Fill kernel{};
  visit(t.dtype(), [&](auto zero) {
    auto v = value.to<decltype(zero)>();
    std::memcpy(kernel.bits, &v, sizeof v);
  });
  launch(kernel, {&t}, std::initializer_list<const Tensor*>{});
}

// Memory for a tensor like `input`: with the same strides when those leave no gaps.
Tensor allocate_like(const Tensor& input, std::optional<DType> dtype, std::optional<Device> device) {
  DType type = dtype.value_or(input.dtype());
  Device place = device.value_or(input.device());
  int64_t reach = 1;
  for (int64_t d = 0; d < input.dim(); ++d) reach += (input.size(d) - 1) * input.stride(d);
  bool dense = input.numel() && reach == input.numel() && !has_internal_overlap(input);
  return dense ? allocate_strided(input.shape(), input.strides(), type, place)
               : allocate(input.shape(), type, place);
}

Tensor filled_like(const Tensor& input, const Scalar& value, std::optional<DType> dtype,
                   std::optional<Device> device) {
  Tensor out = allocate_like(input, dtype, device);
  fill_data(out, value);
  return out;
}

void check_sizes(const char* op, const Shape& size) {
  for (int64_t s : size)
    if (s < 0) throw RuntimeError(op, "(): cannot make a tensor with a negative dimension ", s, ": ", size);
}

Tensor filled(const Shape& size, const Scalar& value, DType dtype, Device device) {
  Tensor out = allocate(size, dtype, device);
  fill_data(out, value);
  return out;
}

}  // namespace

// Uninitialised memory.
OP("empty(int[] size, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False, memory_format? memory_format=None) -> Tensor");
Tensor empty(const Shape& size, std::optional<DType> dtype, std::optional<Device> device) {
  check_sizes("empty", size);
  return allocate(size, dtype.value_or(default_dtype()), device.value_or(DefaultDevice::value));
}

OP("empty_like(Tensor input, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False, memory_format? memory_format=None) -> Tensor");
Tensor empty_like(const Tensor& input, std::optional<DType> dtype, std::optional<Device> device) {
  return allocate_like(input, dtype, device);
}

// A tensor full of zeros.
OP("zeros(int[] size, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor zeros(const Shape& size, std::optional<DType> dtype, std::optional<Device> device) {
  check_sizes("zeros", size);
  return filled(size, 0, dtype.value_or(default_dtype()), device.value_or(DefaultDevice::value));
}

OP("zeros_like(Tensor input, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False, memory_format? memory_format=None) -> Tensor");
Tensor zeros_like(const Tensor& input, std::optional<DType> dtype, std::optional<Device> device) {
  return filled_like(input, 0, dtype, device);
}

// A tensor full of ones.
OP("ones(int[] size, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor ones(const Shape& size, std::optional<DType> dtype, std::optional<Device> device) {
  check_sizes("ones", size);
  return filled(size, 1, dtype.value_or(default_dtype()), device.value_or(DefaultDevice::value));
}

OP("ones_like(Tensor input, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False, memory_format? memory_format=None) -> Tensor");
Tensor ones_like(const Tensor& input, std::optional<DType> dtype, std::optional<Device> device) {
  return filled_like(input, 1, dtype, device);
}

// A tensor full of one number; its dtype follows from the number.
OP("full(int[] size, Scalar fill_value, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor full(const Shape& size, const Scalar& fill_value, std::optional<DType> dtype,
            std::optional<Device> device) {
  check_sizes("full", size);
  const DType type = dtype.value_or(fill_value.dtype());
  return filled(size, fill_value, type, device.value_or(DefaultDevice::value));
}

OP("full_like(Tensor input, Scalar fill_value, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False, memory_format? memory_format=None) "
   "-> Tensor");
Tensor full_like(const Tensor& input, const Scalar& fill_value, std::optional<DType> dtype,
                 std::optional<Device> device) {
  return filled_like(input, fill_value, dtype, device);
}

// Every element overwritten with one number.
OP("Tensor.fill_(Tensor input, Scalar value) -> Tensor").node("FillBackward2");
Tensor fill_(const Tensor& input, const Scalar& value) {
  check_writable(input, "fill_");
  if (input.requires_grad() && GradMode::enabled())
    return assign_in_place(input, full_like(input, value), "fill_");
  fill_data(input, value);
  input.changed();
  return input;
}

OP("Tensor.zero_(Tensor input) -> Tensor").node("ZeroBackward0");
Tensor zero_(const Tensor& input) { return fill_(input, 0); }

// start, start + step, ... before end.
OP("arange(Scalar start, Scalar end, Scalar step=1, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor arange(const Scalar& start, const Scalar& end, const Scalar& step, std::optional<DType> dtype,
              std::optional<Device> device) {
  bool whole = start.is_integral() && end.is_integral() && step.is_integral();
  DType type = dtype.value_or(whole ? DType::Int64 : default_dtype());
  if (!whole && type == DType::Int64)  // the widest integers are counted as such
    return arange(start.to_int(), end.to_int(), step.to_int(), dtype, device);
  if (step.equals(0)) throw RuntimeError("arange(): step must be nonzero");
  double from = start.to_double(), to = end.to_double(), by = step.to_double();
  if (!std::isfinite(from) || !std::isfinite(to))
    throw RuntimeError("arange(): unsupported range: ", from, " -> ", to);
  if ((by > 0) != (to >= from) && to != from)
    throw RuntimeError("arange(): upper bound and lower bound inconsistent with step sign: ", start, " to ",
                       end, " by ", step);
  int64_t count;
  if (whole) {
    int64_t span = end.to_int() - start.to_int(), d = step.to_int();
    count = (span + d - (d > 0 ? 1 : -1)) / d;
  } else {
    count = static_cast<int64_t>(std::ceil((to - from) / by));
  }
  Tensor out = allocate({count}, type, device.value_or(DefaultDevice::value));
  const bool cut = !is_inexact(type);  // integer elements start and step by integers, however many there are
  Sequence kernel{cut ? start.to_int() : start, cut ? step.to_int() : step};
  if (count) launch(kernel, {&out}, std::initializer_list<const Tensor*>{});
  return out;
}

OP("arange(Scalar end, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor arange(const Scalar& end, std::optional<DType> dtype, std::optional<Device> device) {
  return arange(0, end, 1, dtype, device);
}

// ---- evenly spaced numbers

namespace {

// The elements by tensor ops, for ends that are known in each call only; like the kernel's, they have no
// gradient.
Tensor spaced_between(const Tensor& start, const Tensor& end, int64_t steps, DType type, Device device,
                      double base, bool powers) {
  GradModeGuard off(false);
  const DType wide = is_complex(type) ? type : widest_float(device);
  const auto number = [&](const Tensor& t) { return to(is_inexact(type) ? t : to(t, type), device, wide); };
  const Tensor first = number(start), last = number(end), i = to(arange(0, steps, 1, {}, device), wide);
  const Tensor step = (last - first) / static_cast<double>(std::max<int64_t>(steps - 1, 1));
  const Tensor out =
      where(lt(i, std::max<int64_t>(steps / 2, 1)), first + i * step, last - (steps - 1 - i) * step);
  return to(powers ? pow(base, out) : out, type);
}

Tensor spaced(const char* op, const Tensor& start, const Tensor& end, int64_t steps,
              std::optional<DType> dtype, std::optional<Device> device, double base, bool powers) {
  if (steps < 0) throw RuntimeError(op, "(): number of steps must be non-negative, got ", steps);
  if (start.dim() || end.dim())
    throw RuntimeError(op, "(): only supports 0-dimensional start and end tensors, but got ", start.dim(),
                       " and ", end.dim(), " dimensions");
  const bool complex = start.is_complex() || end.is_complex();
  const DType type = dtype.value_or(complex ? to_complex(default_dtype()) : default_dtype());
  if (complex && !is_complex(type))
    throw RuntimeError(op, "(): inferred dtype complex can't be safely cast to passed dtype ", type);
  const Device place = device.value_or(DefaultDevice::value);
  if (is_traced(start) || is_traced(end)) return spaced_between(start, end, steps, type, place, base, powers);
  Tensor out = allocate({steps}, type, place);
  // The ends are cast first, as elements: from 0.5 to 3.5 in integers is from 0 to 3.
  const bool whole = !out.is_inexact();
  const Scalar from = item(start), last = item(end);
  Spaced kernel{whole ? from.to_int() : from, whole ? last.to_int() : last, base, powers};
  if (steps) launch(kernel, {&out}, std::initializer_list<const Tensor*>{});
  return out;
}

}  // namespace

// `steps` numbers from start to end, both included.
//
// >>> mlx.linspace(0, 1, 3)
// tensor([0.0000, 0.5000, 1.0000])
OP("linspace(Operand start, Operand end, int steps, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor linspace(const Tensor& start, const Tensor& end, int64_t steps, std::optional<DType> dtype,
                std::optional<Device> device) {
  return spaced("linspace", start, end, steps, dtype, device, 0, false);
}

// `steps` numbers from base to the power start to base to the power end, evenly spaced in the exponent.
OP("logspace(Operand start, Operand end, int steps, float base=10.0, *, dtype? dtype=None, layout? "
   "layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor logspace(const Tensor& start, const Tensor& end, int64_t steps, double base,
                std::optional<DType> dtype, std::optional<Device> device) {
  return spaced("logspace", start, end, steps, dtype, device, base, true);
}

// ---- matrices and laid-out memory

// Ones on the diagonal, zeros elsewhere.
OP("eye(int n, int? m=None, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor eye(int64_t n, std::optional<int64_t> m, std::optional<DType> dtype, std::optional<Device> device) {
  if (n < 0 || m.value_or(0) < 0)
    throw RuntimeError("eye(): n and m must be greater or equal to 0, got ", n, " and ", m.value_or(n));
  Tensor out =
      filled({n, m.value_or(n)}, 0, dtype.value_or(default_dtype()), device.value_or(DefaultDevice::value));
  if (out.numel()) fill_data(view_of(out, {std::min(n, m.value_or(n))}, {m.value_or(n) + 1}, 0), 1);
  return out;
}

// Uninitialised memory with the given strides (in elements).
OP("empty_strided(int[] size, int[] stride, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor empty_strided(const Shape& size, const Shape& stride, std::optional<DType> dtype,
                     std::optional<Device> device) {
  if (size.size() != stride.size())
    throw RuntimeError("empty_strided(): dimensionality of sizes (", size.size(),
                       ") must match dimensionality of strides (", stride.size(), ")");
  int64_t extent = checked_numel(size) ? 1 : 0;
  for (size_t d = 0; d < size.size() && extent; ++d) {
    if (stride[d] < 0)
      throw RuntimeError("empty_strided(): negative strides are not supported, got ", stride);
    extent += (size[d] - 1) * stride[d];
  }
  return view_of(allocate({extent}, dtype.value_or(default_dtype()), device.value_or(DefaultDevice::value)),
                 size, stride, 0);
}

// Uninitialised memory whose dimensions lie in the order `physical_layout`, outermost first.
OP("empty_permuted(int[] size, int[] physical_layout, *, dtype? dtype=None, layout? layout=None, "
   "device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor empty_permuted(const Shape& size, const Shape& physical_layout, std::optional<DType> dtype,
                      std::optional<Device> device) {
  const size_t n = size.size();
  if (physical_layout.size() != n)
    throw RuntimeError(
        "empty_permuted(): Number of dimensions in size does not match the length of the physical_layout; "
        "i.e. len(size) = ",
        n, " is not equal to len(physical_layout) = ", physical_layout.size());
  for (int64_t d : physical_layout)
    if (d < 0 || d >= static_cast<int64_t>(n))
      throw RuntimeError("empty_permuted(): Dimension out of range (expected to be between 0 and ", n - 1,
                         ", but got ", d, ")");
  dim_mask(physical_layout, static_cast<int64_t>(n), false);
  Shape strides(n, 1);
  int64_t step = 1;
  for (size_t k = n; k-- > 0;) {
    strides[physical_layout[k]] = step;
    step *= std::max<int64_t>(size[physical_layout[k]], 1);
  }
  return view_of(allocate(size, dtype.value_or(default_dtype()), device.value_or(DefaultDevice::value)), size,
                 strides, 0);
}

// A number as a zero-dimensional tensor.
OP("scalar_tensor(Scalar s, *, dtype? dtype=None, layout? layout=None, device? device=None, bool "
   "requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor scalar_tensor(const Scalar& s, std::optional<DType> dtype, std::optional<Device> device) {
  return filled({}, s, dtype.value_or(default_dtype()), device.value_or(DefaultDevice::value));
}

// ---- of another tensor's dtype and device

OP("Tensor.new_empty(Tensor input, int[] size, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor new_empty(const Tensor& input, const Shape& size, std::optional<DType> dtype,
                 std::optional<Device> device) {
  check_sizes("empty", size);
  return allocate(size, dtype.value_or(input.dtype()), device.value_or(input.device()));
}
OP("Tensor.new_empty_strided(Tensor input, int[] size, int[] stride, *, dtype? dtype=None, layout? "
   "layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor new_empty_strided(const Tensor& input, const Shape& size, const Shape& stride,
                         std::optional<DType> dtype, std::optional<Device> device) {
  return empty_strided(size, stride, dtype.value_or(input.dtype()), device.value_or(input.device()));
}
OP("Tensor.new_zeros(Tensor input, int[] size, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor new_zeros(const Tensor& input, const Shape& size, std::optional<DType> dtype,
                 std::optional<Device> device) {
  return filled(size, 0, dtype.value_or(input.dtype()), device.value_or(input.device()));
}
OP("Tensor.new_ones(Tensor input, int[] size, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor new_ones(const Tensor& input, const Shape& size, std::optional<DType> dtype,
                std::optional<Device> device) {
  return filled(size, 1, dtype.value_or(input.dtype()), device.value_or(input.device()));
}
OP("Tensor.new_full(Tensor input, int[] size, Scalar fill_value, *, dtype? dtype=None, layout? "
   "layout=None, device? device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor new_full(const Tensor& input, const Shape& size, const Scalar& fill_value, std::optional<DType> dtype,
                std::optional<Device> device) {
  return filled(size, fill_value, dtype.value_or(input.dtype()), device.value_or(input.device()));
}

}  // namespace mlx

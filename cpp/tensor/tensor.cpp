#include "tensor/tensor.h"

#include "base/free_list.h"
#include "base/representable.h"
#include "memory/allocator.h"

namespace mlx {
namespace {

Ref<TensorImpl> new_impl() {
  Ref<TensorImpl> impl(new (FreeList<sizeof(TensorImpl)>::take()) TensorImpl);
  impl->inference = InferenceMode::on;
  return impl;
}

// One past the last element that the strides reach, counted from the offset.
int64_t extent(const Shape& shape, const Shape& strides) {
  int64_t last = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 0) return 0;
    last += (shape[i] - 1) * strides[i];
  }
  return last + 1;
}

}  // namespace

void TensorImpl::destroy(TensorImpl* impl) {
  impl->~TensorImpl();
  FreeList<sizeof(TensorImpl)>::give(impl);
}

Tensor tensor_over(Ref<Storage> storage, Shape shape, Shape strides, int64_t offset, DType dtype) {
  auto impl = new_impl();
  impl->storage = std::move(storage);
  impl->offset = offset;
  impl->numel = numel(shape);
  impl->contiguous = is_contiguous(shape, strides);
  impl->shape = std::move(shape);
  impl->strides = std::move(strides);
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

size_t Tensor::wrapped(int64_t d) const { return static_cast<size_t>(wrap_dim(d, dim())); }

bool is_traced(const Tensor& t) {
  return !t.storage()->has_memory() || (Tracing::on && t.storage()->symbol() == 0);
}

void check_readable(const Tensor& t, const char* op) {
  if (!is_traced(t)) return;
  if (!Tracing::on)
    throw TraceError(op, ": this tensor of shape ", t.shape(),
                     " was made inside a compiled function and has no elements outside; return it instead");
  throw TraceError(
      op, ": the elements of a tensor of shape ", t.shape(),
      " are asked for while a function is compiled, when they are not known. Choose with "
      "mlx.where() or masked_fill() instead of branching or boolean masks, or do this outside of "
      "the compiled function");
}

void make_readable(const Tensor& t, const char* op, bool shared) {
  check_readable(t, op);
  const Device device = t.device();
  if (device.type == DeviceType::CPU || !t.storage()->data()) return;
  allocator(device.type).wait(t.storage()->data());
  if (shared) allocator(device.type).share(t.storage()->data());
}

DType widest_float(Device device) { return device.type == DeviceType::MPS ? DType::Float32 : DType::Float64; }

namespace {

void check_dtype(DType dtype, Device device) {
  const DType widest = widest_float(device);
  if (widest == DType::Float64 || (dtype != DType::Float64 && dtype != DType::Complex128)) return;
  throw TypeError("Metal has no ", dtype, ": convert to ",
                  mlx::is_complex(dtype) ? to_complex(widest) : widest, " before moving to '", device, "'");
}

Tensor allocate_row_major(const Shape& shape, DType dtype, Device device,
                          Ref<Storage> (*allocate)(size_t, Device)) {
  check_dtype(dtype, device);
  auto impl = new_impl();
  impl->numel = checked_numel(shape);
  int64_t bytes;
  if (__builtin_mul_overflow(impl->numel, static_cast<int64_t>(item_size(dtype)), &bytes))
    throw OutOfMemoryError("cannot allocate a tensor of shape ", shape,
                           ": its size in bytes exceeds 63 bits");
  impl->storage = allocate(static_cast<size_t>(bytes), device);
  impl->shape = shape;
  impl->strides.resize(shape.size());
  for (int64_t step = 1, d = static_cast<int64_t>(shape.size()) - 1; d >= 0; --d) {
    impl->strides[d] = step;
    step *= std::max<int64_t>(shape[d], 1);
  }
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

}  // namespace

Tensor allocate(const Shape& shape, DType dtype, Device device) {
  return allocate_row_major(shape, dtype, device, Storage::allocate);
}

Tensor allocate_on_host(const Shape& shape, DType dtype) {
  return allocate_row_major(shape, dtype, {}, Storage::allocate_on_host);
}

Tensor allocate_strided(const Shape& shape, const Shape& strides, DType dtype, Device device) {
  checked_numel(shape);
  check_dtype(dtype, device);
  auto storage = Storage::allocate(static_cast<size_t>(extent(shape, strides)) * item_size(dtype), device);
  return tensor_over(std::move(storage), shape, strides, 0, dtype);
}

Tensor view_of(const Tensor& base, Shape shape, Shape strides, int64_t offset) {
  Tensor view = tensor_over(base.storage(), std::move(shape), std::move(strides), offset, base.dtype());
  view.impl()->untracked = base.impl()->untracked;
  view.impl()->inference = base.impl()->inference;
  return view;
}

Tensor scalar_tensor(const Scalar& value, DType dtype) {
  // A float may become infinite here, as in PyTorch's tensor().
  if (!is_inexact(dtype) || value.is_complex()) check_representable(value, dtype);
  Tensor t = allocate_on_host({}, dtype);
  visit(dtype, [&](auto zero) { *t.data<decltype(zero)>() = value.to<decltype(zero)>(); });
  return t;
}

Tensor wrapped_number(const Scalar& value) {
  // Numbers are kept in full precision; their dtype only says which category they belong to.
  constexpr DType kinds[] = {DType::Bool, DType::Int64, DType::Float64, DType::Complex128};
  Tensor t = scalar_tensor(value, kinds[static_cast<int>(value.kind())]);
  t.impl()->wrapped_number = true;
  return t;
}

Tensor adopt(void* data, const Shape& shape, const Shape& strides, DType dtype, Device device,
             std::function<void()> release) {
  size_t bytes = static_cast<size_t>(extent(shape, strides)) * item_size(dtype);
  return tensor_over(Storage::adopt(data, bytes, device, std::move(release)), shape, strides, 0, dtype);
}

Tensor alias(const Tensor& t) { return view_of(t, t.shape(), t.strides(), t.offset()); }

Shape contiguous_strides(const Shape& shape) {
  Shape strides(shape.size());
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return strides;
}

bool is_contiguous(const Shape& shape, const Shape& strides) {
  int64_t step = 1;
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != step) step = -1;
    if (step >= 0) step *= shape[i];
  }
  return step >= 0;
}

bool is_contiguous_channels_last(const Tensor& t) {
  if (t.dim() != 4) return false;
  const Shape& s = t.shape();
  const Shape& st = t.strides();
  return is_contiguous({s[0], s[2], s[3], s[1]}, {st[0], st[2], st[3], st[1]});
}

int64_t numel(const Shape& shape) {
  int64_t n = 1;
  for (int64_t s : shape) n *= s;
  return n;
}

int64_t checked_numel(const Shape& shape) {
  int64_t n = 1;
  bool overflow = false, empty = false;
  for (int64_t s : shape) {
    if (s < 0) throw RuntimeError("cannot make a tensor with a negative dimension ", s, ": ", shape);
    empty |= s == 0;
    overflow |= __builtin_mul_overflow(n, s, &n);
  }
  if (empty) return 0;
  if (overflow)
    throw OutOfMemoryError("cannot allocate a tensor of shape ", shape,
                           ": its element count exceeds 63 bits");
  return n;
}

int64_t wrap_dim(int64_t d, int64_t ndim) {
  int64_t range = std::max<int64_t>(ndim, 1);  // a zero-dimensional tensor accepts 0 and -1
  if (d < -range || d >= range)
    throw IndexError("Dimension out of range (expected to be in range of [", -range, ", ", range - 1,
                     "], but got ", d, ")");
  return d < 0 ? d + range : d;
}

std::vector<bool> dim_mask(const Shape& dims, int64_t ndim, bool empty_is_all) {
  std::vector<bool> mask(static_cast<size_t>(std::max<int64_t>(ndim, 1)), dims.empty() && empty_is_all);
  for (int64_t d : dims) {
    size_t i = static_cast<size_t>(wrap_dim(d, ndim));
    if (mask[i]) throw RuntimeError("dim ", d, " appears multiple times in the list of dims");
    mask[i] = true;
  }
  mask.resize(static_cast<size_t>(ndim));
  return mask;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  if (a == b) return a;
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape out = longer;
  size_t lead = longer.size() - shorter.size();
  for (size_t i = 0; i < shorter.size(); ++i) {
    int64_t& size = out[lead + i];
    if (size == shorter[i] || shorter[i] == 1) continue;
    if (size != 1)
      throw RuntimeError(op, "(): shapes ", a, " and ", b,
                         " do not broadcast: ", a[lead + i - (longer.size() - a.size())], " is not ",
                         b[lead + i - (longer.size() - b.size())], " (at dimension ", lead + i, ")");
    size = shorter[i];
  }
  return out;
}

Shape broadcast_strides(const Tensor& t, const Shape& shape) {
  Shape out(shape.size(), 0);
  size_t lead = shape.size() - t.shape().size();
  for (size_t i = lead; i < shape.size(); ++i)
    out[i] = t.shape()[i - lead] == 1 && shape[i] != 1 ? 0 : t.strides()[i - lead];
  return out;
}

bool view_strides(const Shape& shape, const Shape& strides, const Shape& target, Shape& out) {
  if (numel(shape) == 0) {
    out = shape == target ? strides : contiguous_strides(target);
    return true;
  }
  out.assign(target.begin(), target.end());
  // Walk both shapes from the inside: each run of dimensions that is contiguous in itself may be
  // cut anew, as long as the cuts of the target fall on its ends.
  int64_t t = static_cast<int64_t>(target.size()) - 1;
  int64_t base = shape.empty() ? 1 : strides.back();
  int64_t run = 1, cut = 1;
  for (int64_t d = static_cast<int64_t>(shape.size()) - 1; d >= 0; --d) {
    run *= shape[d];
    if (d > 0 && (shape[d - 1] == 1 || strides[d - 1] == run * base)) continue;
    while (t >= 0 && (cut < run || target[t] == 1)) {
      out[t] = cut * base;
      cut *= target[t--];
    }
    if (cut != run) return false;
    if (d > 0) base = strides[d - 1];
    run = cut = 1;
  }
  for (; t >= 0; --t) out[t] = base;  // only a zero-dimensional source leaves these, all of size 1
  return true;
}

Shape infer_size(const Shape& target, int64_t count) {
  Shape out = target;
  int64_t known = 1, hole = -1;
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i] == -1) {
      if (hole >= 0) throw RuntimeError("only one dimension can be inferred (-1), in shape ", target);
      hole = static_cast<int64_t>(i);
    } else if (target[i] < 0) {
      throw RuntimeError("invalid shape dimension ", target[i], " in shape ", target);
    } else {
      known *= target[i];
    }
  }
  if (hole >= 0) {
    if (known == 0)
      throw RuntimeError("cannot reshape tensor of ", count, " elements into shape ", target,
                         " because the unspecified dimension size -1 can be any value and is ambiguous");
    if (count % known == 0) {
      out[hole] = count / known;
      return out;
    }
  } else if (known == count) {
    return out;
  }
  throw RuntimeError("shape ", target, " is invalid for input of size ", count);
}

bool has_internal_overlap(const Tensor& t) {
  if (t.is_contiguous()) return false;
  // Sorted by stride, each dimension must step over everything that the inner ones reach.
  std::vector<std::pair<int64_t, int64_t>> dims;
  for (int64_t d = 0; d < t.dim(); ++d) {
    if (t.size(d) == 0) return false;
    if (t.size(d) > 1) dims.emplace_back(t.stride(d), t.size(d));
  }
  std::sort(dims.begin(), dims.end());
  int64_t reach = 1;
  for (auto [stride, size] : dims) {
    if (stride < reach) return true;
    reach += stride * (size - 1);
  }
  return false;
}

bool may_share_memory(const Tensor& a, const Tensor& b) {
  if (a.numel() == 0 || b.numel() == 0) return false;
  if (a.storage() != b.storage() && (a.storage()->symbol() || b.storage()->symbol())) return false;
  auto first = [](const Tensor& t) { return static_cast<const char*>(t.raw()); };
  auto last = [&](const Tensor& t) {
    return first(t) + extent(t.shape(), t.strides()) * static_cast<int64_t>(t.item_size());
  };
  return first(a) < last(b) && first(b) < last(a);
}

bool same_layout(const Tensor& a, const Tensor& b) {
  if (a.storage() != b.storage() && (a.storage()->symbol() || b.storage()->symbol())) return false;
  return a.raw() == b.raw() && a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.strides() == b.strides() || (a.is_contiguous() && b.is_contiguous()));
}

void Promotion::join(Level& level, DType t) {
  level.dtype = level.any ? promote(level.dtype, t) : t;
  level.any = true;
}

void Promotion::add(const Tensor& t) {
  DType dtype = t.dtype();
  if (t.impl()->wrapped_number) {
    // A Python float stands for the default float type, a Python complex for its complex type.
    if (is_complex(dtype))
      dtype = to_complex(default_dtype());
    else if (is_floating(dtype))
      dtype = default_dtype();
    join(wrapped_, dtype);
  } else {
    join(t.dim() ? dims_ : zero_, dtype);
  }
}

// The weaker level counts only when it is of a higher kind (int < float < complex).
Promotion::Level Promotion::combine(const Level& strong, const Level& weak) {
  if (!weak.any) return strong;
  if (!strong.any) return weak;
  if (is_complex(strong.dtype)) return strong;
  if (is_floating(strong.dtype))
    return {true, is_complex(weak.dtype) ? to_complex(strong.dtype) : strong.dtype};
  if (strong.dtype == DType::Bool || is_inexact(weak.dtype)) return {true, promote(strong.dtype, weak.dtype)};
  return strong;
}

DType Promotion::result() const { return combine(dims_, combine(zero_, wrapped_)).dtype; }

}  // namespace mlx

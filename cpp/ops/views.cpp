// Views: other shapes, strides and offsets over the same memory.

#include "base/sizes.h"
#include "ops.h"
#include "ops/row.h"
#include "ops/widening.h"

namespace mlx {
namespace {

// The view's gradient, written into zeros of the base's shape through the same view.
template <class View>
auto scatter_through(const Tensor& base, View view) {
  return [shape = base.shape(), view](Backward& b) -> Grads {
    const Tensor& g = b.grad();
    // In-place on a view of fresh zeros is itself differentiable, so second derivatives come free.
    Tensor out = zeros(shape, g.dtype(), g.device());
    copy_(view(out), g, false);
    return {out};
  };
}

Shape without(const Shape& s, int64_t d) {
  Shape out = s;
  out.erase(static_cast<size_t>(d));
  return out;
}

// Gives `self` the layout and the history of a view of itself: how the forms that end in _ of ops that
// move no element work.
Tensor take_layout(const char* op, const Tensor& self, const Tensor& view) {
  if (GradMode::enabled() && self.requires_grad() && is_leaf(self))
    throw RuntimeError(op, "(): a leaf Variable that requires grad is being used in an in-place operation.");
  TensorImpl& impl = *self.impl();
  impl.shape = view.shape();
  impl.strides = view.strides();
  impl.offset = view.offset();
  impl.numel = view.numel();
  impl.contiguous = view.is_contiguous();
  if (view.requires_grad()) set_history(self, grad_fn(view), 0);
  return self;
}

// Marks views that one call returned together: none may be written to while the base is recorded.
TensorList together(TensorList views) {
  for (const Tensor& v : views) v.impl()->view_kind = ViewKind::Several;
  return views;
}

Shape with(const Shape& s, int64_t d, int64_t value) {
  Shape out = s;
  out[static_cast<size_t>(d)] = value;
  return out;
}

}  // namespace

// ---- the general case

// A view with these sizes, strides and offset (in elements) of the input's storage.
OP("as_strided(Tensor input, int[] size, int[] stride, int? storage_offset=None) -> Tensor");
Tensor as_strided(const Tensor& input, const Shape& size, const Shape& stride,
                  std::optional<int64_t> storage_offset) {
  int64_t offset = storage_offset.value_or(input.offset());
  if (size.size() != stride.size())
    throw RuntimeError("as_strided(): size ", size, " and stride ", stride, " differ in length");
  int64_t last = offset;
  for (size_t i = 0; i < size.size(); ++i) {
    if (stride[i] < 0)
      throw RuntimeError("as_strided(): Negative strides are not supported at the moment, got strides: ",
                         stride);
    last += (size[i] - 1) * stride[i];
  }
  int64_t room = static_cast<int64_t>(input.storage()->bytes() / input.item_size());
  if (offset < 0 || (checked_numel(size) > 0 && last >= room))
    throw RuntimeError("as_strided(): setStorage: size ", size, ", stride ", stride, ", storage offset ",
                       offset, " needs ", last + 1, " elements; the storage has ", room);
  Tensor view = view_of(input, size, stride, offset);
  return record_view("AsStrided", input, view,
                     [size, stride, offset, in_shape = input.shape(), in_strides = input.strides(),
                      in_offset = input.offset()](Backward& b) -> Grads {
                       return {as_strided_backward(widened(b.grad()), in_shape, in_strides, in_offset, size,
                                                   stride, offset)};
                     });
}

// The gradient of as_strided: adds up, for each element of the input, what its places in the view got.
OP("as_strided_backward(Tensor grad, int[] in_size, int[] in_stride, int in_offset, int[] size, int[] "
   "stride, int offset) -> Tensor");
Tensor as_strided_backward(const Tensor& grad, const Shape& in_size, const Shape& in_stride,
                           int64_t in_offset, const Shape& size, const Shape& stride, int64_t offset) {
  // Work in a flat picture of the storage that both layouts lie in; indices say where each element is.
  auto places = [&](const Shape& s, const Shape& st, int64_t from) {
    Tensor at = full(Shape(s.size(), 1), from, DType::Int64, grad.device());
    for (size_t d = 0; d < s.size(); ++d) {
      Shape one(s.size(), 1);
      one[d] = s[d];
      at = at + view(arange(0, s[d], 1, DType::Int64, grad.device()) * Scalar(st[d]), one);
    }
    return reshape(expand(at, s), {-1});
  };
  if (numel(in_size) == 0) return zeros(in_size, grad.dtype(), grad.device());
  int64_t base = std::min(in_offset, offset), extent = 1;
  for (auto [s, st, from] :
       {std::tuple(&in_size, &in_stride, in_offset), std::tuple(&size, &stride, offset)}) {
    int64_t last = from - base;
    for (size_t d = 0; d < s->size(); ++d) last += std::max<int64_t>((*s)[d] - 1, 0) * (*st)[d];
    extent = std::max(extent, last + 1);
  }
  Tensor flat = zeros({extent}, grad.dtype(), grad.device());
  flat = index_add(flat, 0, places(size, stride, offset - base), reshape(grad, {-1}));
  Tensor in_places = places(in_size, in_stride, in_offset - base);
  Tensor out = index_select(flat, 0, in_places);
  // An element that several places of the input share hands each an equal part.
  Tensor count = index_add(zeros({extent}, grad.dtype(), grad.device()), 0, in_places, ones_like(out));
  return reshape(out / index_select(count, 0, in_places), in_size);
}

// ---- one dimension at a time

// Row `index` along dimension `dim`, which disappears.
OP("select(Tensor input, int dim, int index) -> Tensor");
Tensor select(const Tensor& input, int64_t dim, int64_t index) {
  if (input.dim() == 0) throw IndexError("select(): cannot be applied to a 0-dim tensor.");
  int64_t d = wrap_dim(dim, input.dim()), size = input.size(d);
  if (index < -size || index >= size)
    throw IndexError("select(): index ", index, " is out of bounds for dimension ", d, " with size ", size,
                     " (shape ", input.shape(), ")");
  if (index < 0) index += size;
  Tensor out = view_of(input, without(input.shape(), d), without(input.strides(), d),
                       input.offset() + index * input.stride(d));
  return record_view("Select", input, out,
                     scatter_through(input, [d, index](const Tensor& t) { return select(t, d, index); }));
}

// Elements start, start + step, ... before end along a dimension.
OP("slice(Tensor input, int dim=0, int? start=None, int? end=None, int step=1) -> Tensor");
Tensor slice(const Tensor& input, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
             int64_t step) {
  if (input.dim() == 0) throw RuntimeError("slice(): cannot be applied to a 0-dim tensor.");
  if (step <= 0) throw ValueError("slice(): slice step must be positive, not ", step);
  int64_t d = wrap_dim(dim, input.dim()), size = input.size(d);
  auto clamp_to = [size](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + size : v, 0, size); };
  int64_t from = clamp_to(start.value_or(0)), to = std::max(clamp_to(end.value_or(size)), from);
  int64_t count = ceil_div(to - from, step);
  Tensor out = view_of(input, with(input.shape(), d, count), with(input.strides(), d, input.stride(d) * step),
                       input.offset() + from * input.stride(d));
  return record_view("Slice", input, out,
                     scatter_through(input, [=](const Tensor& t) { return slice(t, d, from, to, step); }));
}

OP("narrow(Tensor input, int dim, Tensor start, int length) -> Tensor");
Tensor narrow(const Tensor& input, int64_t dim, const Tensor& start, int64_t length) {
  if (start.dim() != 0 || start.is_inexact() || start.dtype() == DType::Bool)
    throw RuntimeError("narrow(): start must be a 0-dim integral Tensor, but is ", start.dtype(),
                       " of shape ", start.shape());
  return narrow(input, dim, item(start).to_int(), length);
}

// `length` elements from `start` on along a dimension.
OP("narrow(Tensor input, int dim, int start, int length) -> Tensor");
Tensor narrow(const Tensor& input, int64_t dim, int64_t start, int64_t length) {
  if (input.dim() == 0) throw RuntimeError("narrow() cannot be applied to a 0-dim tensor.");
  int64_t d = wrap_dim(dim, input.dim()), size = input.size(d);
  if (length < 0) throw RuntimeError("narrow(): length must be non-negative.");
  if (start < -size || start > size)
    throw IndexError("narrow(): start out of range (expected to be in range of [", -size, ", ", size,
                     "], but got ", start, ")");
  if (start < 0) start += size;
  if (start + length > size)
    throw RuntimeError("narrow(): start (", start, ") + length (", length, ") exceeds dimension size (", size,
                       ").");
  return slice(input, d, start, start + length, 1);
}

// A dimension of size one at position `dim`.
OP("unsqueeze(Tensor input, int dim) -> Tensor");
Tensor unsqueeze(const Tensor& input, int64_t dim) {
  int64_t d = wrap_dim(dim, input.dim() + 1);
  Shape shape = input.shape(), strides = input.strides();
  strides.insert(d, d < input.dim() ? shape[d] * strides[d] : 1);
  shape.insert(d, 1);
  return record_view("Unsqueeze", input, view_of(input, shape, strides, input.offset()),
                     [d](Backward& b) -> Grads { return {squeeze(b.grad(), d)}; });
}

// Without the dimensions of size one: all of them, or those named.
OP("squeeze(Tensor input) -> Tensor");
Tensor squeeze(const Tensor& input) {
  Shape dims;
  for (int64_t d = 0; d < input.dim(); ++d) dims.push_back(d);
  return squeeze(input, dims);
}

OP("squeeze(Tensor input, int dim) -> Tensor").node("SqueezeBackward1");
Tensor squeeze(const Tensor& input, int64_t dim) { return squeeze(input, Shape{dim}); }

OP("squeeze(Tensor input, int[] dim) -> Tensor").node("SqueezeBackward2");
Tensor squeeze(const Tensor& input, const Shape& dim) {
  auto named = dim_mask(dim, input.dim(), false);
  Shape shape, strides;
  for (int64_t d = 0; d < input.dim(); ++d) {
    if (named[d] && input.size(d) == 1) continue;
    shape.push_back(input.size(d));
    strides.push_back(input.stride(d));
  }
  return record_view("Squeeze", input, view_of(input, shape, strides, input.offset()),
                     [whole = input.shape()](Backward& b) -> Grads { return {reshape(b.grad(), whole)}; });
}

// Sliding windows of `size` elements along a dimension, `step` apart, as a new last dimension.
OP("Tensor.unfold(Tensor input, int dimension, int size, int step) -> Tensor");
Tensor unfold(const Tensor& input, int64_t dimension, int64_t size, int64_t step) {
  int64_t d = wrap_dim(dimension, input.dim());
  int64_t have = input.dim() ? input.size(d) : 1;
  if (size < 0 || size > have)
    throw RuntimeError("unfold(): maximum size for tensor at dimension ", d, " is ", have, " but size is ",
                       size);
  if (step <= 0) throw RuntimeError("unfold(): step is ", step, " but must be > 0");
  Shape shape = input.shape(), strides = input.strides();
  int64_t stride = input.dim() ? strides[d] : 1;
  if (input.dim()) {
    shape[d] = (have - size) / step + 1;
    strides[d] = stride * step;
  }
  shape.push_back(size);
  strides.push_back(stride);
  return record_view("Unfold", input, view_of(input, shape, strides, input.offset()),
                     [whole = input.shape(), d, size, step](Backward& b) -> Grads {
                       return {unfold_backward(widened(b.grad()), whole, d, size, step)};
                     });
}

// The gradient of unfold: each element gets the sum over the windows it lies in.
OP("unfold_backward(Tensor grad, int[] input_sizes, int dim, int size, int step) -> Tensor");
Tensor unfold_backward(const Tensor& grad, const Shape& input_sizes, int64_t dim, int64_t size,
                       int64_t step) {
  if (input_sizes.empty()) return sum(grad);
  Tensor places = unfold(arange(0, input_sizes[dim], 1, DType::Int64, grad.device()), 0, size, step);
  Tensor flat = flatten(movedim(grad, {-1}, {dim + 1}), dim, dim + 1);
  return index_add(zeros(input_sizes, grad.dtype(), grad.device()), dim, reshape(places, {-1}), flat);
}

// The diagonal of two dimensions, as a new last dimension.
OP("diagonal(Tensor input, int offset=0, int dim1=0, int dim2=1) -> Tensor");
Tensor diagonal(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) {
  int64_t d1 = wrap_dim(dim1, input.dim()), d2 = wrap_dim(dim2, input.dim());
  if (d1 == d2) throw RuntimeError("diagonal(): dimensions cannot be identical ", dim1, ", ", dim2);
  int64_t length = std::max<int64_t>(offset >= 0 ? std::min(input.size(d1), input.size(d2) - offset)
                                                 : std::min(input.size(d1) + offset, input.size(d2)),
                                     0);
  int64_t start = input.offset();
  if (length) start += offset >= 0 ? offset * input.stride(d2) : -offset * input.stride(d1);
  Shape shape = without(without(input.shape(), std::max(d1, d2)), std::min(d1, d2));
  Shape strides = without(without(input.strides(), std::max(d1, d2)), std::min(d1, d2));
  shape.push_back(length);
  strides.push_back(input.stride(d1) + input.stride(d2));
  return record_view("Diagonal", input, view_of(input, shape, strides, start),
                     scatter_through(input, [=](const Tensor& t) { return diagonal(t, offset, d1, d2); }));
}

// ---- the order of dimensions

// The dimensions in another order.
OP("permute(Tensor input, int[] dims) -> Tensor");
Tensor permute(const Tensor& input, const Shape& dims) {
  if (static_cast<int64_t>(dims.size()) != input.dim())
    throw RuntimeError("permute(): the number of dimensions in the ordering, ", dims.size(),
                       ", is not the tensor's, ", input.dim());
  dim_mask(dims, input.dim(), false);  // each once
  Shape shape, strides, inverse(dims.size());
  for (size_t i = 0; i < dims.size(); ++i) {
    int64_t d = wrap_dim(dims[i], input.dim());
    shape.push_back(input.size(d));
    strides.push_back(input.stride(d));
    inverse[d] = static_cast<int64_t>(i);
  }
  return record_view("Permute", input, view_of(input, shape, strides, input.offset()),
                     [inverse](Backward& b) -> Grads { return {permute(b.grad(), inverse)}; });
}

// Two dimensions swapped.
OP("transpose(Tensor input, int dim0, int dim1) -> Tensor").alias("swapdims");
Tensor transpose(const Tensor& input, int64_t dim0, int64_t dim1) {
  int64_t d0 = wrap_dim(dim0, input.dim()), d1 = wrap_dim(dim1, input.dim());
  Shape shape = input.shape(), strides = input.strides();
  if (input.dim()) {
    std::swap(shape[d0], shape[d1]);
    std::swap(strides[d0], strides[d1]);
  }
  return record_view("Transpose", input, view_of(input, shape, strides, input.offset()),
                     [d0, d1](Backward& b) -> Grads { return {transpose(b.grad(), d0, d1)}; });
}
// Two dimensions swapped: `transpose`.
OP("swapaxes(Tensor input, int axis0, int axis1) -> Tensor");
Tensor swapaxes(const Tensor& input, int64_t axis0, int64_t axis1) { return transpose(input, axis0, axis1); }

// The last two dimensions swapped.
OP("transpose(Tensor input) -> Tensor");
Tensor transpose(const Tensor& input) { return transpose(input, -2, -1); }

// A matrix transposed; vectors and numbers as they are.
OP("t(Tensor input) -> Tensor").node("TBackward0");
Tensor t(const Tensor& input) {
  if (input.dim() > 2)
    throw RuntimeError("t() expects a tensor with <= 2 dimensions, but self is ", input.dim(), "D");
  return input.dim() < 2 ? transpose(input, 0, -1) : transpose(input, 0, 1);
}

// Dimensions `source` moved to the places `destination`, the others in order.
OP("movedim(Tensor input, int[1] source, int[1] destination) -> Tensor").alias("moveaxis");
Tensor movedim(const Tensor& input, const Shape& source, const Shape& destination) {
  if (source.size() != destination.size())
    throw RuntimeError("movedim(): source ", source, " and destination ", destination, " differ in length");
  int64_t n = input.dim();
  dim_mask(source, n, false);
  dim_mask(destination, n, false);
  Shape order(static_cast<size_t>(n), -1);
  std::vector<bool> moved(static_cast<size_t>(n));
  for (size_t i = 0; i < source.size() && n; ++i) {
    order[wrap_dim(destination[i], n)] = wrap_dim(source[i], n);
    moved[wrap_dim(source[i], n)] = true;
  }
  int64_t next = 0;
  for (int64_t& d : order) {
    if (d >= 0) continue;
    while (moved[next]) ++next;
    d = next++;
  }
  return permute(input, order);
}

// ---- the same elements in another shape

// Size-one dimensions repeated without copying; -1 keeps a size.
OP("Tensor.expand(Tensor input, int[] size, *, bool implicit=False) -> Tensor");
Tensor expand(const Tensor& input, const Shape& size, bool) {
  if (size.size() < input.shape().size())
    throw RuntimeError("expand(): the number of sizes provided (", size.size(),
                       ") must be greater or equal to the number of dimensions in the tensor (", input.dim(),
                       ")");
  Shape shape = size;
  size_t lead = size.size() - input.shape().size();
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && i >= lead) shape[i] = input.shape()[i - lead];
    if (shape[i] < 0)
      throw RuntimeError("expand(): the expanded size of the tensor (", shape[i],
                         ") isn't allowed in a leading, non-existing dimension ", i);
    if (i >= lead && input.shape()[i - lead] != shape[i] && input.shape()[i - lead] != 1)
      throw RuntimeError("expand(): The expanded size of the tensor (", shape[i],
                         ") must match the existing size (", input.shape()[i - lead],
                         ") at non-singleton dimension ", i, ". Target sizes: ", size,
                         ". Tensor sizes: ", input.shape());
  }
  return record_view("Expand", input, view_of(input, shape, broadcast_strides(input, shape), input.offset()),
                     [](Backward& b) -> Grads { return {b.grad()}; });  // the engine sums what was repeated
}

// The same elements in another shape, without copying; one size may be -1.
OP("Tensor.view(Tensor input, int[] size) -> Tensor");
Tensor view(const Tensor& input, const Shape& size) {
  Shape shape = infer_size(size, input.numel()), strides;
  if (!view_strides(input.shape(), input.strides(), shape, strides))
    throw RuntimeError(
        "view(): view size ", size, " is not compatible with input tensor's size ", input.shape(),
        " and stride ", input.strides(),
        " (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead.");
  return record_view("View", input, view_of(input, shape, strides, input.offset()),
                     [whole = input.shape()](Backward& b) -> Grads { return {reshape(b.grad(), whole)}; });
}

OP("Tensor.view(Tensor input, dtype dtype) -> Tensor");
Tensor view(const Tensor& input, DType dtype) {
  size_t from = input.item_size(), to = item_size(dtype);
  Shape shape = input.shape(), strides = input.strides();
  int64_t offset = input.offset();
  if (from != to) {
    if (input.dim() == 0)
      throw RuntimeError("view(): input.dim() cannot be 0 to view ", input.dtype(), " as ", dtype,
                         " (different element sizes)");
    if (strides.back() != 1 && shape.back() != 1)
      throw RuntimeError("view(): input.stride(-1) must be 1 to view ", input.dtype(), " as ", dtype,
                         " (different element sizes), but got ", strides.back());
    int64_t ratio = static_cast<int64_t>(std::max(from, to) / std::min(from, to));
    if (to > from) {
      bool whole = shape.back() % ratio == 0 && offset % ratio == 0;
      for (size_t i = 0; i + 1 < strides.size(); ++i) whole &= strides[i] % ratio == 0;
      if (!whole)
        throw RuntimeError("view(): sizes ", shape, ", strides ", strides, " and offset ", offset,
                           " must be divisible by ", ratio, " to view ", input.dtype(), " as ", dtype);
    }
    auto scale = [&](int64_t v) { return to > from ? v / ratio : v * ratio; };
    shape.back() = scale(shape.back());
    for (size_t i = 0; i + 1 < strides.size(); ++i) strides[i] = scale(strides[i]);
    strides.back() = 1;
    offset = scale(offset);
  }
  Tensor out = view_of(input, shape, strides, offset);
  out.impl()->dtype = dtype;
  return out;
}

// The same elements in another shape; copies only when no view can show them.
OP("reshape(Tensor input, int[] shape) -> Tensor");
Tensor reshape(const Tensor& input, const Shape& shape) {
  Shape target = infer_size(shape, input.numel()), strides;
  if (view_strides(input.shape(), input.strides(), target, strides)) return view(input, target);
  return view(contiguous(input), target);
}

// Dimensions start_dim to end_dim as one.
OP("flatten(Tensor input, int start_dim=0, int end_dim=-1) -> Tensor");
Tensor flatten(const Tensor& input, int64_t start_dim, int64_t end_dim) {
  int64_t from = wrap_dim(start_dim, input.dim()), to = wrap_dim(end_dim, input.dim());
  if (from > to) throw RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim");
  if (input.dim() == 0) return reshape(input, {1});
  if (from == to) return input;
  Shape shape;
  int64_t size = 1;
  for (int64_t d = 0; d < input.dim(); ++d) {
    if (d < from || d > to)
      shape.push_back(input.size(d));
    else
      size *= input.size(d);
    if (d == to) shape.push_back(size);
  }
  return reshape(input, shape);
}

// One dimension as several; one of their sizes may be -1.
OP("unflatten(Tensor input, int dim, int[] sizes) -> Tensor");
Tensor unflatten(const Tensor& input, int64_t dim, const Shape& sizes) {
  int64_t d = wrap_dim(dim, input.dim());
  if (sizes.empty()) throw RuntimeError("unflatten(): sizes must be non-empty");
  Shape part = infer_size(sizes, input.size(d)), shape;
  for (int64_t i = 0; i < input.dim(); ++i) {
    if (i != d)
      shape.push_back(input.size(i));
    else
      for (int64_t s : part) shape.push_back(s);
  }
  return view(input, shape);
}

// ---- complex numbers

// The real part, a view; a real tensor itself.
OP("real(Tensor input) -> Tensor");
Tensor real(const Tensor& input) { return input.is_complex() ? select(view_as_real(input), -1, 0) : input; }

// The imaginary part, a view.
OP("imag(Tensor input) -> Tensor");
Tensor imag(const Tensor& input) {
  if (!input.is_complex()) throw RuntimeError("imag is not implemented for tensors with non-complex dtypes.");
  return select(view_as_real(input), -1, 1);
}

// A complex tensor as a real one with a last dimension of size two.
OP("view_as_real(Tensor input) -> Tensor");
Tensor view_as_real(const Tensor& input) {
  if (!input.is_complex())
    throw RuntimeError("view_as_real is only supported for complex tensors, not ", input.dtype());
  Shape shape = input.shape(), strides = input.strides();
  for (int64_t& s : strides) s *= 2;
  shape.push_back(2);
  strides.push_back(1);
  Tensor out = view_of(input, shape, strides, input.offset() * 2);
  out.impl()->dtype = to_real(input.dtype());
  return record_view("ViewAsReal", input, out,
                     [](Backward& b) -> Grads { return {view_as_complex(contiguous(b.grad()))}; });
}

// A real tensor with a last dimension of size two as a complex one.
OP("view_as_complex(Tensor input) -> Tensor");
Tensor view_as_complex(const Tensor& input) {
  if (!input.is_floating() || is_reduced(input.dtype()))
    throw RuntimeError("view_as_complex is only supported for float32 and float64 tensors, not ",
                       input.dtype());
  if (input.dim() == 0 || input.size(-1) != 2)
    throw RuntimeError("Tensor must have a last dimension of size 2, not shape ", input.shape());
  if (input.stride(-1) != 1) throw RuntimeError("Tensor must have a last dimension with stride 1");
  Shape shape = input.shape(), strides = input.strides();
  shape.pop_back();
  strides.pop_back();
  for (int64_t& s : strides) {
    if (s % 2) throw RuntimeError("Tensor must have a stride divisible by 2 for all but last dimension");
    s /= 2;
  }
  if (input.offset() % 2) throw RuntimeError("Tensor must have a storage_offset divisible by 2");
  Tensor out = view_of(input, shape, strides, input.offset() / 2);
  out.impl()->dtype = to_complex(input.dtype());
  return record_view("ViewAsComplex", input, out,
                     [](Backward& b) -> Grads { return {view_as_real(b.grad())}; });
}

// ---- in place: the tensor itself gets the new shape

OP("Tensor.squeeze_(Tensor input) -> Tensor");
Tensor squeeze_(const Tensor& input) { return take_layout("squeeze_", input, squeeze(input)); }
OP("Tensor.squeeze_(Tensor input, int dim) -> Tensor");
Tensor squeeze_(const Tensor& input, int64_t dim) {
  return take_layout("squeeze_", input, squeeze(input, dim));
}
OP("Tensor.squeeze_(Tensor input, int[] dim) -> Tensor");
Tensor squeeze_(const Tensor& input, const Shape& dim) {
  return take_layout("squeeze_", input, squeeze(input, dim));
}
OP("Tensor.unsqueeze_(Tensor input, int dim) -> Tensor");
Tensor unsqueeze_(const Tensor& input, int64_t dim) {
  return take_layout("unsqueeze_", input, unsqueeze(input, dim));
}
OP("Tensor.transpose_(Tensor input, int dim0, int dim1) -> Tensor").alias("Tensor.swapdims_");
Tensor transpose_(const Tensor& input, int64_t dim0, int64_t dim1) {
  return take_layout("transpose_", input, transpose(input, dim0, dim1));
}
OP("Tensor.swapaxes_(Tensor input, int axis0, int axis1) -> Tensor");
Tensor swapaxes_(const Tensor& input, int64_t axis0, int64_t axis1) {
  return transpose_(input, axis0, axis1);
}
OP("Tensor.t_(Tensor input) -> Tensor");
Tensor t_(const Tensor& input) { return take_layout("t_", input, t(input)); }
OP("Tensor.as_strided_(Tensor input, int[] size, int[] stride, int? storage_offset=None) -> Tensor");
Tensor as_strided_(const Tensor& input, const Shape& size, const Shape& stride,
                   std::optional<int64_t> storage_offset) {
  return take_layout("as_strided_", input, as_strided(input, size, stride, storage_offset));
}

// ---- several views

// The rows along a dimension.
OP("unbind(Tensor input, int dim=0) -> Tensor[]");
TensorList unbind(const Tensor& input, int64_t dim) {
  int64_t d = wrap_dim(dim, input.dim());
  if (input.dim() == 0)
    throw IndexError("unbind(): Dimension specified as ", dim, " but tensor has no dimensions");
  const Shape shape = without(input.shape(), d), strides = without(input.strides(), d);
  TensorList out;
  for (int64_t i = 0; i < input.size(d); ++i)
    out.push_back(as_view_of(input, view_of(input, shape, strides, input.offset() + i * input.stride(d))));
  record_all("Unbind", out, input, [d](Backward& b) -> Grads { return {stack(b.grads(), d)}; });
  return together(std::move(out));
}

namespace {

// Pieces of these lengths, which follow each other along a dimension and make up all of it.
TensorList pieces(const Tensor& input, const Shape& lengths, int64_t d) {
  TensorList out;
  int64_t at = input.offset();
  for (int64_t n : lengths) {
    out.push_back(as_view_of(input, view_of(input, with(input.shape(), d, n), input.strides(), at)));
    at += n * input.stride(d);
  }
  record_all("Split", out, input, [d](Backward& b) -> Grads { return {cat(b.grads(), d)}; });
  return together(std::move(out));
}

}  // namespace

// Pieces of `split_size` along a dimension; the last may be smaller.
OP("split(Tensor input, int split_size, int dim=0) -> Tensor[]");
TensorList split(const Tensor& input, int64_t split_size, int64_t dim) {
  if (input.dim() == 0) throw RuntimeError("split expects at least a 1-dimensional tensor");
  int64_t d = wrap_dim(dim, input.dim()), size = input.size(d);
  if (split_size < 0 || (split_size == 0 && size))
    throw RuntimeError(
        "split expects split_size be non-negative (and positive for a non-empty dimension), but got "
        "split_size=",
        split_size);
  Shape lengths;
  if (size == 0) lengths.push_back(0);
  for (int64_t at = 0; at < size; at += split_size) lengths.push_back(std::min(split_size, size - at));
  return pieces(input, lengths, d);
}

OP("split(Tensor input, int[] split_sizes, int dim=0) -> Tensor[]").alias("split_with_sizes");
TensorList split(const Tensor& input, const Shape& split_sizes, int64_t dim) {
  int64_t d = wrap_dim(dim, input.dim()), total = 0;
  for (int64_t s : split_sizes) {
    if (s < 0)
      throw RuntimeError("split_with_sizes expects split_sizes have only non-negative entries, but got ",
                         split_sizes);
    total += s;
  }
  if (total != input.size(d))
    throw RuntimeError("split_with_sizes expects split_sizes to sum exactly to ", input.size(d),
                       " (input tensor's size at dimension ", d, "), but got split_sizes=", split_sizes);
  return pieces(input, split_sizes, d);
}

// At most `chunks` pieces of equal size (the last may be smaller) along a dimension.
OP("chunk(Tensor input, int chunks, int dim=0) -> Tensor[]");
TensorList chunk(const Tensor& input, int64_t chunks, int64_t dim) {
  if (input.dim() == 0) throw RuntimeError("chunk expects at least a 1-dimensional tensor");
  if (chunks <= 0) throw RuntimeError("chunk expects `chunks` to be greater than 0, got: ", chunks);
  int64_t d = wrap_dim(dim, input.dim()), size = input.size(d), each = ceil_div(size, chunks);
  if (each == 0) return TensorList(static_cast<size_t>(chunks), slice(input, d, 0, 0, 1));
  return split(input, each, d);
}

}  // namespace mlx

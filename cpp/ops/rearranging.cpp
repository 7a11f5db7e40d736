// The same elements in other places: reversed, rolled, repeated, cut to a triangle.

#include "backends/backend.h"
#include "ops/update.h"

namespace mlx {
namespace {

// A row-major tensor of the elements that a strided picture of `t` shows; strides may be negative.
Tensor copied_layout(const Tensor& t, const Shape& shape, const Shape& strides, int64_t offset) {
  Tensor out = allocate(shape, t.dtype(), t.device());
  Tensor picture = view_of(t, shape, strides, offset);
  if (out.numel()) launch(Copy{}, {&out}, {&picture});
  return out;
}

}  // namespace

// The elements in reverse order along the dimensions.
OP("flip(Tensor input, int[] dims) -> Tensor");
Tensor flip(const Tensor& input, const Shape& dims) {
  const auto flipped = dim_mask(dims, input.dim(), false);
  Shape strides = input.strides();
  int64_t offset = input.offset();
  for (int64_t d = 0; d < input.dim(); ++d) {
    if (!flipped[d] || input.size(d) == 0) continue;
    offset += (input.size(d) - 1) * strides[d];
    strides[d] = -strides[d];
  }
  return record("Flip", copied_layout(input, input.shape(), strides, offset), {&input},
                [dims](Backward& b) -> Grads { return {flip(b.grad(), dims)}; });
}

// The columns of a matrix in reverse order.
OP("fliplr(Tensor input) -> Tensor");
Tensor fliplr(const Tensor& input) {
  if (input.dim() < 2) throw RuntimeError("fliplr(): Input must be >= 2-d.");
  return flip(input, {1});
}
// The rows of a matrix in reverse order.
OP("flipud(Tensor input) -> Tensor");
Tensor flipud(const Tensor& input) {
  if (input.dim() < 1) throw RuntimeError("flipud(): Input must be >= 1-d.");
  return flip(input, {0});
}

namespace {

Tensor roll_one(const Tensor& input, int64_t shift, int64_t d) {
  const int64_t size = input.size(d);
  if (size == 0) return copy_of(input);
  const int64_t by = ((shift % size) + size) % size;
  Tensor out = allocate(input.shape(), input.dtype(), input.device());
  GradModeGuard off(false);
  copy_data(slice(out, d, by, size, 1), slice(input, d, 0, size - by, 1));
  copy_data(slice(out, d, 0, by, 1), slice(input, d, size - by, size, 1));
  return out;
}

}  // namespace

// The elements moved along dimensions, those that leave at the end coming back at the start.
//
// >>> mlx.roll(mlx.tensor([1, 2, 3, 4]), 1)
// tensor([4, 1, 2, 3])
OP("roll(Tensor input, int[1] shifts, int[1] dims=[]) -> Tensor").node("RollBackward0");
Tensor roll(const Tensor& input, const Shape& shifts, const Shape& dims) {
  if (dims.empty()) {
    if (shifts.size() != 1)
      throw RuntimeError("roll(): shifts and dimensions must align: ", shifts.size(), " shifts, no dims");
    return view(roll(reshape(input, {-1}), shifts, {0}), input.shape());
  }
  if (shifts.size() != dims.size())
    throw RuntimeError("roll(): shifts and dimensions must align. shifts: ", shifts.size(),
                       ", dims:", dims.size());
  if (input.dim() == 0)
    throw IndexError("roll(): Dimension specified as ", dims[0], " but tensor has no dimensions");
  Tensor out = input;
  Shape back = shifts;
  for (size_t i = 0; i < dims.size(); ++i) {
    const int64_t d = wrap_dim(dims[i], input.dim());
    out = roll_one(out, shifts[i], d);
    back[i] = -shifts[i];
  }
  return record("Roll", out, {&input},
                [back, dims](Backward& b) -> Grads { return {roll(b.grad(), back, dims)}; });
}

// Turned by k * 90 degrees in the plane of two dimensions, from the first towards the second.
OP("rot90(Tensor input, int k=1, int[] dims=[0, 1]) -> Tensor");
Tensor rot90(const Tensor& input, int64_t k, const Shape& dims) {
  if (dims.size() != 2)
    throw RuntimeError("rot90(): expected total rotation dims == 2, but got dims = ", dims.size());
  if (input.dim() < 2)
    throw RuntimeError("rot90(): expected total dims >= 2, but got total dims = ", input.dim());
  const int64_t a = wrap_dim(dims[0], input.dim()), b = wrap_dim(dims[1], input.dim());
  if (a == b)
    throw RuntimeError("rot90(): expected rotation dims to be different, but got dim0 = ", dims[0],
                       " and dim1 = ", dims[1]);
  switch (((k % 4) + 4) % 4) {
    case 1:
      return transpose(flip(input, {b}), a, b);
    case 2:
      return flip(input, {a, b});
    case 3:
      return transpose(flip(input, {a}), a, b);
    default:
      return clone(input);
  }
}

// ---- triangles

namespace {

Tensor triangle(const char* op, const Tensor& input, int64_t diagonal, bool upper) {
  if (input.dim() < 2) throw RuntimeError(op, "(): input tensor must have at least 2 dimensions");
  Tensor out = allocate(input.shape(), input.dtype(), input.device());
  if (out.numel()) launch(Triangle{diagonal, upper}, {&out}, {&input});
  return record(upper ? "Triu" : "Tril", out, {&input},
                [=](Backward& b) -> Grads { return {triangle(op, b.grad(), diagonal, upper)}; });
}

// Row and column of each element of a triangle of a rows x columns matrix.
Tensor triangle_indices(int64_t rows, int64_t columns, int64_t offset, bool upper, DType dtype,
                        Device device) {
  if (rows < 0 || columns < 0)
    throw RuntimeError(upper ? "triu_indices" : "tril_indices", "(): row and col must be non-negative, got ",
                       rows, " and ", columns);
  std::vector<int64_t> r, c;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t edge = std::clamp<int64_t>(i + offset + (upper ? 0 : 1), 0, columns);
    for (int64_t j = upper ? edge : 0; j < (upper ? columns : edge); ++j) {
      r.push_back(i);
      c.push_back(j);
    }
  }
  Tensor out = allocate_on_host({2, static_cast<int64_t>(r.size())}, DType::Int64);
  std::copy(r.begin(), r.end(), out.data<int64_t>());
  std::copy(c.begin(), c.end(), out.data<int64_t>() + r.size());
  return to(out, std::optional<Device>(device), std::optional<DType>(dtype));
}

}  // namespace

// The lower triangle of a matrix (or of each of a batch): zeros above the diagonal.
OP("tril(Tensor input, int diagonal=0) -> Tensor").inplace();
Tensor tril(const Tensor& input, int64_t diagonal) { return triangle("tril", input, diagonal, false); }
// The upper triangle of a matrix (or of each of a batch): zeros below the diagonal.
OP("triu(Tensor input, int diagonal=0) -> Tensor").inplace();
Tensor triu(const Tensor& input, int64_t diagonal) { return triangle("triu", input, diagonal, true); }

// The rows and columns of the elements of a lower triangle, as a (2, count) tensor.
OP("tril_indices(int row, int col, int offset=0, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor tril_indices(int64_t row, int64_t col, int64_t offset, std::optional<DType> dtype,
                    std::optional<Device> device) {
  return triangle_indices(row, col, offset, false, dtype.value_or(DType::Int64),
                          device.value_or(DefaultDevice::value));
}
// The rows and columns of the elements of an upper triangle, as a (2, count) tensor.
OP("triu_indices(int row, int col, int offset=0, *, dtype? dtype=None, layout? layout=None, device? "
   "device=None, bool requires_grad=False, bool pin_memory=False) -> Tensor");
Tensor triu_indices(int64_t row, int64_t col, int64_t offset, std::optional<DType> dtype,
                    std::optional<Device> device) {
  return triangle_indices(row, col, offset, true, dtype.value_or(DType::Int64),
                          device.value_or(DefaultDevice::value));
}

// ---- repeated elements

namespace {

// Blocks of `t` side by side: each dimension d is seen as (repeats[d], size), the repeats being views.
Tensor tiled(const Tensor& input, const Shape& repeats) {
  const size_t lead = repeats.size() - input.shape().size();
  Shape inner, outer, whole;
  for (size_t d = 0; d < repeats.size(); ++d) {
    const int64_t size = d < lead ? 1 : input.shape()[d - lead];
    inner.push_back(1);
    inner.push_back(size);
    outer.push_back(repeats[d]);
    outer.push_back(size);
    whole.push_back(repeats[d] * size);
  }
  Tensor t = expand(reshape(input, inner), outer, false);
  return view(clone(t), whole);
}

}  // namespace

// The tensor repeated along each dimension.
OP("Tensor.repeat(Tensor input, int[] repeats) -> Tensor").node("RepeatBackward0");
Tensor repeat(const Tensor& input, const Shape& repeats) {
  if (static_cast<int64_t>(repeats.size()) < input.dim())
    throw RuntimeError(
        "repeat(): Number of dimensions of repeat dims can not be smaller than number of dimensions of "
        "tensor: ",
        repeats.size(), " < ", input.dim());
  for (int64_t r : repeats)
    if (r < 0)
      throw RuntimeError("repeat(): Trying to create tensor with negative dimension: repeats ", repeats);
  return tiled(input, repeats);
}

// The same with missing leading repeats taken as one.
//
// >>> mlx.tile(mlx.tensor([1, 2]), (2, 2))
// tensor([[1, 2, 1, 2],
//         [1, 2, 1, 2]])
OP("tile(Tensor input, int[] dims) -> Tensor");
Tensor tile(const Tensor& input, const Shape& dims) {
  Shape repeats = dims;
  while (static_cast<int64_t>(repeats.size()) < input.dim()) repeats.insert(0, 1);
  return repeat(input, repeats);
}

// Each element (or row along `dim`) repeated in place; `repeats` may be one number for each.
OP("repeat_interleave(Tensor input, int repeats, int? dim=None, *, int? output_size=None) -> Tensor");
Tensor repeat_interleave(const Tensor& input, int64_t repeats, std::optional<int64_t> dim,
                         std::optional<int64_t>) {
  if (repeats < 0) throw RuntimeError("repeat_interleave(): Repeats must be non-negative, got ", repeats);
  if (!dim) return repeat_interleave(reshape(input, {-1}), repeats, 0);
  if (input.dim() == 0) return repeat_interleave(reshape(input, {1}), repeats, dim);
  const int64_t d = wrap_dim(*dim, input.dim());
  Shape shape = input.shape(), whole = input.shape();
  shape.insert(d + 1, repeats);
  whole[d] *= repeats;
  return view(clone(expand(unsqueeze(input, d + 1), shape, false)), whole);
}

OP("repeat_interleave(Tensor input, Tensor repeats, int? dim=None, *, int? output_size=None) -> Tensor");
Tensor repeat_interleave(const Tensor& input, const Tensor& repeats, std::optional<int64_t> dim,
                         std::optional<int64_t> output_size) {
  if (!dim) return repeat_interleave(reshape(input, {-1}), repeats, 0, output_size);
  Tensor whole = input.dim() ? input : reshape(input, {1});
  const int64_t d = wrap_dim(*dim, whole.dim());
  if (repeats.dim() > 1)
    throw RuntimeError("repeat_interleave(): repeats must be 0-dim or 1-dim tensor, not of shape ",
                       repeats.shape());
  if (repeats.numel() == 1) {
    const int64_t times = item(repeats).to_int();
    return repeat_interleave(whole, times, d, output_size);
  }
  if (repeats.numel() != whole.size(d))
    throw RuntimeError(
        "repeat_interleave(): repeats must have the same size as input along dim, but got repeats.size(0) = ",
        repeats.numel(), " and input.size(", d, ") = ", whole.size(d));
  return index_select(whole, d, repeat_interleave(repeats, output_size));
}

// Each index as often as `repeats` says: 0, 0, 1 for (2, 1).
OP("repeat_interleave(Tensor repeats, *, int? output_size=None) -> Tensor");
Tensor repeat_interleave(const Tensor& repeats, std::optional<int64_t>) {
  if (repeats.dim() != 1 || (repeats.dtype() != DType::Int64 && repeats.dtype() != DType::Int32))
    throw RuntimeError("repeat_interleave(): repeats must be a vector of int32 or int64, not ",
                       repeats.dtype(), " of shape ", repeats.shape());
  Tensor times = contiguous(to(cpu(repeats), DType::Int64, false, false));
  make_readable(times, "repeat_interleave()");
  const int64_t* p = times.data<int64_t>();
  int64_t total = 0;
  for (int64_t i = 0; i < times.numel(); ++i) {
    if (p[i] < 0) throw RuntimeError("repeat_interleave(): repeats can not be negative, got ", p[i]);
    total += p[i];
  }
  Tensor out = allocate_on_host({total}, DType::Int64);
  int64_t* q = out.data<int64_t>();
  for (int64_t i = 0; i < times.numel(); ++i) q = std::fill_n(q, p[i], i);
  return to(out, std::optional<Device>(repeats.device()), std::optional<DType>(repeats.dtype()));
}

// ---- shapes taken from elsewhere

// A view of the tensor in a shape that it broadcasts to.
OP("broadcast_to(Tensor input, int[] size) -> Tensor");
Tensor broadcast_to(const Tensor& input, const Shape& size) { return expand(input, size, false); }
OP("Tensor.expand_as(Tensor input, Tensor other) -> Tensor");
Tensor expand_as(const Tensor& input, const Tensor& other) { return expand(input, other.shape(), false); }
OP("Tensor.view_as(Tensor input, Tensor other) -> Tensor");
Tensor view_as(const Tensor& input, const Tensor& other) { return view(input, other.shape()); }
OP("Tensor.reshape_as(Tensor input, Tensor other) -> Tensor");
Tensor reshape_as(const Tensor& input, const Tensor& other) { return reshape(input, other.shape()); }
// All elements as a vector; a view where it can be.
OP("ravel(Tensor input) -> Tensor");
Tensor ravel(const Tensor& input) { return reshape(input, {-1}); }

// The tensors as views of the shape that they broadcast to together.
OP("_broadcast_tensors(Tensor[] tensors) -> Tensor[]");
TensorList _broadcast_tensors(const TensorList& tensors) {
  Shape shape;
  for (const Tensor& t : tensors) shape = broadcast_shapes(shape, t.shape(), "broadcast_tensors");
  TensorList out;
  for (const Tensor& t : tensors) out.push_back(expand(t, shape, false));
  return out;
}

// ---- products of coordinates

OP("_meshgrid(Tensor[] tensors, str indexing='ij') -> Tensor[]");
TensorList _meshgrid(const TensorList& tensors, const std::string& indexing) {
  if (tensors.empty()) throw RuntimeError("meshgrid expects a non-empty TensorList");
  if (indexing != "ij" && indexing != "xy")
    throw RuntimeError("meshgrid(): indexing must be one of \"xy\" or \"ij\", but received: ", indexing);
  Shape shape;
  for (const Tensor& t : tensors) {
    if (t.dim() > 1)
      throw RuntimeError("meshgrid(): Expected 0D or 1D tensor in the tensor list but got: ", t.shape());
    if (t.dtype() != tensors[0].dtype())
      throw RuntimeError("meshgrid expects all tensors to have the same dtype");
    shape.push_back(t.numel());
  }
  const bool swap = indexing == "xy" && tensors.size() >= 2;
  TensorList out;
  for (size_t i = 0; i < tensors.size(); ++i) {
    Shape one(tensors.size(), 1);
    one[i] = tensors[i].numel();
    Tensor grid = expand(reshape(tensors[i], one), shape, false);
    out.push_back(swap ? transpose(grid, 0, 1) : grid);
  }
  return out;
}

// Every combination of one element of each vector, a row each.
OP("_cartesian_prod(Tensor[] tensors) -> Tensor");
Tensor _cartesian_prod(const TensorList& tensors) {
  for (const Tensor& t : tensors)
    if (t.dim() != 1) throw RuntimeError("cartesian_prod(): Expect a 1D vector, but got shape ", t.shape());
  if (tensors.size() == 1) return tensors[0];
  TensorList flat;
  for (const Tensor& t : _meshgrid(tensors, "ij")) flat.push_back(reshape(t, {-1}));
  return stack(flat, 1);
}

// A matrix of zeros with the given matrices along its diagonal.
OP("_block_diag(Tensor[] tensors) -> Tensor");
Tensor _block_diag(const TensorList& tensors) {
  TensorList blocks;
  Promotion promotion;
  int64_t columns = 0;
  for (const Tensor& t : tensors) {
    if (t.dim() > 2)
      throw RuntimeError("block_diag: Input tensors must have 2 or fewer dimensions. Got shape ", t.shape());
    blocks.push_back(atleast_2d(t));
    promotion.add(t);
    columns += blocks.back().size(1);
  }
  TensorList rows;
  int64_t before = 0;
  for (const Tensor& t : blocks) {
    const int64_t n = t.size(1);
    rows.push_back(
        constant_pad_nd(to(t, promotion.result(), false, false), {before, columns - before - n}, Scalar(0)));
    before += n;
  }
  return cat(rows, 0);
}

// The Kronecker product: each element of `input` times the whole of `other`.
OP("kron(Tensor input, Tensor other) -> Tensor");
Tensor kron(const Tensor& input, const Tensor& other) {
  const size_t dims = std::max(input.shape().size(), other.shape().size());
  auto size_of = [dims](const Tensor& t, size_t d) {
    return d + t.shape().size() < dims ? 1 : t.shape()[d + t.shape().size() - dims];
  };
  Shape a, b, whole;
  for (size_t d = 0; d < dims; ++d) {
    a.push_back(size_of(input, d));
    a.push_back(1);
    b.push_back(1);
    b.push_back(size_of(other, d));
    whole.push_back(size_of(input, d) * size_of(other, d));
  }
  return reshape(reshape(input, a) * reshape(other, b), whole);
}

// The powers 0 ... N - 1 of a vector's elements as columns, falling unless `increasing`.
OP("vander(Tensor x, int? N=None, bool increasing=False) -> Tensor");
Tensor vander(const Tensor& x, std::optional<int64_t> N, bool increasing) {
  if (x.dim() != 1)
    throw RuntimeError("vander(): x must be a one-dimensional tensor, not of shape ", x.shape());
  const int64_t n = N.value_or(x.numel());
  if (n < 0) throw RuntimeError("vander(): N must be non-negative, got ", n);
  Tensor base = x.is_inexact() ? x : to(x, DType::Int64, false, false);
  if (n == 0) return empty({x.numel(), 0}, base.dtype(), base.device());
  TensorList columns{ones_like(base)};
  while (static_cast<int64_t>(columns.size()) < n) columns.push_back(columns.back() * base);
  if (!increasing) std::reverse(columns.begin(), columns.end());
  return stack(columns, 1);
}

// The coordinates, in an array of this shape, of positions in its flattened form.
OP("_unravel_index(Tensor indices, int[] shape) -> Tensor[]");
TensorList _unravel_index(const Tensor& indices, const Shape& shape) {
  if (is_inexact(indices.dtype()) || indices.dtype() == DType::Bool)
    throw ValueError("expected 'indices' to be integer dtype, but got ", indices.dtype());
  TensorList out;
  Tensor rest = to(indices, DType::Int64, false, false);
  for (size_t d = shape.size(); d-- > 0;) {
    out.push_back(remainder(rest, Scalar(shape[d])));
    rest = floor_divide(rest, Scalar(shape[d]));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace mlx

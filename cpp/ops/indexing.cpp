// Reading and writing rows by index tensors.

#include "ops/indexing.h"

#include "backends/backend.h"
#include "base/representable.h"
#include "ops/update.h"

namespace mlx {
namespace {

bool is_mask(const Tensor& t) { return t.dtype() == DType::Bool || t.dtype() == DType::UInt8; }

// Masks as the coordinates of their true elements, a tensor a dimension; integers as int64; as many as
// dimensions.
Indices expanded(const char* op, const Tensor& input, const Indices& indices) {
  Indices out;
  for (const Tensor& index : indices) {
    if (!index.defined()) {
      out.emplace_back();
    } else if (is_mask(index)) {
      for (int64_t d = 0; d < index.dim(); ++d) {
        const int64_t at = static_cast<int64_t>(out.size()) + d;
        if (at >= input.dim())
          throw IndexError(op, "(): too many indices for tensor of dimension ", input.dim());
        if (input.size(at) != index.size(d))
          throw IndexError(op, "(): The shape of the mask ", index.shape(), " at index ", d,
                           " does not match the shape of the indexed tensor ", input.shape(), " at index ",
                           at);
      }
      Tensor places = nonzero(index);
      for (int64_t d = 0; d < index.dim(); ++d) out.push_back(select(places, 1, d));
    } else if (index.dtype() == DType::Int64 || index.dtype() == DType::Int32 ||
               index.dtype() == DType::Int16 || index.dtype() == DType::Int8) {
      out.push_back(index);
    } else {
      throw IndexError("tensors used as indices must be long, int, byte or bool tensors, not ",
                       index.dtype());
    }
  }
  if (static_cast<int64_t>(out.size()) > input.dim())
    throw IndexError(op, "(): too many indices for tensor of dimension ", input.dim(), " (got ", out.size(),
                     ")");
  out.resize(static_cast<size_t>(input.dim()));
  // Indices may come from another device.
  for (Tensor& index : out)
    if (index.defined() && !(index.device() == input.device()))
      index = to(index, std::optional<Device>(input.device()), std::optional<DType>());
  return out;
}

Shape common_index_shape(const Indices& indices) {
  Shape shape;
  bool first = true;
  for (const Tensor& t : indices) {
    if (!t.defined()) continue;
    try {
      shape = first ? t.shape() : broadcast_shapes(shape, t.shape());
    } catch (const RuntimeError&) {
      std::string shapes;
      for (const Tensor& u : indices)
        if (u.defined()) shapes += str(shapes.empty() ? "" : ", ", u.shape());
      throw IndexError("shape mismatch: indexing tensors could not be broadcast together with shapes ",
                       shapes);
    }
    first = false;
  }
  return shape;
}

// Whether the indexed dimensions are neighbours: then their result stays in place, else it comes first.
bool adjacent(const Indices& indices) {
  int runs = 0;
  for (size_t d = 0; d < indices.size(); ++d)
    runs += indices[d].defined() && (d == 0 || !indices[d - 1].defined());
  return runs <= 1;
}

void append(Shape& to, const Shape& from) {
  for (int64_t s : from) to.push_back(s);
}

Tensor zero_offsets(const Shape& shape, Device device) { return zeros(shape, DType::Int64, device); }

void check_same_dtype(const char* op, const Tensor& self, const Tensor& source) {
  if (self.dtype() != source.dtype())
    throw RuntimeError(op, "(): self (", short_name(self.dtype()), ") and source (",
                       short_name(source.dtype()), ") must have the same scalar type");
}

std::vector<SavedTensor> keep_all(const TensorList& indices) {
  Keeping keeping;
  std::vector<SavedTensor> saved;
  for (const Tensor& t : indices) saved.push_back(save(t));
  return saved;
}

}  // namespace

IndexedRows indexed_rows(const char* op, const Tensor& input, const Indices& indices) {
  const Indices all = expanded(op, input, indices);
  IndexedRows rows;
  rows.index_shape = common_index_shape(all);
  const bool stays = adjacent(all);
  rows.offsets = zero_offsets(rows.index_shape, input.device());
  Shape before, after, shape, strides;
  bool seen = false;
  for (size_t d = 0; d < all.size(); ++d) {
    const int64_t size = input.shape()[d], stride = input.strides()[d];
    if (all[d].defined()) {
      seen = true;
      launch(IndexOffsets{op, static_cast<int64_t>(d), size, stride}, {&rows.offsets}, {&all[d]});
      continue;
    }
    (stays && !seen ? before : after).push_back(size);
    shape.push_back(size);
    strides.push_back(stride);
  }
  rows.before = static_cast<int>(before.size());
  rows.base = view_of(input, shape, strides, input.offset());
  rows.shape = rows.row_shape = before;
  append(rows.shape, rows.index_shape);
  rows.row_shape.push_back(numel(rows.index_shape));
  append(rows.shape, after);
  append(rows.row_shape, after);
  return rows;
}

IndexedRows rows_along(const char* op, const Tensor& input, int64_t dim, const Tensor& index) {
  if (index.dim() > 1)
    throw IndexError(op, "(): Index is supposed to be a vector, but got dim: ", index.dim());
  if (index.dtype() != DType::Int64 && index.dtype() != DType::Int32)
    throw RuntimeError(op, "(): Expected dtype int32 or int64 for index, not ", index.dtype());
  if (input.dim() == 0) {
    IndexedRows rows = rows_along(op, view_of(input, {1}, {1}, input.offset()), 0, index);
    rows.shape = rows.row_shape;
    return rows;
  }
  Indices indices(static_cast<size_t>(input.dim()));
  indices[wrap_dim(dim, input.dim())] = index.dim() ? index : view_of(index, {1}, {1}, index.offset());
  return indexed_rows(op, input, indices);
}

Tensor read_rows(const IndexedRows& rows, const Tensor& input) {
  Tensor out = allocate(rows.row_shape, input.dtype(), input.device());
  if (out.numel()) launch(GatherRows{rows.before}, {&out}, {&rows.base, &rows.offsets});
  return view_of(out, rows.shape, contiguous_strides(rows.shape), 0);
}

void write_rows(const IndexedRows& rows, const Tensor& source, bool accumulate) {
  // A number may come from another device.
  const Tensor values = source.dim() == 0
                            ? to(source, std::optional<Device>(rows.base.device()), std::optional<DType>())
                            : source;
  Tensor all = values.shape() == rows.shape
                   ? values
                   : view_of(values, rows.shape, broadcast_strides(values, rows.shape), values.offset());
  if (all.numel() == 0) return;
  Shape strides;
  if (!view_strides(rows.shape, all.strides(), rows.row_shape, strides)) {
    all = copy_of(all);
    strides = contiguous_strides(rows.row_shape);
  }
  all = view_of(all, rows.row_shape, strides, all.offset());
  launch(ScatterRows{rows.before, accumulate ? Update::Add : Update::Set}, {&rows.base},
         {&rows.offsets, &all});
}

// ---- input[indices]

// The elements that index tensors name: what `input[i, j, ...]` means for tensors; None takes a dimension
// whole.
OP("_index(Tensor input, Tensor?[] indices) -> Tensor");
Tensor _index(const Tensor& input, const TensorList& indices) {
  IndexedRows rows = indexed_rows("index", input, indices);
  Tensor out = read_rows(rows, input);
  std::vector<SavedTensor> saved = recording({&input}) ? keep_all(indices) : std::vector<SavedTensor>();
  return record("Index", out, {&input},
                [shape = input.shape(), saved = std::move(saved)](Backward& b) -> Grads {
                  TensorList indices;
                  for (const SavedTensor& s : saved) indices.push_back(s.kept() ? b.get(s) : Tensor());
                  Tensor g = widened(b.grad());
                  return {index_put(zeros(shape, g.dtype(), g.device()), indices, g, true)};
                });
}

namespace {

// Writes one value where a mask over the leading dimensions is true, without asking how often it is.
void fill_where(const Tensor& self, Tensor mask, const Tensor& value) {
  if (mask.dim() > self.dim() || !std::equal(mask.shape().begin(), mask.shape().end(), self.shape().begin()))
    throw IndexError("index_put(): the shape of the mask ", mask.shape(),
                     " does not match that of the indexed tensor ", self.shape());
  GradModeGuard off(false);
  while (mask.dim() < self.dim()) mask = unsqueeze(mask, -1);
  copy_data(self, where(mask, reshape(value, {}), self));
}

void index_put_data(const Tensor& self, const TensorList& indices, const Tensor& values, bool accumulate) {
  if (values.dtype() != self.dtype())
    throw RuntimeError("index_put(): Index put requires the source and destination dtypes match, got ",
                       short_name(self.dtype()), " for the destination and ", short_name(values.dtype()),
                       " for the source.");
  if (indices.size() == 1 && indices[0].defined() && indices[0].dtype() == DType::Bool &&
      is_traced(indices[0]) && values.numel() == 1 && !accumulate)
    return fill_where(self, indices[0], values);
  if (accumulate && is_reduced(self.dtype()))
    return join_widened(self,
                        [&](const Tensor& total) { index_put_data(total, indices, widened(values), true); });
  IndexedRows rows = indexed_rows("index_put", self, indices);
  bool fits = values.dim() <= static_cast<int64_t>(rows.shape.size());
  if (fits) {
    const size_t lead = rows.shape.size() - values.shape().size();
    for (size_t d = 0; d < values.shape().size(); ++d)
      fits &= values.shape()[d] == 1 || values.shape()[d] == rows.shape[d + lead];
  }
  if (!fits)
    throw RuntimeError("shape mismatch: value tensor of shape ", values.shape(),
                       " cannot be broadcast to indexing result of shape ", rows.shape);
  write_rows(rows, apart_from(self, values), accumulate);
}

// The gradient of what is kept: zero where it was overwritten.
Tensor with_zeros_at(const Tensor& g, const TensorList& indices) {
  return index_put(g, indices, zeros({}, g.dtype(), g.device()));
}

}  // namespace

// A copy in which the elements that index tensors name are `values`, or have `values` added.
OP("index_put(Tensor input, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor");
Tensor index_put(const Tensor& input, const TensorList& indices, const Tensor& values, bool accumulate) {
  Tensor out = copy_of(input);
  index_put_data(out, indices, values, accumulate);
  std::vector<SavedTensor> saved =
      recording({&input, &values}) ? keep_all(indices) : std::vector<SavedTensor>();
  return record("IndexPut", out, {&input, &values},
                [accumulate, saved = std::move(saved)](Backward& b) -> Grads {
                  TensorList indices;
                  for (const SavedTensor& s : saved) indices.push_back(s.kept() ? b.get(s) : Tensor());
                  return {b.needs(0) ? (accumulate ? b.grad() : with_zeros_at(b.grad(), indices)) : Tensor(),
                          b.needs(1) ? _index(b.grad(), indices) : Tensor()};
                });
}
OP("index_put_(Tensor input, Tensor?[] indices, Tensor values, bool accumulate=False) -> Tensor");
Tensor index_put_(const Tensor& input, const TensorList& indices, const Tensor& values, bool accumulate) {
  return update_in_place(
      input, {&values}, "index_put_",
      [&](const Tensor& self) { index_put_data(self, indices, values, accumulate); },
      [&](const Tensor& old) { return index_put(old, indices, values, accumulate); });
}

// ---- rows along one dimension

// The rows along `dim` that a vector of indices names.
//
// >>> mlx.index_select(mlx.tensor([[1, 2], [3, 4]]), 1, mlx.tensor([1, 1, 0]))
// tensor([[2, 2, 1],
//         [4, 4, 3]])
OP("index_select(Tensor input, int dim, Tensor index) -> Tensor");
Tensor index_select(const Tensor& input, int64_t dim, const Tensor& index) {
  const int64_t d = wrap_dim(dim, input.dim());
  IndexedRows rows = rows_along("index_select", input, d, index);
  if (input.dim() == 0) {
    if (numel(rows.shape) != 1)
      throw IndexError("index_select(): Index to scalar can have only 1 value, got ", numel(rows.shape),
                       " value(s)");
    return record("IndexSelect", copy_of(input), {&input}, [](Backward& b) -> Grads { return {b.grad()}; });
  }
  return record("IndexSelect", read_rows(rows, input), {&input},
                [shape = input.shape(), d, index = save(index)](Backward& b) -> Grads {
                  Tensor g = widened(b.grad());
                  return {index_add(zeros(shape, g.dtype(), g.device()), d, b.get(index), g)};
                });
}

// index_select in several dimensions, as one op: what comes together in its gradient is added up in one type.
OP("_select_places(Tensor input, int[] dims, Tensor[] places) -> Tensor");
Tensor _select_places(const Tensor& input, const Shape& dims, const TensorList& places) {
  if (dims.empty()) return clone(input);
  std::vector<Shape> shapes;
  // Where nothing is recorded, places may be tensors of inference mode, which cannot be saved.
  std::vector<SavedTensor> saved = recording({&input}) ? keep_all(places) : std::vector<SavedTensor>();
  Tensor out = detach(input);
  for (size_t k = 0; k < dims.size(); ++k) {
    shapes.push_back(out.shape());
    out = index_select(out, dims[k], places[k]);
  }
  return record("SelectPlaces", out, {&input}, [=](Backward& b) -> Grads {
    Tensor g = widened(b.grad());
    for (size_t k = dims.size(); k-- > 0;)
      g = index_add(zeros(shapes[k], g.dtype(), g.device()), dims[k], b.get(saved[k]), g);
    return {g};
  });
}

namespace {

// `source` checked against the rows, and reshaped to them where a number stands for one element.
Tensor checked_source(const char* op, const IndexedRows& rows, const Tensor& input, const Tensor& source) {
  check_same_dtype(op, input, source);
  if (source.numel() == 1 && numel(rows.shape) == 1)
    return view_of(source, rows.shape, Shape(rows.shape.size(), 1), source.offset());
  if (source.shape() != rows.shape) {
    Shape source_shape = source.shape();
    if (source.dim() == 0 || source_shape != rows.shape)
      throw RuntimeError(op, "(): source of shape ", source.shape(), " does not match the ",
                         numel(rows.index_shape), " indexed row(s) of shape ", rows.shape);
  }
  return source;
}

void index_write(const char* op, const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source,
                 bool accumulate) {
  if (accumulate && is_reduced(self.dtype()) && source.dtype() == self.dtype())
    return join_widened(
        self, [&](const Tensor& total) { index_write(op, total, dim, index, widened(source), true); });
  IndexedRows rows = rows_along(op, self, dim, index);
  write_rows(rows, apart_from(self, checked_source(op, rows, self, source)), accumulate);
}

// The gradient of the source of an index_add or index_copy.
Tensor source_gradient(const Tensor& g, int64_t dim, const Tensor& index, const Shape& shape) {
  return reshape(index_select(g, dim, index), shape);
}

}  // namespace

// A copy with alpha * source added to the rows along `dim` that the index names; indices may repeat.
OP("index_add(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor");
Tensor index_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source,
                 const Scalar& alpha) {
  const int64_t d = wrap_dim(dim, input.dim());
  Tensor out = copy_of(input);
  {
    GradModeGuard off(false);
    index_write("index_add", out, d, index, alpha.equals(1) ? source : mul(source, alpha), true);
  }
  return record("IndexAdd", out, {&input, &source},
                [d, alpha, index = save(index), shape = source.shape()](Backward& b) -> Grads {
                  if (!b.needs(1)) return {b.grad(), Tensor()};
                  Tensor g = source_gradient(b.grad(), d, b.get(index), shape);
                  return {b.grad(),
                          alpha.equals(1)
                              ? g
                              : g * (alpha.is_complex() ? Scalar(std::conj(alpha.to_complex())) : alpha)};
                });
}
OP("Tensor.index_add_(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor");
Tensor index_add_(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source,
                  const Scalar& alpha) {
  return update_in_place(
      input, {&source}, "index_add_",
      [&](const Tensor& self) {
        index_write("index_add_", self, dim, index, alpha.equals(1) ? source : mul(source, alpha), true);
      },
      [&](const Tensor& old) { return index_add(old, dim, index, source, alpha); });
}

// A copy with the rows along `dim` that the index names replaced by those of `source`.
OP("index_copy(Tensor input, int dim, Tensor index, Tensor source) -> Tensor");
Tensor index_copy(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source) {
  const int64_t d = wrap_dim(dim, input.dim());
  Tensor out = copy_of(input);
  index_write("index_copy", out, d, index, source, false);
  return record("IndexCopy", out, {&input, &source},
                [d, index = save(index), shape = source.shape()](Backward& b) -> Grads {
                  return {b.needs(0) ? index_fill(b.grad(), d, b.get(index), Scalar(0)) : Tensor(),
                          b.needs(1) ? source_gradient(b.grad(), d, b.get(index), shape) : Tensor()};
                });
}
OP("Tensor.index_copy_(Tensor input, int dim, Tensor index, Tensor source) -> Tensor");
Tensor index_copy_(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source) {
  return update_in_place(
      input, {&source}, "index_copy_",
      [&](const Tensor& self) { index_write("index_copy_", self, dim, index, source, false); },
      [&](const Tensor& old) { return index_copy(old, dim, index, source); });
}

namespace {

void index_fill_data(const Tensor& self, int64_t dim, const Tensor& index, const Tensor& value) {
  if (value.is_complex() && !self.is_complex())
    throw RuntimeError("index_fill(): Converting complex Scalar to non-complex type is not supported");
  GradModeGuard off(false);
  write_rows(rows_along("index_fill", self, dim, index), to(value, self.dtype(), false, false), false);
}

void check_fill_value(const Tensor& value) {
  if (value.dim())
    throw RuntimeError("index_fill(): value must be a zero-dimensional tensor, but got one with ",
                       value.dim(), " dimension(s)");
}

}  // namespace

OP("index_fill(Tensor input, int dim, Tensor index, Tensor value) -> Tensor");
Tensor index_fill(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& value) {
  check_fill_value(value);
  const int64_t d = wrap_dim(dim, input.dim());
  Tensor out = copy_of(input);
  index_fill_data(out, d, index, value);
  return record("IndexFill", out, {&input, &value}, [d, index = save(index)](Backward& b) -> Grads {
    // What was not filled goes to the input, the rest to the value: each place once, however often the
    // index names it.
    Tensor kept = index_fill(b.grad(), d, b.get(index), Scalar(0));
    return {kept, b.needs(1) ? sum(b.grad() - kept) : Tensor()};
  });
}
// A copy with one number in the rows along `dim` that the index names.
OP("index_fill(Tensor input, int dim, Tensor index, Scalar value) -> Tensor");
Tensor index_fill(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value) {
  const int64_t d = wrap_dim(dim, input.dim());
  check_representable(value, input.dtype());
  Tensor out = copy_of(input);
  index_fill_data(out, d, index, scalar_tensor(value, input.dtype()));
  return record("IndexFill", out, {&input}, [d, index = save(index)](Backward& b) -> Grads {
    return {index_fill(b.grad(), d, b.get(index), Scalar(0))};
  });
}
OP("Tensor.index_fill_(Tensor input, int dim, Tensor index, Tensor value) -> Tensor");
Tensor index_fill_(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& value) {
  check_fill_value(value);
  return update_in_place(
      input, {&value}, "index_fill_", [&](const Tensor& self) { index_fill_data(self, dim, index, value); },
      [&](const Tensor& old) { return index_fill(old, dim, index, value); });
}
OP("Tensor.index_fill_(Tensor input, int dim, Tensor index, Scalar value) -> Tensor");
Tensor index_fill_(const Tensor& input, int64_t dim, const Tensor& index, const Scalar& value) {
  check_representable(value, input.dtype());
  return update_in_place(
      input, {}, "index_fill_",
      [&](const Tensor& self) { index_fill_data(self, dim, index, scalar_tensor(value, self.dtype())); },
      [&](const Tensor& old) { return index_fill(old, dim, index, value); });
}

// ---- elements of the tensor as a vector

// The elements at positions in the flattened tensor, in the index's shape.
OP("take(Tensor input, Tensor index) -> Tensor").node("TakeBackward0");
Tensor take(const Tensor& input, const Tensor& index) {
  if (index.dtype() != DType::Int64)
    throw RuntimeError("take(): Expected a long tensor for index, but got ", index.dtype());
  if (input.numel() == 0 && index.numel()) throw IndexError("take(): tried to take from an empty tensor");
  return _index(reshape(input, {-1}), {index});
}

// A copy with the elements at positions in the flattened tensor replaced by, or increased by, those of
// `source`.
OP("put(Tensor input, Tensor index, Tensor source, bool accumulate=False) -> Tensor").inplace();
Tensor put(const Tensor& input, const Tensor& index, const Tensor& source, bool accumulate) {
  if (index.dtype() != DType::Int64)
    throw RuntimeError("put(): Expected a long tensor for index, but got ", index.dtype());
  check_same_dtype("put", input, source);
  if (index.numel() != source.numel())
    throw RuntimeError("put(): Expected source and index to have the same number of elements, but got ",
                       source.numel(), " and ", index.numel());
  if (index.numel() == 0) return clone(input);
  return reshape(index_put(reshape(input, {-1}), {reshape(index, {-1})}, reshape(source, {-1}), accumulate),
                 input.shape());
}

}  // namespace mlx

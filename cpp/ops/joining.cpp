// Joining tensors into one, and cutting one into several.

#include "backends/backend.h"
#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {
namespace {

// A vector without elements joins anything, whatever its shape: PyTorch's legacy.
bool is_skipped(const Tensor& t) { return t.dim() == 1 && t.numel() == 0; }

Shape joined_shape(const TensorList& tensors, const Tensor& like, int64_t d) {
  Shape shape = like.shape();
  shape[d] = 0;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i];
    if (t.dim() == 0)
      throw RuntimeError("cat(): zero-dimensional tensor (at position ", i, ") cannot be concatenated");
    if (is_skipped(t)) continue;
    if (t.dim() != like.dim())
      throw RuntimeError("cat(): Tensors must have same number of dimensions: got ", like.dim(), " and ",
                         t.dim());
    for (int64_t k = 0; k < t.dim(); ++k)
      if (k != d && t.size(k) != like.size(k))
        throw RuntimeError("cat(): Sizes of tensors must match except in dimension ", d, ". Expected size ",
                           like.size(k), " but got size ", t.size(k), " for tensor number ", i,
                           " in the list.");
    shape[d] += t.size(d);
  }
  return shape;
}

DType joined_dtype(const TensorList& tensors) {
  Promotion p;
  for (const Tensor& t : tensors) p.add(t);
  return p.result();
}

void copy_parts(const TensorList& tensors, const Tensor& out, int64_t d) {
  int64_t at = 0;
  for (const Tensor& t : tensors) {
    if (is_skipped(t)) continue;
    if (!(t.device() == out.device()))
      throw RuntimeError("cat(): expected all tensors to be on the same device, but found ", out.device(),
                         " and ", t.device());
    if (t.numel()) copy_data(view_of(out, t.shape(), out.strides(), at * out.stride(d)), t);
    at += t.size(d);
  }
}

}  // namespace

// The tensors one after the other along an existing dimension.
//
// >>> mlx.cat((mlx.tensor([1, 2]), mlx.tensor([3])))
// tensor([1, 2, 3])
OP("cat(Tensor[] tensors, int dim=0) -> Tensor").alias("concat").alias("concatenate");
Tensor cat(const TensorList& tensors, int64_t dim) {
  if (tensors.empty()) throw ValueError("cat(): expected a non-empty list of Tensors");
  const Tensor* like = &tensors[0];
  for (const Tensor& t : tensors)
    if (!is_skipped(t)) {
      like = &t;
      break;
    }
  if (like->dim() == 0)
    throw RuntimeError("cat(): zero-dimensional tensor (at position 0) cannot be concatenated");
  const int64_t d = wrap_dim(dim, like->dim());
  Tensor out = allocate(joined_shape(tensors, *like, d), joined_dtype(tensors), like->device());
  copy_parts(tensors, out, d);
  SmallVector<int64_t, 6> sizes;
  std::vector<Shape> shapes;
  if (recording(tensors))
    for (const Tensor& t : tensors) shapes.push_back(t.shape());
  return record("Cat", out, tensors, [d, shapes](Backward& b) -> Grads {
    Grads grads(shapes.size());
    int64_t at = 0;
    for (size_t i = 0; i < shapes.size(); ++i) {
      const bool skipped = shapes[i].size() == 1 && shapes[i][0] == 0;
      if (b.needs(i))
        grads[i] =
            skipped ? zeros({0}, b.grad().dtype(), b.grad().device()) : narrow(b.grad(), d, at, shapes[i][d]);
      if (!skipped) at += shapes[i][d];
    }
    return grads;
  });
}

// The tensors, all of one shape, along a new dimension.
OP("stack(Tensor[] tensors, int dim=0) -> Tensor").node("StackBackward0");
Tensor stack(const TensorList& tensors, int64_t dim) {
  if (tensors.empty()) throw RuntimeError("stack expects a non-empty TensorList");
  const int64_t d = wrap_dim(dim, tensors[0].dim() + 1);
  TensorList rows;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].shape() != tensors[0].shape())
      throw RuntimeError("stack expects each tensor to be equal size, but got ", tensors[0].shape(),
                         " at entry 0 and ", tensors[i].shape(), " at entry ", i);
    rows.push_back(unsqueeze(tensors[i], d));
  }
  return cat(rows, d);
}

// ---- at least so many dimensions

OP("atleast_1d(Tensor input) -> Tensor");
Tensor atleast_1d(const Tensor& input) { return input.dim() ? input : reshape(input, {1}); }
OP("atleast_2d(Tensor input) -> Tensor");
Tensor atleast_2d(const Tensor& input) { return input.dim() < 2 ? unsqueeze(atleast_1d(input), 0) : input; }
OP("atleast_3d(Tensor input) -> Tensor");
Tensor atleast_3d(const Tensor& input) { return input.dim() < 3 ? unsqueeze(atleast_2d(input), -1) : input; }
OP("atleast_1d(Tensor[] tensors) -> Tensor[]");
TensorList atleast_1d(const TensorList& tensors) {
  TensorList out;
  for (const Tensor& t : tensors) out.push_back(atleast_1d(t));
  return out;
}
OP("atleast_2d(Tensor[] tensors) -> Tensor[]");
TensorList atleast_2d(const TensorList& tensors) {
  TensorList out;
  for (const Tensor& t : tensors) out.push_back(atleast_2d(t));
  return out;
}
OP("atleast_3d(Tensor[] tensors) -> Tensor[]");
TensorList atleast_3d(const TensorList& tensors) {
  TensorList out;
  for (const Tensor& t : tensors) out.push_back(atleast_3d(t));
  return out;
}

// ---- NumPy's stacks

// Side by side: along the second dimension, vectors along their only one.
OP("hstack(Tensor[] tensors) -> Tensor");
Tensor hstack(const TensorList& tensors) {
  if (tensors.empty()) throw RuntimeError("hstack expects a non-empty TensorList");
  TensorList parts = atleast_1d(tensors);
  return cat(parts, parts[0].dim() == 1 ? 0 : 1);
}
// One below the other: along the first dimension, vectors as rows.
OP("vstack(Tensor[] tensors) -> Tensor").alias("row_stack");
Tensor vstack(const TensorList& tensors) {
  if (tensors.empty()) throw RuntimeError("vstack expects a non-empty TensorList");
  return cat(atleast_2d(tensors), 0);
}
// One behind the other: along the third dimension.
OP("dstack(Tensor[] tensors) -> Tensor");
Tensor dstack(const TensorList& tensors) {
  if (tensors.empty()) throw RuntimeError("dstack expects a non-empty TensorList");
  return cat(atleast_3d(tensors), 2);
}
// Vectors as the columns of a matrix.
OP("column_stack(Tensor[] tensors) -> Tensor");
Tensor column_stack(const TensorList& tensors) {
  if (tensors.empty()) throw RuntimeError("column_stack expects a non-empty TensorList");
  TensorList columns;
  for (const Tensor& t : tensors) columns.push_back(t.dim() < 2 ? reshape(t, {t.numel(), 1}) : t);
  return cat(columns, 1);
}

// ---- cutting

namespace {

TensorList split_evenly(const Tensor& input, int64_t sections, int64_t d) {
  if (sections <= 0)
    throw RuntimeError("tensor_split(): number of sections must be larger than 0, got ", sections);
  const int64_t size = input.size(d), each = size / sections, longer = size % sections;
  TensorList out;
  for (int64_t i = 0, at = 0; i < sections; ++i) {
    const int64_t length = each + (i < longer);
    out.push_back(slice(input, d, at, at + length, 1));
    at += length;
  }
  return out;
}

TensorList split_at(const Tensor& input, const Shape& indices, int64_t d) {
  TensorList out;
  int64_t at = 0;
  for (int64_t end : indices) {
    out.push_back(slice(input, d, at, end, 1));
    at = end;
  }
  out.push_back(slice(input, d, at, input.size(d), 1));
  return out;
}

int64_t checked_sections(const char* op, const Tensor& input, int64_t dim, int64_t sections) {
  if (sections <= 0 || input.size(dim) % sections)
    throw RuntimeError("torch.", op, " attempted to split along dimension ", dim,
                       ", but the size of the dimension ", input.size(dim),
                       " is not divisible by the split_size ", sections, "!");
  return sections;
}

void check_dims(const char* op, const Tensor& input, int64_t least) {
  if (input.dim() < least)
    throw RuntimeError(op, " requires a tensor with at least ", least,
                       " dimension(s), but got a tensor with ", input.dim(), " dimensions!");
}

}  // namespace

// By a number of sections, or where the pieces after the first begin. Before the forms for Python's integers,
// which would take a tensor of one element for one.
OP("tensor_split(Tensor input, Tensor tensor_indices_or_sections, int dim=0) -> Tensor[]");
TensorList tensor_split(const Tensor& input, const Tensor& tensor_indices_or_sections, int64_t dim) {
  const Tensor& at = tensor_indices_or_sections;
  if (at.dtype() != DType::Int64 || at.dim() > 1)
    throw RuntimeError(
        "tensor_split(): expected tensor_indices_or_sections to be a zero- or one-dimensional int64 tensor");
  if (at.dim() == 0) return tensor_split(input, item(at).to_int(), dim);
  Shape indices;
  for (int64_t i = 0; i < at.numel(); ++i) indices.push_back(item(select(at, 0, i)).to_int());
  return tensor_split(input, indices, dim);
}

// So many pieces along a dimension, the first ones longer by one where the size does not divide.
OP("tensor_split(Tensor input, int sections, int dim=0) -> Tensor[]");
TensorList tensor_split(const Tensor& input, int64_t sections, int64_t dim) {
  check_dims("tensor_split", input, 1);
  return split_evenly(input, sections, wrap_dim(dim, input.dim()));
}
// Pieces that begin at the given indices.
OP("tensor_split(Tensor input, int[] indices, int dim=0) -> Tensor[]");
TensorList tensor_split(const Tensor& input, const Shape& indices, int64_t dim) {
  check_dims("tensor_split", input, 1);
  return split_at(input, indices, wrap_dim(dim, input.dim()));
}
// Equal pieces along the second dimension (the first, of a vector).
OP("hsplit(Tensor input, int sections) -> Tensor[]");
TensorList hsplit(const Tensor& input, int64_t sections) {
  check_dims("torch.hsplit", input, 1);
  const int64_t d = input.dim() == 1 ? 0 : 1;
  return split_evenly(input, checked_sections("hsplit", input, d, sections), d);
}
OP("hsplit(Tensor input, int[] indices) -> Tensor[]");
TensorList hsplit(const Tensor& input, const Shape& indices) {
  check_dims("torch.hsplit", input, 1);
  return split_at(input, indices, input.dim() == 1 ? 0 : 1);
}
// Equal pieces along the first dimension of a matrix.
OP("vsplit(Tensor input, int sections) -> Tensor[]");
TensorList vsplit(const Tensor& input, int64_t sections) {
  check_dims("torch.vsplit", input, 2);
  return split_evenly(input, checked_sections("vsplit", input, 0, sections), 0);
}
OP("vsplit(Tensor input, int[] indices) -> Tensor[]");
TensorList vsplit(const Tensor& input, const Shape& indices) {
  check_dims("torch.vsplit", input, 2);
  return split_at(input, indices, 0);
}
// Equal pieces along the third dimension.
OP("dsplit(Tensor input, int sections) -> Tensor[]");
TensorList dsplit(const Tensor& input, int64_t sections) {
  check_dims("torch.dsplit", input, 3);
  return split_evenly(input, checked_sections("dsplit", input, 2, sections), 2);
}
OP("dsplit(Tensor input, int[] indices) -> Tensor[]");
TensorList dsplit(const Tensor& input, const Shape& indices) {
  check_dims("torch.dsplit", input, 3);
  return split_at(input, indices, 2);
}

namespace {

// The same pieces as views one by one, each of which may be written to in place.
TensorList one_by_one(const Tensor& input, const TensorList& pieces, int64_t dim) {
  TensorList out;
  int64_t at = 0;
  for (const Tensor& piece : pieces) {
    out.push_back(slice(input, dim, at, at + piece.size(dim), 1));
    at += piece.size(dim);
  }
  return out;
}

}  // namespace

// The pieces of split(), which may be written to in place also where gradients are recorded.
OP("unsafe_split(Tensor input, int split_size, int dim=0) -> Tensor[]");
TensorList unsafe_split(const Tensor& input, int64_t split_size, int64_t dim) {
  return one_by_one(input, split(input, split_size, dim), dim);
}
// The pieces of split_with_sizes(), which may be written to in place also where gradients are recorded.
OP("unsafe_split_with_sizes(Tensor input, int[] split_sizes, int dim=0) -> Tensor[]");
TensorList unsafe_split_with_sizes(const Tensor& input, const Shape& split_sizes, int64_t dim) {
  return one_by_one(input, split(input, split_sizes, dim), dim);
}
// The pieces of chunk(), which may be written to in place also where gradients are recorded.
OP("unsafe_chunk(Tensor input, int chunks, int dim=0) -> Tensor[]");
TensorList unsafe_chunk(const Tensor& input, int64_t chunks, int64_t dim) {
  return one_by_one(input, chunk(input, chunks, dim), dim);
}

}  // namespace mlx

// Diagonals as matrices, and copies of a tensor with a view of it replaced.

#include "ops/update.h"

namespace mlx {

// A matrix (for each row of the input) with the last dimension on a diagonal of two new dimensions.
OP("diag_embed(Tensor input, int offset=0, int dim1=-2, int dim2=-1) -> Tensor");
Tensor diag_embed(const Tensor& input, int64_t offset, int64_t dim1, int64_t dim2) {
  const int64_t dims = input.dim() + 1, d1 = wrap_dim(dim1, dims), d2 = wrap_dim(dim2, dims);
  if (d1 == d2) throw RuntimeError("diag_embed(): dimensions cannot be identical ", dim1, ", ", dim2);
  const int64_t n = input.size(-1) + std::abs(offset);
  Shape shape = input.shape();
  shape.pop_back();
  shape.insert(static_cast<size_t>(std::min(d1, d2)), n);
  shape.insert(static_cast<size_t>(std::max(d1, d2)), n);
  Tensor out = zeros(shape, input.dtype(), input.device());
  {
    GradModeGuard off(false);
    copy_data(diagonal(out, offset, d1, d2), input);
  }
  return record("DiagEmbed", out, {&input},
                [=](Backward& b) -> Grads { return {diagonal(b.grad(), offset, d1, d2)}; });
}

// A vector as the diagonal of a matrix, or the diagonal of a matrix as a vector.
//
// >>> mlx.diag(mlx.tensor([1, 2]))
// tensor([[1, 0],
//         [0, 2]])
OP("diag(Tensor input, int diagonal=0) -> Tensor");
Tensor diag(const Tensor& input, int64_t diagonal) {
  if (input.dim() != 1 && input.dim() != 2)
    throw RuntimeError("diag(): Supports 1D or 2D tensors. Got ", input.dim(), "D");
  return input.dim() == 1 ? diag_embed(input, diagonal) : clone(mlx::diagonal(input, diagonal));
}

// The elements, as a vector, on the diagonal of a matrix.
OP("diagflat(Tensor input, int offset=0) -> Tensor");
Tensor diagflat(const Tensor& input, int64_t offset) { return diag_embed(reshape(input, {-1}), offset); }

// ---- a view replaced

namespace {

template <class View>
Tensor with_view_replaced(const char* op, const char* node, const Tensor& input, const Tensor& src,
                          View view) {
  Tensor out = copy_of(input);
  {
    GradModeGuard off(false);
    Tensor part = view(out);
    if (part.shape() != src.shape())
      throw RuntimeError(op, "(): expected src to have a size equal to the ", op,
                         " view of input: src has shape ", src.shape(), ", the view ", part.shape());
    copy_data(part, src);
  }
  return record(node, out, {&input, &src}, [=](Backward& b) -> Grads {
    Tensor g = b.grad();
    if (!b.needs(0)) return {Tensor(), view(g)};
    Tensor part = view(g);
    return {with_view_replaced(op, node, g, zeros(part.shape(), g.dtype(), g.device()), view),
            b.needs(1) ? part : Tensor()};
  });
}

}  // namespace

}  // namespace mlx

// Matrix products.

#include "backends/backend.h"
#include "ops.h"
#include "ops/row.h"

namespace mlx {
namespace {

// The product of stacks of matrices with equal leading dimensions.
Tensor product(const Tensor& a, const Tensor& b) {
  Shape shape = a.shape();
  shape.back() = b.size(-1);
  Tensor out = allocate(shape, a.dtype(), a.device());
  launch(MatMul{}, {&out}, {&a, &b});
  return record("Matmul", out, {&a, &b}, [a = save(a), b = save(b)](Backward& back) -> Grads {
    Grads grads(2);
    if (back.needs(0)) grads[0] = product(back.grad(), transpose(conj(back.get(b)), -2, -1));
    if (back.needs(1)) grads[1] = product(transpose(conj(back.get(a)), -2, -1), back.grad());
    return grads;
  });
}

Shape leading(const Tensor& t) { return Shape(t.shape().begin(), t.shape().end() - 2); }

Shape joined(const Shape& lead, int64_t rows, int64_t columns) {
  Shape out = lead;
  out.push_back(rows);
  out.push_back(columns);
  return out;
}

}  // namespace

// The product of matrices, of stacks of them (leading dimensions broadcast), or of vectors: a vector
// on the left is a row, on the right a column, and that dimension is gone from the result.
//
// >>> mlx.matmul(mlx.ones(2, 3), mlx.ones(3))
// tensor([3., 3.])
OP("matmul(Tensor input, Tensor other) -> Tensor").alias("linalg.matmul").alias("Tensor.__matmul__");
Tensor matmul(const Tensor& input, const Tensor& other) {
  if (input.dim() == 0 || other.dim() == 0)
    throw RuntimeError("matmul(): both arguments to matmul need to be at least 1D, but they are ", input.dim(), "D and ", other.dim(), "D");
  if (input.dtype() != other.dtype())
    throw RuntimeError("matmul(): expected both tensors to have the same dtype, but got ", input.dtype(), " and ", other.dtype());
  int64_t inner = input.size(-1), theirs = other.dim() == 1 ? other.size(0) : other.size(-2);
  if (inner != theirs)
    throw RuntimeError("matmul(): inner sizes differ: ", input.shape(), " @ ", other.shape(), "; ", inner, " is not ", theirs);
  Tensor a = input.dim() == 1 ? unsqueeze(input, 0) : input;
  Tensor b = other.dim() == 1 ? unsqueeze(other, 1) : other;
  Tensor out;
  if (b.dim() == 2 && a.dim() > 2) {
    // One matrix for the whole stack: one tall product instead of many small ones.
    Shape shape = a.shape();
    shape.back() = b.size(1);
    out = reshape(product(reshape(a, {numel(leading(a)) * a.size(-2), inner}), b), shape);
  } else {
    Shape lead = broadcast_shapes(leading(a), leading(b), "matmul");
    out = product(expand(a, joined(lead, a.size(-2), inner)), expand(b, joined(lead, inner, b.size(-1))));
  }
  if (input.dim() == 1) out = squeeze(out, -2);
  if (other.dim() == 1) out = squeeze(out, -1);
  return out;
}

}  // namespace mlx

// Integrals of sampled functions, by the trapezoidal rule.

#include "ops/matrices.h"

namespace mlx {
namespace {

Tensor from(const Tensor& t, int64_t dim, int64_t start, int64_t drop) {
  return narrow(t, dim, start, t.size(dim) - drop);
}

// The widths of the steps between the points x, shaped to go with y.
Tensor widths(const char* op, const Tensor& y, const Tensor& x, int64_t d) {
  if (x.dim() == 1 && y.dim() > 1) {
    if (x.size(0) != y.size(d))
      throw RuntimeError(op, ": There must be one `x` value for each sample point, but there are ", x.size(0),
                         " for ", y.size(d));
    Shape shape(y.shape().size(), 1);
    shape[static_cast<size_t>(d)] = x.size(0);
    return diff(reshape(x, shape), 1, d);
  }
  Tensor wide = x;
  while (wide.dim() < y.dim()) wide = unsqueeze(wide, 0);
  return diff(wide, 1, d);
}

Tensor pair_sums(const Tensor& y, int64_t d) {
  if (y.size(d) == 0) return y;
  return from(y, d, 0, 1) + from(y, d, 1, 1);
}

void check_samples(const char* op, const Tensor& t) {
  if (t.dtype() == DType::Bool) throw RuntimeError(op, ": received a bool input, which is not supported");
  if (t.dim() == 0)
    throw IndexError(op, ": expected samples along a dimension, but got a tensor that has none");
}

}  // namespace

// The integral along `dim` of a function with values y at the points x.
//
// >>> mlx.trapezoid(mlx.tensor([1., 2., 3.]), mlx.tensor([0., 1., 3.]))
// tensor(6.5000)
OP("trapezoid(Tensor y, Tensor x, *, int dim=-1) -> Tensor").alias("trapz");
Tensor trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  check_samples("trapezoid", y);
  check_samples("trapezoid", x);
  const int64_t d = wrap_dim(dim, y.dim());
  if (y.size(d) == 0) return sum(y, Shape{d}, false, y.dtype());
  return sum(widths("trapezoid", y, x, d) * pair_sums(y, d), Shape{d}) / 2;
}

// The integral along `dim` of a function with values y at points dx apart.
OP("trapezoid(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor").alias("trapz");
Tensor trapezoid(const Tensor& y, const Scalar& dx, int64_t dim) {
  check_samples("trapezoid", y);
  const int64_t d = wrap_dim(dim, y.dim());
  if (y.size(d) == 0) return sum(y, Shape{d}, false, y.dtype());
  Tensor ends = select(y, d, 0) + select(y, d, -1);
  return (sum(y, Shape{d}) - ends * 0.5) * dx;
}

// The integrals along `dim` up to each point but the first.
OP("cumulative_trapezoid(Tensor y, Tensor x, *, int dim=-1) -> Tensor");
Tensor cumulative_trapezoid(const Tensor& y, const Tensor& x, int64_t dim) {
  check_samples("cumulative_trapezoid", y);
  check_samples("cumulative_trapezoid", x);
  const int64_t d = wrap_dim(dim, y.dim());
  return cumsum(widths("cumulative_trapezoid", y, x, d) * pair_sums(y, d), d) / 2;
}
OP("cumulative_trapezoid(Tensor y, *, Scalar dx=1, int dim=-1) -> Tensor");
Tensor cumulative_trapezoid(const Tensor& y, const Scalar& dx, int64_t dim) {
  check_samples("cumulative_trapezoid", y);
  const int64_t d = wrap_dim(dim, y.dim());
  const Scalar half = dx.is_complex() ? Scalar(dx.to_complex() / 2.0) : Scalar(dx.to_double() / 2);
  return cumsum(pair_sums(y, d), d) * half;
}

}  // namespace mlx

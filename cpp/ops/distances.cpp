// Distances between all pairs of points.

#include <limits>

#include "ops/matrices.h"

namespace mlx {
namespace {

// From this many points on, Euclidean distances are taken from products: |x - y|^2 = |x|^2 + |y|^2 - 2 x y.
constexpr int64_t kManyPoints = 25;

Tensor euclidean_by_products(const Tensor& x1, const Tensor& x2) {
  Tensor squares =
      sum(x1 * x1, Shape{-1}, true) + turned(sum(x2 * x2, Shape{-1}, true)) - matmul(x1, turned(x2)) * 2;
  // Where points meet, the root has no gradient.
  Tensor apart = gt(squares, 0);
  return where(apart, sqrt(where(apart, squares, 1)), 0);
}

}  // namespace

// The p-norms of the differences of all rows of x1 (.., P, M) and x2 (.., R, M): (.., P, R).
OP("cdist(Tensor x1, Tensor x2, float p=2.0, str compute_mode='use_mm_for_euclid_dist_if_necessary') -> "
   "Tensor");
Tensor cdist(const Tensor& x1, const Tensor& x2, double p, const std::string& compute_mode) {
  if (x1.dim() < 2 || x2.dim() < 2)
    throw RuntimeError("cdist only supports at least 2D tensors, X1 and X2 got: ", x1.dim(), "D and ",
                       x2.dim(), "D");
  if (x1.size(-1) != x2.size(-1))
    throw RuntimeError("X1 and X2 must have the same number of columns. X1: ", x1.size(-1),
                       " X2: ", x2.size(-1));
  if (p < 0) throw RuntimeError("cdist only supports non-negative p values, but p is ", p);
  const bool always = compute_mode == "use_mm_for_euclid_dist",
             if_many = compute_mode == "use_mm_for_euclid_dist_if_necessary";
  if (!always && !if_many && compute_mode != "donot_use_mm_for_euclid_dist")
    throw ValueError(compute_mode, " is not a valid value for compute_mode");
  if (p == 2 && (always || (if_many && std::max(x1.size(-2), x2.size(-2)) > kManyPoints)))
    return euclidean_by_products(x1, x2);
  if (x1.size(-1) == 0)  // no coordinates: all points coincide
    return sum(unsqueeze(x1, -2) - unsqueeze(x2, -3), Shape{-1});
  return linalg::vector_norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, Shape{-1});
}

// The p-norms of the differences of all pairs of rows, (0, 1), (0, 2), ..., (n - 2, n - 1), as a vector.
OP("nn.functional.pdist(Tensor input, float p=2) -> Tensor").alias(".pdist");
Tensor functional::pdist(const Tensor& input, double p) {
  if (input.dim() != 2) throw RuntimeError("pdist only supports 2D tensors, got: ", input.dim(), "D");
  if (!input.is_floating()) throw RuntimeError("pdist only supports floating-point dtypes");
  if (p < 0) throw RuntimeError("pdist only supports non-negative p values");
  const int64_t n = input.size(0);
  Tensor pairs = nonzero(triu(ones({n, n}, DType::Bool, input.device()), 1));
  Tensor difference =
      index_select(input, 0, select(pairs, 1, 0)) - index_select(input, 0, select(pairs, 1, 1));
  if (input.size(1) == 0) return sum(difference, Shape{-1});
  return linalg::vector_norm(difference, p, Shape{-1});
}

// Each slice along `dim` scaled down to the p-norm `maxnorm`, where it is longer.
OP("renorm(Tensor input, Scalar p, int dim, Scalar maxnorm) -> Tensor").inplace();
Tensor renorm(const Tensor& input, const Scalar& p, int64_t dim, const Scalar& maxnorm) {
  if (input.dim() < 2) throw RuntimeError("renorm(): input needs at least 2 dimensions, got ", input.dim());
  if (!(p.to_double() > 0)) throw RuntimeError("renorm(): non-positive-norm not supported");
  if (maxnorm.to_double() < 0) throw RuntimeError("renorm(): expected maxnorm to be >= 0 but got ", maxnorm);
  Shape dims;
  for (int64_t d = 0; d < input.dim(); ++d)
    if (d != wrap_dim(dim, input.dim())) dims.push_back(d);
  const DType wide = compute_type(input.dtype());
  Tensor length = linalg::vector_norm(as_dtype(input, wide), p.to_double(), dims, true);
  constexpr double kEps = 1e-7;
  Tensor scale = where(gt(length, maxnorm), maxnorm / (length + kEps), 1);
  return input * as_dtype(scale, input.dtype());
}

}  // namespace mlx

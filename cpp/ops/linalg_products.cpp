// Products of several matrices, powers and exponentials of one, and products of vectors.

#include <cmath>

#include "ops/matrices.h"

namespace mlx {
namespace {

// In which order to multiply n matrices, where matrix i is sizes[i] by sizes[i + 1]: for i to j, the last
// product is of i to split[i][j] with the rest.
std::vector<std::vector<size_t>> best_splits(const std::vector<int64_t>& sizes) {
  const size_t n = sizes.size() - 1;
  std::vector<std::vector<double>> cost(n, std::vector<double>(n));
  std::vector<std::vector<size_t>> split(n, std::vector<size_t>(n));
  for (size_t length = 1; length < n; ++length)
    for (size_t i = 0; i + length < n; ++i) {
      const size_t j = i + length;
      cost[i][j] = std::numeric_limits<double>::infinity();
      for (size_t k = i; k < j; ++k) {
        const double c = cost[i][k] + cost[k + 1][j] +
                         static_cast<double>(sizes[i]) * static_cast<double>(sizes[k + 1]) *
                             static_cast<double>(sizes[j + 1]);
        if (c < cost[i][j]) {
          cost[i][j] = c;
          split[i][j] = k;
        }
      }
    }
  return split;
}

Tensor multiplied(const TensorList& ts, const std::vector<std::vector<size_t>>& split, size_t i, size_t j) {
  if (i == j) return ts[i];
  const size_t k = split[i][j];
  return matmul(multiplied(ts, split, i, k), multiplied(ts, split, k + 1, j));
}

// The Taylor series of exp to the 16th power, in six products: exact to rounding for norms up to 1 in double,
// up to 2 in float.
Tensor taylor(const Tensor& a) {
  const Tensor one = eye(a.size(-1), {}, a.dtype(), a.device());
  const Tensor a2 = matmul(a, a), a3 = matmul(a2, a), a4 = matmul(a2, a2);
  double factorial[17] = {1};
  for (int i = 1; i <= 16; ++i) factorial[i] = factorial[i - 1] * i;
  auto four = [&](int i) {
    return one * (1 / factorial[i]) + a * (1 / factorial[i + 1]) + a2 * (1 / factorial[i + 2]) +
           a3 * (1 / factorial[i + 3]);
  };
  Tensor sum = four(12) + a4 * (1 / factorial[16]);
  for (int i = 8; i >= 0; i -= 4) sum = four(i) + matmul(a4, sum);
  return sum;
}

}  // namespace

namespace linalg {

// A multiplied by itself n times; for negative n, the inverse.
OP("linalg.matrix_power(Tensor A, int n) -> Tensor").alias(".matrix_power").alias("Tensor.matrix_power");
Tensor matrix_power(const Tensor& A, int64_t n) {
  if (A.dim() < 2 || A.size(-1) != A.size(-2))
    throw RuntimeError("linalg.matrix_power: A must be batches of square matrices, but has shape ",
                       A.shape());
  if (n == 0)  // a constant, that the tape knows nevertheless
    return where(zeros({}, DType::Bool, A.device()), A, eye(A.size(-1), {}, A.dtype(), A.device()));
  Tensor power = n < 0 ? inv(A) : A, out;
  for (uint64_t rest = static_cast<uint64_t>(std::abs(n)); rest; rest /= 2) {
    if (rest % 2) out = out.defined() ? matmul(out, power) : power;
    if (rest > 1) power = matmul(power, power);
  }
  return out.is(A) ? clone(A) : out;
}

// The product of the tensors in the order that takes the fewest multiplications. The first and the last may
// be vectors.
OP("linalg.multi_dot(Tensor[] tensors) -> Tensor");
Tensor multi_dot(const TensorList& tensors) {
  const size_t n = tensors.size();
  if (n < 2) throw RuntimeError("multi_dot(): expected at least 2 tensors but got ", n);
  TensorList ts = tensors;
  const bool row = ts.front().dim() == 1, column = ts.back().dim() == 1;
  if (row) ts.front() = unsqueeze(ts.front(), 0);
  if (column) ts.back() = unsqueeze(ts.back(), 1);
  std::vector<int64_t> sizes{ts.front().dim() == 2 ? ts.front().size(0) : 0};
  for (size_t i = 0; i < n; ++i) {
    if (ts[i].dim() != 2)
      throw RuntimeError("multi_dot(): tensor ", i, " must be 2D, but has shape ", ts[i].shape());
    if (i && ts[i].size(0) != sizes.back())
      throw RuntimeError("multi_dot(): tensors ", i - 1, " and ", i, " with shapes ", ts[i - 1].shape(),
                         " and ", ts[i].shape(), " cannot be multiplied");
    sizes.push_back(ts[i].size(1));
  }
  Tensor out = multiplied(ts, best_splits(sizes), 0, n - 1);
  if (row) out = squeeze(out, 0);
  return column ? squeeze(out, -1) : out;
}

// The exponential of each square matrix: 1 + A + A^2 / 2 + ..., by scaling and squaring (Higham, 2005).
OP("linalg.matrix_exp(Tensor A) -> Tensor").alias(".matrix_exp").alias("Tensor.matrix_exp");
Tensor matrix_exp(const Tensor& A) {
  if (A.dim() < 2 || A.size(-1) != A.size(-2))
    throw RuntimeError("linalg.matrix_exp: A must be batches of square matrices, but has shape ", A.shape());
  if (!A.is_inexact())
    throw RuntimeError("linalg.matrix_exp: Expected a floating point or complex tensor as input. Got ",
                       short_name(A.dtype()));
  if (is_reduced(A.dtype())) return as_dtype(matrix_exp(as_dtype(A, DType::Float32)), A.dtype());
  if (A.numel() == 0) return clone(A);
  Tensor halvings;
  {
    GradModeGuard off(false);
    Tensor size = amax(sum(abs(A), Shape{-2}), {-1});
    // 0 for NaN and infinity, which pass through the series as they are.
    const double norm = to_real(A.dtype()) == DType::Float64 ? 1 : 2;
    halvings = where(isfinite(size), clamp_min(ceil(log2(clamp_min(size / norm, 1e-30))), 0), 0);
  }
  const int64_t most = static_cast<int64_t>(item(max(halvings)).to_double());
  auto of_each = [](const Tensor& t) { return as_column(as_column(t)); };
  Tensor out = taylor(A * of_each(pow(2.0, -halvings)));
  for (int64_t i = 0; i < most; ++i) {
    Tensor squared = matmul(out, out);
    out = item(all(gt(halvings, i))).to_bool() ? squared : where(of_each(gt(halvings, i)), squared, out);
  }
  return out;
}

// The cross product of vectors of length 3 along a dimension.
//
// >>> mlx.linalg.cross(mlx.tensor([1., 0., 0.]), mlx.tensor([0., 1., 0.]))
// tensor([0., 0., 1.])
OP("linalg.cross(Tensor input, Tensor other, *, int dim=-1) -> Tensor").node("LinalgCrossBackward0");
Tensor cross(const Tensor& input, const Tensor& other, int64_t dim) {
  if (input.dim() != other.dim())
    throw RuntimeError("linalg.cross: inputs must have the same number of dimensions, but have shapes ",
                       input.shape(), " and ", other.shape());
  const int64_t d = wrap_dim(dim, input.dim());
  if (input.size(d) != 3 || other.size(d) != 3)
    throw RuntimeError("linalg.cross: inputs dimension ", dim, " must have length 3. Got ", input.size(d),
                       " and ", other.size(d));
  return roll(input, {-1}, {d}) * roll(other, {1}, {d}) - roll(input, {1}, {d}) * roll(other, {-1}, {d});
}

// The sum of conj(x) * y along a dimension.
OP("linalg.vecdot(Tensor x, Tensor y, *, int dim=-1) -> Tensor");
Tensor vecdot(const Tensor& x, const Tensor& y, int64_t dim) {
  if (!x.is_inexact())
    throw RuntimeError("linalg.vecdot: Expected a floating point or complex tensor as input. Got ",
                       short_name(x.dtype()));
  return sum(conj(x) * y, Shape{dim});
}

// The powers 0 to N - 1 of each element, as a new last dimension.
OP("linalg.vander(Tensor x, *, int? N=None) -> Tensor");
Tensor vander(const Tensor& x, std::optional<int64_t> N) {
  if (x.dim() == 0) return linalg::vander(unsqueeze(x, 0), N);
  const int64_t n = N.value_or(x.size(-1));
  if (N && n <= 1) throw RuntimeError("N must be greater than 1, but got ", n);
  const DType type = is_integral(x.dtype()) || x.dtype() == DType::Bool ? DType::Int64 : x.dtype();
  Tensor column = as_column(as_dtype(x, type));
  Shape shape = column.shape();
  shape.back() = std::max<int64_t>(n - 1, 0);
  Tensor powers = cumprod(expand(column, shape), -1);
  return narrow(cat({ones_like(column), powers}, -1), -1, 0, n);
}

// The diagonal of two dimensions, as a new last dimension.
OP("linalg.diagonal(Tensor A, *, int offset=0, int dim1=-2, int dim2=-1) -> Tensor");
Tensor diagonal(const Tensor& A, int64_t offset, int64_t dim1, int64_t dim2) {
  return mlx::diagonal(A, offset, dim1, dim2);
}

}  // namespace linalg

// The cross product along `dim`, or along the first dimension of size 3.
OP("cross(Tensor input, Tensor other, int? dim=None) -> Tensor");
Tensor cross(const Tensor& input, const Tensor& other, std::optional<int64_t> dim) {
  if (dim) return linalg::cross(input, other, *dim);
  for (int64_t d = 0; d < input.dim(); ++d)
    if (input.size(d) == 3) return linalg::cross(input, other, d);
  throw RuntimeError("cross(): no dimension of size 3 in input of shape ", input.shape());
}

}  // namespace mlx

// Norms of matrices, and condition numbers.

#include <cmath>
#include <limits>

#include "ops/matrices.h"

namespace mlx {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct MatrixDims {
  int64_t rows, columns;
};

MatrixDims matrix_dims(const char* op, const Tensor& a, const Shape& dim) {
  if (dim.size() != 2) throw RuntimeError(op, ": dim must be a 2-tuple. Got ", dim);
  MatrixDims d{wrap_dim(dim[0], a.dim()), wrap_dim(dim[1], a.dim())};
  if (d.rows == d.columns)
    throw RuntimeError(op, ": dims must be different. Got (", dim[0], ", ", dim[1], ")");
  return d;
}

Tensor with_kept(Tensor t, const MatrixDims& d, bool keepdim) {
  if (!keepdim) return t;
  t = unsqueeze(t, std::min(d.rows, d.columns));
  return unsqueeze(t, std::max(d.rows, d.columns));
}

Tensor singular_values_over(const Tensor& a, const MatrixDims& d) {
  return linalg::svdvals(movedim(a, {d.rows, d.columns}, {-2, -1}));
}

void check_inexact(const char* op, const Tensor& a) {
  if (!a.is_inexact())
    throw RuntimeError(op, ": Expected a floating point or complex tensor as input. Got ",
                       short_name(a.dtype()));
}

// The largest of numbers that are not negative: 0 where there is none.
Tensor largest(const Tensor& t, int64_t dim, bool keepdim) {
  return t.size(dim) ? amax(t, Shape{dim}, keepdim) : sum(t, Shape{dim}, keepdim);
}

Tensor in_dtype(const Tensor& a, std::optional<DType> dtype) { return dtype ? as_dtype(a, *dtype) : a; }

}  // namespace

namespace linalg {

// The norm of each matrix: ord 2 and -2 are the largest and the smallest singular value, 1 and -1 the largest
// and the smallest sum of a column's absolute values, inf and -inf of a row's.
OP("linalg.matrix_norm(Tensor A, float ord, int[] dim=[-2, -1], bool keepdim=False, *, dtype? dtype=None) -> "
   "Tensor");
Tensor matrix_norm(const Tensor& A, double ord, const Shape& dim, bool keepdim, std::optional<DType> dtype) {
  const char* op = "linalg.matrix_norm";
  check_inexact(op, A);
  const double size = std::abs(ord);
  if (size != 1 && size != 2 && size != kInfinity) throw RuntimeError(op, ": Order ", ord, " not supported.");
  const MatrixDims d = matrix_dims(op, A, dim);
  Tensor a = in_dtype(A, dtype);
  if (size == 2) {
    check_matrix(op, a);
    Tensor s = singular_values_over(a, d);
    return with_kept(ord > 0 ? largest(s, -1, false) : amin(s, {-1}), d, keepdim);
  }
  // Sums first, with their dimension kept, so that the other keeps its number.
  const int64_t summed = size == 1 ? d.rows : d.columns, compared = size == 1 ? d.columns : d.rows;
  Tensor sums = vector_norm(a, 1, Shape{summed}, true);
  Tensor out = ord > 0 ? largest(sums, compared, true) : amin(sums, {compared}, true);
  return keepdim ? out : squeeze(out, Shape{d.rows, d.columns});
}

// The norm of each matrix: "fro" is the root of the sum of squares, "nuc" the sum of the singular values.
OP("linalg.matrix_norm(Tensor A, str ord='fro', int[] dim=[-2, -1], bool keepdim=False, *, dtype? "
   "dtype=None) "
   "-> Tensor");
Tensor matrix_norm(const Tensor& A, const std::string& ord, const Shape& dim, bool keepdim,
                   std::optional<DType> dtype) {
  const char* op = "linalg.matrix_norm";
  if (ord != "fro" && ord != "nuc") throw RuntimeError(op, ": Order ", ord, " not supported.");
  if (A.dim() < 2)
    throw RuntimeError(op, ": The input tensor A must have at least 2 dimensions, but has shape ", A.shape());
  check_inexact(op, A);
  const MatrixDims d = matrix_dims(op, A, dim);
  Tensor a = in_dtype(A, dtype);
  if (ord == "fro") return vector_norm(a, 2, Shape{d.rows, d.columns}, keepdim);
  check_matrix(op, a);
  return with_kept(sum(singular_values_over(a, d), Shape{-1}), d, keepdim);
}

// The norm of vectors (dim is one dimension, or A has one) or of matrices (two). Without `ord`, the root of
// the sum of squares of whatever `dim` says, or of everything.
OP("linalg.norm(Tensor A, float? ord=None, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> "
   "Tensor");
Tensor norm(const Tensor& A, std::optional<double> ord, const std::optional<Shape>& dim, bool keepdim,
            std::optional<DType> dtype) {
  if (!ord) return vector_norm(A, 2, dim, keepdim, dtype);
  if (!dim && A.dim() != 1 && A.dim() != 2)
    throw RuntimeError("linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got ",
                       A.dim(), "D.");
  if (dim && dim->size() > 2)
    throw RuntimeError("linalg.norm: If dim is specified, it must be of length 1 or 2. Got ", *dim);
  if (dim ? dim->size() == 2 : A.dim() == 2)
    return matrix_norm(A, *ord, dim.value_or(Shape{-2, -1}), keepdim, dtype);
  return vector_norm(A, *ord, dim, keepdim, dtype);
}
OP("linalg.norm(Tensor A, str ord, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor");
Tensor norm(const Tensor& A, const std::string& ord, const std::optional<Shape>& dim, bool keepdim,
            std::optional<DType> dtype) {
  if (!dim && A.dim() != 2)
    throw RuntimeError("linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got ",
                       A.dim(), "D.");
  return matrix_norm(A, ord, dim.value_or(Shape{-2, -1}), keepdim, dtype);
}

namespace {

// The norm of A times that of its inverse; infinite where there is none.
template <class Order>
Tensor condition(const Tensor& a, Order ord) {
  check_square("linalg.cond", a);
  auto [inverse, info] = inv_ex(a, false);
  Tensor product = matrix_norm(a, ord) * matrix_norm(inverse, ord);
  return where(ne(info, 0), kInfinity, product);
}

}  // namespace

// The condition number: the norm of A times that of its inverse. Without p, and for 2 and -2, the ratio of
// the extreme singular values.
OP("linalg.cond(Tensor A, float? p=None) -> Tensor");
Tensor cond(const Tensor& A, std::optional<double> p) {
  check_matrix("linalg.cond", A);
  if (p && std::abs(*p) != 2) return condition(A, *p);
  if (A.size(-1) == 0 || A.size(-2) == 0) return zeros(leading(A), to_real(A.dtype()), A.device());
  Tensor s = svdvals(A);
  Tensor first = select(s, -1, 0), last = select(s, -1, -1);
  return p && *p < 0 ? last / first : first / last;
}
OP("linalg.cond(Tensor A, str p) -> Tensor");
Tensor cond(const Tensor& A, const std::string& p) { return condition(A, p); }

}  // namespace linalg
}  // namespace mlx

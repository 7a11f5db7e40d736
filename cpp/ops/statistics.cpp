// Variances, norms and correlations.

#include <cmath>
#include <limits>

#include "ops/check.h"
#include "ops/reduction.h"

namespace mlx {
namespace {

struct Moments {
  Tensor variance, mean;  // variance: its root when asked
};

Tensor variance_gradient(const Tensor& g, const Tensor& x, const Shape& dims, bool keepdim, double divisor) {
  Tensor centred = x - mean(x, dims, true);
  return with_reduced_dims(g, x.shape(), dims, keepdim) * centred * Scalar(2.0 / divisor);
}

// var(x) and its mean, in two passes: the mean in float64 if the device has it, then the squared deviations.
Moments moments(const char* op, const Tensor& x, const Shape& dims, bool keepdim, double correction,
                bool root) {
  if (!x.is_inexact())
    throw RuntimeError(op, "(): support floating point and complex dtypes, not ", short_name(x.dtype()));
  if (x.is_complex()) {
    Moments re = moments(op, real(x), dims, keepdim, correction, false),
            im = moments(op, imag(x), dims, keepdim, correction, false);
    Tensor variance = re.variance + im.variance;
    return {root ? pow(variance, 0.5) : variance, mean(x, dims, keepdim)};
  }
  const double n = static_cast<double>(reduced_count(x, dims)),
               divisor = n > 0 ? std::max(n - correction, 0.0) : 0;
  const DType compute = compute_type(x.dtype());
  Tensor centre = reduce(Reduce{Reduction::Sum, compute, n}, x, dims, keepdim, widest_float(x.device()));
  Tensor out = reduce(Reduce{Reduction::SquaredDeviation, compute, divisor, root}, x, dims, keepdim,
                      x.dtype(), centre);
  record(root ? "Std" : "Var", out, {&x}, [=, x = save(x), result = save_output(out)](Backward& b) -> Grads {
    Tensor g = b.grad();
    if (root) {
      Tensor std = b.get(result), none = eq(std, 0);
      g = where(none, 0, g / where(none, 1, std * Scalar(2)));
    }
    return {variance_gradient(g, b.get(x), dims, keepdim, divisor)};
  });
  Tensor average = to(centre, x.dtype(), false, false);
  average = record("Mean", average, {&x}, [shape = x.shape(), dims, keepdim, n](Backward& b) -> Grads {
    return {restored(b.grad() / n, shape, dims, keepdim)};
  });
  return {out, average};
}

double value_or_one(const std::optional<Scalar>& correction) {
  return correction ? correction->to_double() : 1;
}
Shape all_if_none(const std::optional<Shape>& dim) { return dim.value_or(Shape{}); }

// ---- norms

// d |x|_p / dx, by the formulas for each range of p; zero where the norm is.
Tensor norm_gradient(const Tensor& g, const Tensor& x, const Tensor& length, double p) {
  if (p == 0) return zeros_like(x);
  if (p == 1) return g * sgn(x);
  Tensor none = eq(length, 0);
  if (p == 2) return where(none, 0, g / where(none, 1, length)) * x;
  Tensor size = abs(x);
  // |x| / length is at most 1 for p >= 1, so no power of it leaves the range of the dtype.
  Tensor flat = logical_or(none, eq(size, 0));
  Tensor share = pow(where(flat, 1, size / where(none, 1, length)), p - 1);
  return where(flat, 0, g * share) * sgn(x);
}

Tensor infinity_gradient(const Tensor& g, const Tensor& x, const Tensor& length, const Shape& dims) {
  Tensor size = abs(x);
  Tensor hit = logical_or(eq(size, length), isnan(size));
  return where(hit, g / sum(hit, dims, true), 0) * sgn(x);
}

Tensor norm_of(const Tensor& x, double p, const Shape& dims, bool keepdim) {
  DType real_type = to_real(x.dtype());
  if (p == 0) return to(sum(ne(x, 0), dims, keepdim), real_type, false, false);
  Tensor size = x.is_complex() ? abs(x) : x;
  if (std::isinf(p)) {
    Tensor magnitude = abs(x);
    return p > 0 ? amax(magnitude, dims, keepdim) : amin(magnitude, dims, keepdim);
  }
  const DType compute = compute_type(size.dtype());
  if (p == 2)
    return reduce(Reduce{Reduction::SquaredDeviation, compute, 1, true}, size, dims, keepdim, real_type);
  Tensor wide = abs(to(size, compute, false, false));
  if (p == 1) return to(sum(wide, dims, keepdim), real_type, false, false);
  return to(pow(sum(pow(wide, p), dims, keepdim), 1 / p), real_type, false, false);
}

Tensor vector_norm_over(const Tensor& x, double p, const Shape& dims, bool keepdim) {
  if (!x.is_inexact())
    throw RuntimeError("linalg.vector_norm: Expected a floating point or complex tensor as input. Got ",
                       short_name(x.dtype()));
  if (x.numel() == 0 && (p < 0 || std::isinf(p))) {
    if (dims.empty())
      throw RuntimeError("linalg.vector_norm cannot compute the ", p,
                         " norm on an empty tensor because the operation does not have an identity");
    for (int64_t d : dims)
      if (x.size(d) == 0)
        throw RuntimeError("linalg.vector_norm cannot compute the ", p, " norm on the dimension ", d,
                           " because this dimension is empty and the operation does not have an identity");
  }
  // The norm of one element is its magnitude, whatever its power would overflow to.
  if (p != 0 && reduced_count(x, dims) == 1) p = std::numeric_limits<double>::infinity();
  Tensor out;
  {
    GradModeGuard off(false);
    out = alias(norm_of(x, p, dims, keepdim));
  }
  return record("LinalgVectorNorm", out, {&x},
                [=, x = save(x), result = save_output(out)](Backward& b) -> Grads {
                  Tensor in = b.get(x), g = with_reduced_dims(b.grad(), in.shape(), dims, keepdim);
                  Tensor length = with_reduced_dims(b.get(result), in.shape(), dims, keepdim);
                  if (std::isinf(p)) return {infinity_gradient(g, in, length, dims)};
                  return {norm_gradient(g, in, length, p)};
                });
}

}  // namespace

// The variance over dimensions: squared deviations divided by n - correction.
OP("var(Tensor input, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor");
Tensor var(const Tensor& input, const std::optional<Shape>& dim, const std::optional<Scalar>& correction,
           bool keepdim) {
  return moments("var", input, all_if_none(dim), keepdim, value_or_one(correction), false).variance;
}
OP("var(Tensor input, int[1]? dim, bool unbiased, bool keepdim=False) -> Tensor");
Tensor var(const Tensor& input, const std::optional<Shape>& dim, bool unbiased, bool keepdim) {
  return moments("var", input, all_if_none(dim), keepdim, unbiased, false).variance;
}
OP("var(Tensor input, bool unbiased) -> Tensor");
Tensor var(const Tensor& input, bool unbiased) {
  return moments("var", input, {}, false, unbiased, false).variance;
}

// The standard deviation over dimensions: the root of the variance.
OP("std(Tensor input, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> Tensor");
Tensor std(const Tensor& input, const std::optional<Shape>& dim, const std::optional<Scalar>& correction,
           bool keepdim) {
  return moments("std", input, all_if_none(dim), keepdim, value_or_one(correction), true).variance;
}

OP("std(Tensor input, int[1]? dim, bool unbiased, bool keepdim=False) -> Tensor");
Tensor std(const Tensor& input, const std::optional<Shape>& dim, bool unbiased, bool keepdim) {
  return moments("std", input, all_if_none(dim), keepdim, unbiased, true).variance;
}
OP("std(Tensor input, bool unbiased) -> Tensor");
Tensor std(const Tensor& input, bool unbiased) {
  return moments("std", input, {}, false, unbiased, true).variance;
}

// (variance, mean) over dimensions.
OP("var_mean(Tensor input, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor var, "
   "Tensor mean)");
std::tuple<Tensor, Tensor> var_mean(const Tensor& input, const std::optional<Shape>& dim,
                                    const std::optional<Scalar>& correction, bool keepdim) {
  Moments m = moments("var_mean", input, all_if_none(dim), keepdim, value_or_one(correction), false);
  return {m.variance, m.mean};
}
OP("var_mean(Tensor input, int[1]? dim, bool unbiased, bool keepdim=False) -> (Tensor var, Tensor mean)");
std::tuple<Tensor, Tensor> var_mean(const Tensor& input, const std::optional<Shape>& dim, bool unbiased,
                                    bool keepdim) {
  return var_mean(input, dim, std::optional<Scalar>(int64_t{unbiased}), keepdim);
}
OP("var_mean(Tensor input, bool unbiased) -> (Tensor var, Tensor mean)");
std::tuple<Tensor, Tensor> var_mean(const Tensor& input, bool unbiased) {
  return var_mean(input, std::nullopt, std::optional<Scalar>(int64_t{unbiased}), false);
}

// (standard deviation, mean) over dimensions.
OP("std_mean(Tensor input, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False) -> (Tensor std, "
   "Tensor mean)");
std::tuple<Tensor, Tensor> std_mean(const Tensor& input, const std::optional<Shape>& dim,
                                    const std::optional<Scalar>& correction, bool keepdim) {
  Moments m = moments("std_mean", input, all_if_none(dim), keepdim, value_or_one(correction), true);
  return {m.variance, m.mean};
}
OP("std_mean(Tensor input, int[1]? dim, bool unbiased, bool keepdim=False) -> (Tensor std, Tensor mean)");
std::tuple<Tensor, Tensor> std_mean(const Tensor& input, const std::optional<Shape>& dim, bool unbiased,
                                    bool keepdim) {
  return std_mean(input, dim, std::optional<Scalar>(int64_t{unbiased}), keepdim);
}
OP("std_mean(Tensor input, bool unbiased) -> (Tensor std, Tensor mean)");
std::tuple<Tensor, Tensor> std_mean(const Tensor& input, bool unbiased) {
  return std_mean(input, std::nullopt, std::optional<Scalar>(int64_t{unbiased}), false);
}

// The p-norm of vectors: (sum |x|^p)^(1/p); p = 0 counts nonzeros, infinities give the largest or smallest
// size.
OP("linalg.vector_norm(Tensor input, float ord=2, int[1]? dim=None, bool keepdim=False, *, dtype? "
   "dtype=None) -> Tensor");
Tensor linalg::vector_norm(const Tensor& input, double ord, const std::optional<Shape>& dim, bool keepdim,
                           std::optional<DType> dtype) {
  return vector_norm_over(dtype ? to(input, *dtype, false, false) : input, ord, all_if_none(dim), keepdim);
}

// The p-norm over dimensions (or of all elements); "fro" is p = 2.
OP("norm(Tensor input, float? p, int[1]? dim=None, bool keepdim=False, dtype? dtype=None) -> Tensor");
Tensor norm(const Tensor& input, std::optional<double> p, const std::optional<Shape>& dim, bool keepdim,
            std::optional<DType> dtype) {
  return linalg::vector_norm(input, p.value_or(2), dim, keepdim, dtype);
}
OP("norm(Tensor input, str p='fro', int[1]? dim=None, bool keepdim=False, dtype? dtype=None) -> Tensor");
Tensor norm(const Tensor& input, const std::string& p, const std::optional<Shape>& dim, bool keepdim,
            std::optional<DType> dtype) {
  if (p == "nuc") return linalg::matrix_norm(input, p, dim.value_or(Shape{-2, -1}), keepdim, dtype);
  if (p != "fro")
    throw RuntimeError("norm(): the order of a norm is a number, 'fro' or 'nuc', not '", p, "'");
  return linalg::vector_norm(input, 2, dim, keepdim, dtype);
}

// The p-norm of the difference.
OP("dist(Tensor input, Tensor other, float p=2) -> Tensor");
Tensor dist(const Tensor& input, const Tensor& other, double p) {
  return linalg::vector_norm(input - other, p);
}

namespace {

void check_weights(const char* name, const Tensor& w, int64_t observations, bool floating) {
  if (!w.defined()) return;
  if (w.dim() > 1)
    throw RuntimeError("cov(): expected ", name, " to have one or fewer dimensions but got ", name, " with ",
                       w.dim(), " dimensions");
  if (floating ? !w.is_floating() : w.is_inexact() || w.dtype() == DType::Bool)
    throw RuntimeError("cov(): expected ", name, " to have ", floating ? "floating point" : "integral",
                       " dtype but got ", name, " with ", w.dtype(), " dtype");
  if (w.numel() != observations)
    throw RuntimeError("cov(): expected ", name,
                       " to have the same numel as there are observations in the input but got ", w.numel(),
                       " != ", observations);
  raise_if_any(lt(w, 0), Check::Runtime, "cov(): weights cannot be negative");
}

}  // namespace

// The covariance matrix of variables in rows, observations in columns; with weights by frequency and by
// importance.
OP("cov(Tensor input, *, int correction=1, Tensor? fweights=None, Tensor? aweights=None) -> Tensor");
Tensor cov(const Tensor& input, int64_t correction, const Tensor& fweights, const Tensor& aweights) {
  if (input.dim() > 2)
    throw RuntimeError("cov(): expected input to have two or fewer dimensions but got an input with ",
                       input.dim(), " dimensions");
  if (input.dtype() == DType::Bool) throw RuntimeError("cov(): bool dtype is not supported for input");
  Tensor x = input.is_inexact() ? input : to(input, default_dtype(), false, false);
  if (x.dim() < 2) x = reshape(x, {1, -1});
  check_weights("fweights", fweights, x.size(1), false);
  check_weights("aweights", aweights, x.size(1), true);
  Tensor w;
  if (fweights.defined()) w = fweights;
  if (aweights.defined()) w = w.defined() ? w * aweights : aweights;
  Tensor total = w.defined() ? sum(w) : scalar_tensor(x.size(1), DType::Int64);
  Tensor centre = w.defined() ? sum(x * w, Shape{1}, true) / total : mean(x, Shape{1}, true);
  Tensor divisor = total;
  if (w.defined() && aweights.defined() && correction != 0)
    divisor = total - Scalar(correction) * (sum(w * aweights) / total);
  else
    divisor = total - Scalar(correction);
  Tensor centred = x - centre;
  Tensor product = matmul(w.defined() ? centred * to(w, to_real(centred.dtype()), false, false) : centred,
                          conj(transpose(centred, 0, 1)));
  Tensor out = product / where(lt(divisor, 0), 0, to(divisor, to_real(centred.dtype()), false, false));
  return x.size(0) == 1 ? reshape(out, {}) : out;
}

// The matrix of correlation coefficients of variables in rows.
OP("corrcoef(Tensor input) -> Tensor");
Tensor corrcoef(const Tensor& input) {
  Tensor c = cov(input);
  if (c.dim() == 0) return c / c;
  Tensor d = pow(real(diagonal(c, 0, 0, 1)), 0.5);
  return c / unsqueeze(d, 0) / unsqueeze(d, 1);
}

}  // namespace mlx

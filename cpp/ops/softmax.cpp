// Softmax, its logarithm and its normaliser.

#include "ops/reduction.h"

namespace mlx {
namespace {

// The type that softmax's kernels take: those of the CPU widen half types a row at a time.
DType row_type(const Tensor& t) {
  return t.device().type == DeviceType::CPU ? t.dtype() : compute_type(t.dtype());
}

// A dimension last, without gaps, in a type that the kernel takes; the same back.
struct Rows {
  Rows(const Tensor& t, int64_t dim, DType type) : d(dim) {
    GradModeGuard off(false);
    Tensor wide = to(t, type, false, false);
    Tensor last = contiguous(wide.dim() ? movedim(wide, {d}, {-1}) : reshape(wide, {1}));
    shape = last.shape();
    const int64_t n = shape.back();
    rows = reshape(last, {n ? last.numel() / n : 0, n});
  }
  Tensor back(const Tensor& result, const Tensor& like) const {
    GradModeGuard off(false);
    Tensor whole = reshape(result, shape);
    return alias(to(like.dim() ? movedim(whole, {-1}, {d}) : reshape(whole, {}), like.dtype(), false, false));
  }
  int64_t d;
  Shape shape;
  Tensor rows;
};

Tensor softmax_gradient(const Tensor& g, const Tensor& y, int64_t d, bool log) {
  if (recording({&g, &y})) {
    if (log) return g - exp(y) * sum(g, Shape{d}, true);
    return (g - sum(g * y, Shape{d}, true)) * y;
  }
  Rows grad(g, d, row_type(g)), result(y, d, row_type(g));
  Tensor out = allocate(grad.rows.shape(), grad.rows.dtype(), g.device());
  if (out.numel()) launch(SoftmaxGradient{log}, {&out}, {&grad.rows, &result.rows});
  return grad.back(out, g);
}

Tensor softmax_over(const char* op, const Tensor& input, int64_t dim, std::optional<DType> dtype, bool log) {
  Tensor x = to(input, dtype.value_or(input.dtype()), false, false);
  const int64_t d = wrap_dim(dim, x.dim());
  if (!x.is_floating())
    throw NotImplementedError("\"", op, "\" not implemented for '", short_name(x.dtype()), "'");
  Rows in(x, d, row_type(x));
  Tensor rows = allocate(in.rows.shape(), in.rows.dtype(), x.device());
  if (rows.numel()) launch(Softmax{log}, {&rows}, {&in.rows});
  Tensor out = in.back(rows, x);
  return record(log ? "LogSoftmax" : "Softmax", out, {&x},
                [d, log, y = save_output(out)](Backward& b) -> Grads {
                  return {softmax_gradient(b.grad(), b.get(y), d, log)};
                });
}

// What functional.softmax(dim=None) has always meant.
int64_t legacy_dim(const Tensor& t, std::optional<int64_t> dim) {
  return dim.value_or(t.dim() == 0 || t.dim() == 1 || t.dim() == 3 ? 0 : 1);
}

Tensor logsumexp_over_one(const Tensor& x, int64_t d, bool keepdim) {
  Rows in(x, d, compute_type(x.dtype()));
  Shape kept = in.shape, shape = x.shape();
  Tensor out = allocate({in.rows.size(0)}, in.rows.dtype(), x.device());
  if (out.numel()) launch(LogSumExp{}, {&out}, {&in.rows});
  if (x.dim()) {
    if (keepdim)
      shape[static_cast<size_t>(d)] = 1;
    else
      shape.erase(static_cast<size_t>(d));
  }
  GradModeGuard off(false);
  return alias(to(reshape(out, shape), x.dtype(), false, false));
}

Tensor logsumexp_over_many(const Tensor& x, const Shape& dims, bool keepdim) {
  Tensor largest = amax(real(detach(x)), dims, true);
  Tensor finite = where(eq(abs(largest), std::numeric_limits<double>::infinity()), 0, largest);
  Tensor out = log(sum(exp(detach(x) - finite), dims, true)) + finite;
  return keepdim ? out : reshape(out, reduced_shape(x.shape(), dim_mask(dims, x.dim()), false));
}

}  // namespace

// exp(input) / sum(exp(input)) along a dimension.
//
// >>> mlx.softmax(mlx.zeros(2), 0)
// tensor([0.5000, 0.5000])
OP("softmax(Tensor input, int dim, dtype? dtype=None) -> Tensor").alias("special.softmax");
Tensor softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  return softmax_over("softmax_lastdim_kernel_impl", input, dim, dtype, false);
}

// The logarithm of softmax, computed without leaving the range of floats.
OP("log_softmax(Tensor input, int dim, dtype? dtype=None) -> Tensor").alias("special.log_softmax");
Tensor log_softmax(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  return softmax_over("log_softmax_lastdim_kernel_impl", input, dim, dtype, true);
}

OP("nn.functional.softmax(Tensor input, int? dim=None, int _stacklevel=3, dtype? dtype=None) -> Tensor");
Tensor functional::softmax(const Tensor& input, std::optional<int64_t> dim, int64_t,
                           std::optional<DType> dtype) {
  return mlx::softmax(input, legacy_dim(input, dim), dtype);
}

OP("nn.functional.log_softmax(Tensor input, int? dim=None, int _stacklevel=3, dtype? dtype=None) -> Tensor");
Tensor functional::log_softmax(const Tensor& input, std::optional<int64_t> dim, int64_t,
                               std::optional<DType> dtype) {
  return mlx::log_softmax(input, legacy_dim(input, dim), dtype);
}

// softmax(-input).
OP("nn.functional.softmin(Tensor input, int? dim=None, int _stacklevel=3, dtype? dtype=None) -> Tensor");
Tensor functional::softmin(const Tensor& input, std::optional<int64_t> dim, int64_t,
                           std::optional<DType> dtype) {
  return mlx::softmax(neg(input), legacy_dim(input, dim), dtype);
}

// The logarithm of the sum of exponentials over dimensions.
OP("logsumexp(Tensor input, int[1] dim, bool keepdim=False) -> Tensor").alias("special.logsumexp");
Tensor logsumexp(const Tensor& input, const Shape& dim, bool keepdim) {
  Tensor x = input.is_inexact() ? input : to(input, default_dtype(), false, false);
  dim_mask(dim, x.dim());
  if (x.numel() == 0) return log(sum(exp(x), dim, keepdim));
  const bool by_rows = dim.size() == 1 && !x.is_complex();
  Tensor out = by_rows ? logsumexp_over_one(x, wrap_dim(dim[0], x.dim()), keepdim)
                       : logsumexp_over_many(x, dim, keepdim);
  return record("Logsumexp", out, {&x},
                [dim, keepdim, x = save(x), y = save_output(out)](Backward& b) -> Grads {
                  Tensor in = b.get(x);
                  Tensor result = with_reduced_dims(b.get(y), in.shape(), dim, keepdim),
                         g = with_reduced_dims(b.grad(), in.shape(), dim, keepdim);
                  // Rows of nothing but minus infinity have no slope.
                  Tensor finite = where(eq(abs(result), std::numeric_limits<double>::infinity()), 0, result);
                  return {g * conj(exp(in - finite))};
                });
}

}  // namespace mlx

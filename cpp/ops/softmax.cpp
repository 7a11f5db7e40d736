// Softmax, its logarithm and its normaliser.

#include "ops/reduction.h"

namespace mlx {
namespace {

bool is_on_cpu(const Tensor& t) { return t.device().type == DeviceType::CPU; }

// Whether kernels should go down columns: those of the CPU can, where that is how the elements lie.
bool lies_in_columns(const Tensor& t, int64_t d) {
  return is_on_cpu(t) && t.dim() > 0 && t.numel() > 0 && !movedim(t, {d}, {-1}).is_contiguous();
}

// A dimension as the kernels of softmax take it: the last of a matrix, or the middle one of three, without
// gaps, in a type of theirs; the same back. The CPU's widen half types a row at a time.
class Slices {
 public:
  Slices(const Tensor& t, int64_t dim, bool by_columns) : d_(dim), by_columns_(by_columns) {
    GradModeGuard off(false);
    const DType type = is_on_cpu(t) && !by_columns ? t.dtype() : compute_type(t.dtype());
    Tensor whole = to(t, type, false, false);
    if (!by_columns) whole = t.dim() ? movedim(whole, {d_}, {-1}) : reshape(whole, {1});
    whole = contiguous(whole);
    shape_ = whole.shape();
    if (by_columns) {
      const int64_t n = t.size(d_);
      int64_t inner = 1;
      for (int64_t k = d_ + 1; k < t.dim(); ++k) inner *= t.size(k);
      tensor = reshape(whole, {t.numel() / (n * inner), n, inner});
    } else {
      const int64_t n = shape_.back();
      tensor = reshape(whole, {n ? whole.numel() / n : 0, n});
    }
  }
  Tensor back(const Tensor& result, const Tensor& like) const {
    GradModeGuard off(false);
    Tensor whole = reshape(result, shape_);
    if (!by_columns_) whole = like.dim() ? movedim(whole, {-1}, {d_}) : reshape(whole, {});
    return alias(to(whole, like.dtype(), false, false));
  }

  Tensor tensor;

 private:
  int64_t d_;
  bool by_columns_;
  Shape shape_;
};

Tensor softmax_gradient(const Tensor& g, const Tensor& y, int64_t d, bool log) {
  if (recording({&g, &y})) {
    if (log) return g - exp(y) * sum(g, Shape{d}, true);
    return (g - sum(g * y, Shape{d}, true)) * y;
  }
  const bool by_columns = lies_in_columns(y, d);
  const Slices grad(g, d, by_columns), result(y, d, by_columns);
  Tensor out = allocate(grad.tensor.shape(), grad.tensor.dtype(), g.device());
  if (out.numel()) launch(SoftmaxGradient{log}, {&out}, {&grad.tensor, &result.tensor});
  return grad.back(out, g);
}

Tensor softmax_over(const char* op, const Tensor& input, int64_t dim, std::optional<DType> dtype, bool log) {
  Tensor x = to(input, dtype.value_or(input.dtype()), false, false);
  const int64_t d = wrap_dim(dim, x.dim());
  if (!x.is_floating())
    throw NotImplementedError("\"", op, "\" not implemented for '", short_name(x.dtype()), "'");
  const Slices in(x, d, lies_in_columns(x, d));
  Tensor result = allocate(in.tensor.shape(), in.tensor.dtype(), x.device());
  if (result.numel()) launch(Softmax{log}, {&result}, {&in.tensor});
  Tensor out = in.back(result, x);
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
  const Slices in(to(detach(x), compute_type(x.dtype()), false, false), d, false);
  Shape shape = x.shape();
  Tensor out = allocate({in.tensor.size(0)}, in.tensor.dtype(), x.device());
  if (out.numel()) launch(LogSumExp{}, {&out}, {&in.tensor});
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
                  // Rows of nothing but minus infinity have no slope; beside infinity nothing has one, and
                  // its own is no number.
                  Tensor empty = eq(real(result), -std::numeric_limits<double>::infinity());
                  return {g * conj(exp(in - where(empty, 0, result)))};
                });
}

}  // namespace mlx

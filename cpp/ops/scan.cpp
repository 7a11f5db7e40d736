// Running totals along a dimension.

#include "ops/reduction.h"
#include "ops/widening.h"

namespace mlx {
namespace {

// Runs the kernel in the compute type over (outer, n, inner) and gives the results the input's shape back.
Tensor run_scan(Scanning kind, const Tensor& input, int64_t d, bool reverse, Tensor* places = nullptr) {
  GradModeGuard off(false);
  const DType compute = compute_type(input.dtype());
  Tensor x = contiguous(to(input, compute, false, false));
  const Split s = split_at(x, d);
  const Shape flat = {s.outer, s.size, s.inner};
  Tensor in = reshape(x, flat), out = allocate(flat, compute, input.device());
  if (places) {
    Tensor at = allocate(flat, DType::Int64, input.device());
    if (out.numel()) launch(Scan{kind, reverse}, {&out, &at}, {&in});
    *places = alias(reshape(at, input.shape()));
  } else if (out.numel()) {
    launch(Scan{kind, reverse}, {&out}, {&in});
  }
  return alias(to(reshape(out, input.shape()), input.dtype(), false, false));
}

Tensor as_sum_dtype(const Tensor& input, std::optional<DType> asked) {
  return to(input, sum_dtype(input.dtype(), asked), false, false);
}

// Of prefix products p = cumprod(x): the gradient is the sum over later prefixes without x itself.
Tensor cumprod_gradient(const Tensor& g, const Tensor& x, const Tensor& out, int64_t d) {
  if (x.numel() <= 1 || (x.dim() && x.size(d) == 1)) return g;
  if (!is_traced(x) && !item(any(eq(x, 0))).to_bool()) return scan_sum(g * conj(out), d, true) / conj(x);
  // With zeros: for each place k, prod(x[:k]) * sum over j >= k of g[j] * prod(x[k + 1 : j + 1]).
  const int64_t n = x.size(d);
  Tensor grad = zeros_like(x), c = conj(x);
  for (int64_t k = 0; k < n; ++k) {
    Tensor later = narrow(g, d, k, n - k);
    Tensor factors = ones_like(later);
    if (k + 1 < n)
      copy_(narrow(factors, d, 1, n - k - 1), scan_product(narrow(c, d, k + 1, n - k - 1), d, false), false);
    Tensor total = sum(later * factors, Shape{d}, true);
    if (k > 0) total = total * prod(narrow(c, d, 0, k), d, true);
    copy_(narrow(grad, d, k, 1), total, false);
  }
  return grad;
}

// The elements along a dimension in reverse.
Tensor mirrored(const Tensor& t, int64_t d) {
  if (t.dim() == 0) return t;
  Shape shape(t.shape().size(), 1);
  shape[static_cast<size_t>(d)] = t.size(d);
  Tensor places = reshape(arange(t.size(d) - 1, -1, -1, DType::Int64, t.device()), shape);
  return take_along(t, d, contiguous(expand(places, t.shape(), false)));
}

std::tuple<Tensor, Tensor> running_extreme(Scanning kind, const Tensor& input, int64_t dim) {
  const int64_t d = wrap_dim(dim, input.dim());
  if (input.is_complex())
    throw NotImplementedError("cummax and cummin are not implemented for '", short_name(input.dtype()), "'");
  Tensor indices, values = run_scan(kind, input, d, false, &indices);
  record_all(kind == Scanning::Max ? "Cummax" : "Cummin", {&values}, {&input},
             [d, shape = input.shape(), indices = save(indices)](Backward& b) -> Grads {
               return {add_along(widened(b.grad()), shape, d, b.get(indices))};
             });
  return {values, indices};
}

}  // namespace

Tensor scan_sum(const Tensor& input, int64_t dim, bool reverse) {
  Tensor out = run_scan(Scanning::Sum, input, dim, reverse);
  return record("Cumsum", out, {&input},
                [dim, reverse](Backward& b) -> Grads { return {scan_sum(b.grad(), dim, !reverse)}; });
}

Tensor scan_product(const Tensor& input, int64_t dim, bool reverse) {
  Tensor out = run_scan(Scanning::Prod, input, dim, reverse);
  return record("Cumprod", out, {&input},
                [dim, reverse, x = save(input), result = save_output(out)](Backward& b) -> Grads {
                  if (!reverse) return {cumprod_gradient(b.grad(), b.get(x), b.get(result), dim)};
                  // A backwards product is a forwards one seen in a mirror.
                  return {mirrored(cumprod_gradient(mirrored(b.grad(), dim), mirrored(b.get(x), dim),
                                                    mirrored(b.get(result), dim), dim),
                                   dim)};
                });
}

// The running sum along a dimension; integers are summed as int64.
//
// >>> mlx.tensor([1, 2, 3]).cumsum(0)
// tensor([1, 3, 6])
OP("cumsum(Tensor input, int dim, *, dtype? dtype=None) -> Tensor").inplace();
Tensor cumsum(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  return scan_sum(as_sum_dtype(input, dtype), wrap_dim(dim, input.dim()), false);
}

// The running product along a dimension.
OP("cumprod(Tensor input, int dim, *, dtype? dtype=None) -> Tensor").inplace();
Tensor cumprod(const Tensor& input, int64_t dim, std::optional<DType> dtype) {
  return scan_product(as_sum_dtype(input, dtype), wrap_dim(dim, input.dim()), false);
}

// The largest element so far along a dimension, and where it is (the last of equals).
OP("cummax(Tensor input, int dim) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> cummax(const Tensor& input, int64_t dim) {
  return running_extreme(Scanning::Max, input, dim);
}

// The smallest element so far along a dimension, and where it is (the last of equals).
OP("cummin(Tensor input, int dim) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> cummin(const Tensor& input, int64_t dim) {
  return running_extreme(Scanning::Min, input, dim);
}

// The logarithm of the running sum of exponentials along a dimension.
OP("logcumsumexp(Tensor input, int dim) -> Tensor");
Tensor logcumsumexp(const Tensor& input, int64_t dim) {
  if (!input.is_inexact())
    throw NotImplementedError("\"logcumsumexp_out_cpu\" not implemented for '", short_name(input.dtype()),
                              "'");
  const int64_t d = wrap_dim(dim, input.dim());
  if (input.dim() == 0) return clone(input);
  Tensor out = run_scan(Scanning::LogSumExp, input, d, false);
  return record("Logcumsumexp", out, {&input},
                [d, x = save(input), result = save_output(out)](Backward& b) -> Grads {
                  // d out[j] / d x[i] = exp(x[i] - out[j]) for i <= j; positive and negative gradients go
                  // apart, so that all runs in logarithms.
                  Tensor g = b.grad(), in = conj(b.get(x)), y = conj(b.get(result));
                  // A very low number stands for the logarithm of 0: minus infinity has no second derivative.
                  const double low = g.dtype() == DType::Float16            ? -65504
                                     : to_real(g.dtype()) == DType::Float64 ? -1e308
                                                                            : -3e38;
                  auto part = [&](const Tensor& magnitude, const Tensor& counts) {
                    Tensor logs = where(counts, log(magnitude), low);
                    return exp(mirrored(logcumsumexp(mirrored(logs - y, d), d), d) + in);
                  };
                  // The logarithm of a complex gradient carries its phase.
                  if (g.is_complex()) return {part(g, ne(g, 0))};
                  return {part(abs(g), gt(g, 0)) - part(abs(g), lt(g, 0))};
                });
}

}  // namespace mlx

// Sums, products and tests over whole dimensions.

#include "ops/reduction.h"

namespace mlx {
namespace {

constexpr const char* kMeanDtype =
    "(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: ";

DType mean_dtype(const char* op, const Tensor& input, std::optional<DType> asked) {
  DType dtype = asked.value_or(input.dtype());
  if (!is_inexact(dtype)) throw RuntimeError(op, kMeanDtype, short_name(dtype));
  return dtype;
}

// What a kernel reads an input in for a result of `dtype`; a narrower or real input is converted first.
Tensor readable_as(const Tensor& input, DType dtype) {
  bool converts = is_inexact(dtype) && (input.dtype() == dtype || !is_inexact(input.dtype()) ||
                                        (!is_complex(dtype) && !input.is_complex()));
  return converts || !is_inexact(dtype) ? input : to(input, dtype, false, false);
}

Tensor zeros_for_nan(const Tensor& input) { return where(isnan(input), 0, input); }

Tensor truth_reduction(Reduction kind, const Tensor& input, const Shape& dims, bool keepdim) {
  DType result = input.dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool;
  return reduce(Reduce{kind, DType::Bool}, input, dims, keepdim, result);
}

// The product of all other elements along `dim`, which a division would get wrong at zeros.
Tensor product_of_others(const Tensor& x, int64_t dim) {
  const int64_t n = x.size(dim);
  Tensor before = ones_like(x), after = ones_like(x);
  if (n > 1) {
    copy_(narrow(before, dim, 1, n - 1), scan_product(narrow(x, dim, 0, n - 1), dim, false), false);
    copy_(narrow(after, dim, 0, n - 1), scan_product(narrow(x, dim, 1, n - 1), dim, true), false);
  }
  return before * after;
}

Grads prod_gradient(const Tensor& g, const Tensor& input, const Tensor& out, int64_t dim, bool keepdim) {
  if (input.dim() == 0) return {g};
  Tensor whole = keepdim ? g : unsqueeze(g, dim);
  if (input.numel() == 0) return {zeros_like(input)};
  // Second derivatives at zeros need the exact form as well, so the quotient is for zero-free inputs only.
  if (is_traced(input) || item(any(eq(input, 0))).to_bool())
    return {whole * conj(product_of_others(input, dim))};
  return {whole * conj((keepdim ? out : unsqueeze(out, dim)) / input)};
}

}  // namespace

// The sum of the elements over dimensions; integers are summed as int64.
//
// >>> mlx.tensor([[1., 2.], [3., 4.]]).sum(0)
// tensor([4., 6.])
OP("sum(Tensor input, int[1]? dim, bool keepdim=False, *, dtype? dtype=None) -> Tensor");
Tensor sum(const Tensor& input, const std::optional<Shape>& dim, bool keepdim, std::optional<DType> dtype) {
  DType type = sum_dtype(input.dtype(), dtype);
  if (type == DType::Bool) return to(any(ne(input, 0), dim, keepdim), type, false, false);
  Shape dims = dim.value_or(Shape{});
  Tensor out =
      reduce(Reduce{Reduction::Sum, compute_type(type)}, readable_as(input, type), dims, keepdim, type);
  return record(dims.empty() ? "Sum" : "SumBackward1", out, {&input},
                [shape = input.shape(), dims, keepdim](Backward& b) -> Grads {
                  return {restored(b.grad(), shape, dims, keepdim)};
                });
}

OP("sum(Tensor input, *, dtype? dtype=None) -> Tensor");
Tensor sum(const Tensor& input, std::optional<DType> dtype) { return sum(input, Shape{}, false, dtype); }

// The sum over the dimensions that broadcasting to the input's shape would repeat.
OP("Tensor.sum_to_size(Tensor input, int[] size) -> Tensor");
Tensor sum_to_size(const Tensor& input, const Shape& size) {
  if (input.shape() == size && !size.empty()) return input;
  size_t lead = input.shape().size() - std::min(size.size(), input.shape().size());
  Shape dims;
  for (size_t d = 0; d < input.shape().size(); ++d) {
    if (d < lead || (size[d - lead] == 1 && input.shape()[d] != 1))
      dims.push_back(static_cast<int64_t>(d));
    else if (size[d - lead] != input.shape()[d])
      throw RuntimeError("sum_to_size(): size ", size, " is not expandable to size ", input.shape());
  }
  if (size.size() > input.shape().size())
    throw RuntimeError("sum_to_size(): size ", size, " is not expandable to size ", input.shape());
  Tensor out = dims.empty() && !size.empty() ? input : sum(input, dims, true);
  return reshape(out, size);
}

// The mean over dimensions, of floating-point or complex numbers.
OP("mean(Tensor input, int[1]? dim, bool keepdim=False, *, dtype? dtype=None) -> Tensor");
Tensor mean(const Tensor& input, const std::optional<Shape>& dim, bool keepdim, std::optional<DType> dtype) {
  DType type = mean_dtype("mean", input, dtype);
  Shape dims = dim.value_or(Shape{});
  const double n = static_cast<double>(reduced_count(input, dims));
  Tensor out =
      reduce(Reduce{Reduction::Sum, compute_type(type), n}, readable_as(input, type), dims, keepdim, type);
  return record(dims.empty() ? "Mean" : "MeanBackward1", out, {&input},
                [shape = input.shape(), dims, keepdim, n](Backward& b) -> Grads {
                  return {restored(b.grad() / n, shape, dims, keepdim)};
                });
}

OP("mean(Tensor input, *, dtype? dtype=None) -> Tensor");
Tensor mean(const Tensor& input, std::optional<DType> dtype) { return mean(input, Shape{}, false, dtype); }

// The product over one dimension, or of all elements.
OP("prod(Tensor input, int dim, bool keepdim=False, *, dtype? dtype=None) -> Tensor");
Tensor prod(const Tensor& input, int64_t dim, bool keepdim, std::optional<DType> dtype) {
  DType type = sum_dtype(input.dtype(), dtype);
  if (type == DType::Bool) return to(all(ne(input, 0), Shape{dim}, keepdim), type, false, false);
  Tensor x = input.dtype() == type ? input : to(input, type, false, false);
  const int64_t d = wrap_dim(dim, x.dim());
  Tensor out = reduce(Reduce{Reduction::Prod, compute_type(type)}, x, {d}, keepdim, type);
  return record("Prod", out, {&x},
                [d, keepdim, x = save(x), result = save_output(out)](Backward& b) -> Grads {
                  return prod_gradient(b.grad(), b.get(x), b.get(result), d, keepdim);
                });
}

OP("prod(Tensor input, *, dtype? dtype=None) -> Tensor");
Tensor prod(const Tensor& input, std::optional<DType> dtype) {
  return prod(reshape(input, {-1}), 0, false, dtype);
}

// The sum, counting NaN as zero.
OP("nansum(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor");
Tensor nansum(const Tensor& input, const std::optional<Shape>& dim, bool keepdim,
              std::optional<DType> dtype) {
  if (input.is_complex()) throw RuntimeError("nansum does not support complex inputs");
  return sum(input.is_inexact() ? zeros_for_nan(input) : input, dim, keepdim, dtype);
}

// The mean of the elements that are not NaN.
OP("nanmean(Tensor input, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None) -> Tensor");
Tensor nanmean(const Tensor& input, const std::optional<Shape>& dim, bool keepdim,
               std::optional<DType> dtype) {
  if (!input.is_inexact())
    throw RuntimeError("nanmean(): expected input to have floating point or complex dtype but got ",
                       short_name(input.dtype()));
  Tensor count = sum(logical_not(isnan(detach(input))), dim, keepdim);
  return sum(zeros_for_nan(input), dim, keepdim, dtype) / count;
}

// Whether any element is nonzero.
OP("any(Tensor input) -> Tensor");
Tensor any(const Tensor& input) { return truth_reduction(Reduction::Any, input, {}, false); }

OP("any(Tensor input, int[1]? dim, bool keepdim=False) -> Tensor");
Tensor any(const Tensor& input, const std::optional<Shape>& dim, bool keepdim) {
  return truth_reduction(Reduction::Any, input, dim.value_or(Shape{}), keepdim);
}

// Whether all elements are nonzero.
OP("all(Tensor input) -> Tensor");
Tensor all(const Tensor& input) { return truth_reduction(Reduction::All, input, {}, false); }

OP("all(Tensor input, int[1]? dim, bool keepdim=False) -> Tensor");
Tensor all(const Tensor& input, const std::optional<Shape>& dim, bool keepdim) {
  return truth_reduction(Reduction::All, input, dim.value_or(Shape{}), keepdim);
}

// How many elements are nonzero, as int64.
OP("count_nonzero(Tensor input, int[1]? dim=None) -> Tensor");
Tensor count_nonzero(const Tensor& input, const std::optional<Shape>& dim) { return sum(ne(input, 0), dim); }

// The sum of the diagonal of a matrix.
OP("trace(Tensor input) -> Tensor").node("TraceBackward0");
Tensor trace(const Tensor& input) {
  if (input.dim() != 2) throw RuntimeError("trace: expected a matrix, but got tensor with dim ", input.dim());
  return sum(diagonal(input, 0, 0, 1));
}

}  // namespace mlx

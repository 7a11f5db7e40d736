// The largest and smallest elements, and where they are.

#include "ops/reduction.h"

namespace mlx {

Tensor shared_gradient(const Tensor& g, const Tensor& input, const Tensor& out, const Shape& dims,
                       bool keepdim) {
  Tensor picked = with_reduced_dims(out, input.shape(), dims, keepdim);
  Tensor hit = logical_or(eq(input, picked), logical_and(isnan(input), isnan(picked)));
  Tensor share = with_reduced_dims(g, input.shape(), dims, keepdim) / sum(hit, dims, true);
  return where(hit, share, 0);
}

namespace {

Tensor extreme(const char* op, Reduction kind, const Tensor& input, const Shape& dims, bool keepdim) {
  check_not_empty(op, input, dims);
  Tensor out = reduce(Reduce{kind, compute_type(input.dtype())}, input, dims, keepdim, input.dtype());
  if (!input.is_inexact()) return out;
  return record(kind == Reduction::Max ? "Amax" : "Amin", out, {&input},
                [dims, keepdim, input = save(input), result = save_output(out)](Backward& b) -> Grads {
                  return {shared_gradient(b.grad(), b.get(input), b.get(result), dims, keepdim)};
                });
}

Tensor extreme_of_all(const char* op, Reduction kind, const Tensor& input) {
  if (input.numel() == 0)
    throw RuntimeError(op,
                       "(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                       "reduction dim with the 'dim' argument.");
  return extreme(op, kind, input, {}, false);
}

std::tuple<Tensor, Tensor> extreme_and_place(const char* op, bool largest, const Tensor& input, int64_t dim,
                                             bool keepdim) {
  const int64_t d = wrap_dim(dim, input.dim());
  if (input.dim() && input.size(d) == 0)
    throw IndexError(op, "(): Expected reduction dim ", d, " to have non-zero size.");
  auto mask = dim_mask({d}, input.dim(), false);
  Shape kept = reduced_shape(input.shape(), mask, true), shape = reduced_shape(input.shape(), mask, keepdim);
  Tensor values = allocate(kept, input.dtype(), input.device()),
         indices = allocate(kept, DType::Int64, input.device());
  if (values.numel()) launch(ArgReduce{largest}, {&values, &indices}, {&input});
  values = view_of(values, shape, contiguous_strides(shape), 0);
  indices = view_of(indices, shape, contiguous_strides(shape), 0);
  record_all(largest ? "Max" : "Min", {&values}, {&input},
             [d, keepdim, shape = input.shape(), indices = save(indices)](Backward& b) -> Grads {
               if (shape.empty()) return {b.grad()};
               Tensor at = b.get(indices);
               return {add_along(keepdim ? b.grad() : unsqueeze(b.grad(), d), shape, d,
                                 keepdim ? at : unsqueeze(at, d))};
             });
  return {values, indices};
}

Tensor place(const char* op, bool largest, const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  if (input.is_complex() || input.dtype() == DType::Bool)
    throw NotImplementedError(op, "(): not implemented for '", short_name(input.dtype()), "'");
  GradModeGuard off(false);
  if (dim) return std::get<1>(extreme_and_place(op, largest, input, *dim, keepdim));
  if (input.numel() == 0)
    throw IndexError(op,
                     "(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                     "reduction dim with the 'dim' argument.");
  Tensor flat = std::get<1>(extreme_and_place(op, largest, reshape(input, {-1}), 0, false));
  return keepdim ? reshape(flat, Shape(input.shape().size(), 1)) : flat;
}

}  // namespace

// The largest elements over dimensions; equal ones share the gradient.
OP("amax(Tensor input, int[1] dim=[], bool keepdim=False) -> Tensor");
Tensor amax(const Tensor& input, const Shape& dim, bool keepdim) {
  return extreme("amax", Reduction::Max, input, dim, keepdim);
}

// The smallest elements over dimensions; equal ones share the gradient.
OP("amin(Tensor input, int[1] dim=[], bool keepdim=False) -> Tensor");
Tensor amin(const Tensor& input, const Shape& dim, bool keepdim) {
  return extreme("amin", Reduction::Min, input, dim, keepdim);
}

// The smallest and the largest elements, of all or along a dimension.
OP("aminmax(Tensor input, *, int? dim=None, bool keepdim=False) -> (Tensor min, Tensor max)");
std::tuple<Tensor, Tensor> aminmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  if (!dim && input.numel() == 0)
    throw RuntimeError(
        "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.");
  Shape dims;
  if (dim) dims.push_back(wrap_dim(*dim, input.dim()));
  return {amin(input, dims, keepdim), amax(input, dims, keepdim)};
}

// The largest element; along a dimension, also where it is first.
//
// >>> mlx.tensor([[1, 5], [7, 2]]).max(1).indices
// tensor([1, 0])
OP("max(Tensor input) -> Tensor").node("MaxBackward1");
Tensor max(const Tensor& input) { return extreme_of_all("max", Reduction::Max, input); }

OP("max(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> max(const Tensor& input, int64_t dim, bool keepdim) {
  return extreme_and_place("max", true, input, dim, keepdim);
}

// The smallest element; along a dimension, also where it is first.
OP("min(Tensor input) -> Tensor").node("MinBackward1");
Tensor min(const Tensor& input) { return extreme_of_all("min", Reduction::Min, input); }

OP("min(Tensor input, int dim, bool keepdim=False) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> min(const Tensor& input, int64_t dim, bool keepdim) {
  return extreme_and_place("min", false, input, dim, keepdim);
}

// Where the largest element is first, of all (counted in row-major order) or along a dimension.
OP("argmax(Tensor input, int? dim=None, bool keepdim=False) -> Tensor");
Tensor argmax(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  return place("argmax", true, input, dim, keepdim);
}

// Where the smallest element is first, of all (counted in row-major order) or along a dimension.
OP("argmin(Tensor input, int? dim=None, bool keepdim=False) -> Tensor");
Tensor argmin(const Tensor& input, std::optional<int64_t> dim, bool keepdim) {
  return place("argmin", false, input, dim, keepdim);
}

}  // namespace mlx

#include "ops/reduction.h"

namespace mlx {

Shape reduced_shape(const Shape& shape, const std::vector<bool>& mask, bool keepdim) {
  Shape out;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (!mask[d])
      out.push_back(shape[d]);
    else if (keepdim)
      out.push_back(1);
  }
  return out;
}

int64_t reduced_count(const Tensor& input, const Shape& dims) {
  auto mask = dim_mask(dims, input.dim());
  int64_t n = 1;
  for (int64_t d = 0; d < input.dim(); ++d)
    if (mask[d]) n *= input.size(d);
  return n;
}

Tensor reduce(const Reduce& kernel, const Tensor& input, const Shape& dims, bool keepdim, DType dtype,
              const Tensor& mean) {
  auto mask = dim_mask(dims, input.dim());
  Tensor kept = allocate(reduced_shape(input.shape(), mask, true), dtype, input.device());
  if (mean.defined())
    launch(kernel, {&kept}, {&input, &mean});
  else
    launch(kernel, {&kept}, {&input});
  if (keepdim) return kept;
  Shape shape = reduced_shape(input.shape(), mask, false);
  return view_of(kept, shape, contiguous_strides(shape), 0);
}

Tensor with_reduced_dims(const Tensor& t, const Shape& shape, const Shape& dims, bool keepdim) {
  if (keepdim || shape.empty()) return t;
  return reshape(t, reduced_shape(shape, dim_mask(dims, static_cast<int64_t>(shape.size())), true));
}

Tensor restored(const Tensor& g, const Shape& shape, const Shape& dims, bool keepdim) {
  return expand(with_reduced_dims(g, shape, dims, keepdim), shape, false);
}

DType sum_dtype(DType input, std::optional<DType> asked) {
  return asked.value_or(is_inexact(input) ? input : DType::Int64);
}

void check_not_empty(const char* op, const Tensor& input, const Shape& dims) {
  if (input.numel() != 0) return;
  if (dims.empty())
    throw RuntimeError(op,
                       "(): Expected reduction dim to be specified for input.numel() == 0. Specify the "
                       "reduction dim with the 'dim' argument.");
  for (int64_t d : dims)
    if (input.size(d) == 0) throw IndexError(op, "(): Expected reduction dim ", d, " to have non-zero size.");
}

Split split_at(const Tensor& t, int64_t dim) {
  Split s;
  for (int64_t d = 0; d < t.dim(); ++d) (d < dim ? s.outer : d == dim ? s.size : s.inner) *= t.size(d);
  return s;
}

namespace {

// The dimension at the end, as the rows of a matrix without gaps.
Tensor as_rows(const Tensor& t, int64_t dim) {
  if (t.dim() == 0) return reshape(t, {1, 1});
  Tensor last = contiguous(movedim(t, {dim}, {-1}));
  const int64_t n = last.size(-1);
  return reshape(last, {n ? last.numel() / n : 0, n});
}

// The rows back in the place of the dimension.
Tensor from_rows(const Tensor& rows, const Shape& shape, int64_t dim) {
  if (shape.empty()) return reshape(rows, {});
  Shape moved = shape;
  const int64_t n = moved[static_cast<size_t>(dim)];
  moved.erase(static_cast<size_t>(dim));
  moved.push_back(n);
  return movedim(reshape(rows, moved), {-1}, {dim});
}

}  // namespace

Tensor take_along(const Tensor& input, int64_t dim, const Tensor& index) {
  const int64_t d = wrap_dim(dim, input.dim());
  Tensor out;
  {
    GradModeGuard off(false);
    Tensor from = as_rows(input, d), at = as_rows(index, d);
    Tensor rows = allocate(at.shape(), input.dtype(), input.device());
    if (rows.numel()) launch(TakeAlong{}, {&rows}, {&from, &at});
    out = alias(from_rows(rows, index.shape(), d));
  }
  return record("Gather", out, {&input},
                [d, shape = input.shape(), index = save(index)](Backward& b) -> Grads {
                  return {add_along(b.grad(), shape, d, b.get(index))};
                });
}

Tensor add_along(const Tensor& source, const Shape& shape, int64_t dim, const Tensor& index) {
  const int64_t d = wrap_dim(dim, static_cast<int64_t>(shape.size()));
  Tensor out;
  {
    GradModeGuard off(false);
    Tensor from = as_rows(source, d), at = as_rows(index, d);
    const int64_t n = shape.empty() ? 1 : shape[static_cast<size_t>(d)];
    Tensor rows = zeros({n ? numel(shape) / n : 0, n}, source.dtype(), source.device());
    if (from.numel()) launch(AddAlong{}, {&rows}, {&from, &at});
    out = alias(from_rows(rows, shape, d));
  }
  return record("ScatterAdd", out, {&source}, [d, index = save(index)](Backward& b) -> Grads {
    return {take_along(b.grad(), d, b.get(index))};
  });
}

}  // namespace mlx

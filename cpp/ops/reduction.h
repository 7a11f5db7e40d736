#pragma once
// What the ops that reduce dimensions share: shapes, the launch, and bringing gradients back.

#include "backends/backend.h"
#include "ops.h"
#include "ops/row.h"

namespace mlx {

// The shape that is left: reduced dimensions are 1, or gone without keepdim.
Shape reduced_shape(const Shape& shape, const std::vector<bool>& mask, bool keepdim);
// How many elements meet in each result; empty dims mean all.
int64_t reduced_count(const Tensor& input, const Shape& dims);
// Launches the kernel; the result has `dtype`. No history.
Tensor reduce(const Reduce& kernel, const Tensor& input, const Shape& dims, bool keepdim, DType dtype,
              const Tensor& mean = {});
// A (gradient of a) reduced result with the dimensions of the input again, each of size 1 or expanded.
Tensor with_reduced_dims(const Tensor& t, const Shape& shape, const Shape& dims, bool keepdim);
Tensor restored(const Tensor& g, const Shape& shape, const Shape& dims, bool keepdim);
// The dtype of a sum: integers and bools add up in int64.
DType sum_dtype(DType input, std::optional<DType> asked);
// IndexError when a dimension to find an extreme over is empty.
void check_not_empty(const char* op, const Tensor& input, const Shape& dims);
// The gradient of elements that were picked by their value: equal ones share it.
Tensor shared_gradient(const Tensor& g, const Tensor& input, const Tensor& out, const Shape& dims,
                       bool keepdim);
// A contiguous tensor as (outer, size of dim, inner); a number as (1, 1, 1).
struct Split {
  int64_t outer = 1, size = 1, inner = 1;
};
Split split_at(const Tensor& t, int64_t dim);

// Elements by their place along a dimension (indices known to be in range), differentiable.
Tensor take_along(const Tensor& input, int64_t dim, const Tensor& index);
// Zeros of `shape` with the elements of `source` added at their places; take_along's gradient.
Tensor add_along(const Tensor& source, const Shape& shape, int64_t dim, const Tensor& index);

// Running sums and products, forwards or backwards (ops/scan.cpp).
Tensor scan_sum(const Tensor& input, int64_t dim, bool reverse);
Tensor scan_product(const Tensor& input, int64_t dim, bool reverse);

}  // namespace mlx

// Reductions of whole dimensions to one element.

#include "backends/backend.h"
#include "ops.h"
#include "ops/row.h"

namespace mlx {
namespace {

// The shape that is left: reduced dimensions are 1, or gone without keepdim.
Shape reduced_shape(const Shape& shape, const std::vector<bool>& mask, bool keepdim) {
  Shape out;
  for (size_t d = 0; d < shape.size(); ++d) {
    if (!mask[d]) out.push_back(shape[d]);
    else if (keepdim) out.push_back(1);
  }
  return out;
}

Tensor reduce(Reduction kind, const Tensor& input, const Shape& dims, bool keepdim, DType dtype) {
  auto mask = dim_mask(dims, input.dim());
  Tensor kept = allocate(reduced_shape(input.shape(), mask, true), dtype, input.device());
  launch(Reduce{kind}, {&kept}, {&input});
  if (keepdim) return kept;
  Shape shape = reduced_shape(input.shape(), mask, false);
  return view_of(kept, shape, contiguous_strides(shape), 0);
}

// A gradient of a reduced result, brought back to the dimensions of the input.
Tensor restored(const Tensor& g, const Shape& shape, const Shape& dims, bool keepdim) {
  if (keepdim || shape.empty()) return expand(g, shape, false);
  return expand(reshape(g, reduced_shape(shape, dim_mask(dims, static_cast<int64_t>(shape.size())), true)), shape, false);
}

}  // namespace

// The sum of the elements over dimensions; integers are summed as int64.
//
// >>> mlx.tensor([[1., 2.], [3., 4.]]).sum(0)
// tensor([4., 6.])
OP("sum(Tensor input, int[1]? dim, bool keepdim=False, *, dtype? dtype=None) -> Tensor");
Tensor sum(const Tensor& input, const std::optional<Shape>& dim, bool keepdim, std::optional<DType> dtype) {
  DType type = dtype.value_or(is_inexact(input.dtype()) ? input.dtype() : DType::Int64);
  Shape dims = dim.value_or(Shape{});
  Tensor out = reduce(Reduction::Sum, input.dtype() == type ? input : to(input, type, false, false), dims, keepdim, type);
  return record("Sum", out, {&input}, [shape = input.shape(), dims, keepdim](Backward& b) -> Grads { return {restored(b.grad(), shape, dims, keepdim)}; });
}

OP("sum(Tensor input, *, dtype? dtype=None) -> Tensor");
Tensor sum(const Tensor& input, std::optional<DType> dtype) { return sum(input, Shape{}, false, dtype); }

// The sum over the dimensions that broadcasting to the input's shape would repeat.
OP("Tensor.sum_to_size(Tensor input, int[] size) -> Tensor");
Tensor sum_to_size(const Tensor& input, const Shape& size) {
  if (input.shape() == size) return input;
  size_t lead = input.shape().size() - std::min(size.size(), input.shape().size());
  Shape dims;
  for (size_t d = 0; d < input.shape().size(); ++d) {
    if (d < lead || (size[d - lead] == 1 && input.shape()[d] != 1)) dims.push_back(static_cast<int64_t>(d));
    else if (size[d - lead] != input.shape()[d])
      throw RuntimeError("sum_to_size(): size ", size, " is not expandable to size ", input.shape());
  }
  if (size.size() > input.shape().size()) throw RuntimeError("sum_to_size(): size ", size, " is not expandable to size ", input.shape());
  Tensor out = dims.empty() ? input : sum(input, dims, true);
  return reshape(out, size);
}

// Whether any element is nonzero.
OP("any(Tensor input) -> Tensor");
Tensor any(const Tensor& input) {
  return reduce(Reduction::Any, input, {}, false, input.dtype() == DType::UInt8 ? DType::UInt8 : DType::Bool);
}

}  // namespace mlx

// Elements chosen by a condition.

#include "backends/backend.h"
#include "base/sizes.h"
#include "ops/check.h"
#include "ops/update.h"

namespace mlx {
namespace {

constexpr int64_t kPiece = 32768;  // elements that one thread looks through at a time

}  // namespace

// The coordinates of the elements that are not zero: a row each, in row-major order.
//
// >>> mlx.nonzero(mlx.tensor([0, 3, 0, 1]))
// tensor([[1],
//         [3]])
OP("nonzero(Tensor input) -> Tensor");
Tensor nonzero(const Tensor& input) {
  Tensor counts = allocate({ceil_div(input.numel(), kPiece)}, DType::Int64, input.device());
  if (input.numel()) launch(CountNonzero{kPiece}, {&counts}, {&input});
  make_readable(counts, "nonzero()");
  backend(input.device().type).synchronize();
  int64_t total = 0;
  for (int64_t c = 0; c < counts.numel(); ++c) total += counts.data<int64_t>()[c];
  Tensor out = allocate({total, input.dim()}, DType::Int64, input.device());
  if (out.numel()) launch(Nonzero{kPiece}, {&out}, {&input, &counts});
  return out;
}

// The same as a tensor a dimension, ready to index with.
OP("_nonzero_tuple(Tensor input) -> Tensor[]");
TensorList _nonzero_tuple(const Tensor& input) {
  return unbind(nonzero(input.dim() ? input : reshape(input, {1})), 1);
}

// The coordinates of the elements that are not zero.
OP("argwhere(Tensor input) -> Tensor");
Tensor argwhere(const Tensor& input) { return nonzero(input); }

namespace {

// Positions of a mask's true elements in the flattened shape that it is broadcast to.
Tensor places(const char* op, const Tensor& mask, const Shape& shape) {
  if (mask.dtype() != DType::Bool)
    throw RuntimeError(op, "(): expected BoolTensor for mask, not ", mask.dtype());
  GradModeGuard off(false);
  return reshape(nonzero(reshape(expand(mask, shape, false), {-1})), {-1});
}

// masked_scatter without asking for the number of places: each element looks up its own number among them.
Tensor scattered_in_order(const Tensor& flat, const Tensor& mask, const Tensor& source) {
  Tensor m = reshape(mask, {-1}), number;
  {
    GradModeGuard off(false);
    number = cumsum(to(m, DType::Int64, false, false), 0) - 1;
    raise_if_any(ge(number, source.numel()), Check::Runtime,
                 "masked_scatter(): Number of elements of source < number of ones in mask");
    number = clamp_max(clamp_min(number, Scalar(0)), Scalar(source.numel() - 1));
  }
  return where(m, index_select(reshape(source, {-1}), 0, number), flat);
}

}  // namespace

// The elements where the mask is true, as a vector; input and mask broadcast.
OP("masked_select(Tensor input, Tensor mask) -> Tensor").node("MaskedSelectBackward0");
Tensor masked_select(const Tensor& input, const Tensor& mask) {
  Shape shape = broadcast_shapes(input.shape(), mask.shape(), "masked_select");
  return index_select(reshape(expand(input, shape, false), {-1}), 0, places("masked_select", mask, shape));
}

// A copy in which the elements where the mask is true are those of `source`, in order.
OP("masked_scatter(Tensor input, Tensor mask, Tensor source) -> Tensor");
Tensor masked_scatter(const Tensor& input, const Tensor& mask, const Tensor& source) {
  if (input.dtype() != source.dtype())
    throw RuntimeError("masked_scatter(): expected self and source to have same dtypes but got ",
                       short_name(input.dtype()), " and ", short_name(source.dtype()));
  Shape shape = broadcast_shapes(input.shape(), mask.shape(), "masked_scatter");
  Tensor flat = reshape(expand(input, shape, false), {-1});
  if (is_traced(mask) && source.numel())
    return reshape(scattered_in_order(flat, expand(mask, shape, false), source), shape);
  Tensor at = places("masked_scatter", mask, shape);
  if (at.numel() > source.numel())
    throw RuntimeError("masked_scatter(): Number of elements of source < number of ones in mask: ",
                       source.numel(), " < ", at.numel());
  return reshape(index_copy(flat, 0, at, narrow(reshape(source, {-1}), 0, 0, at.numel())), shape);
}
OP("Tensor.masked_scatter_(Tensor input, Tensor mask, Tensor source) -> Tensor");
Tensor masked_scatter_(const Tensor& input, const Tensor& mask, const Tensor& source) {
  check_writable(input, "masked_scatter_");
  return assign_in_place(input,
                         masked_scatter(readable_copy(input), expand(mask, input.shape(), false), source),
                         "masked_scatter_");
}

}  // namespace mlx

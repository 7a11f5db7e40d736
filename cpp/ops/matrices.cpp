#include "ops/matrices.h"

namespace mlx {

Tensor turned_result(const Tensor& t) {
  Shape shape = t.shape(), strides = t.strides();
  const size_t n = shape.size();
  std::swap(shape[n - 2], shape[n - 1]);
  std::swap(strides[n - 2], strides[n - 1]);
  return view_of(t, shape, strides, t.offset());
}

void check_matrix(const char* op, const Tensor& t, const char* name) {
  if (t.dim() < 2)
    throw RuntimeError(op, ": The input tensor ", name, " must have at least 2 dimensions, but has shape ",
                       t.shape());
  if (!t.is_inexact())
    throw RuntimeError(op, ": Expected a floating point or complex tensor as input. Got ",
                       short_name(t.dtype()));
  if (is_reduced(t.dtype()))
    throw NotImplementedError(op, ": Low precision dtypes not supported. Got ", short_name(t.dtype()),
                              "; convert to float32 first");
}

void check_square(const char* op, const Tensor& t, const char* name) {
  check_matrix(op, t, name);
  if (t.size(-1) != t.size(-2))
    throw RuntimeError(op, ": ", name, " must be batches of square matrices, but they are ", t.size(-2),
                       " by ", t.size(-1), " matrices");
}

void check_same_dtype(const char* op, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype())
    throw RuntimeError(op, ": Expected A and B to have the same dtype, but found A of type ",
                       short_name(a.dtype()), " and B of type ", short_name(b.dtype()), " instead");
}

void broadcast_stacks(const char* op, Tensor& a, Tensor& b) {
  Shape lead_a = leading(a), lead_b = leading(b);
  if (lead_a == lead_b) return;
  Shape lead = broadcast_shapes(lead_a, lead_b, op);
  a = expand(a, joined(lead, a.size(-2), a.size(-1)));
  b = expand(b, joined(lead, b.size(-2), b.size(-1)));
}

}  // namespace mlx

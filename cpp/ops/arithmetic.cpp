// Pointwise arithmetic: sums, products, quotients, powers of numbers.

#include "ops.h"
#include "ops/row.h"

namespace mlx {

namespace {

// alpha * t, without a multiplication when alpha is one.
Tensor scaled(const Tensor& t, const Scalar& alpha) { return alpha.equals(1) ? t : mul(t, alpha); }

void refuse_bool_subtraction(const Tensor& a, const Tensor& b) {
  if (a.dtype() == DType::Bool && b.dtype() == DType::Bool)
    throw RuntimeError("sub(): subtraction, the `-` operator, with two bool tensors is not supported; use the `^` or `logical_xor()` operator instead");
  if (a.dtype() == DType::Bool || b.dtype() == DType::Bool)
    throw RuntimeError("sub(): subtraction, the `-` operator, with a bool tensor is not supported; use the `~` or `logical_not()` operator to invert a mask");
}

}  // namespace

OP("_add(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::add)
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g) { return g; });

// input + alpha * other, broadcast.
//
// >>> mlx.add(mlx.tensor([1, 2]), 10)
// tensor([11, 12])
OP("add(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor");
Tensor add(const Tensor& input, const Tensor& other, const Scalar& alpha) { return _add(input, scaled(other, alpha)); }

OP("_sub(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::sub)
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g) { return -g; });

// input * other, broadcast.
OP("mul(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::mul)
    .alias("multiply")
    .gradient<0>([](const Tensor& g, In<1> other) { return g * conj(other); })
    .gradient<1>([](const Tensor& g, In<0> input) { return g * conj(input); });

}  // namespace mlx

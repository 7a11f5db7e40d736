// Comparisons, tests and choices, element by element.

#include "ops.h"
#include "ops/row.h"

namespace mlx {

OP("eq(Tensor input, Operand other) -> Tensor").pointwise(Formula::eq, Result::Bool);
OP("ne(Tensor input, Operand other) -> Tensor").pointwise(Formula::ne, Result::Bool).alias("not_equal");
OP("lt(Tensor input, Operand other) -> Tensor").pointwise(Formula::lt, Result::Bool).alias("less");
OP("le(Tensor input, Operand other) -> Tensor").pointwise(Formula::le, Result::Bool).alias("less_equal");
OP("gt(Tensor input, Operand other) -> Tensor").pointwise(Formula::gt, Result::Bool).alias("greater");
OP("ge(Tensor input, Operand other) -> Tensor").pointwise(Formula::ge, Result::Bool).alias("greater_equal");

OP("logical_and(Tensor input, Operand other) -> Tensor").pointwise(Formula::logical_and, Result::Bool);
OP("logical_or(Tensor input, Operand other) -> Tensor").pointwise(Formula::logical_or, Result::Bool);
OP("logical_xor(Tensor input, Operand other) -> Tensor").pointwise(Formula::logical_xor, Result::Bool);
OP("logical_not(Tensor input) -> Tensor").pointwise(Formula::logical_not, Result::Bool);

OP("isnan(Tensor input) -> Tensor").pointwise(Formula::isnan, Result::Bool);

OP("_where(Tensor condition, Operand input, Operand other) -> Tensor")
    .pointwise(Formula::where)
    .gradient<1>([](const Tensor& g, In<0> condition) { return where(condition, g, 0); })
    .gradient<2>([](const Tensor& g, In<0> condition) { return where(condition, 0, g); });

// Elements of `input` where the condition holds, of `other` elsewhere.
OP("where(Tensor condition, Operand input, Operand other) -> Tensor");
Tensor where(const Tensor& condition, const Tensor& input, const Tensor& other) {
  if (condition.dtype() != DType::Bool && condition.dtype() != DType::UInt8)
    throw RuntimeError("where expected condition to be a boolean tensor, but got a tensor with dtype ", condition.dtype());
  return _where(condition, input, other);
}

}  // namespace mlx

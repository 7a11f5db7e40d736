// Bit operations on integers, and on booleans as truth values.

#include "ops.h"
#include "ops/row.h"

namespace mlx {

OP("bitwise_and(Operand input, Operand other) -> Tensor").pointwise(Formula::bitwise_and);
OP("bitwise_or(Operand input, Operand other) -> Tensor").pointwise(Formula::bitwise_or);
OP("bitwise_xor(Operand input, Operand other) -> Tensor").pointwise(Formula::bitwise_xor);
OP("bitwise_left_shift(Operand input, Operand other) -> Tensor")
    .pointwise(Formula::bitwise_left_shift)
    .refuse_bool();
OP("bitwise_right_shift(Operand input, Operand other) -> Tensor")
    .pointwise(Formula::bitwise_right_shift)
    .refuse_bool();

OP("_bitwise_not(Tensor input) -> Tensor").pointwise(Formula::bitwise_not);

// Every bit flipped; the negation of a boolean.
OP("bitwise_not(Tensor input) -> Tensor").inplace();
Tensor bitwise_not(const Tensor& input) {
  return input.dtype() == DType::Bool ? logical_not(input) : _bitwise_not(input);
}

}  // namespace mlx

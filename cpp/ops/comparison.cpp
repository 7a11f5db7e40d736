// Comparisons, tests and choices, element by element.

#include "base/representable.h"
#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {

OP("eq(Tensor input, Operand other) -> Tensor").pointwise(Formula::eq, Result::Bool);
OP("ne(Tensor input, Operand other) -> Tensor").pointwise(Formula::ne, Result::Bool).alias("not_equal");
OP("lt(Tensor input, Operand other) -> Tensor").pointwise(Formula::lt, Result::Bool).alias("less");
OP("le(Tensor input, Operand other) -> Tensor").pointwise(Formula::le, Result::Bool).alias("less_equal");
OP("gt(Tensor input, Operand other) -> Tensor").pointwise(Formula::gt, Result::Bool).alias("greater");
OP("ge(Tensor input, Operand other) -> Tensor").pointwise(Formula::ge, Result::Bool).alias("greater_equal");

OP("logical_and(Tensor input, Tensor other) -> Tensor").pointwise(Formula::logical_and, Result::Bool);
OP("logical_or(Tensor input, Tensor other) -> Tensor").pointwise(Formula::logical_or, Result::Bool);
OP("logical_xor(Tensor input, Tensor other) -> Tensor").pointwise(Formula::logical_xor, Result::Bool);
OP("logical_not(Tensor input) -> Tensor").pointwise(Formula::logical_not, Result::Bool);

// ---- tests of one element

OP("isnan(Tensor input) -> Tensor").pointwise(Formula::isnan, Result::Bool);
OP("isinf(Tensor input) -> Tensor").pointwise(Formula::isinf, Result::Bool);
OP("isfinite(Tensor input) -> Tensor").pointwise(Formula::isfinite, Result::Bool);
OP("signbit(Tensor input) -> Tensor").pointwise(Formula::signbit, Result::Bool);
OP("_isposinf(Tensor input) -> Tensor").pointwise(Formula::isposinf, Result::Bool);
OP("_isneginf(Tensor input) -> Tensor").pointwise(Formula::isneginf, Result::Bool);

// Whether an element is plus infinity.
OP("isposinf(Tensor input) -> Tensor");
Tensor isposinf(const Tensor& input) {
  return input.is_inexact() ? _isposinf(input) : zeros_like(input, DType::Bool);
}

// Whether an element is minus infinity.
OP("isneginf(Tensor input) -> Tensor");
Tensor isneginf(const Tensor& input) {
  return input.is_inexact() ? _isneginf(input) : zeros_like(input, DType::Bool);
}

// Whether an element has no imaginary part.
OP("isreal(Tensor input) -> Tensor");
Tensor isreal(const Tensor& input) {
  return input.is_complex() ? eq(imag(input), 0) : ones_like(input, DType::Bool);
}

// ---- closeness

// Whether |input - other| <= atol + rtol * |other|, element by element.
OP("isclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> Tensor");
Tensor isclose(const Tensor& input, const Tensor& other, double rtol, double atol, bool equal_nan) {
  if (input.dtype() != other.dtype())
    throw RuntimeError("isclose(): both tensors must have one dtype, but got ", input.dtype(), " and ",
                       other.dtype());
  if (rtol < 0 || atol < 0)
    throw RuntimeError("isclose(): rtol and atol must not be negative, but are ", rtol, " and ", atol);
  Tensor close = eq(input, other);
  if (equal_nan) close = logical_or(close, logical_and(isnan(input), isnan(other)));
  if (rtol == 0 && atol == 0) return close;
  auto inexact = [](const Tensor& t) { return t.is_inexact() ? t : to(t, default_dtype(), false, false); };
  Tensor expected = inexact(other), error = abs(inexact(input) - expected),
         allowed = abs(expected * rtol) + atol;
  return logical_or(close, logical_and(isfinite(error), le(error, allowed)));
}

namespace {

bool all_true(const Tensor& mask) { return !item(any(logical_not(mask))).to_bool(); }

}  // namespace

// Whether isclose() holds for all elements.
OP("allclose(Tensor input, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False) -> bool");
bool allclose(const Tensor& input, const Tensor& other, double rtol, double atol, bool equal_nan) {
  return all_true(isclose(detach(input), detach(other), rtol, atol, equal_nan));
}

// Whether two tensors have the same size and elements.
OP("equal(Tensor input, Tensor other) -> bool");
bool equal(const Tensor& input, const Tensor& other) {
  return input.shape() == other.shape() && all_true(eq(input, other));
}

// ---- choices

OP("_where(Tensor condition, Operand input, Operand other) -> Tensor")
    .pointwise(Formula::where)
    .fits_numbers()
    .gradient<1>([](const Tensor& g, In<0> condition) { return where(condition, g, 0); })
    .gradient<2>([](const Tensor& g, In<0> condition) { return where(condition, 0, g); });

namespace {

// A number chosen beside integers becomes one of them, and has to fit.
void check_choice(const Tensor& choice, const Tensor& other) {
  if (choice.impl()->wrapped_number && choice.dtype() == DType::Int64 && is_integral(other.dtype()))
    check_representable(item(choice), other.dtype());
}

}  // namespace

// Elements of `input` where the condition holds, of `other` elsewhere.
//
// >>> x = mlx.tensor([-1.0, 2.0])
// >>> mlx.where(x > 0, x, 0)
// tensor([0., 2.])
OP("where(Tensor condition, Operand input, Operand other) -> Tensor");
Tensor where(const Tensor& condition, const Tensor& input, const Tensor& other) {
  check_choice(input, other);
  check_choice(other, input);
  if (condition.dtype() == DType::UInt8)
    return _where(to(condition, DType::Bool, false, false), input, other);
  if (condition.dtype() != DType::Bool)
    throw RuntimeError("where expected condition to be a boolean tensor, but got a tensor with dtype ",
                       condition.dtype());
  return _where(condition, input, other);
}
// The coordinates of the elements that are not zero: a tensor a dimension, ready to index with.
OP("where(Tensor condition) -> Tensor[]");
TensorList where(const Tensor& condition) { return _nonzero_tuple(condition); }
OP("_where_method(Tensor input, Tensor condition, Operand other) -> Tensor").alias("Tensor.where");
Tensor _where_method(const Tensor& input, const Tensor& condition, const Tensor& other) {
  return where(condition, input, other);
}

namespace {

// The value as an element of `input`; it must be a number or a tensor of no dimensions.
Tensor fill_element(const Tensor& input, const Tensor& mask, const Tensor& value) {
  if (mask.dtype() != DType::Bool)
    throw RuntimeError("masked_fill only supports boolean masks, but got mask with dtype ", mask.dtype());
  if (value.dim() != 0)
    throw RuntimeError("masked_fill only supports a 0-dimensional value tensor, but got tensor with ",
                       value.dim(), " dimension(s).");
  if (!can_cast(value.dtype(), input.dtype()) && !(value.impl()->wrapped_number && !value.is_complex()))
    throw RuntimeError("masked_fill(): value of dtype ", value.dtype(), " can't be converted to ",
                       input.dtype());
  if (value.dtype() != input.dtype() && !is_traced(value)) check_representable(item(value), input.dtype());
  return to(value, input.dtype(), false, false);
}

}  // namespace

// The tensor with `value` in the places where the mask is true.
OP("masked_fill(Tensor input, Tensor mask, Operand value) -> Tensor").node("MaskedFillBackward0");
Tensor masked_fill(const Tensor& input, const Tensor& mask, const Tensor& value) {
  return _where(mask, fill_element(input, mask, value), input);
}
OP("Tensor.masked_fill_(Tensor input, Tensor mask, Operand value) -> Tensor");
Tensor masked_fill_(const Tensor& input, const Tensor& mask, const Tensor& value) {
  check_writable(input, "masked_fill_");
  return assign_in_place(input, _where(mask, fill_element(input, mask, value), readable_copy(input)),
                         "masked_fill_");
}

}  // namespace mlx

// Pointwise arithmetic: sums, products, quotients, powers.

#include <cmath>
#include <limits>

#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {
namespace {

// alpha * other in the dtype of the sum with `input`, on which alpha has no influence.
Tensor scaled(const char* op, const Tensor& input, const Tensor& other, const Scalar& alpha) {
  if (alpha.kind() == Scalar::Kind::Int && alpha.equals(1)) return other;
  const DType common = result_type({&input, &other});
  if (alpha.kind() == Scalar::Kind::Bool && common != DType::Bool)
    throw RuntimeError(op, "(): Boolean alpha only supported for Boolean results, but the result is ",
                       common);
  if (!alpha.is_integral() && !is_inexact(common))
    throw RuntimeError(op,
                       "(): For integral input tensors, argument alpha must not be a floating point "
                       "number, but it is ",
                       alpha, " and they are ", common);
  if (alpha.is_complex() && !is_complex(common))
    throw RuntimeError(op,
                       "(): For non-complex input tensors, argument alpha must not be a complex number, "
                       "but it is ",
                       alpha, " and they are ", common);
  if (alpha.equals(1)) return other;
  if (other.impl()->wrapped_number &&
      common != DType::Bool)  // a product of floats, where integers may overflow
    return mul(other, is_inexact(common) && alpha.is_integral() ? Scalar(alpha.to_double()) : alpha);
  return to(mul(to(other, common, false, false), alpha), common, false, false);
}

void refuse_bool_subtraction(const Tensor& a, const Tensor& b) {
  if (a.dtype() == DType::Bool && b.dtype() == DType::Bool)
    throw RuntimeError(
        "sub(): subtraction, the `-` operator, with two bool tensors is not supported; use the `^` or "
        "`logical_xor()` operator instead");
  if (a.dtype() == DType::Bool || b.dtype() == DType::Bool)
    throw RuntimeError(
        "sub(): subtraction, the `-` operator, with a bool tensor is not supported; use the `~` or "
        "`logical_not()` operator to invert a mask");
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
OP("add(Operand input, Operand other, *, Scalar alpha=1) -> Tensor");
Tensor add(const Tensor& input, const Tensor& other, const Scalar& alpha) {
  return _add(input, scaled("add", input, other, alpha));
}
OP("Tensor.add_(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor");
Tensor add_(const Tensor& input, const Tensor& other, const Scalar& alpha) {
  return _add_(input, scaled("add_", input, other, alpha));
}

OP("_sub(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::sub)
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g) { return -g; });

// input - alpha * other, broadcast.
OP("sub(Operand input, Operand other, *, Scalar alpha=1) -> Tensor").alias("subtract");
Tensor sub(const Tensor& input, const Tensor& other, const Scalar& alpha) {
  refuse_bool_subtraction(input, other);
  return _sub(input, scaled("sub", input, other, alpha));
}
OP("Tensor.sub_(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor").alias("Tensor.subtract_");
Tensor sub_(const Tensor& input, const Tensor& other, const Scalar& alpha) {
  refuse_bool_subtraction(input, other);
  return _sub_(input, scaled("sub_", input, other, alpha));
}

// input * other, broadcast.
OP("mul(Operand input, Operand other) -> Tensor")
    .pointwise(Formula::mul)
    .keeps_numbers()
    .alias("multiply")
    .gradient<0>([](const Tensor& g, In<1> other) { return g * conj(other); })
    .gradient<1>([](const Tensor& g, In<0> input) { return g * conj(input); });

OP("_div(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::div)
    .to_float()
    .keeps_numbers()
    .gradient<0>([](const Tensor& g, In<1> other) { return g / conj(other); })
    .gradient<1>([](const Tensor& g, In<1> other, Out out) { return -g * conj(out / other); });

// The quotient rounded towards minus infinity, in the operands' dtype.
OP("floor_divide(Operand input, Operand other) -> Tensor")
    .pointwise(Formula::div_floor)
    .keeps_numbers()
    .refuse_bool()
    .gradient<0>([](const Tensor& g) { return zeros_like(g); })
    .gradient<1>([](const Tensor& g) { return zeros_like(g); });

OP("_div_trunc(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::div_trunc)
    .refuse_bool()
    .gradient<0>([](const Tensor& g) { return zeros_like(g); })
    .gradient<1>([](const Tensor& g) { return zeros_like(g); });

namespace {

// In half types, too, what is truncated is the quotient rounded to the dtype.
Tensor truncated_quotient(const Tensor& input, const Tensor& other) {
  return is_reduced(result_type({&input, &other})) ? trunc(_div(input, other)) : _div_trunc(input, other);
}

}  // namespace

// input / other; with rounding_mode "floor" or "trunc" in the operands' own dtype.
OP("div(Operand input, Operand other, *, str? rounding_mode=None) -> Tensor")
    .alias("divide")
    .alias("true_divide");
Tensor div(const Tensor& input, const Tensor& other, const std::optional<std::string>& rounding_mode) {
  if (!rounding_mode) return _div(input, other);
  if (*rounding_mode == "floor") return floor_divide(input, other);
  if (*rounding_mode == "trunc") return truncated_quotient(input, other);
  throw RuntimeError("div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '",
                     *rounding_mode, "'");
}
OP("Tensor.div_(Tensor input, Operand other, *, str? rounding_mode=None) -> Tensor")
    .alias("Tensor.divide_")
    .alias("Tensor.true_divide_");
Tensor div_(const Tensor& input, const Tensor& other, const std::optional<std::string>& rounding_mode) {
  if (!rounding_mode) return _div_(input, other);
  if (*rounding_mode == "floor") return floor_divide_(input, other);
  if (*rounding_mode == "trunc")
    return is_reduced(input.dtype()) ? trunc_(_div_(input, other)) : _div_trunc_(input, other);
  throw RuntimeError("div_ expected rounding_mode to be one of None, 'trunc', or 'floor' but found '",
                     *rounding_mode, "'");
}

// other - alpha * input.
OP("rsub(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor");
Tensor rsub(const Tensor& input, const Tensor& other, const Scalar& alpha) {
  return sub(other, input, alpha);
}

// C's remainder, with the sign of `input`.
OP("fmod(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::fmod)
    .refuse_bool()
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g, In<0> input, In<1> other) {
      return -g * truncated_quotient(input, other);
    });

// Python's remainder: input - floor_divide(input, other) * other, with the sign of `other`.
OP("remainder(Operand input, Operand other) -> Tensor")
    .pointwise(Formula::remainder)
    .refuse_bool()
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g, In<0> input, In<1> other) { return -g * floor_divide(input, other); });

OP("neg(Tensor input) -> Tensor")
    .pointwise(Formula::neg)
    .refuse_bool()
    .alias("negative")
    .gradient<0>([](const Tensor& g) { return -g; });

// The tensor itself.
OP("positive(Tensor input) -> Tensor");
Tensor positive(const Tensor& input) {
  if (input.dtype() == DType::Bool)
    throw RuntimeError("positive(): the `+` operator is not supported for bool tensors");
  return input;
}

OP("abs(Tensor input) -> Tensor")
    .pointwise(Formula::abs, Result::Real)
    .refuse_bool()
    .alias("absolute")
    .gradient<0>([](const Tensor& g, In<0> input) { return g * sgn(input); });

// 1, 0 or -1: the sign of each element.
OP("sign(Tensor input) -> Tensor").pointwise(Formula::sign).gradient<0>([](const Tensor& g) {
  return zeros_like(g);
});

// 1 / input.
OP("reciprocal(Tensor input) -> Tensor")
    .pointwise(Formula::reciprocal)
    .to_float()
    .gradient<0>([](const Tensor& g, Out out) { return -g * conj(out * out); });

// ---- powers

namespace {

Tensor converted(const Tensor& t, DType dtype) { return t.dtype() == dtype ? t : to(t, dtype, false, false); }

Scalar minus_one(const Scalar& s) {
  if (s.is_complex()) return s.to_complex() - 1.0;
  return s.is_integral() ? Scalar(s.to_int() - 1) : Scalar(s.to_double() - 1);
}

Scalar log_of(const Scalar& s) {
  return s.is_complex() ? Scalar(std::log(s.to_complex())) : Scalar(std::log(s.to_double()));
}

Tensor power_of_tensor(const Tensor& input, const Scalar& exponent) {
  if (!input.is_inexact() && exponent.is_integral() && exponent.to_int() < 0)
    throw RuntimeError("pow(): Integers to negative integer powers are not allowed.");
  Promotion p;
  p.add(input);
  p.add(exponent);
  Tensor x = converted(input, p.result());
  if (exponent.equals(2)) return _square(x);
  if (exponent.equals(3)) return _cube(x);
  if (x.is_inexact() && exponent.equals(0.5)) return sqrt(x);
  if (x.is_inexact() && exponent.equals(-0.5)) return rsqrt(x);
  if (x.is_inexact() && exponent.equals(-1)) return reciprocal(x);
  return _pow_number(x, exponent);
}

}  // namespace

OP("_square(Tensor input) -> Tensor")
    .node("PowBackward0")
    .pointwise(Formula::square)
    .gradient<0>([](const Tensor& g, In<0> input) { return g * conj(input * 2); });

OP("_cube(Tensor input) -> Tensor").pointwise(Formula::cube).gradient<0>([](const Tensor& g, In<0> input) {
  return g * conj(_square(input) * 3);
});

// input * input.
OP("square(Tensor input) -> Tensor").inplace();
Tensor square(const Tensor& input) { return pow(input, 2); }

OP("_pow(Tensor input, Tensor exponent) -> Tensor")
    .node("PowBackward1")
    .pointwise(Formula::pow)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> p) {
      return g * conj(where(eq(p, 0), zeros_like(g), p * _pow(x, p - 1)));
    })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> p, Out y) {
      // 0 ** p is constant for p >= 0.
      Tensor constant = logical_and(eq(x, 0), ge(real(p), 0));
      Tensor slope = x.impl()->wrapped_number ? y * log_of(item(x)) : y * log(converted(x, y.dtype()));
      return g * conj(where(constant, zeros_like(y), slope));
    });

OP("_pow_number(Tensor input, Scalar exponent) -> Tensor")
    .node("PowBackward0")
    .pointwise(Formula::pow)
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> p) {
      if (p.equals(0)) return zeros_like(g);
      return g * conj(pow(x, wrapped_number(minus_one(p))) * p);
    });

// input ** exponent, broadcast.
//
// >>> mlx.pow(mlx.tensor([1.0, 2.0, 3.0]), 2)
// tensor([1., 4., 9.])
OP("pow(Operand input, Operand exponent) -> Tensor").inplace();
Tensor pow(const Tensor& input, const Tensor& exponent) {
  if (exponent.impl()->wrapped_number && !input.impl()->wrapped_number)
    return power_of_tensor(input, item(exponent));
  return _pow(input, exponent);
}

namespace {

// The widest float that the device has, or its complex type where an operand is complex.
DType power_dtype(const Tensor& input, const Tensor& exponent) {
  const DType widest = widest_float(input.device());
  return input.is_complex() || exponent.is_complex() ? to_complex(widest) : widest;
}

}  // namespace

// input ** exponent in float64 (on Metal, float32), or the complex type of that where an operand is complex.
OP("float_power(Operand input, Operand exponent) -> Tensor");
Tensor float_power(const Tensor& input, const Tensor& exponent) {
  const DType dtype = power_dtype(input, exponent);
  if (exponent.impl()->wrapped_number) return power_of_tensor(converted(input, dtype), item(exponent));
  return _pow(converted(input, dtype), converted(exponent, dtype));
}
OP("Tensor.float_power_(Tensor input, Operand exponent) -> Tensor");
Tensor float_power_(const Tensor& input, const Tensor& exponent) {
  const DType dtype = power_dtype(input, exponent);
  if (input.dtype() != dtype)
    throw RuntimeError("float_power_(): the base has dtype ", input.dtype(),
                       " but the operation's result requires dtype ", dtype);
  return pow_(input, exponent);
}

// input * 2 ** other. Integer exponents leave the dtype of a floating input as it is, and the power may leave
// its range.
OP("ldexp(Tensor input, Tensor other) -> Tensor").inplace();
Tensor ldexp(const Tensor& input, const Tensor& other) {
  if (!is_floating(input.dtype()) || other.is_inexact()) return mul(input, pow(2.0, other));
  const DType wide = widest_float(input.device());
  Tensor power = pow(2.0, to(other, wide, false, false));
  return to(mul(to(input, wide, false, false), power), input.dtype(), false, false);
}

// sqrt(input ** 2 + other ** 2) without overflow.
OP("hypot(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::hypot)
    .gradient<0>([](const Tensor& g, In<0> input, Out out) { return g * (input / out); })
    .gradient<1>([](const Tensor& g, In<1> other, Out out) { return g * (other / out); });

// ---- signs and neighbours

// The magnitude of `input` with the sign of `other`.
OP("copysign(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::copysign)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input, Out out) {
      return where(eq(input, 0), zeros_like(g), g * (out / input));
    })
    .gradient<1>([](const Tensor& g) { return zeros_like(g); });

OP("_heaviside(Tensor input, Tensor values) -> Tensor").pointwise(Formula::heaviside);

// 0 below zero, 1 above it, and `values` at zero.
OP("heaviside(Tensor input, Tensor values) -> Tensor").inplace();
Tensor heaviside(const Tensor& input, const Tensor& values) {
  if (input.dtype() != values.dtype())
    throw RuntimeError("heaviside(): both tensors must have one dtype, but got ", input.dtype(), " and ",
                       values.dtype());
  return _heaviside(input, values);
}

OP("gcd(Tensor input, Tensor other) -> Tensor").pointwise(Formula::gcd).refuse_bool();
OP("lcm(Tensor input, Tensor other) -> Tensor").pointwise(Formula::lcm).refuse_bool();

OP("_nextafter(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::nextafter)
    .gradient<0>([](const Tensor& g, In<0> input, In<1> other) { return where(ne(input, other), g, 0); })
    .gradient<1>([](const Tensor& g) { return zeros_like(g); });

namespace {

// Numbers of a half type in order have their bit patterns in order, below zero downwards.
Tensor next_half(const Tensor& input, const Tensor& other) {
  auto operands = broadcast_shapes(input.shape(), other.shape(), "nextafter");
  Tensor from = clone(expand(input, operands, false)), towards = expand(other, operands, false);
  Tensor bits = view(from, DType::Int16);
  Tensor away = eq(lt(from, towards), gt(from, 0));  // away from zero
  Tensor smallest = where(gt(towards, 0), full_like(bits, 1), full_like(bits, -0x7fff));
  Tensor next = where(eq(from, 0), smallest, where(away, bits + 1, bits - 1));
  Tensor still = logical_or(eq(from, towards), logical_or(isnan(from), isnan(towards)));
  return where(still, from + (towards - from), view(next, input.dtype()));
}

}  // namespace

// The number next to `input` in the direction of `other`.
OP("nextafter(Tensor input, Tensor other) -> Tensor").inplace();
Tensor nextafter(const Tensor& input, const Tensor& other) {
  if (!is_reduced(input.dtype()) || input.dtype() != other.dtype()) return _nextafter(input, other);
  Tensor out = next_half(detach(input), detach(other));
  return record("Nextafter", out, {&input, &other},
                [input = save(input), other = save(other)](Backward& b) -> Grads {
                  return {where(ne(b.get(input), b.get(other)), b.grad(), 0), zeros_like(b.grad())};
                });
}

// ---- sums of products, interpolation

OP("_addcmul(Tensor input, Tensor tensor1, Tensor tensor2, Scalar value) -> Tensor")
    .pointwise(Formula::addcmul)
    .refuse_bool()
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g, In<2> b, Param<0> value) { return g * conj(b * value); })
    .gradient<2>([](const Tensor& g, In<1> a, Param<0> value) { return g * conj(a * value); });

namespace {

void check_value(const Tensor& input, const Tensor& a, const Tensor& b, const Scalar& value, const char* op) {
  if (!input.is_inexact() && !a.is_inexact() && !b.is_inexact() && !value.is_integral())
    throw RuntimeError(op, "(): value must not be a floating-point number for integer tensors, but is ",
                       value);
}

}  // namespace

// input + value * tensor1 * tensor2.
OP("addcmul(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor");
Tensor addcmul(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value) {
  check_value(input, tensor1, tensor2, value, "addcmul");
  return _addcmul(input, tensor1, tensor2, value);
}
OP("Tensor.addcmul_(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor");
Tensor addcmul_(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value) {
  check_value(input, tensor1, tensor2, value, "addcmul_");
  return _addcmul_(input, tensor1, tensor2, value);
}

OP("_addcdiv(Tensor input, Tensor tensor1, Tensor tensor2, Scalar value) -> Tensor")
    .pointwise(Formula::addcdiv)
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g, In<2> b, Param<0> value) { return g * conj(value / b); })
    .gradient<2>([](const Tensor& g, In<1> a, In<2> b, Param<0> value) {
      return -g * conj(value * a / (b * b));
    });

// input + value * tensor1 / tensor2.
OP("addcdiv(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor");
Tensor addcdiv(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value) {
  return _addcdiv(input, tensor1, tensor2, value);
}
OP("Tensor.addcdiv_(Tensor input, Tensor tensor1, Tensor tensor2, *, Scalar value=1) -> Tensor");
Tensor addcdiv_(const Tensor& input, const Tensor& tensor1, const Tensor& tensor2, const Scalar& value) {
  return _addcdiv_(input, tensor1, tensor2, value);
}

// input + weight * (end - input).
OP("lerp(Tensor input, Tensor end, Operand weight) -> Tensor")
    .pointwise(Formula::lerp)
    .keeps_numbers()
    .gradient<0>([](const Tensor& g, In<2> weight) { return g * conj(1 - weight); })
    .gradient<1>([](const Tensor& g, In<2> weight) { return g * conj(weight); })
    .gradient<2>([](const Tensor& g, In<0> input, In<1> end) { return g * conj(end - input); });

// ---- extrema and bounds. At a tie each operand of maximum and minimum gets half of the gradient.

namespace {

Tensor half_at_ties(const Tensor& g, const Tensor& x, const Tensor& y, const Tensor& loses) {
  return where(loses, 0, where(eq(x, y), g * 0.5, g));
}

Tensor inside(const Tensor& x, const Tensor& low, const Tensor& high) {
  return logical_and(ge(x, low), le(x, high));
}

}  // namespace

// The larger of two elements; NaN where either is.
OP("maximum(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::maximum)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> y) { return half_at_ties(g, x, y, lt(x, y)); })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> y) { return half_at_ties(g, x, y, gt(x, y)); });

// The smaller of two elements; NaN where either is.
OP("minimum(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::minimum)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> y) { return half_at_ties(g, x, y, gt(x, y)); })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> y) { return half_at_ties(g, x, y, lt(x, y)); });

OP("max(Tensor input, Tensor other) -> Tensor");
Tensor max(const Tensor& input, const Tensor& other) { return maximum(input, other); }
OP("min(Tensor input, Tensor other) -> Tensor");
Tensor min(const Tensor& input, const Tensor& other) { return minimum(input, other); }

// The larger of two elements; the other one where one is NaN.
OP("fmax(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::fmax)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> y) {
      return where(logical_or(ge(x, y), isnan(y)), g, 0);
    })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> y) {
      return where(logical_or(ge(x, y), isnan(y)), 0, g);
    });

// The smaller of two elements; the other one where one is NaN.
OP("fmin(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::fmin)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> y) {
      return where(logical_or(le(x, y), isnan(y)), g, 0);
    })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> y) {
      return where(logical_or(le(x, y), isnan(y)), 0, g);
    });

// Elements raised to at least `min`.
OP("clamp_min(Tensor input, Operand min) -> Tensor")
    .pointwise(Formula::maximum)
    .fits_numbers()
    .gradient<0>([](const Tensor& g, In<0> x, In<1> low) { return where(ge(x, low), g, 0); })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> low) { return where(lt(x, low), g, 0); });

// Elements lowered to at most `max`.
OP("clamp_max(Tensor input, Operand max) -> Tensor")
    .pointwise(Formula::minimum)
    .fits_numbers()
    .gradient<0>([](const Tensor& g, In<0> x, In<1> high) { return where(le(x, high), g, 0); })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> high) { return where(gt(x, high), g, 0); });

OP("_clamp(Tensor input, Operand min, Operand max) -> Tensor")
    .pointwise(Formula::clamp)
    .fits_numbers()
    .refuse_bool()
    .gradient<0>([](const Tensor& g, In<0> x, In<1> low, In<2> high) {
      return where(inside(x, low, high), g, 0);
    })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> low, In<2> high) {
      return where(logical_and(lt(x, low), lt(low, high)), g, 0);
    })
    .gradient<2>([](const Tensor& g, In<0> x, In<1> low, In<2> high) {
      return where(logical_or(gt(x, high), lt(high, low)), g, 0);
    });

// Elements brought into [min, max]; a bound may be None. The gradient passes at the bounds.
OP("clamp(Tensor input, Operand? min=None, Operand? max=None) -> Tensor")
    .node("ClampBackward1")
    .alias("clip");
Tensor clamp(const Tensor& input, const Tensor& min, const Tensor& max) {
  if (min.defined() && max.defined()) return _clamp(input, min, max);
  if (min.defined()) return clamp_min(input, min);
  if (max.defined()) return clamp_max(input, max);
  throw RuntimeError("clamp(): at least one of 'min' or 'max' must not be None");
}
OP("Tensor.clamp_(Tensor input, Operand? min=None, Operand? max=None) -> Tensor")
    .node("ClampBackward1")
    .alias("Tensor.clip_");
Tensor clamp_(const Tensor& input, const Tensor& min, const Tensor& max) {
  if (min.defined() && max.defined()) return _clamp_(input, min, max);
  if (min.defined()) return clamp_min_(input, min);
  if (max.defined()) return clamp_max_(input, max);
  throw RuntimeError("clamp_(): at least one of 'min' or 'max' must not be None");
}

// ---- replacing and taking apart

namespace {

double largest(DType dtype) {
  switch (dtype) {
    case DType::Float16:
      return 65504;
    case DType::BFloat16:
      return 0x1.fep127;
    case DType::Float32:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}

}  // namespace

OP("_nan_to_num(Tensor input, float nan, float posinf, float neginf) -> Tensor")
    .pointwise(Formula::nan_to_num)
    .gradient<0>([](const Tensor& g, In<0> input) { return where(isfinite(input), g, 0); });

// NaN and infinities replaced by numbers: by default 0 and the largest finite ones of the dtype.
OP("nan_to_num(Tensor input, float? nan=None, float? posinf=None, float? neginf=None) -> Tensor").inplace();
Tensor nan_to_num(const Tensor& input, std::optional<double> nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  if (!input.is_inexact()) return clone(input);
  const double limit = largest(input.dtype());
  return _nan_to_num(input, nan.value_or(0), posinf.value_or(limit), neginf.value_or(-limit));
}

namespace {

struct FloatFields {
  DType bits;
  int64_t fraction_bits, exponent_mask;
};

FloatFields fields_of(DType dtype) {
  return dtype == DType::Float64 ? FloatFields{DType::Int64, 52, 0x7ff} : FloatFields{DType::Int32, 23, 0xff};
}

}  // namespace

// mantissa * 2 ** exponent is the input, with a mantissa of magnitude in [0.5, 1).
OP("frexp(Tensor input) -> (Tensor mantissa, Tensor exponent)");
std::tuple<Tensor, Tensor> frexp(const Tensor& input) {
  if (!input.is_floating())
    throw RuntimeError("frexp(): expected a floating-point tensor, but got ", input.dtype());
  Tensor x = converted(detach(input), is_reduced(input.dtype()) ? DType::Float32 : input.dtype());
  const FloatFields f = fields_of(x.dtype());
  const int64_t bias = f.exponent_mask / 2 - 1, field = f.exponent_mask << f.fraction_bits,
                lift = f.fraction_bits + 1;
  // Subnormal numbers are scaled up first, so that they have a leading one as the others do.
  Tensor scaled = x * std::ldexp(1.0, static_cast<int>(lift));
  Tensor small = lt(abs(x), std::ldexp(1.0, static_cast<int>(1 - bias)));
  Tensor bits = view(where(small, scaled, x), f.bits);
  Tensor biased = bitwise_right_shift(bitwise_and(bits, field), f.fraction_bits);
  Tensor whole = logical_or(eq(x, 0), logical_not(isfinite(x)));
  Tensor exponent = where(whole, zeros_like(biased),
                          biased - bias - where(small, full_like(biased, lift), zeros_like(biased)));
  Tensor fraction = bitwise_or(bitwise_and(bits, ~field), bias << f.fraction_bits);
  Tensor mantissa = converted(where(whole, x, view(fraction, x.dtype())), input.dtype());
  exponent = converted(exponent, DType::Int32);
  mantissa = record("Frexp", mantissa, {&input}, [exponent = save(exponent)](Backward& b) -> Grads {
    return {ldexp(b.grad(), -b.get(exponent))};
  });
  return {mantissa, exponent};
}

}  // namespace mlx

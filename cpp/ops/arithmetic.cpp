// Pointwise arithmetic: sums, products, quotients, powers.

#include "ops.h"
#include "ops/pointwise.h"

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
OP("Tensor.add_(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor");
Tensor add_(const Tensor& input, const Tensor& other, const Scalar& alpha) { return _add_(input, scaled(other, alpha)); }

OP("_sub(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::sub)
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g) { return -g; });

// input - alpha * other, broadcast.
OP("sub(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor").alias("subtract");
Tensor sub(const Tensor& input, const Tensor& other, const Scalar& alpha) {
  refuse_bool_subtraction(input, other);
  return _sub(input, scaled(other, alpha));
}
OP("Tensor.sub_(Tensor input, Operand other, *, Scalar alpha=1) -> Tensor").alias("Tensor.subtract_");
Tensor sub_(const Tensor& input, const Tensor& other, const Scalar& alpha) {
  refuse_bool_subtraction(input, other);
  return _sub_(input, scaled(other, alpha));
}

// input * other, broadcast.
OP("mul(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::mul)
    .alias("multiply")
    .gradient<0>([](const Tensor& g, In<1> other) { return g * conj(other); })
    .gradient<1>([](const Tensor& g, In<0> input) { return g * conj(input); });

OP("_div(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::div)
    .to_float()
    .gradient<0>([](const Tensor& g, In<1> other) { return g / conj(other); })
    .gradient<1>([](const Tensor& g, In<1> other, Out out) { return -g * conj(out / other); });

// The quotient rounded towards minus infinity, in the operands' dtype.
OP("floor_divide(Tensor input, Operand other) -> Tensor").pointwise(Formula::div_floor).gradient<0>([](const Tensor& g) { return zeros_like(g); }).gradient<1>([](const Tensor& g) { return zeros_like(g); });

OP("_div_trunc(Tensor input, Operand other) -> Tensor").pointwise(Formula::div_trunc).gradient<0>([](const Tensor& g) { return zeros_like(g); }).gradient<1>([](const Tensor& g) { return zeros_like(g); });

// input / other; with rounding_mode "floor" or "trunc" in the operands' own dtype.
OP("div(Tensor input, Operand other, *, str? rounding_mode=None) -> Tensor").alias("divide").alias("true_divide");
Tensor div(const Tensor& input, const Tensor& other, const std::optional<std::string>& rounding_mode) {
  if (!rounding_mode) return _div(input, other);
  if (*rounding_mode == "floor") return floor_divide(input, other);
  if (*rounding_mode == "trunc") return _div_trunc(input, other);
  throw RuntimeError("div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *rounding_mode, "'");
}
OP("Tensor.div_(Tensor input, Operand other, *, str? rounding_mode=None) -> Tensor").alias("Tensor.divide_").alias("Tensor.true_divide_");
Tensor div_(const Tensor& input, const Tensor& other, const std::optional<std::string>& rounding_mode) {
  if (!rounding_mode) return _div_(input, other);
  if (*rounding_mode == "floor") return floor_divide_(input, other);
  if (*rounding_mode == "trunc") return _div_trunc_(input, other);
  throw RuntimeError("div_ expected rounding_mode to be one of None, 'trunc', or 'floor' but found '", *rounding_mode, "'");
}

// Python's remainder: input - floor_divide(input, other) * other, with the sign of `other`.
OP("remainder(Tensor input, Operand other) -> Tensor")
    .pointwise(Formula::remainder)
    .gradient<0>([](const Tensor& g) { return g; })
    .gradient<1>([](const Tensor& g, In<0> input, In<1> other) { return -g * floor_divide(input, other); });

OP("neg(Tensor input) -> Tensor").pointwise(Formula::neg).alias("negative").gradient<0>([](const Tensor& g) { return -g; });

// The tensor itself.
OP("positive(Tensor input) -> Tensor");
Tensor positive(const Tensor& input) { return input; }

OP("abs(Tensor input) -> Tensor")
    .pointwise(Formula::abs, Result::Real)
    .alias("absolute")
    .gradient<0>([](const Tensor& g, In<0> input) { return g * sgn(input); });

OP("sgn(Tensor input) -> Tensor").pointwise(Formula::sgn).gradient<0>([](const Tensor& g) { return zeros_like(g); });

OP("_conj(Tensor input) -> Tensor").pointwise(Formula::conj).gradient<0>([](const Tensor& g) { return conj(g); });

// The complex conjugate; a real tensor itself.
OP("conj(Tensor input) -> Tensor").alias("conj_physical").alias("resolve_conj");
Tensor conj(const Tensor& input) { return input.is_complex() ? _conj(input) : input; }

// input ** exponent.
OP("pow(Operand input, Operand exponent) -> Tensor")
    .pointwise(Formula::pow)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> p) {
      return g * conj(where(eq(p, 0), zeros_like(x), p * pow(x, p - 1)));
    })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> p, Out y) {
      // 0 ** p is constant for p >= 0.
      Tensor constant = logical_and(eq(x, 0), p.is_complex() ? eq(p, p) : ge(p, 0));
      return g * conj(where(constant, zeros_like(y), y * log(x)));
    });

}  // namespace mlx

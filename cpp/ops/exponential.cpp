// Exponentials, logarithms and roots.

#include <numbers>

#include "ops.h"
#include "ops/row.h"

namespace mlx {

OP("exp(Tensor input) -> Tensor")
    .pointwise(Formula::exp)
    .to_float()
    .gradient<0>([](const Tensor& g, Out out) { return g * conj(out); });

// 2 ** input.
OP("exp2(Tensor input) -> Tensor")
    .pointwise(Formula::exp2)
    .to_float()
    .alias("special.exp2")
    .gradient<0>([](const Tensor& g, Out out) { return g * conj(out * std::numbers::ln2); });

// exp(input) - 1, exact also for small inputs.
OP("expm1(Tensor input) -> Tensor")
    .pointwise(Formula::expm1)
    .to_float()
    .alias("special.expm1")
    .gradient<0>([](const Tensor& g, Out out) { return g * conj(out + 1); });

OP("log(Tensor input) -> Tensor")
    .pointwise(Formula::log)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input) { return g / conj(input); });

OP("log2(Tensor input) -> Tensor")
    .pointwise(Formula::log2)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input) { return g / conj(input * std::numbers::ln2); });

OP("log10(Tensor input) -> Tensor")
    .pointwise(Formula::log10)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input) { return g / conj(input * std::numbers::ln10); });

// log(1 + input), exact also for small inputs.
OP("log1p(Tensor input) -> Tensor")
    .node("Log1PBackward0")
    .pointwise(Formula::log1p)
    .to_float()
    .alias("special.log1p")
    .gradient<0>([](const Tensor& g, In<0> input) { return g / conj(input + 1); });

OP("sqrt(Tensor input) -> Tensor")
    .pointwise(Formula::sqrt)
    .to_float()
    .gradient<0>([](const Tensor& g, Out out) { return g / conj(out * 2); });

// 1 / sqrt(input).
OP("rsqrt(Tensor input) -> Tensor")
    .pointwise(Formula::rsqrt)
    .to_float()
    .gradient<0>([](const Tensor& g, Out out) { return g * conj(out * out * out) * -0.5; });

OP("_logaddexp(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::logaddexp)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> y) { return g / (exp(y - x) + 1); })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> y) { return g / (exp(x - y) + 1); });

OP("_logaddexp2(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::logaddexp2)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> y) { return g / (exp2(y - x) + 1); })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> y) { return g / (exp2(x - y) + 1); });

namespace {

// From the operand of the larger real part, whose exponential is then 1.
Tensor complex_logaddexp(const Tensor& input, const Tensor& other) {
  Tensor swapped = lt(real(input), real(other));
  Tensor high = where(swapped, other, input), low = where(swapped, input, other);
  Tensor both_vanish = logical_and(isneginf(real(low)), isneginf(real(high)));
  Tensor sum = high + log1p(exp(low - where(both_vanish, zeros_like(high), high)));
  return where(both_vanish, low, sum);
}

}  // namespace

// log(exp(input) + exp(other)) without overflow.
//
// >>> mlx.logaddexp(mlx.tensor([0.0]), mlx.tensor([0.0]))
// tensor([0.6931])
OP("logaddexp(Tensor input, Tensor other) -> Tensor");
Tensor logaddexp(const Tensor& input, const Tensor& other) {
  return input.is_complex() || other.is_complex() ? complex_logaddexp(input, other)
                                                  : _logaddexp(input, other);
}

// log2(2 ** input + 2 ** other) without overflow.
OP("logaddexp2(Tensor input, Tensor other) -> Tensor");
Tensor logaddexp2(const Tensor& input, const Tensor& other) { return _logaddexp2(input, other); }

// input * log(other), which is 0 where `input` is 0 and `other` is not NaN.
OP("xlogy(Operand input, Operand other) -> Tensor")
    .pointwise(Formula::xlogy)
    .to_float()
    .alias("special.xlogy")
    .gradient<0>([](const Tensor& g, In<0> input, In<1> other) {
      return where(logical_and(eq(input, 0), le(other, 0)), zeros_like(g), xlogy(g, other));
    })
    .gradient<1>([](const Tensor& g, In<0> input, In<1> other) { return g * input / other; });

// input * log1p(other), which is 0 where `input` is 0 and `other` is not NaN.
OP("special.xlog1py(Operand input, Operand other) -> Tensor")
    .pointwise(Formula::xlog1py)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input, In<1> other) {
      return where(logical_and(eq(input, 0), le(other, -1)), zeros_like(g), g * log1p(other));
    })
    .gradient<1>([](const Tensor& g, In<0> input, In<1> other) { return g * input / (other + 1); });

// -input * log(input): the entropy of a probability.
OP("special.entr(Tensor input) -> Tensor")
    .pointwise(Formula::entr)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input) { return -g * (log(input) + 1); });

}  // namespace mlx

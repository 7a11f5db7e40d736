// Circular and hyperbolic functions and their inverses.

#include <numbers>

#include "ops.h"
#include "ops/row.h"

namespace mlx {

OP("sin(Tensor input) -> Tensor")
    .pointwise(Formula::sin)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input) { return g * conj(cos(input)); });

OP("cos(Tensor input) -> Tensor")
    .pointwise(Formula::cos)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input) { return g * conj(-sin(input)); });

OP("tan(Tensor input) -> Tensor")
    .pointwise(Formula::tan)
    .to_float()
    .gradient<0>([](const Tensor& g, Out out) { return g * conj(out * out + 1); });

OP("asin(Tensor input) -> Tensor")
    .pointwise(Formula::asin)
    .to_float()
    .alias("arcsin")
    .gradient<0>([](const Tensor& g, In<0> input) { return g * conj(rsqrt(1 - input * input)); });

OP("acos(Tensor input) -> Tensor")
    .pointwise(Formula::acos)
    .to_float()
    .alias("arccos")
    .gradient<0>([](const Tensor& g, In<0> input) { return -g * conj(rsqrt(1 - input * input)); });

OP("atan(Tensor input) -> Tensor")
    .pointwise(Formula::atan)
    .to_float()
    .alias("arctan")
    .gradient<0>([](const Tensor& g, In<0> input) { return g / conj(input * input + 1); });

namespace {

// part / (x * x + y * y), and 0 at the origin.
Tensor over_square(const Tensor& part, const Tensor& y, const Tensor& x) {
  Tensor square = x * x + y * y;
  return where(eq(square, 0), 0, part / square);
}

}  // namespace

// The angle of the point (other, input), in (-pi, pi].
OP("atan2(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::atan2)
    .to_float()
    .alias("arctan2")
    .gradient<0>([](const Tensor& g, In<0> y, In<1> x) { return g * over_square(x, y, x); })
    .gradient<1>([](const Tensor& g, In<0> y, In<1> x) { return -g * over_square(y, y, x); });

OP("sinh(Tensor input) -> Tensor")
    .pointwise(Formula::sinh)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input) { return g * conj(cosh(input)); });

OP("cosh(Tensor input) -> Tensor")
    .pointwise(Formula::cosh)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> input) { return g * conj(sinh(input)); });

OP("_tanh_backward(Tensor grad, Tensor result) -> Tensor")
    .pointwise(Formula::tanh_backward)
    .gradient<0>([](const Tensor& g, In<1> result) { return _tanh_backward(g, result); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> result) { return g * grad * result * -2; });

OP("tanh(Tensor input) -> Tensor")
    .pointwise(Formula::tanh)
    .to_float()
    .alias("nn.functional.tanh")
    .gradient<0>([](const Tensor& g, Out out) {
      return out.is_complex() ? g * conj(1 - out * out) : _tanh_backward(g, out);
    });

OP("asinh(Tensor input) -> Tensor")
    .pointwise(Formula::asinh)
    .to_float()
    .alias("arcsinh")
    .gradient<0>([](const Tensor& g, In<0> input) { return g * conj(rsqrt(input * input + 1)); });

OP("acosh(Tensor input) -> Tensor")
    .pointwise(Formula::acosh)
    .to_float()
    .alias("arccosh")
    .gradient<0>([](const Tensor& g, In<0> input) {
      // Two roots, so that complex inputs stay on the right branch.
      return input.is_complex() ? g * conj(rsqrt(input - 1) * rsqrt(input + 1))
                                : g * rsqrt(input * input - 1);
    });

OP("atanh(Tensor input) -> Tensor")
    .pointwise(Formula::atanh)
    .to_float()
    .alias("arctanh")
    .gradient<0>([](const Tensor& g, In<0> input) { return g / conj(1 - input * input); });

// sin(pi * input) / (pi * input), which is 1 at 0.
OP("sinc(Tensor input) -> Tensor")
    .pointwise(Formula::sinc)
    .to_float()
    .alias("special.sinc")
    .gradient<0>([](const Tensor& g, In<0> input) {
      Tensor angle = input * std::numbers::pi, square = angle * angle, small = lt(abs(angle), 0.25);
      Tensor apart = (angle * cos(angle) - sin(angle)) / where(small, 1, square);
      // The difference cancels near zero, where five terms of its series are exact.
      Tensor tail = square * (1.0 / 45360 - square / 3991680);
      Tensor near = angle * (square * (1.0 / 30 + square * (tail - 1.0 / 840)) - 1.0 / 3);
      return g * conj(where(small, near, apart) * std::numbers::pi);
    });

OP("deg2rad(Tensor input) -> Tensor").pointwise(Formula::deg2rad).to_float().gradient<0>([](const Tensor& g) {
  return deg2rad(g);
});

OP("rad2deg(Tensor input) -> Tensor").pointwise(Formula::rad2deg).to_float().gradient<0>([](const Tensor& g) {
  return rad2deg(g);
});

}  // namespace mlx

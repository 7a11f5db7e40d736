// Activations of networks. The primitives, whose names begin with an underscore, have one fused formula
// for the value and one for the gradient.

#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {

// ---- piecewise linear

OP("_threshold_backward(Tensor grad, Tensor input, Scalar threshold) -> Tensor")
    .pointwise(Formula::threshold_backward)
    .gradient<0>([](const Tensor& g, In<1> x, Param<0> limit) { return _threshold_backward(g, x, limit); });

// max(input, 0).
OP("relu(Tensor input) -> Tensor")
    .pointwise(Formula::relu)
    .refuse_bool()
    .gradient<0>([](const Tensor& g, Out out) { return _threshold_backward(g, out, 0); });

// The input where it exceeds the threshold, `value` elsewhere.
OP("threshold(Tensor input, Scalar threshold, Scalar value) -> Tensor")
    .pointwise(Formula::threshold)
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> limit) { return _threshold_backward(g, x, limit); });

OP("_leaky_relu_backward(Tensor grad, Tensor input, Scalar negative_slope) -> Tensor")
    .pointwise(Formula::leaky_relu_backward)
    .gradient<0>([](const Tensor& g, In<1> x, Param<0> slope) { return _leaky_relu_backward(g, x, slope); });

OP("_leaky_relu(Tensor input, Scalar negative_slope) -> Tensor")
    .pointwise(Formula::leaky_relu)
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> slope) { return _leaky_relu_backward(g, x, slope); });

OP("_hardtanh_backward(Tensor grad, Tensor input, Scalar min_val, Scalar max_val) -> Tensor")
    .pointwise(Formula::hardtanh_backward)
    .gradient<0>([](const Tensor& g, In<1> x, Param<0> low, Param<1> high) {
      return _hardtanh_backward(g, x, low, high);
    });

OP("_hardtanh(Tensor input, Scalar min_val, Scalar max_val) -> Tensor")
    .pointwise(Formula::hardtanh)
    .refuse_bool()
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> low, Param<1> high) {
      return _hardtanh_backward(g, x, low, high);
    });

OP("_hardsigmoid_backward(Tensor grad, Tensor input) -> Tensor")
    .pointwise(Formula::hardsigmoid_backward)
    .gradient<0>([](const Tensor& g, In<1> x) { return _hardsigmoid_backward(g, x); });

OP("_hardsigmoid(Tensor input) -> Tensor")
    .pointwise(Formula::hardsigmoid)
    .gradient<0>([](const Tensor& g, In<0> x) { return _hardsigmoid_backward(g, x); });

OP("_hardswish_backward(Tensor grad, Tensor input) -> Tensor")
    .pointwise(Formula::hardswish_backward)
    .gradient<0>([](const Tensor& g, In<1> x) { return _hardswish_backward(g, x); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x) { return where(lt(abs(x), 3), g * grad / 3, 0); });

OP("_hardswish(Tensor input) -> Tensor")
    .pointwise(Formula::hardswish)
    .gradient<0>([](const Tensor& g, In<0> x) { return _hardswish_backward(g, x); });

OP("_shrink_backward(Tensor grad, Tensor input, Scalar lambd) -> Tensor")
    .pointwise(Formula::shrink_backward)
    .gradient<0>([](const Tensor& g, In<1> x, Param<0> lambd) { return _shrink_backward(g, x, lambd); });

OP("_softshrink(Tensor input, Scalar lambd) -> Tensor")
    .pointwise(Formula::softshrink)
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> lambd) { return _shrink_backward(g, x, lambd); });

// The input where its magnitude exceeds `lambd`, 0 elsewhere.
OP("hardshrink(Tensor input, Scalar lambd=0.5) -> Tensor")
    .pointwise(Formula::hardshrink)
    .alias("nn.functional.hardshrink")
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> lambd) { return _shrink_backward(g, x, lambd); });

// ---- exponential

OP("_elu_backward(Tensor grad, Tensor input, Scalar alpha, Scalar scale, Scalar input_scale) -> Tensor")
    .pointwise(Formula::elu_backward)
    .gradient<0>([](const Tensor& g, In<1> x, Param<0> alpha, Param<1> scale, Param<2> input_scale) {
      return _elu_backward(g, x, alpha, scale, input_scale);
    })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x, Param<0> alpha, Param<1> scale,
                    Param<2> input_scale) {
      const double factor =
          alpha.to_double() * scale.to_double() * input_scale.to_double() * input_scale.to_double();
      return where(le(x, 0), g * grad * exp(x * input_scale) * factor, 0);
    });

OP("_elu(Tensor input, Scalar alpha, Scalar scale, Scalar input_scale) -> Tensor")
    .pointwise(Formula::elu)
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> alpha, Param<1> scale, Param<2> input_scale) {
      return _elu_backward(g, x, alpha, scale, input_scale);
    });

// max(0, input) + min(0, alpha * (exp(input / alpha) - 1)): https://arxiv.org/abs/1704.07483
OP("celu(Tensor input, float alpha=1.0) -> Tensor").inplace();
Tensor celu(const Tensor& input, double alpha) {
  if (alpha == 0) throw RuntimeError("celu(): ZeroDivisionError: alpha cannot be 0");
  return _elu(input, alpha, 1.0, 1.0 / alpha);
}

// The self-normalising ELU: https://arxiv.org/abs/1706.02515
OP("selu(Tensor input) -> Tensor").inplace();
Tensor selu(const Tensor& input) { return _elu(input, 1.6732632423543772, 1.0507009873554805, 1.0); }

OP("_softplus_backward(Tensor grad, Tensor input, Scalar beta, Scalar threshold) -> Tensor")
    .pointwise(Formula::softplus_backward)
    .gradient<0>([](const Tensor& g, In<1> x, Param<0> beta, Param<1> limit) {
      return _softplus_backward(g, x, beta, limit);
    })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x, Param<0> beta, Param<1> limit) {
      Tensor scaled = x * beta, s = sigmoid(scaled);
      return where(gt(scaled, limit), 0, g * grad * s * (1 - s) * beta);
    });

OP("_softplus(Tensor input, Scalar beta, Scalar threshold) -> Tensor")
    .pointwise(Formula::softplus)
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> beta, Param<1> limit) {
      return _softplus_backward(g, x, beta, limit);
    });

OP("_log_sigmoid_backward(Tensor grad, Tensor input) -> Tensor")
    .pointwise(Formula::log_sigmoid_backward)
    .gradient<0>([](const Tensor& g, In<1> x) { return _log_sigmoid_backward(g, x); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x) {
      Tensor s = sigmoid(x);
      return -g * grad * s * (1 - s);
    });

OP("_log_sigmoid(Tensor input) -> Tensor")
    .pointwise(Formula::log_sigmoid)
    .gradient<0>([](const Tensor& g, In<0> x) { return _log_sigmoid_backward(g, x); });

// ---- smooth gates

OP("_silu_backward(Tensor grad, Tensor input) -> Tensor")
    .pointwise(Formula::silu_backward)
    .gradient<0>([](const Tensor& g, In<1> x) { return _silu_backward(g, x); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x) {
      Tensor s = sigmoid(x), slope = s * (1 - s);
      return g * grad * slope * (x * (1 - s * 2) + 2);
    });

OP("_silu(Tensor input) -> Tensor").pointwise(Formula::silu).gradient<0>([](const Tensor& g, In<0> x) {
  return _silu_backward(g, x);
});

OP("_mish_backward(Tensor grad, Tensor input) -> Tensor")
    .pointwise(Formula::mish_backward)
    .gradient<0>([](const Tensor& g, In<1> x) { return _mish_backward(g, x); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x) {
      Tensor t = tanh(_softplus(x, 1, 20)), s = sigmoid(x), sech2 = 1 - t * t;
      return g * grad * sech2 * s * (2 + x * (1 - s - t * s * 2));
    });

OP("_mish(Tensor input) -> Tensor").pointwise(Formula::mish).gradient<0>([](const Tensor& g, In<0> x) {
  return _mish_backward(g, x);
});

OP("_gelu_backward(Tensor grad, Tensor input) -> Tensor")
    .pointwise(Formula::gelu_backward)
    .gradient<0>([](const Tensor& g, In<1> x) { return _gelu_backward(g, x); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x) {
      Tensor square = x * x;
      return g * grad * exp(square * -0.5) * (2 - square) * 0.3989422804014327;
    });

OP("_gelu(Tensor input) -> Tensor").pointwise(Formula::gelu).gradient<0>([](const Tensor& g, In<0> x) {
  return _gelu_backward(g, x);
});

OP("_gelu_tanh_backward(Tensor grad, Tensor input) -> Tensor")
    .pointwise(Formula::gelu_tanh_backward)
    .gradient<0>([](const Tensor& g, In<1> x) { return _gelu_tanh_backward(g, x); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x) {
      // With u = c (x + k x^3) and t = tanh u: (1 - t^2) (u' + x u'' / 2 - x t u'^2).
      constexpr double c = 0.7978845608028654, k = 0.044715;
      Tensor square = x * x, t = tanh(x * (square * k + 1) * c);
      Tensor first = (square * (3 * k) + 1) * c, second = x * (6 * k * c);
      return g * grad * (1 - t * t) * (first + x * second * 0.5 - x * t * first * first);
    });

OP("_gelu_tanh(Tensor input) -> Tensor")
    .pointwise(Formula::gelu_tanh)
    .gradient<0>([](const Tensor& g, In<0> x) { return _gelu_tanh_backward(g, x); });

OP("_tanhshrink(Tensor input) -> Tensor")
    .pointwise(Formula::tanhshrink)
    .gradient<0>([](const Tensor& g, In<0> x) { return g * square(tanh(x)); });

OP("_softsign(Tensor input) -> Tensor")
    .pointwise(Formula::softsign)
    .gradient<0>([](const Tensor& g, In<0> x) { return g / square(abs(x) + 1); });

// max(0, input) + weight * min(0, input); one weight, or one a channel (dimension 1).
OP("prelu(Tensor input, Tensor weight) -> Tensor").alias("nn.functional.prelu");
Tensor prelu(const Tensor& input, const Tensor& weight) {
  if (input.dtype() != weight.dtype())
    throw RuntimeError("prelu(): input and weight must have one dtype, but are ", input.dtype(), " and ",
                       weight.dtype());
  Tensor w = weight;
  if (weight.numel() != 1) {
    const int64_t channels = input.dim() > 1 ? input.shape()[1] : 1;
    if (input.dim() == 0 || weight.dim() != 1 || weight.numel() != channels)
      throw RuntimeError(
          "prelu(): Mismatch of parameter numbers and input channel size. Found parameter numbers = ",
          weight.numel(), " and channel size = ", channels, ".");
    Shape shape(static_cast<size_t>(input.dim()), 1);
    if (input.dim() > 1) shape[1] = channels;
    w = reshape(weight, shape);
  } else {
    w = reshape(weight, Shape{});
  }
  Tensor out;
  {
    GradModeGuard off(false);
    out = where(gt(input, 0), input, w * input);
  }
  // Not the rules of where and mul: their zeros times an infinite element or weight are NaN.
  return record("Prelu", out, {&input, &w}, [input = save(input), w = save(w)](Backward& b) -> Grads {
    Tensor x = b.get(input), above = gt(x, 0);
    return {where(above, b.grad(), b.grad() * b.get(w)), where(above, 0, b.grad() * x)};
  });
}

// ---- nn.functional

namespace functional {

// max(input, 0).
OP("nn.functional.relu(Tensor input, bool inplace=False) -> Tensor");
Tensor relu(const Tensor& input, bool inplace) { return inplace ? relu_(input) : mlx::relu(input); }

// The input where it exceeds the threshold, `value` elsewhere.
OP("nn.functional.threshold(Tensor input, Scalar threshold, Scalar value, bool inplace=False) -> Tensor");
Tensor threshold(const Tensor& input, const Scalar& threshold, const Scalar& value, bool inplace) {
  return inplace ? threshold_(input, threshold, value) : mlx::threshold(input, threshold, value);
}

// max(0, input) + negative_slope * min(0, input).
OP("nn.functional.leaky_relu(Tensor input, Scalar negative_slope=0.01, bool inplace=False) -> Tensor");
Tensor leaky_relu(const Tensor& input, const Scalar& negative_slope, bool inplace) {
  return inplace ? _leaky_relu_(input, negative_slope) : _leaky_relu(input, negative_slope);
}

// The input brought into [min_val, max_val].
OP("nn.functional.hardtanh(Tensor input, Scalar min_val=-1.0, Scalar max_val=1.0, bool inplace=False) -> "
   "Tensor");
Tensor hardtanh(const Tensor& input, const Scalar& min_val, const Scalar& max_val, bool inplace) {
  if (min_val.to_double() > max_val.to_double())
    throw ValueError("hardtanh(): min_val cannot be greater than max_val, but they are ", min_val, " and ",
                     max_val);
  return inplace ? _hardtanh_(input, min_val, max_val) : _hardtanh(input, min_val, max_val);
}

// min(max(input, 0), 6).
OP("nn.functional.relu6(Tensor input, bool inplace=False) -> Tensor");
Tensor relu6(const Tensor& input, bool inplace) { return hardtanh(input, 0, 6, inplace); }

// A piecewise linear sigmoid: relu6(input + 3) / 6.
OP("nn.functional.hardsigmoid(Tensor input, bool inplace=False) -> Tensor");
Tensor hardsigmoid(const Tensor& input, bool inplace) {
  return inplace ? _hardsigmoid_(input) : _hardsigmoid(input);
}

// input * relu6(input + 3) / 6: https://arxiv.org/abs/1905.02244
OP("nn.functional.hardswish(Tensor input, bool inplace=False) -> Tensor");
Tensor hardswish(const Tensor& input, bool inplace) {
  return inplace ? _hardswish_(input) : _hardswish(input);
}

// The input moved towards zero by `lambd`.
OP("nn.functional.softshrink(Tensor input, float lambd=0.5) -> Tensor");
Tensor softshrink(const Tensor& input, double lambd) {
  if (!(lambd >= 0))
    throw RuntimeError("softshrink(): lambd must be greater than or equal to 0, but is ", lambd);
  return _softshrink(input, lambd);
}

// max(0, input) + min(0, alpha * (exp(input) - 1)): https://arxiv.org/abs/1511.07289
OP("nn.functional.elu(Tensor input, float alpha=1.0, bool inplace=False) -> Tensor");
Tensor elu(const Tensor& input, double alpha, bool inplace) {
  return inplace ? _elu_(input, alpha, 1.0, 1.0) : _elu(input, alpha, 1.0, 1.0);
}

// max(0, input) + min(0, alpha * (exp(input / alpha) - 1)): https://arxiv.org/abs/1704.07483
OP("nn.functional.celu(Tensor input, float alpha=1.0, bool inplace=False) -> Tensor");
Tensor celu(const Tensor& input, double alpha, bool inplace) {
  return inplace ? celu_(input, alpha) : mlx::celu(input, alpha);
}

// The self-normalising ELU: https://arxiv.org/abs/1706.02515
OP("nn.functional.selu(Tensor input, bool inplace=False) -> Tensor");
Tensor selu(const Tensor& input, bool inplace) { return inplace ? selu_(input) : mlx::selu(input); }

// log(1 + exp(beta * input)) / beta; the input itself where beta * input exceeds the threshold.
OP("nn.functional.softplus(Tensor input, Scalar beta=1, Scalar threshold=20) -> Tensor");
Tensor softplus(const Tensor& input, const Scalar& beta, const Scalar& threshold) {
  return _softplus(input, beta, threshold);
}

// log(sigmoid(input)).
OP("nn.functional.logsigmoid(Tensor input) -> Tensor");
Tensor logsigmoid(const Tensor& input) { return _log_sigmoid(input); }

// input * sigmoid(input): https://arxiv.org/abs/1702.03118
OP("nn.functional.silu(Tensor input, bool inplace=False) -> Tensor");
Tensor silu(const Tensor& input, bool inplace) {
  if (input.is_complex()) return inplace ? mul_(input, sigmoid(input)) : mul(input, sigmoid(input));
  return inplace ? _silu_(input) : _silu(input);
}

// input * tanh(softplus(input)): https://arxiv.org/abs/1908.08681
OP("nn.functional.mish(Tensor input, bool inplace=False) -> Tensor");
Tensor mish(const Tensor& input, bool inplace) { return inplace ? _mish_(input) : _mish(input); }

// input * Phi(input), the normal distribution function; or its approximation by tanh:
// https://arxiv.org/abs/1606.08415
OP("nn.functional.gelu(Tensor input, *, str approximate='none') -> Tensor");
Tensor gelu(const Tensor& input, const std::string& approximate) {
  if (approximate == "none") return _gelu(input);
  if (approximate == "tanh") return _gelu_tanh(input);
  throw RuntimeError("gelu(): approximate argument must be either none or tanh, not ", approximate);
}

// input - tanh(input).
OP("nn.functional.tanhshrink(Tensor input) -> Tensor");
Tensor tanhshrink(const Tensor& input) {
  return input.is_floating() ? _tanhshrink(input) : input - tanh(input);
}

// input / (1 + |input|).
OP("nn.functional.softsign(Tensor input) -> Tensor");
Tensor softsign(const Tensor& input) {
  return input.is_floating() ? _softsign(input) : input / (abs(input) + 1);
}

// The first half of the input along `dim`, gated by the sigmoid of the second:
// https://arxiv.org/abs/1612.08083
OP("nn.functional.glu(Tensor input, int dim=-1) -> Tensor").node("GluBackward0");
Tensor glu(const Tensor& input, int64_t dim) {
  if (input.dim() == 0) throw RuntimeError("glu(): does not support 0-dimensional tensors");
  const int64_t size = input.shape()[input.wrapped(dim)];
  if (size % 2)
    throw RuntimeError("glu(): Halving dimension must be even, but dimension ", dim, " is size ", size);
  return narrow(input, dim, 0, size / 2) * sigmoid(narrow(input, dim, size / 2, size / 2));
}

}  // namespace functional
}  // namespace mlx

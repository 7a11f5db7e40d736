#pragma once
// Activations of networks, element-wise losses, and those of their derivatives that a composition of ops
// would make slow.

#include "formulas/arithmetic.h"
#include "formulas/concepts.h"
#include "formulas/exponential.h"

namespace mlx::formulas {

template <Inexact T>
T sigmoid(T x) {
  if constexpr (ComplexNumber<T>) {
    return T(1) / (T(1) + exp(-x));
  } else {
    // With exp of -|x| nothing overflows, and far negative arguments keep their precision. The rounding
    // error of 1 + e is known exactly, so it is taken out again.
    const T e = exp(T(0) - abs(x));
    const T sum = T(1) + e;
    const T lost = e - (sum - T(1));
    const T quotient = e / sum;
    const T below = quotient - quotient * lost * (T(1) - quotient);
    return select(x < T(0), below, T(1) - below);
  }
}

template <Floating T>
T log_sigmoid(T x) {
  return minimum(x, T(0)) - log1p(exp(T(0) - abs(x)));
}

template <Real T>
T relu(T x) {
  return select(x < T(0), T(0), x);
}

template <Floating T>
T leaky_relu(T x, T negative_slope) {
  return select(x > T(0), x, x * negative_slope);
}

template <Real T>
T threshold(T x, T limit, T value) {
  return select(x <= limit, value, x);
}

template <Real T>
T hardtanh(T x, T low, T high) {
  return clamp(x, low, high);
}

template <Floating T>
T hardsigmoid(T x) {
  return clamp(x + T(3), T(0), T(6)) / T(6);
}

template <Floating T>
T hardswish(T x) {
  return x * clamp(x + T(3), T(0), T(6)) / T(6);
}

template <Floating T>
T elu(T x, T alpha, T scale, T input_scale) {
  return scale * select(x > T(0), x, alpha * expm1(x * input_scale));
}

template <Floating T>
T celu(T x, T alpha) {
  return select(x > T(0), x, alpha * expm1(x / alpha));
}

template <Floating T>
T selu(T x) {
  return T(1.0507009873554805) * select(x > T(0), x, T(1.6732632423543772) * expm1(x));
}

template <Floating T>
T silu(T x) {
  return x * sigmoid(x);
}

template <Floating T>
T softplus(T x, T beta, T threshold) {
  const T scaled = x * beta;
  return select(scaled > threshold, x, log1p(exp(scaled)) / beta);
}

// x tanh(log(1 + e^x)), by the tanh of a logarithm: with e = e^x, (e^2 + 2e) / (e^2 + 2e + 2).
template <Floating T>
T mish(T x) {
  const T e = exp(minimum(x, T(20)));
  const T n = e * (e + T(2));
  return x * (n / (n + T(2)));
}

template <Floating T>
T softsign(T x) {
  return x / (T(1) + abs(x));
}

template <Floating T>
T tanhshrink(T x) {
  return x - tanh(x);
}

template <Floating T>
T softshrink(T x, T lambda) {
  return select(x > lambda, x - lambda, select(x < -lambda, x + lambda, x * T(0)));
}

template <Floating T>
T hardshrink(T x, T lambda) {
  return select((x >= -lambda) & (x <= lambda), T(0), x);
}

template <Floating T>
T gelu(T x) {
  return x * ndtr(x);
}

template <Floating T>
T gelu_tanh(T x) {
  const T inner = T(0.7978845608028654) * (x + T(0.044715) * x * x * x);
  return T(0.5) * x * (T(1) + tanh(inner));
}

// A negative eps means none.
template <Floating T>
T logit(T x, T eps) {
  const T z = select(eps < T(0), x, clamp(x, eps, T(1) - eps));
  return log(z / (T(1) - z));
}

template <Floating T>
T smooth_l1(T difference, T beta) {
  const T size = abs(difference);
  return select(size < beta, T(0.5) * size * size / beta, size - T(0.5) * beta);
}

template <Floating T>
T huber(T difference, T delta) {
  const T size = abs(difference);
  return select(size <= delta, T(0.5) * size * size, delta * (size - T(0.5) * delta));
}

// Logarithms are cut off at -100, so that a certain but wrong answer costs a finite amount.
template <Floating T>
T binary_cross_entropy(T x, T target) {
  const T log_x = maximum(log(x), T(-100));
  const T log_rest = maximum(log1p(-x), T(-100));
  return (target - T(1)) * log_rest - target * log_x;
}

template <Floating T>
T binary_cross_entropy_with_logits(T x, T target) {
  // At infinity (1 - target) * x and -x * target differ in which of them is no number.
  return select(x > T(0), (T(1) - target) * x, T(0) - x * target) + log1p(exp(T(0) - abs(x)));
}

template <Inexact T>
T sigmoid_backward(T grad, T result) {
  return grad * conj(result * (T(1) - result));
}

template <Inexact T>
T tanh_backward(T grad, T result) {
  return grad * conj(T(1) - result * result);
}

template <Floating T>
T silu_backward(T grad, T x) {
  const T s = sigmoid(x);
  return grad * s * (T(1) + x * (T(1) - s));
}

template <Floating T>
T mish_backward(T grad, T x) {
  const T e = exp(minimum(x, T(20)));
  const T n = e * (e + T(2));
  const T t = n / (n + T(2));
  return grad * (t + x * sigmoid(x) * (T(1) - t * t));
}

template <Real T>
T threshold_backward(T grad, T x, T limit) {
  return select(x <= limit, T(0), grad);
}

template <Floating T>
T leaky_relu_backward(T grad, T x, T negative_slope) {
  return select(x > T(0), grad, grad * negative_slope);
}

template <Floating T>
T hardtanh_backward(T grad, T x, T low, T high) {
  return select((x > low) & (x < high), grad, T(0));
}

template <Floating T>
T hardsigmoid_backward(T grad, T x) {
  return select((x > T(-3)) & (x < T(3)), grad / T(6), T(0));
}

template <Floating T>
T hardswish_backward(T grad, T x) {
  const T middle = grad * (x / T(3) + T(0.5));
  return select(x <= T(-3), T(0), select(x >= T(3), grad, middle));
}

template <Floating T>
T shrink_backward(T grad, T x, T lambda) {
  return select((x < -lambda) | (x > lambda), grad, T(0));
}

template <Floating T>
T softplus_backward(T grad, T x, T beta, T threshold) {
  const T scaled = x * beta;
  return select(scaled > threshold, grad, grad * sigmoid(scaled));
}

// In terms of the input.
template <Floating T>
T elu_backward(T grad, T x, T alpha, T scale, T input_scale) {
  const T below = grad * input_scale * alpha * scale * exp(x * input_scale);
  return select(x > T(0), grad * scale, below);
}

template <Floating T>
T log_sigmoid_backward(T grad, T x) {
  return grad * sigmoid(-x);
}

template <Floating T>
T gelu_backward(T grad, T x) {
  const T density = T(0.3989422804014327) * exp(T(-0.5) * x * x);
  return grad * (ndtr(x) + x * density);
}

template <Floating T>
T gelu_tanh_backward(T grad, T x) {
  const T square = x * x;
  const T t = tanh(T(0.7978845608028654) * x * (T(1) + T(0.044715) * square));
  const T slope = T(0.7978845608028654) * (T(1) + T(0.134145) * square);
  return grad * T(0.5) * ((T(1) + t) + x * (T(1) - t * t) * slope);
}

template <Floating T>
T smooth_l1_backward(T grad, T difference, T beta) {
  const T size = abs(difference);
  return grad * select(size >= beta, sign(difference), difference / beta);
}

template <Floating T>
T huber_backward(T grad, T difference, T delta) {
  const T size = abs(difference);
  return grad * select(size > delta, delta * sign(difference), difference);
}

template <Floating T>
T binary_cross_entropy_backward(T grad, T x, T target) {
  return grad * (x - target) / maximum((T(1) - x) * x, T(1e-12));
}

}  // namespace mlx::formulas

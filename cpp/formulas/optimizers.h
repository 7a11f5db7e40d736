#pragma once
// One step of an optimizer for one element: how a parameter and its state follow a gradient. A rule holds
// the numbers that are the same for all elements of a tensor; step() is instantiated as formulas are. State
// that a variant does not have is left out of `state`, so a kernel moves no more than the rule needs. N is
// the type of the numbers: where the steps become a kernel's text, symbols too.

#include <type_traits>

#include "formulas/arithmetic.h"

namespace mlx::formulas {

// The gradient that a rule follows: uphill when maximising, with the L2 penalty's part.
template <class T, class N>
T descent(T grad, T param, bool maximize, N weight_decay) {
  if (maximize) grad = T(0) - grad;
  if constexpr (std::is_arithmetic_v<N>)
    if (weight_decay == 0) return grad;
  return grad + T(weight_decay) * param;
}

// state: the momentum buffer.
template <bool kMomentum, class N = double>
struct SgdRule {
  static constexpr int kStates = kMomentum;
  N lr, weight_decay, momentum, dampening;
  bool nesterov, maximize;

  template <class T>
  void step(T& param, T grad, [[maybe_unused]] T* state) const {
    grad = descent(grad, param, maximize, weight_decay);
    if constexpr (kMomentum) {
      state[0] = state[0] * T(momentum) + grad * T(1 - dampening);
      grad = nesterov ? grad + state[0] * T(momentum) : state[0];
    }
    param = param - T(lr) * grad;
  }
};

// state: the running means of the gradient and of its square, and the largest of the latter so far.
template <bool kLargest, class N = double>
struct AdamRule {
  static constexpr int kStates = 2 + kLargest;
  N beta1, beta2, weight_decay;
  N shrink;  // of the parameter itself: decoupled weight decay
  // The corrections of the means' bias are numbers, so they go into these two: no division of their own.
  N step_size, eps;
  bool maximize;

  template <class T>
  void step(T& param, T grad, T* state) const {
    grad = descent(grad, param, maximize, weight_decay);
    state[0] = state[0] + (grad - state[0]) * T(1 - beta1);
    state[1] = state[1] * T(beta2) + grad * grad * T(1 - beta2);
    T square = state[1];
    if constexpr (kLargest) square = state[2] = maximum(state[2], square);
    param = param * T(shrink) - T(step_size) * (state[0] / (sqrt(square) + T(eps)));
  }
};

// state: the running mean of the gradient's square, the momentum buffer, the running mean of the gradient.
template <bool kMomentum, bool kCentered, class N = double>
struct RMSpropRule {
  static constexpr int kStates = 1 + kMomentum + kCentered;
  N lr, alpha, eps, weight_decay, momentum;
  bool maximize;

  template <class T>
  void step(T& param, T grad, T* state) const {
    grad = descent(grad, param, maximize, weight_decay);
    state[0] = state[0] * T(alpha) + grad * grad * T(1 - alpha);
    T square = state[0];
    if constexpr (kCentered) {
      T& mean = state[1 + kMomentum];
      mean = mean + (grad - mean) * T(1 - alpha);
      square = square - mean * mean;
    }
    T scaled = grad / (sqrt(square) + T(eps));
    if constexpr (kMomentum) scaled = state[1] = state[1] * T(momentum) + scaled;
    param = param - T(lr) * scaled;
  }
};

// state: the sum of the gradient's squares.
template <class N = double>
struct AdagradRule {
  static constexpr int kStates = 1;
  N lr, eps, weight_decay;
  bool maximize;

  template <class T>
  void step(T& param, T grad, T* state) const {
    grad = descent(grad, param, maximize, weight_decay);
    state[0] = state[0] + grad * grad;
    param = param - T(lr) * (grad / (sqrt(state[0]) + T(eps)));
  }
};

}  // namespace mlx::formulas

#pragma once
// One element of a cell of a recurrent layer, and its derivative.

#include "formulas/activation.h"
#include "formulas/trigonometric.h"

namespace mlx::formulas {

// Long short-term memory (Hochreiter and Schmidhuber, 1997; with forget gates, Gers et al., 2000).
template <class T>
struct LstmElement {
  T input, forget, candidate, output;  // the gates, before or after their activations

  void activate() {
    input = sigmoid(input);
    forget = sigmoid(forget);
    candidate = tanh(candidate);
    output = sigmoid(output);
  }
  // The new cell; the hidden state is then output * tanh(cell).
  T cell(T before) const { return forget * before + input * candidate; }

  // From activated gates and the gradients of the hidden state and of the cell: those of the gates before
  // their activations; `d_cell` becomes the gradient of the cell before.
  LstmElement gradient(T d_hidden, T& d_cell, T cell, T before) const {
    const T squashed = tanh(cell);
    d_cell = d_cell + d_hidden * output * (T(1) - squashed * squashed);
    LstmElement d;
    d.input = d_cell * candidate * input * (T(1) - input);
    d.forget = d_cell * before * forget * (T(1) - forget);
    d.candidate = d_cell * input * (T(1) - candidate * candidate);
    d.output = d_hidden * squashed * output * (T(1) - output);
    d_cell = d_cell * forget;
    return d;
  }
};

}  // namespace mlx::formulas

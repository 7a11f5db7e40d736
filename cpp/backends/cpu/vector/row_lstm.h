#pragma once
// The cells of one sample of an LSTM at one step. Rows of gates hold the four gates one after the other.

#include "backends/cpu/row_kernels.h"
#include "backends/cpu/vector/vec_math.h"
#include "formulas/recurrent.h"

namespace mlx::cpu::MLX_ISA {

template <class T>
MLX_INLINE formulas::LstmElement<Vec<T>> load_gates(const T* gates, int64_t n, int64_t i, int64_t count) {
  using V = Vec<T>;
  return {load_up_to<V>(gates + i, count), load_up_to<V>(gates + n + i, count),
          load_up_to<V>(gates + 2 * n + i, count), load_up_to<V>(gates + 3 * n + i, count)};
}

template <class T>
MLX_INLINE void store_gates(const formulas::LstmElement<Vec<T>>& e, T* gates, int64_t n, int64_t i,
                            int64_t count) {
  store_head(e.input, gates + i, count);
  store_head(e.forget, gates + n + i, count);
  store_head(e.candidate, gates + 2 * n + i, count);
  store_head(e.output, gates + 3 * n + i, count);
}

// step(i, count) for each register of a row, the last of which may be part of one. Whole registers get a
// count that the compiler knows, so that they are stored by one instruction.
template <class T, class Step>
MLX_INLINE void for_registers(int64_t n, Step step) {
  constexpr int64_t lanes = Vec<T>::kLanes;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) step(i, std::integral_constant<int64_t, lanes>{});
  if (i < n) step(i, n - i);
}

template <class T>
void lstm_row(const void* from_input, const void* from_hidden, const void* cell_before, void* gates,
              void* cell, void* hidden, int64_t n) {
  using V = Vec<T>;
  for_registers<T>(n, [&](int64_t i, auto count) {
    auto e = load_gates<T>(static_cast<const T*>(from_input), n, i, count);
    const auto h = load_gates<T>(static_cast<const T*>(from_hidden), n, i, count);
    e = {e.input + h.input, e.forget + h.forget, e.candidate + h.candidate, e.output + h.output};
    e.activate();
    store_gates<T>(e, static_cast<T*>(gates), n, i, count);
    const V c = e.cell(load_up_to<V>(static_cast<const T*>(cell_before) + i, count));
    store_head(c, static_cast<T*>(cell) + i, count);
    store_head(e.output * tanh(c), static_cast<T*>(hidden) + i, count);
  });
}

template <class T>
void lstm_gradient_row(const LstmGradientRow& row, int64_t n) {
  using V = Vec<T>;
  for_registers<T>(n, [&](int64_t i, auto count) {
    const auto load = [&](const void* from) {
      return from ? load_up_to<V>(static_cast<const T*>(from) + i, count) : V(0);
    };
    const auto e = load_gates<T>(static_cast<const T*>(row.gates), n, i, count);
    V d_cell = load(row.d_cell) + load(row.d_cell_result);
    const auto d = e.gradient(load(row.d_hidden) + load(row.d_hidden_result), d_cell, load(row.cell),
                              load(row.cell_before));
    store_gates<T>(d, static_cast<T*>(row.d_gates), n, i, count);
    store_head(d_cell, static_cast<T*>(row.d_cell) + i, count);
  });
}

}  // namespace mlx::cpu::MLX_ISA

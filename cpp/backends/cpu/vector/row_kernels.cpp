#include "backends/cpu/vector/column_softmax.h"
#include "backends/cpu/vector/row_correlate.h"
#include "backends/cpu/vector/row_lstm.h"
#include "backends/cpu/vector/row_move.h"
#include "backends/cpu/vector/row_norm.h"
#include "backends/cpu/vector/row_winograd.h"

namespace mlx::cpu::MLX_ISA {

template <class T>
constexpr SoftmaxEntry softmax_entry() {
  return {&softmax_row<T>,   &softmax_row_backward<T>, &softmax_columns<T>, &softmax_columns_backward<T>,
          &row_logsumexp<T>, &scaled_exp_row<T>};
}

template <class T>
constexpr NormEntry norm_entry() {
  return {&sum_row<T>,      &squared_deviation_row<T>, &affine_row<T>,          &gradient_sums_row<T>,
          &gradient_row<T>, &scale_shift_row<T>,       &scaled_gradient_row<T>, &parameter_gradients_row<T>};
}

extern constexpr RowKernels row_kernels = {
    {fold_uint8, fold_int32, fold_int64, fold_float32, fold_float64, fold_complex64, fold_complex128},
    {softmax_entry<float>(), softmax_entry<double>()},
    {norm_entry<float>(), norm_entry<double>()},
    {{&lstm_row<float>, &lstm_gradient_row<float>}, {&lstm_row<double>, &lstm_gradient_row<double>}},
    correlate_entry,
    winograd_entry,
    {&move_row<uint8_t>, &move_row<uint16_t>, &move_row<uint32_t>, &move_row<uint64_t>}};

}  // namespace mlx::cpu::MLX_ISA

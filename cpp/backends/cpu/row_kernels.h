#pragma once
// The table of kernels over rows and columns of numbers (folds, softmax, normalisations, cells of an LSTM)
// that are compiled once per instruction set, beside the pointwise ones of vector_kernels.h.

#include <bit>
#include <cstdint>

#include "backends/cpu/vector_kernels.h"
#include "backends/kernels.h"

namespace mlx::cpu {

// Totals are kept in a wider type: double for float, complex128 for complex64, else the type itself.
struct FoldEntry {
  // *total = *total (+) x[0] (+) ... (+) x[n - 1]; `mean` is read by SquaredDeviation.
  void (*row)(const void* x, int64_t n, const double* mean, void* total) = nullptr;
  // The same for `columns` columns at once: rows lie `stride` elements apart.
  void (*columns)(const void* x, int64_t rows, int64_t columns, int64_t stride, const double* mean,
                  void* totals) = nullptr;
  // Of Max and Min: the first place of the number `value` (of NaN, the first NaN) in x; n where it is not.
  int64_t (*find)(const void* x, int64_t n, const void* value) = nullptr;
};

inline constexpr int kFoldKinds = 5;           // Sum, Prod, Max, Min, SquaredDeviation
inline constexpr int64_t kFoldColumns = 4096;  // the most columns that a call may name

// What a row of logits is turned into.
struct SoftmaxEntry {
  // out = softmax(x) or, with `log`, its logarithm. `out` may be `x`.
  void (*forward)(const void* x, void* out, int64_t n, bool log);
  // The gradient of the logits from that of the result and the result itself.
  void (*backward)(const void* grad, const void* out, void* result, int64_t n, bool log);
  // The same down `columns` columns of n rows, `stride` elements from row to row.
  void (*forward_columns)(const void* x, void* out, int64_t n, int64_t stride, int64_t columns, bool log);
  void (*backward_columns)(const void* grad, const void* out, void* result, int64_t n, int64_t stride,
                           int64_t columns, bool log);
  // log(sum(exp(x))).
  double (*logsumexp)(const void* x, int64_t n);
  // out = scale * exp(x - shift).
  void (*scaled_exp)(const void* x, void* out, int64_t n, double shift, double scale);
};

// Sums over a row that normalisations need, in double.
struct RowSums {
  double first, second;
};

struct NormEntry {
  // Sum of x; sum of (x - mean)^2.
  double (*sum)(const void* x, int64_t n);
  double (*squared_deviation)(const void* x, int64_t n, double mean);
  // out = (x - mean) * rstd * weight + bias, element by element; weight and bias may be null.
  void (*affine_row)(const void* x, void* out, int64_t n, double mean, double rstd, const void* weight,
                     const void* bias);
  // Sums of g * weight and of g * weight * (x - mean) * rstd; weight may be null.
  RowSums (*gradient_sums)(const void* grad, const void* x, int64_t n, double mean, double rstd,
                           const void* weight);
  // out = rstd * (g * weight - a - (x - mean) * rstd * b); weight may be null.
  void (*gradient_row)(const void* grad, const void* x, void* out, int64_t n, double mean, double rstd,
                       const void* weight, double a, double b);
  // out = (x - mean) * scale + shift.
  void (*scale_shift)(const void* x, void* out, int64_t n, double mean, double scale, double shift);
  // out = scale * (g - a - (x - mean) * rstd * b).
  void (*scaled_gradient)(const void* grad, const void* x, void* out, int64_t n, double mean, double rstd,
                          double scale, double a, double b);
  // d_weight += g * (x - mean) * rstd; d_bias += g; both of n elements of the row's type.
  void (*add_parameter_gradients)(const void* grad, const void* x, int64_t n, double mean, double rstd,
                                  void* d_weight, void* d_bias);
};

// The rows of one sample for the gradient of an LSTM's step. The gradients of the results may be null; d_cell
// is that of the cell after the step, and becomes that of the cell before.
struct LstmGradientRow {
  const void *d_hidden, *d_hidden_result, *d_cell_result, *gates, *cell, *cell_before;
  void *d_gates, *d_cell;
};

struct LstmEntry {
  // The gates' two summands and the cell before, to activated gates, the cell and the hidden state.
  void (*forward)(const void* from_input, const void* from_hidden, const void* cell_before, void* gates,
                  void* cell, void* hidden, int64_t n);
  void (*backward)(const LstmGradientRow& row, int64_t n);
};

// The transforms of Winograd's convolution (winograd.h) to and from 16 planes `plane_stride` elements apart,
// in which a lane is a tile of results or a kernel. Whole registers of planes are written.
struct WinogradEntry {
  // The patch of 4 x 4 elements, or tile of 2 x 2, number t < tiles begins at column begin + 2 t of the rows.
  // What lies outside of columns [0, width), or in a row that is null, is zero.
  void (*patches)(const float* const* rows, int64_t begin, int64_t width, int64_t tiles, float* planes,
                  int64_t plane_stride);
  void (*tiles)(const float* const* rows, int64_t begin, int64_t width, int64_t tiles, float* planes,
                int64_t plane_stride);
  // n kernels, whose 9 taps lie `stride` elements apart.
  void (*kernels)(const float* kernels, int64_t stride, float* planes, int64_t plane_stride, int64_t n);
  // The planes of tiles to `columns` results in each of two rows, of which the second may be null.
  void (*results)(const float* planes, int64_t plane_stride, int64_t tiles, float* const* rows,
                  int64_t columns);
  // The planes of the gradients of n kernels to those of their taps.
  void (*gradients)(const float* planes, int64_t plane_stride, float* gradients, int64_t stride, int64_t n);
  // The bits of the greatest |x|; more than infinity's if there is a NaN.
  uint32_t (*largest)(const float* x, int64_t n);
};

// Of a convolution of one channel (depthwise.cpp).
struct CorrelateEntry {
  // out[j] = sum over t < taps of weights[t] * x[places[t] + j].
  void (*row)(const float* x, const int64_t* places, const float* weights, int64_t taps, float* out,
              int64_t n);
  // x[places[t] + j] += weights[t] * grad[j] for every t < taps.
  void (*scatter)(const float* grad, const int64_t* places, const float* weights, int64_t taps, float* x,
                  int64_t n);
  // The sum over rows of x[j] * grad[j].
  double (*dot)(const float* x, int64_t x_stride, const float* grad, int64_t grad_stride, int64_t rows,
                int64_t n);
};

struct RowKernels {
  const FoldEntry* folds[kComputeTypeCount];
  SoftmaxEntry softmax[2];  // float, double
  NormEntry norm[2];        // float, double
  LstmEntry lstm[2];        // float, double
  CorrelateEntry correlate;
  WinogradEntry winograd;
  // Elements of 1, 2, 4 or 8 bytes that lie `step` elements apart, to where they lie side by side.
  void (*moves[4])(const void* from, int64_t step, void* to, int64_t n);

  template <class Item>
  void move(const Item* from, int64_t step, Item* to, int64_t n) const {
    constexpr int64_t kFew = 16;  // that are not worth a call
    if constexpr (sizeof(Item) <= sizeof(uint64_t))
      if (n >= kFew) return moves[std::countr_zero(sizeof(Item))](from, step, to, n);
    for (int64_t i = 0; i < n; ++i) to[i] = from[i * step];
  }
  const FoldEntry& fold(Reduction kind, ComputeType type) const {
    return folds[static_cast<int>(type)][static_cast<int>(kind)];
  }
};

// The table for the instruction set that vector_kernels() chose.
const RowKernels& row_kernels();

}  // namespace mlx::cpu

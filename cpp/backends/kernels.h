#pragma once
// The kernels that ops launch: one small struct each, holding the parameters. Outputs and
// inputs are listed beside it. A kernel accepts any strides unless it says otherwise; outputs
// are already of the right shape and dtype. A kernel that reads what its outputs held before says so by
// `updates()`; all others overwrite every element of them.

#include <memory>

#include "base/scalar.h"
#include "formulas/formula.h"

namespace mlx {

inline constexpr int kMaxParams = 4;

// out = formula(in..., params...), element by element. Inputs broadcast to out's shape and are
// converted to the compute type `compute`; the result is converted to out's dtype.
struct Pointwise {
  static constexpr const char* name = "pointwise";
  Formula formula;
  DType compute;
  Result result;
  uint8_t param_count;
  Scalar params[kMaxParams];
};

// Raises an error with this message if the input, one bool, is true. Writes nothing.
struct Check {
  static constexpr const char* name = "check";
  enum Error : uint8_t { Index, Runtime, Value } error;
  const char* message;
};

// Whatever a function of the host language does. `keep` lets a program hold on to the context.
struct Launch;
struct HostCall {
  static constexpr const char* name = "host_call";
  void (*run)(void* context, const Launch& launch);
  std::shared_ptr<void> (*keep)(void* context);
  void* context;
};

// out = in, converted to out's dtype and broadcast to its shape.
struct Copy {
  static constexpr const char* name = "copy";
};

// The same where out and in lie on different devices.
struct Transfer {
  static constexpr const char* name = "transfer";
};

// out = value in every element (one element of out's dtype, as bits).
struct Fill {
  static constexpr const char* name = "fill";
  unsigned char bits[16];
};

// out[i] = start + i * step.
struct Sequence {
  static constexpr const char* name = "sequence";
  Scalar start, step;
};

enum class Reduction : uint8_t { Sum, Prod, Max, Min, SquaredDeviation, Any, All };

// out = in reduced over the dimensions in which out has size 1 (and in has not), then divided by `divisor`,
// then its square root if asked. Elements are converted to the compute type `compute` (ignored by Any and
// All, which write 0 and 1); totals of floats are kept in double. Max and Min pass NaN on. SquaredDeviation
// sums (in - mean) ** 2, where the second input, of out's shape and of the device's widest float, is the mean
// (missing: zero).
struct Reduce {
  static constexpr const char* name = "reduce";
  Reduction kind;
  DType compute;
  double divisor = 1;
  bool root = false;
};

// (values, indices): the largest (or smallest) element over the one dimension in which out has size 1, and
// the first place it is at. NaN counts as larger and as smaller than everything.
struct ArgReduce {
  static constexpr const char* name = "arg_reduce";
  bool largest;
};

// out[r, k] = in[r, index[r, k]] for matrices without gaps; int64 indices, known to be in range.
struct TakeAlong {
  static constexpr const char* name = "take_along";
};

// out[r, index[r, k]] += in[r, k] for matrices without gaps; int64 indices, known to be in range.
struct AddAlong {
  static constexpr const char* name = "add_along";
  bool updates() const { return true; }
};

// out[r] = log(sum(exp(in[r, :]))), float32 or float64 matrix without gaps.
struct LogSumExp {
  static constexpr const char* name = "logsumexp";
};

// (sums, losses): logsumexp of each row of float32 logits, and that minus the logit of the row's label; a
// negative label is ignored (loss 0).
struct CrossEntropy {
  static constexpr const char* name = "cross_entropy";
};
// out[r, :] = scale[r] * (softmax(logits[r]) - onehot(label[r])) from (logits, labels, sums, scale).
struct CrossEntropyGradient {
  static constexpr const char* name = "cross_entropy_gradient";
};

// (out, mean, rstd) of (x, weight?, bias?): rows of a float32 or float64 matrix normalised; uncentred ones
// are divided by their root mean square only.
struct LayerNorm {
  static constexpr const char* name = "layer_norm";
  double eps;
  bool centred;
};
// (dx, d weight, d bias) of (gradient, x, mean, rstd, weight?).
struct LayerNormGradient {
  static constexpr const char* name = "layer_norm_gradient";
  bool centred;
};

// For x of shape (batch, channels, inner), float32 or float64, without gaps.
// (mean, variance without correction) of each channel.
struct ChannelStatistics {
  static constexpr const char* name = "channel_statistics";
};
// out = (x - mean) * rstd * weight + bias of (x, mean, rstd, weight?, bias?).
struct ChannelAffine {
  static constexpr const char* name = "channel_affine";
};
// (dx, d weight, d bias) of (gradient, x, mean, rstd, weight?); in training mean and rstd are x's own.
struct ChannelGradient {
  static constexpr const char* name = "channel_gradient";
  bool training;
};

// Ordering kernels work on the rows of a matrix without gaps, of any real dtype or bool; NaN counts as the
// largest. (values, indices): the rows in order; equal elements keep theirs.
struct Sort {
  static constexpr const char* name = "sort";
  bool descending;
};
// (values, indices) of shape (rows, k): the k largest or smallest in order.
struct TopK {
  static constexpr const char* name = "topk";
  bool largest;
};
// (values, indices) of shape (rows): the element that would be k-th (from 0) in the sorted row; the median,
// the lower one of two, NaN if there is one; or the median of what is not NaN.
enum class Selection : uint8_t { Kth, Median, NanMedian };
struct Select {
  static constexpr const char* name = "select";
  Selection kind;
  int64_t k;
};
// (values, indices) of shape (rows): the most frequent element, the smallest of several, and its last place.
struct Mode {
  static constexpr const char* name = "mode";
};
// out[r, i] = how many of the sorted boundaries[r] are below values[r, i] (or not above it, if right). One
// row of boundaries may serve all.
struct SearchSorted {
  static constexpr const char* name = "searchsorted";
  bool right;
};
// out[i] = how many (or the sum of the weights of those that) are i, of int64 numbers in range.
struct Bincount {
  static constexpr const char* name = "bincount";
};
// out = the places of the rows of a matrix in lexicographic order; equal rows keep theirs.
struct RowOrder {
  static constexpr const char* name = "row_order";
};

enum class Scanning : uint8_t { Sum, Prod, Max, Min, LogSumExp };

// Running totals over the middle dimension of a tensor (outer, n, inner) without gaps, of a compute type;
// outputs have the same shape. Max and Min have a second output, the int64 place of the last extreme so far.
struct Scan {
  static constexpr const char* name = "scan";
  Scanning kind;
  bool reverse;
};

// Over the rows of a matrix without gaps, float32 or float64 (on the CPU also the half types): softmax or its
// logarithm. The CPU's takes (outer, n, inner) of float32 or float64 too, and goes down its columns.
struct Softmax {
  static constexpr const char* name = "softmax";
  bool log;
};
// The gradient of the logits from (gradient of the result, result).
struct SoftmaxGradient {
  static constexpr const char* name = "softmax_gradient";
  bool log;
};

// ---- linear algebra on stacks of matrices of float32, float64 and their complex types, by LAPACK, which
// stores matrices by columns: the matrices named below are given and returned transposed, without gaps where
// they are outputs. `info` (int32, one a matrix) is 0, or the number (from 1) of the pivot, minor or
// iteration that failed.

// What a kernel raises (LinAlgError) about the first info that is not 0: "op: before 3 after", or without a
// number when there is no `after`. Without an op it raises nothing, and info alone tells.
struct Verdict {
  const char* op = nullptr;
  const char* before = nullptr;
  const char* after = nullptr;
};

// (lu, pivots, info) of a: P L U, with the rows that were exchanged as int32 from 1.
struct LuFactor {
  static constexpr const char* name = "lu_factor";
  Verdict verdict = {};
};
// out = op(A)^-1 b of (lu, pivots, b), where op transposes and conjugates as asked.
struct LuSolve {
  static constexpr const char* name = "lu_solve";
  bool transpose, conjugate;
};
// (factor, info) of a, of which one triangle is read: L L^H, or U^H U when `upper`. The other triangle is
// left as it is.
struct CholeskyFactor {
  static constexpr const char* name = "cholesky_factor";
  bool upper;
  Verdict verdict = {};
};
// out = A^-1 b, or b A^-1 when not `left`, of (a, b) with a triangular; `unit`: with ones on its diagonal.
struct TriangularSolve {
  static constexpr const char* name = "triangular_solve";
  bool upper, left, unit;
};
// (qr, tau) of a: R in the upper triangle, Householder vectors below, their factors.
struct QrFactor {
  static constexpr const char* name = "qr_factor";
};
// out = the first columns of the product of the reflectors (a, tau); out has a's shape.
struct HouseholderProduct {
  static constexpr const char* name = "householder_product";
};
// out = op(Q) c, or c op(Q) when not `left`, of (a, tau, c), where op takes the adjoint if asked.
struct HouseholderMultiply {
  static constexpr const char* name = "householder_multiply";
  bool left, adjoint;
};
// (u, s, vh, info) of a, with s real. Without `vectors`, u and vh are empty; otherwise their shapes say
// whether all vectors are wanted or the first min(m, n).
struct Svd {
  static constexpr const char* name = "svd";
  bool vectors;
  Verdict verdict = {};
};
// (values, vectors, info) of a Hermitian a, of which one triangle is read; values are real and ascend.
struct EigenHermitian {
  static constexpr const char* name = "eigen_hermitian";
  bool upper, vectors;
  Verdict verdict = {};
};
// (values, vectors, info) of a, complex both. Without `vectors`, these are empty.
struct Eigen {
  static constexpr const char* name = "eigen";
  bool vectors;
  Verdict verdict = {};
};
// (ld, pivots, info) of the lower triangle of a symmetric (or Hermitian) a: L D L^T, by Bunch and Kaufman.
struct LdlFactor {
  static constexpr const char* name = "ldl_factor";
  bool hermitian;
  Verdict verdict = {};
};
// out = A^-1 b of (ld, pivots, b).
struct LdlSolve {
  static constexpr const char* name = "ldl_solve";
  bool hermitian;
};

// out = a @ b for matrices (m, k) and (k, n), or for stacks of them with equal leading dimensions. A third
// input, which broadcasts to out's shape, is added to the sums before they are rounded.
struct MatMul {
  static constexpr const char* name = "matmul";
};

// ---- attention: stacks of matrices (length, features) of equal shape, float32 or float64. Features lie side
// by side, whatever the other strides; outputs have no gaps.

// out = softmax(query @ key^T * scale + mask) @ value of (query, key, value, mask). The mask may be missing;
// it is a stack of (queries, keys) of the same type whose keys lie side by side. When `causal`, query i sees
// keys up to i. A query that sees no key, its mask being -infinity throughout, gets zeros.
struct Attention {
  static constexpr const char* name = "attention";
  double scale;
  bool causal;
};
// (d query, d key, d value) of (gradient of out, query, key, value, mask).
struct AttentionGradient {
  static constexpr const char* name = "attention_gradient";
  double scale;
  bool causal;
};

// ---- convolutions and pooling

// The geometry of a convolution or pooling over three dimensions (fewer are padded with ones in front).
struct Window {
  int64_t kernel[3], stride[3], padding[3], dilation[3];
};

// Convolutions of x (batch, channels, D, H, W) with w (out channels, channels / groups, kernel). All
// three are contiguous. Forward: out = y from (x, w). InputGrad: out = the gradient of x from
// (the gradient of y, w). WeightGrad: out = the gradient of w from (x, the gradient of y). A third input
// of the first two is a bias, a number for each channel of out, added to the sums before they are rounded.
struct Convolution {
  static constexpr const char* name = "convolution";
  enum Kind : uint8_t { Forward, InputGrad, WeightGrad } kind;
  Window window;
  int64_t groups;
};

// Pooling of contiguous x (batch * channels, D, H, W). Outputs: the maxima, and their places in the
// input's D * H * W as int64.
struct MaxPool {
  static constexpr const char* name = "max_pool";
  Window window;
};

// The mean of each window: out from x; with `backward`, the gradient of x (out) from that of the
// result. `divisor` 0: the number of elements, with or without those of the padding.
struct AvgPool {
  static constexpr const char* name = "avg_pool";
  Window window;
  bool backward;
  bool count_include_pad;
  int64_t divisor;
};

// The mean of each of out's cells, of nearly equal size, as AvgPool otherwise.
struct AdaptiveAvgPool {
  static constexpr const char* name = "adaptive_avg_pool";
  bool backward;
};

// The maximum of each cell and its place, as MaxPool.
struct AdaptiveMaxPool {
  static constexpr const char* name = "adaptive_max_pool";
};

// ---- elements by index (ops/indexing.cpp). Index values are checked: IndexError names the op, `dim` and
// `size`.

// How a written element joins the one that is there. Max and Min pass NaN on.
enum class Update : uint8_t { Set, Add, Mul, Max, Min };

// offsets += stride * index, where negative indices count from the end of the dimension: where the rows lie
// that index tensors name, in elements. `offsets` is int64 and contiguous; the index broadcasts to it.
struct IndexOffsets {
  static constexpr const char* name = "index_offsets";
  bool updates() const { return true; }
  const char* op;
  int64_t dim, size, stride;
};

// out[b, n, a] = in[b, a] moved by offsets[n] elements. `b` are out's first `before` dimensions, `n` is one
// dimension, `a` are the others; in has the dimensions b and a. Inputs: in, offsets.
struct GatherRows {
  static constexpr const char* name = "gather_rows";
  int before;
};

// out[b, a] moved by offsets[n] elements joins values[b, n, a], in the order of n. Inputs: offsets, values
// (of out's dtype).
struct ScatterRows {
  static constexpr const char* name = "scatter_rows";
  bool updates() const { return true; }
  int before;
  Update update;
};

// out[.., i, ..] = in[.., index[.., i, ..], ..] along `dim`. The index is int64, of out's shape.
struct Gather {
  static constexpr const char* name = "gather";
  const char* op;
  int64_t dim;
};

// out[.., index[.., i, ..], ..] along `dim` joins source[.., i, ..], in the order of i. Inputs: index
// (int64), source (of the index's shape, of out's dtype).
struct Scatter {
  static constexpr const char* name = "scatter";
  bool updates() const { return true; }
  const char* op;
  int64_t dim;
  Update update;
};

// counts[c] = how many of in's elements c * piece ... (c + 1) * piece - 1, in row-major order, are nonzero.
struct CountNonzero {
  static constexpr const char* name = "count_nonzero_pieces";
  int64_t piece;
};

// The coordinates of in's nonzero elements, a row each: out is (count, ndim), int64. Inputs: in, and the
// counts of CountNonzero with the same `piece`.
struct Nonzero {
  static constexpr const char* name = "nonzero";
  int64_t piece;
};

// out = in where column - row <= diagonal (the lower triangle; `upper`: >=) of the last two dimensions, else
// zero.
struct Triangle {
  static constexpr const char* name = "triangle";
  int64_t diagonal;
  bool upper;
};

// out[i] = start + i * (end - start) / (steps - 1), or `base` to that power when `powers`. One-dimensional.
struct Spaced {
  static constexpr const char* name = "spaced";
  Scalar start, end;
  double base;
  bool powers;
};

// ---- random numbers: functions of the seed, the position of the first block and the element's number. The
// two are the first members, so that a compiled program can draw fresh numbers at each run.

enum class Distribution : uint8_t {
  Uniform,      // [a, b)
  Normal,       // mean a, standard deviation b
  LogNormal,    // e to a normal number
  Exponential,  // rate a
  Cauchy,       // median a, scale b
  Geometric,    // tries until a success of probability a, from 1
  Bernoulli,    // 1 with probability a
  Integer,      // from `low` on, `range` of them (0: 2^64)
};

struct Random {
  static constexpr const char* name = "random";
  uint64_t seed, position;
  Distribution distribution;
  double a, b;
  int64_t low;
  uint64_t range;
};

// out = 1 with probability in, else 0.
struct RandomBernoulli {
  static constexpr const char* name = "random_bernoulli";
  uint64_t seed, position;
};

// out = in / (1 - p) with probability 1 - p, else 0. out has in's shape and dtype.
struct RandomDropout {
  static constexpr const char* name = "random_dropout";
  uint64_t seed, position;
  double p;
};

// out = 0 ... n - 1 in random order; one-dimensional.
struct RandomPermutation {
  static constexpr const char* name = "random_permutation";
  uint64_t seed, position;
};

// out[r] = numbers of columns drawn with probabilities in proportion to in[r]: in is (rows, columns), of the
// device's widest float, out (rows, draws), int64; both contiguous.
struct RandomChoice {
  static constexpr const char* name = "random_choice";
  uint64_t seed, position;
  bool replacement;
};

// out = a Poisson number of mean in, or a binomial one of in(0) tries of probability in(1).
struct RandomCount {
  static constexpr const char* name = "random_count";
  uint64_t seed, position;
  bool binomial;
};

// One step of an LSTM, float32 or float64 without gaps: (gates, cell, hidden) of (the gates' part from the
// input, that from the hidden state before, the cell before). Gates are (batch, 4 * cells), activated in out.
struct LstmCell {
  static constexpr const char* name = "lstm_cell";
};
// (d gates before activation, d cell) of (d hidden from the next step, d hidden as a result?, d cell as a
// result?, gates, cell, cell before). The output d cell is read too: as the cell's after the step it comes,
// as that of the cell before it goes.
struct LstmCellGradient {
  static constexpr const char* name = "lstm_cell_gradient";
  bool updates() const { return true; }
};

// ---- optimizers (ops/optimizers.cpp): one step of all parameters of a group. Outputs are read and written:
// all the parameters, then of each state that is named here one tensor a parameter, in the same order. Inputs
// are the gradients, then the learning rate and the momentum (or beta1), where these are tensors: undefined,
// the struct's numbers count. `step`, a tensor of one element, is increased first, so the struct stays the
// same.

// States: the momentum buffer, if `momentum` is not 0.
struct SgdStep {
  static constexpr const char* name = "sgd_step";
  bool updates() const { return true; }
  double lr, weight_decay, momentum, dampening;
  bool nesterov, maximize;
};

// States: step, exp_avg, exp_avg_sq, and max_exp_avg_sq if `amsgrad`.
struct AdamStep {
  static constexpr const char* name = "adam_step";
  bool updates() const { return true; }
  double lr, beta1, beta2, weight_decay, eps;
  bool decoupled, amsgrad, maximize;
};

// States: step, square_avg, the momentum buffer if `momentum` is positive, and grad_avg if `centered`.
struct RMSpropStep {
  static constexpr const char* name = "rmsprop_step";
  bool updates() const { return true; }
  double lr, alpha, eps, weight_decay, momentum;
  bool centered, maximize;
};

// States: step, and the sum of squares.
struct AdagradStep {
  static constexpr const char* name = "adagrad_step";
  bool updates() const { return true; }
  double lr, lr_decay, weight_decay, eps;
  bool maximize;
};

}  // namespace mlx

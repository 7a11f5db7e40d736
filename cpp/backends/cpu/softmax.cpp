// Softmax and its gradient: a row at a time, or a few columns, so that all passes but the first read from
// cache.

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/scratch.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/vector_kernels.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 16384;

const SoftmaxEntry& entry(DType t) { return row_kernels().softmax[t == DType::Float64]; }

char* bytes(const Tensor& t) { return static_cast<char*>(t.raw()); }

// Calls body(begin, end) for ranges of the rows of `t`, on all threads.
template <class Body>
void for_row_ranges(const Tensor& t, Body&& body) {
  parallel_for(0, t.size(0), std::max<int64_t>(1, kGrain / std::max<int64_t>(t.size(1), 1)), body);
}

// Calls body(rows of the inputs, row of the output, length) for all rows; those of half types are widened,
// and the result, which takes the first one's place, is rounded.
template <size_t kInputs, class Body>
void for_wide_rows(const Tensor* const (&inputs)[kInputs], const Tensor& out, Body&& body) {
  const int64_t n = out.size(1), item = static_cast<int64_t>(out.item_size());
  const auto type = static_cast<size_t>(out.dtype());
  const bool is_half = is_reduced(out.dtype());
  const ConvertKernel widen = vector_kernels().widen[type], narrow = vector_kernels().narrow[type];
  for_row_ranges(out, [&](int64_t begin, int64_t end) {
    const Scratch<float> wide(is_half ? static_cast<int64_t>(kInputs) * n : 0);
    for (int64_t at = begin * n * item; at < end * n * item; at += n * item) {
      const void* rows[kInputs];
      for (size_t i = 0; i < kInputs; ++i) {
        rows[i] = bytes(*inputs[i]) + at;
        if (!is_half) continue;
        float* row = wide.data() + static_cast<int64_t>(i) * n;
        widen(rows[i], row, n);
        rows[i] = row;
      }
      body(rows, is_half ? wide.data() : static_cast<void*>(bytes(out) + at), n);
      if (is_half) narrow(wide.data(), bytes(out) + at, n);
    }
  });
}

// Calls body(offset of the first element, columns) for columns of (outer, n, inner), a block at a time.
template <class Body>
void for_column_blocks(const Tensor& t, Body&& body) {
  constexpr int64_t kColumns = 64;
  const int64_t n = t.size(1), inner = t.size(2), blocks = ceil_div(inner, kColumns);
  parallel_for(0, t.size(0) * blocks, std::max<int64_t>(1, kGrain / (n * kColumns)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t column = i % blocks * kColumns;
                   body(i / blocks * n * inner + column, std::min(kColumns, inner - column));
                 }
               });
}

void softmax_of_columns(const Softmax& k, const Tensor& in, const Tensor& out) {
  const int64_t n = out.size(1), inner = out.size(2), item = static_cast<int64_t>(out.item_size());
  const auto forward = entry(out.dtype()).forward_columns;
  for_column_blocks(out, [&](int64_t at, int64_t columns) {
    forward(bytes(in) + at * item, bytes(out) + at * item, n, inner, columns, k.log);
  });
}

void gradient_of_columns(const SoftmaxGradient& k, const Tensor& grad, const Tensor& result,
                         const Tensor& out) {
  const int64_t n = out.size(1), inner = out.size(2), item = static_cast<int64_t>(out.item_size());
  const auto backward = entry(out.dtype()).backward_columns;
  for_column_blocks(out, [&](int64_t at, int64_t columns) {
    backward(bytes(grad) + at * item, bytes(result) + at * item, bytes(out) + at * item, n, inner, columns,
             k.log);
  });
}

void softmax(const Softmax& k, const Launch& launch) {
  if (launch.out().dim() == 3) return softmax_of_columns(k, launch.in(0), launch.out());
  const auto forward = entry(launch.out().dtype()).forward;
  for_wide_rows({&launch.in(0)}, launch.out(),
                [&](const void* const* rows, void* out, int64_t n) { forward(rows[0], out, n, k.log); });
}

void softmax_gradient(const SoftmaxGradient& k, const Launch& launch) {
  if (launch.out().dim() == 3) return gradient_of_columns(k, launch.in(0), launch.in(1), launch.out());
  const auto backward = entry(launch.out().dtype()).backward;
  for_wide_rows(
      {&launch.in(0), &launch.in(1)}, launch.out(),
      [&](const void* const* rows, void* out, int64_t n) { backward(rows[0], rows[1], out, n, k.log); });
}

void logsumexp(const LogSumExp&, const Launch& launch) {
  const Tensor &in = launch.in(0), &out = launch.out();
  const int64_t n = in.size(1), row = n * static_cast<int64_t>(in.item_size());
  const auto run = entry(in.dtype()).logsumexp;
  for_row_ranges(in, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const double value = run(bytes(in) + r * row, n);
      if (in.dtype() == DType::Float64)
        out.data<double>()[r] = value;
      else
        out.data<float>()[r] = static_cast<float>(value);
    }
  });
}

// The loss of one row is logsumexp(x) - x[label]; that is all the gradient needs as well.
void cross_entropy(const CrossEntropy&, const Launch& launch) {
  const Tensor &in = launch.in(0), &labels = launch.in(1), &sums = launch.out(0), &losses = launch.out(1);
  const int64_t n = in.size(1);
  const auto run = entry(in.dtype()).logsumexp;
  for_row_ranges(in, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* x = in.data<float>() + r * n;
      const int64_t label = labels.data<int64_t>()[r];
      const double sum = run(x, n);
      sums.data<float>()[r] = static_cast<float>(sum);
      losses.data<float>()[r] = label < 0 ? 0 : static_cast<float>(sum - static_cast<double>(x[label]));
    }
  });
}

void cross_entropy_gradient(const CrossEntropyGradient&, const Launch& launch) {
  const Tensor &in = launch.in(0), &labels = launch.in(1), &sums = launch.in(2), &scales = launch.in(3),
               &out = launch.out();
  const int64_t n = in.size(1);
  const auto run = entry(in.dtype()).scaled_exp;
  for_row_ranges(in, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* y = out.data<float>() + r * n;
      const int64_t label = labels.data<int64_t>()[r];
      const float scale = scales.data<float>()[r];
      if (label < 0) {
        std::fill_n(y, n, 0.f);
        continue;
      }
      run(in.data<float>() + r * n, y, n, sums.data<float>()[r], scale);
      y[label] -= scale;
    }
  });
}

CPU_KERNEL(Softmax, softmax);
CPU_KERNEL(SoftmaxGradient, softmax_gradient);
CPU_KERNEL(LogSumExp, logsumexp);
CPU_KERNEL(CrossEntropy, cross_entropy);
CPU_KERNEL(CrossEntropyGradient, cross_entropy_gradient);

}  // namespace
}  // namespace mlx::cpu

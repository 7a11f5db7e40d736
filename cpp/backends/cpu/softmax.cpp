// Softmax and its gradient: a row at a time, so that all passes but the first read from cache.

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/thread_pool.h"

namespace mlx::cpu {
namespace {

constexpr int64_t kGrain = 16384;

const SoftmaxEntry& entry(DType t) { return row_kernels().softmax[t == DType::Float64]; }

template <class Body>
void for_rows(const Tensor& t, Body&& body) {
  const int64_t n = t.size(1), bytes = n * static_cast<int64_t>(t.item_size());
  parallel_for(0, t.size(0), std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; ++r) body(r * bytes, n);
               });
}

char* bytes(const Tensor& t) { return static_cast<char*>(t.raw()); }

void softmax(const Softmax& k, const Launch& launch) {
  const Tensor &in = launch.in(0), &out = launch.out();
  const auto forward = entry(in.dtype()).forward;
  for_rows(in, [&](int64_t at, int64_t n) { forward(bytes(in) + at, bytes(out) + at, n, k.log); });
}

void softmax_gradient(const SoftmaxGradient& k, const Launch& launch) {
  const Tensor &grad = launch.in(0), &result = launch.in(1), &out = launch.out();
  const auto backward = entry(grad.dtype()).backward;
  for_rows(grad, [&](int64_t at, int64_t n) {
    backward(bytes(grad) + at, bytes(result) + at, bytes(out) + at, n, k.log);
  });
}

void logsumexp(const LogSumExp&, const Launch& launch) {
  const Tensor &in = launch.in(0), &out = launch.out();
  const auto run = entry(in.dtype()).logsumexp;
  for_rows(in, [&](int64_t at, int64_t n) {
    const int64_t r = n ? at / (n * static_cast<int64_t>(in.item_size())) : 0;
    const double value = run(bytes(in) + at, n);
    if (in.dtype() == DType::Float64)
      out.data<double>()[r] = value;
    else
      out.data<float>()[r] = static_cast<float>(value);
  });
}

// The loss of one row is logsumexp(x) - x[label]; that is all the gradient needs as well.
void cross_entropy(const CrossEntropy&, const Launch& launch) {
  const Tensor &in = launch.in(0), &labels = launch.in(1), &sums = launch.out(0), &losses = launch.out(1);
  const int64_t n = in.size(1);
  const auto run = entry(in.dtype()).logsumexp;
  parallel_for(
      0, in.size(0), std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)), [&](int64_t begin, int64_t end) {
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
  parallel_for(0, in.size(0), std::max<int64_t>(1, kGrain / std::max<int64_t>(n, 1)),
               [&](int64_t begin, int64_t end) {
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

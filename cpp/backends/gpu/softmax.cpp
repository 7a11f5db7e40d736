// Softmax, its logarithm, and the losses made of them.

#include "backends/gpu/rows.h"

namespace mlx::gpu {
namespace {

const Kernel* row_kernel(Runtime& runtime, const char* function, bool log = false) {
  return kernel(runtime, "softmax", function, {{log ? "LOG" : "PLAIN", "1"}});
}

// Kernels find the rows' shape at place 4, so places before it that a kernel has no use for are filled.
void run_rows(Runtime& runtime, const Launch& launch, const Kernel* kernel, const Rows& rows, Argument a,
              Argument b, Argument c, Argument d) {
  run(runtime, launch, kernel, {a, b, c, d, bytes(rows)}, rows.groups(), {kRowThreads});
}

bool softmax(const Softmax& k, const Launch& launch, Runtime& runtime) {
  const Tensor &in = launch.in(0), &out = launch.out();
  if (!Rows::fit(in)) return false;
  run_rows(runtime, launch, row_kernel(runtime, "softmax", k.log), Rows(in), read(in), write(out), write(out),
           write(out));
  return true;
}

bool softmax_gradient(const SoftmaxGradient& k, const Launch& launch, Runtime& runtime) {
  const Tensor &grad = launch.in(0), &result = launch.in(1), &out = launch.out();
  if (!Rows::fit(grad)) return false;
  run_rows(runtime, launch, row_kernel(runtime, "softmax_gradient", k.log), Rows(grad), read(grad),
           read(result), write(out), write(out));
  return true;
}

bool logsumexp(const LogSumExp&, const Launch& launch, Runtime& runtime) {
  const Tensor &in = launch.in(0), &out = launch.out();
  if (!Rows::fit(in) || in.numel() == 0) return false;
  run_rows(runtime, launch, row_kernel(runtime, "logsumexp"), Rows(in), read(in), write(out), write(out),
           write(out));
  return true;
}

bool cross_entropy(const CrossEntropy&, const Launch& launch, Runtime& runtime) {
  const Tensor& logits = launch.in(0);
  if (!Rows::fit(logits)) return false;
  run_rows(runtime, launch, row_kernel(runtime, "cross_entropy"), Rows(logits), read(logits),
           read(launch.in(1)), write(launch.out(0)), write(launch.out(1)));
  return true;
}

bool cross_entropy_gradient(const CrossEntropyGradient&, const Launch& launch, Runtime& runtime) {
  const Tensor& logits = launch.in(0);
  if (!Rows::fit(logits)) return false;
  const Rows rows(logits);
  const uint32_t threads = power_of_two(rows.n, kRowThreads);
  run(runtime, launch, row_kernel(runtime, "cross_entropy_gradient"),
      {read(logits), read(launch.in(1)), read(launch.in(2)), read(launch.in(3)), write(launch.out()),
       bytes(rows)},
      {groups_of(rows.n, threads).x, rows.rows}, {threads});
  return true;
}

GPU_KERNEL(Softmax, softmax);
GPU_KERNEL(SoftmaxGradient, softmax_gradient);
GPU_KERNEL(LogSumExp, logsumexp);
GPU_KERNEL(CrossEntropy, cross_entropy);
GPU_KERNEL(CrossEntropyGradient, cross_entropy_gradient);

}  // namespace
}  // namespace mlx::gpu

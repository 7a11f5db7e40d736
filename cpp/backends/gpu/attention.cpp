// Attention and its gradient, without storing the scores.

#include "backends/gpu/gpu_backend.h"

namespace mlx::gpu {
namespace {

constexpr size_t kMaxStack = 6;
constexpr int64_t kMaxFeatures = 256;
constexpr uint32_t kRowsAtOnce = 4, kThreads = 32 * kRowsAtOnce;

// As in metal/attention.metal.
struct Matrix {
  int64_t row;
  int64_t stack[kMaxStack];
};
struct Layout {
  uint32_t queries, keys, features, value_features, causal, stack_dims;
  uint32_t stack[kMaxStack];
  float scale;
  Matrix query, key, value, gradient, mask;
};

Matrix matrix_of(const Tensor& t) {
  Matrix m{t.stride(-2), {}};
  for (int64_t d = 0; d < t.dim() - 2; ++d) m.stack[d] = t.stride(d);
  return m;
}

bool fits(const Tensor& query, const Tensor& value) {
  return query.dtype() == DType::Float32 && query.dim() <= static_cast<int64_t>(kMaxStack) + 2 &&
         query.size(-1) <= kMaxFeatures && value.size(-1) <= kMaxFeatures && query.size(-2) <= INT32_MAX &&
         value.size(-2) <= INT32_MAX;
}

Layout layout_of(const Tensor& query, const Tensor& key, const Tensor& value, double scale, bool causal) {
  auto u = [](int64_t v) { return static_cast<uint32_t>(v); };
  Layout l{u(query.size(-2)),
           u(key.size(-2)),
           u(query.size(-1)),
           u(value.size(-1)),
           causal,
           u(query.dim() - 2),
           {},
           static_cast<float>(scale),
           matrix_of(query),
           matrix_of(key),
           matrix_of(value),
           {},
           {}};
  for (int64_t d = 0; d < query.dim() - 2; ++d) l.stack[d] = u(query.size(d));
  return l;
}

// Groups for so many rows of every matrix of the stack.
Size groups_for(uint32_t rows, const Layout& l) {
  uint32_t stack = 1;
  for (uint32_t d = 0; d < l.stack_dims; ++d) stack *= l.stack[d];
  return {ceil_div(rows, kRowsAtOnce), stack};
}

// A kernel of the file, and its arguments with the mask, if there is one, behind them.
void run_with_mask(Runtime& runtime, const Launch& launch, const char* function, const Tensor* mask,
                   Layout& l, std::initializer_list<Argument> tensors, Size groups) {
  std::vector<Argument> arguments(tensors);
  if (mask) l.mask = matrix_of(*mask);
  arguments.push_back(bytes(l));
  if (mask) arguments.push_back(read(*mask));
  const Kernel* kernel = gpu::kernel(runtime, "attention", function, {{"MASKED", mask ? "1" : "0"}});
  runtime.run({kernel_name(launch.kernel), kernel, arguments, groups, {kThreads}});
}

const Tensor* mask_of(const Launch& launch, size_t at) {
  return launch.inputs.size() > at ? &launch.in(at) : nullptr;
}

bool attention(const Attention& k, const Launch& launch, Runtime& runtime) {
  const Tensor &query = launch.in(0), &key = launch.in(1), &value = launch.in(2);
  if (!fits(query, value)) return false;
  Layout l = layout_of(query, key, value, k.scale, k.causal);
  run_with_mask(runtime, launch, "attention", mask_of(launch, 3), l,
                {read(query), read(key), read(value), write(launch.out())}, groups_for(l.queries, l));
  return true;
}

bool attention_gradient(const AttentionGradient& k, const Launch& launch, Runtime& runtime) {
  const Tensor &gradient = launch.in(0), &query = launch.in(1), &key = launch.in(2), &value = launch.in(3);
  if (!fits(query, value)) return false;
  Layout l = layout_of(query, key, value, k.scale, k.causal);
  l.gradient = matrix_of(gradient);
  const Tensor sums = allocate({query.numel() / query.size(-1), 2}, DType::Float32, query.device());
  const Tensor* mask = mask_of(launch, 4);
  run_with_mask(runtime, launch, "attention_gradient_queries", mask, l,
                {read(query), read(key), read(value), read(gradient), write(launch.out(0)), write(sums)},
                groups_for(l.queries, l));
  run_with_mask(runtime, launch, "attention_gradient_keys", mask, l,
                {read(query), read(key), read(value), read(gradient), read(sums), write(launch.out(1)),
                 write(launch.out(2))},
                groups_for(l.keys, l));
  return true;
}

GPU_KERNEL(Attention, attention);
GPU_KERNEL(AttentionGradient, attention_gradient);

}  // namespace
}  // namespace mlx::gpu

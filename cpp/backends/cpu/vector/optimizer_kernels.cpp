// Steps of optimizers over contiguous arrays, in one pass.

#include "backends/cpu/optimizer_kernels.h"

#include "backends/cpu/vector/vec_basic.h"

namespace mlx::cpu::MLX_ISA {
namespace {

template <class Rule, class T>
void step_row(const void* rule_of_any_kind, void* const* tensors, int64_t n) {
  using V = Vec<T>;
  constexpr int states = Rule::kStates;
  const Rule rule = *static_cast<const Rule*>(rule_of_any_kind);
  T* param = static_cast<T*>(tensors[0]);
  const T* grad = static_cast<const T*>(tensors[1]);
  T* state[states + 1];
  for (int s = 0; s < states; ++s) state[s] = static_cast<T*>(tensors[2 + s]);

  const auto step = [&](int64_t i, int64_t count) {
    V p = load_up_to<V>(param + i, count), kept[states + 1];
    for (int s = 0; s < states; ++s) kept[s] = load_up_to<V>(state[s] + i, count);
    rule.step(p, load_up_to<V>(grad + i, count), kept);
    store_head(p, param + i, count);
    for (int s = 0; s < states; ++s) store_head(kept[s], state[s] + i, count);
  };
  int64_t i = 0;
  for (; i + V::kLanes <= n; i += V::kLanes) step(i, V::kLanes);
  if (i < n) step(i, n - i);
}

template <class Rule>
constexpr StepKernel kernel = {&step_row<Rule, float>, &step_row<Rule, double>};

}  // namespace

extern constexpr OptimizerKernels optimizer_kernels = {
    {kernel<formulas::SgdRule<false>>, kernel<formulas::SgdRule<true>>},
    {kernel<formulas::AdamRule<false>>, kernel<formulas::AdamRule<true>>},
    {{kernel<formulas::RMSpropRule<false, false>>, kernel<formulas::RMSpropRule<false, true>>},
     {kernel<formulas::RMSpropRule<true, false>>, kernel<formulas::RMSpropRule<true, true>>}},
    kernel<formulas::AdagradRule<>>};

}  // namespace mlx::cpu::MLX_ISA

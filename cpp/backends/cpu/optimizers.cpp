// Steps of optimizers: one pass over the memory of all parameters of a group, on all threads, however the
// elements are spread over the parameters.

#include <algorithm>
#include <cmath>
#include <vector>

#include "backends/cpu/cpu_backend.h"
#include "backends/cpu/optimizer_kernels.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {

#if defined(__x86_64__)
namespace v2 {
extern const OptimizerKernels optimizer_kernels;
}
namespace v3 {
extern const OptimizerKernels optimizer_kernels;
}
namespace v4 {
extern const OptimizerKernels optimizer_kernels;
}
const OptimizerKernels& optimizer_kernels() {
  if (&vector_kernels() == &kernels_v4) return v4::optimizer_kernels;
  return &vector_kernels() == &kernels_v3 ? v3::optimizer_kernels : v2::optimizer_kernels;
}
#else
namespace neon {
extern const OptimizerKernels optimizer_kernels;
}
const OptimizerKernels& optimizer_kernels() { return neon::optimizer_kernels; }
#endif

namespace {

constexpr int64_t kGrain = 16 * kTile;
constexpr int kMaxTensors = 5;  // of a parameter: itself, its gradient, its states

// The tensors of a launch by parameter. A step count, if the optimizer has one, is its first state.
class Group {
 public:
  explicit Group(const Launch& launch) : launch_(launch), size_(launch.inputs.size() - 2) {}
  size_t size() const { return size_; }
  const Tensor& param(size_t i) const { return launch_.out(i); }
  const Tensor& grad(size_t i) const { return launch_.in(i); }
  const Tensor& state(size_t s, size_t i) const { return launch_.out((1 + s) * size_ + i); }

  double learning_rate(double number) const { return option(size_, number); }
  double momentum(double number) const { return option(size_ + 1, number); }
  // One more step of parameter i; the new count.
  double advance(size_t i) const {
    const Tensor& step = state(0, i);
    const double count = read(step) + 1;
    convert(DType::Float64, step.dtype(), &count, step.raw(), 1);
    return count;
  }

 private:
  double option(size_t input, double number) const {
    const Tensor& t = launch_.in(input);
    return t.defined() ? read(t) : number;
  }
  static double read(const Tensor& number) {
    double value = 0;
    convert(number.dtype(), DType::Float64, number.raw(), &value, 1);
    return value;
  }

  const Launch& launch_;
  size_t size_;
};

// Steps elements [begin, end) of a parameter whose tensors are given.
void step_range(const void* rule, const StepKernel& kernel, const Tensor* const* tensors, size_t count,
                int64_t begin, int64_t end) {
  DType compute = DType::Float32;
  bool direct = true;
  for (size_t i = 0; i < count; ++i) {
    if (tensors[i]->dtype() == DType::Float64) compute = DType::Float64;
    direct = direct && tensors[i]->is_contiguous() && tensors[i]->dtype() == tensors[0]->dtype();
  }
  direct = direct && tensors[0]->dtype() == compute;
  const StepFunction step = compute == DType::Float64 ? kernel.of_doubles : kernel.of_floats;
  void* data[kMaxTensors];
  if (direct) {
    const int64_t offset = begin * static_cast<int64_t>(item_size(compute));
    for (size_t i = 0; i < count; ++i) data[i] = static_cast<char*>(tensors[i]->raw()) + offset;
    return step(rule, data, end - begin);
  }
  std::vector<TileEditor> tiles;
  tiles.reserve(count);
  for (size_t i = 0; i < count; ++i) tiles.emplace_back(*tensors[i], compute);
  for (int64_t at = begin; at < end; at += kTile) {
    const int64_t n = std::min(kTile, end - at);
    for (size_t i = 0; i < count; ++i) data[i] = tiles[i].load(at, n);
    step(rule, data, n);
    for (size_t i = 0; i < count; ++i)
      if (i != 1) tiles[i].store(at, n);  // all but the gradient
  }
}

// Steps all parameters, each by its own rule. `first` is the first state that has the parameter's shape.
template <class Rule>
void step_group(const Group& group, const std::vector<Rule>& rules, const StepKernel& kernel, size_t first) {
  static_assert(2 + Rule::kStates <= kMaxTensors);
  std::vector<int64_t> ends(group.size());
  int64_t total = 0;
  for (size_t i = 0; i < group.size(); ++i) ends[i] = total += group.param(i).numel();
  parallel_for(0, total, kGrain, [&](int64_t begin, int64_t end) {
    size_t i = static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), begin) - ends.begin());
    for (; begin < end; ++i) {
      const Tensor* tensors[kMaxTensors] = {&group.param(i), &group.grad(i)};
      for (size_t s = 0; s < Rule::kStates; ++s) tensors[2 + s] = &group.state(first + s, i);
      const int64_t start = ends[i] - group.param(i).numel(), stop = std::min(end, ends[i]);
      step_range(&rules[i], kernel, tensors, 2 + Rule::kStates, begin - start, stop - start);
      begin = stop;
    }
  });
}

void sgd_step(const SgdStep& k, const Launch& launch) {
  const Group group(launch);
  const double lr = group.learning_rate(k.lr), momentum = group.momentum(k.momentum);
  const auto run = [&]<bool kMomentum>() {
    const formulas::SgdRule<kMomentum> rule{lr,          k.weight_decay, momentum,
                                            k.dampening, k.nesterov,     k.maximize};
    step_group(group, std::vector(group.size(), rule), optimizer_kernels().sgd[kMomentum], 0);
  };
  k.momentum != 0 ? run.template operator()<true>() : run.template operator()<false>();
}

void adam_step(const AdamStep& k, const Launch& launch) {
  const Group group(launch);
  const double lr = group.learning_rate(k.lr), beta1 = group.momentum(k.beta1);
  const auto run = [&]<bool kLargest>() {
    std::vector<formulas::AdamRule<kLargest>> rules;
    for (size_t i = 0; i < group.size(); ++i) {
      const double step = group.advance(i), root = std::sqrt(1 - std::pow(k.beta2, step));
      rules.push_back({beta1, k.beta2, k.decoupled ? 0 : k.weight_decay,
                       k.decoupled ? 1 - lr * k.weight_decay : 1, lr * root / (1 - std::pow(beta1, step)),
                       k.eps * root, k.maximize});
    }
    step_group(group, rules, optimizer_kernels().adam[kLargest], 1);
  };
  k.amsgrad ? run.template operator()<true>() : run.template operator()<false>();
}

void rmsprop_step(const RMSpropStep& k, const Launch& launch) {
  const Group group(launch);
  const double lr = group.learning_rate(k.lr), momentum = group.momentum(k.momentum);
  for (size_t i = 0; i < group.size(); ++i) group.advance(i);
  const auto run = [&]<bool kMomentum, bool kCentered>() {
    const formulas::RMSpropRule<kMomentum, kCentered> rule{lr,       k.alpha,   k.eps, k.weight_decay,
                                                           momentum, k.maximize};
    step_group(group, std::vector(group.size(), rule), optimizer_kernels().rmsprop[kMomentum][kCentered], 1);
  };
  if (k.momentum > 0)
    k.centered ? run.template operator()<true, true>() : run.template operator()<true, false>();
  else
    k.centered ? run.template operator()<false, true>() : run.template operator()<false, false>();
}

void adagrad_step(const AdagradStep& k, const Launch& launch) {
  const Group group(launch);
  const double lr = group.learning_rate(k.lr);
  std::vector<formulas::AdagradRule<>> rules;
  for (size_t i = 0; i < group.size(); ++i)
    rules.push_back({lr / (1 + (group.advance(i) - 1) * k.lr_decay), k.eps, k.weight_decay, k.maximize});
  step_group(group, rules, optimizer_kernels().adagrad, 1);
}

CPU_KERNEL(SgdStep, sgd_step);
CPU_KERNEL(AdamStep, adam_step);
CPU_KERNEL(RMSpropStep, rmsprop_step);
CPU_KERNEL(AdagradStep, adagrad_step);

}  // namespace
}  // namespace mlx::cpu

// Steps of optimizers: the rules of formulas/optimizers.h as the text of a kernel, which runs over one
// parameter at a time. The step count stays on the device, so nothing waits for it.

#include "formulas/optimizers.h"

#include "backends/gpu/symbolic.h"

namespace mlx::gpu {
namespace {

using Number = Expr<DType::Float32>;

// The tensors of a launch by parameter, as on the CPU. A step count, if there is one, is the first state.
struct Group {
  const Launch& launch;
  size_t size = launch.inputs.size() - 2;
  const Tensor& param(size_t i) const { return launch.out(i); }
  const Tensor& grad(size_t i) const { return launch.in(i); }
  const Tensor& state(size_t s, size_t i) const { return launch.out((1 + s) * size + i); }
  const Tensor& learning_rate() const { return launch.in(size); }
  const Tensor& momentum() const { return launch.in(size + 1); }
};

bool has_types(const Launch& launch) {
  for (auto tensors : {launch.outputs, launch.inputs})
    for (const Tensor* t : tensors)
      if (t->defined() && !has_type(t->dtype())) return false;
  return true;
}

void advance(const Tensor& step, Runtime& runtime) {
  Elementwise kernel(runtime, "optimizer step", step.shape());
  kernel.input(step, DType::Float32);
  kernel.output(step, step.strides(), DType::Float32);
  kernel.run("advance", [] { return Arithmetic{"", "    const float y0 = x0 + 1.0f;\n"}; });
}

// One optimizer's way of stepping. `rule(numbers, count)` makes the rule of symbols: the numbers in the order
// in which they are listed (first the learning rate), and the step count. `momentum` is the place of the one
// among them that may be a tensor too.
template <class MakeRule>
void step_group(const Group& group, Runtime& runtime, const std::string& name, double lr,
                std::initializer_list<double> numbers, int momentum, bool counted, MakeRule&& make_rule) {
  using Rule = decltype(make_rule(static_cast<Number*>(nullptr), Number{}));
  constexpr int kStates = Rule::kStates;
  const size_t first = counted ? 1 : 0;
  for (size_t i = 0; i < group.size; ++i) {
    const Tensor& param = group.param(i);
    if (counted) advance(group.state(0, i), runtime);
    if (param.numel() == 0) continue;
    Elementwise kernel(runtime, name.c_str(), param.shape());
    auto in_and_out = [&](const Tensor& t) {
      kernel.input(t, DType::Float32);
      kernel.output(t, t.strides(), DType::Float32);
    };
    in_and_out(param);
    for (int s = 0; s < kStates; ++s) in_and_out(group.state(first + s, i));
    kernel.input(group.grad(i), DType::Float32);
    if (counted) kernel.input(group.state(0, i), Shape(param.shape().size()), DType::Float32);
    auto option = [&](const Tensor& tensor, double number) {
      if (tensor.defined())
        kernel.input(tensor, Shape(param.shape().size()), DType::Float32);
      else
        kernel.value(number, DType::Float32);
    };
    option(group.learning_rate(), lr);
    int place = 0;
    for (double n : numbers) option(place++ == momentum ? group.momentum() : Tensor(), n);
    kernel.run(name, [&] {
      return written_down([&](auto next) {
        Number value = next(), state[kStates + 1], values[8];
        for (int s = 0; s < kStates; ++s) state[s] = next();
        const Number grad = next(), count = counted ? next() : Number();
        for (size_t n = 0; n < 1 + numbers.size(); ++n) values[n] = next();
        make_rule(values, count).step(value, grad, state);
        std::vector<Number> results{value};
        results.insert(results.end(), state, state + kStates);
        return results;
      });
    });
  }
}

const char* flag(bool on) { return on ? "1" : "0"; }

bool sgd_step(const SgdStep& k, const Launch& launch, Runtime& runtime) {
  if (!has_types(launch)) return false;
  const std::string name = str("sgd", flag(k.momentum != 0), flag(k.nesterov), flag(k.maximize));
  const auto run = [&]<bool kMomentum>() {
    step_group({launch}, runtime, name, k.lr, {k.weight_decay, k.momentum, k.dampening}, 1, false,
               [&](Number* n, Number) {
                 return formulas::SgdRule<kMomentum, Number>{n[0], n[1], n[2], n[3], k.nesterov, k.maximize};
               });
  };
  k.momentum != 0 ? run.template operator()<true>() : run.template operator()<false>();
  return true;
}

bool adam_step(const AdamStep& k, const Launch& launch, Runtime& runtime) {
  if (!has_types(launch)) return false;
  const std::string name = str("adam", flag(k.decoupled), flag(k.amsgrad), flag(k.maximize));
  const auto run = [&]<bool kLargest>() {
    step_group({launch}, runtime, name, k.lr, {k.beta1, k.beta2, k.weight_decay, k.eps}, 0, true,
               [&](Number* n, Number count) {
                 const Number lr = n[0], beta1 = n[1], beta2 = n[2], decay = n[3], eps = n[4];
                 const Number root = sqrt(1 - pow(beta2, count));
                 return formulas::AdamRule<kLargest, Number>{beta1,
                                                             beta2,
                                                             k.decoupled ? Number(0) : decay,
                                                             k.decoupled ? 1 - lr * decay : Number(1),
                                                             lr * root / (1 - pow(beta1, count)),
                                                             eps * root,
                                                             k.maximize};
               });
  };
  k.amsgrad ? run.template operator()<true>() : run.template operator()<false>();
  return true;
}

bool rmsprop_step(const RMSpropStep& k, const Launch& launch, Runtime& runtime) {
  if (!has_types(launch)) return false;
  const std::string name = str("rmsprop", flag(k.momentum > 0), flag(k.centered), flag(k.maximize));
  const auto run = [&]<bool kMomentum, bool kCentered>() {
    step_group({launch}, runtime, name, k.lr, {k.alpha, k.eps, k.weight_decay, k.momentum}, 3, true,
               [&](Number* n, Number) {
                 return formulas::RMSpropRule<kMomentum, kCentered, Number>{n[0], n[1], n[2],
                                                                            n[3], n[4], k.maximize};
               });
  };
  if (k.momentum > 0)
    k.centered ? run.template operator()<true, true>() : run.template operator()<true, false>();
  else
    k.centered ? run.template operator()<false, true>() : run.template operator()<false, false>();
  return true;
}

bool adagrad_step(const AdagradStep& k, const Launch& launch, Runtime& runtime) {
  if (!has_types(launch)) return false;
  step_group({launch}, runtime, str("adagrad", flag(k.maximize)), k.lr, {k.lr_decay, k.weight_decay, k.eps},
             -1, true, [&](Number* n, Number count) {
               return formulas::AdagradRule<Number>{n[0] / (1 + (count - 1) * n[1]), n[3], n[2], k.maximize};
             });
  return true;
}

GPU_KERNEL(SgdStep, sgd_step);
GPU_KERNEL(AdamStep, adam_step);
GPU_KERNEL(RMSpropStep, rmsprop_step);
GPU_KERNEL(AdagradStep, adagrad_step);

}  // namespace
}  // namespace mlx::gpu

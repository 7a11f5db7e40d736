// One step of an optimizer for a group of parameters, in place. Python's optimizers keep the state; these ops
// check it and launch a kernel that updates everything in one pass. They are PyTorch's private ops of the
// same names, but for the step counts, which they increase themselves.

#include "backends/backend.h"
#include "ops.h"
#include "ops/pointwise.h"

namespace mlx {
namespace {

// Options that schedules change are numbers, or tensors that stand for them.
bool is_number(const Tensor& option) { return !option.defined() || option.impl()->wrapped_number; }
double number_of(const Tensor& option, double otherwise) {
  return is_number(option) ? item(option).to<double>() : otherwise;
}

// The tensors of one step, in the order in which the kernels take them (see backends/kernels.h).
class Step {
 public:
  Step(const char* op, const TensorList& params, const TensorList& grads, const Tensor& lr,
       const Tensor& momentum = Tensor())
      : op_(op), params_(params) {
    check_count("grads", grads);
    for (size_t i = 0; i < params.size(); ++i) {
      if (!params[i].is_floating())
        throw RuntimeError(op_,
                           "(): parameters must be of a floating dtype (complex ones seen as real), but ",
                           "params[", i, "] is ", params[i].dtype());
      check_shape("grads", i, grads[i]);
      inputs_.push_back(&grads[i]);
    }
    if (recording(params) || recording(grads))
      throw RuntimeError(op_, "(): the step is not recorded; take it under mlx.no_grad()");
    for (const Tensor* number : {&lr, &momentum}) inputs_.push_back(is_number(*number) ? &missing_ : number);
    add_output("params", params);
  }

  Step& state(const char* name, const TensorList& tensors, bool wanted = true) {
    if (!wanted) return *this;
    check_count(name, tensors);
    for (size_t i = 0; i < tensors.size(); ++i) check_shape(name, i, tensors[i]);
    add_output(name, tensors);
    return *this;
  }
  Step& steps(const TensorList& tensors) {
    check_count("state_steps", tensors);
    for (const Tensor& t : tensors)
      if (t.numel() != 1)
        throw RuntimeError(op_, "(): a step count has one element, but got shape ", t.shape());
    add_output("state_steps", tensors);
    return *this;
  }

  template <class Kernel>
  void run(const Kernel& kernel) const {
    if (params_.empty()) return;
    launch(kernel, outputs_, inputs_);
    for (const Tensor* t : outputs_) t->changed();
  }

 private:
  void check_count(const char* name, const TensorList& tensors) const {
    if (tensors.size() != params_.size())
      throw RuntimeError(op_, "(): there are ", params_.size(), " params but ", tensors.size(), " ", name);
  }
  void check_shape(const char* name, size_t i, const Tensor& t) const {
    if (t.shape() != params_[i].shape())
      throw RuntimeError(op_, "(): params[", i, "] has shape ", params_[i].shape(), ", but ", name, "[", i,
                         "] has ", t.shape());
    if (!t.is_floating())
      throw RuntimeError(op_, "(): ", name, "[", i, "] must be of a floating dtype, but is ", t.dtype());
  }
  void add_output(const char* name, const TensorList& tensors) {
    for (const Tensor& t : tensors) {
      if (t.device().type != params_[0].device().type)
        throw RuntimeError(op_, "(): ", name, " are on '", t.device(), "', the first parameter is on '",
                           params_[0].device(), "'");
      check_writable(t, op_);
      outputs_.push_back(&t);
    }
  }

  const char* op_;
  const TensorList& params_;
  Tensor missing_;
  std::vector<const Tensor*> outputs_, inputs_;
};

}  // namespace

// A step of stochastic gradient descent; without momentum there are no momentum buffers.
OP("_fused_sgd_(Tensor[] params, Tensor[] grads, Tensor[] momentum_buffers, *, Operand lr, "
   "float weight_decay, Operand momentum, float dampening, bool nesterov, bool maximize) -> ()");
void _fused_sgd_(const TensorList& params, const TensorList& grads, const TensorList& momentum_buffers,
                 const Tensor& lr, double weight_decay, const Tensor& momentum, double dampening,
                 bool nesterov, bool maximize) {
  const double number = number_of(momentum, 1);
  Step("_fused_sgd_", params, grads, lr, momentum)
      .state("momentum_buffers", momentum_buffers, number != 0)
      .run(SgdStep{number_of(lr, 0), weight_decay, number, dampening, nesterov, maximize});
}

// A step of Adam, or of AdamW (`decoupled`); `max_exp_avg_sqs` are those of `amsgrad`.
OP("_fused_adam_(Tensor[] params, Tensor[] grads, Tensor[] exp_avgs, Tensor[] exp_avg_sqs, "
   "Tensor[] max_exp_avg_sqs, Tensor[] state_steps, *, Operand lr, Operand beta1, float beta2, "
   "float weight_decay, float eps, bool decoupled, bool amsgrad, bool maximize) -> ()");
void _fused_adam_(const TensorList& params, const TensorList& grads, const TensorList& exp_avgs,
                  const TensorList& exp_avg_sqs, const TensorList& max_exp_avg_sqs,
                  const TensorList& state_steps, const Tensor& lr, const Tensor& beta1, double beta2,
                  double weight_decay, double eps, bool decoupled, bool amsgrad, bool maximize) {
  Step("_fused_adam_", params, grads, lr, beta1)
      .steps(state_steps)
      .state("exp_avgs", exp_avgs)
      .state("exp_avg_sqs", exp_avg_sqs)
      .state("max_exp_avg_sqs", max_exp_avg_sqs, amsgrad)
      .run(AdamStep{number_of(lr, 0), number_of(beta1, 0), beta2, weight_decay, eps, decoupled, amsgrad,
                    maximize});
}

// A step of RMSprop, with momentum or centered or neither.
OP("_fused_rmsprop_(Tensor[] params, Tensor[] grads, Tensor[] square_avgs, Tensor[] momentum_buffers, "
   "Tensor[] grad_avgs, Tensor[] state_steps, *, Operand lr, float alpha, float eps, float weight_decay, "
   "Operand momentum, bool centered, bool maximize) -> ()");
void _fused_rmsprop_(const TensorList& params, const TensorList& grads, const TensorList& square_avgs,
                     const TensorList& momentum_buffers, const TensorList& grad_avgs,
                     const TensorList& state_steps, const Tensor& lr, double alpha, double eps,
                     double weight_decay, const Tensor& momentum, bool centered, bool maximize) {
  const double number = number_of(momentum, 1);
  Step("_fused_rmsprop_", params, grads, lr, momentum)
      .steps(state_steps)
      .state("square_avgs", square_avgs)
      .state("momentum_buffers", momentum_buffers, number > 0)
      .state("grad_avgs", grad_avgs, centered)
      .run(RMSpropStep{number_of(lr, 0), alpha, eps, weight_decay, number, centered, maximize});
}

// A step of Adagrad.
OP("_fused_adagrad_(Tensor[] params, Tensor[] grads, Tensor[] state_sums, Tensor[] state_steps, *, "
   "Operand lr, float lr_decay, float weight_decay, float eps, bool maximize) -> ()");
void _fused_adagrad_(const TensorList& params, const TensorList& grads, const TensorList& state_sums,
                     const TensorList& state_steps, const Tensor& lr, double lr_decay, double weight_decay,
                     double eps, bool maximize) {
  Step("_fused_adagrad_", params, grads, lr)
      .steps(state_steps)
      .state("sums", state_sums)
      .run(AdagradStep{number_of(lr, 0), lr_decay, weight_decay, eps, maximize});
}

}  // namespace mlx

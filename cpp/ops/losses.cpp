// Losses that work element by element, and the distances they are made of.

#include <cmath>
#include <numbers>

#include "base/warnings.h"
#include "ops/check.h"
#include "ops/row.h"
#include "ops/widening.h"

namespace mlx {

// ---- primitives

OP("_squared_difference(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::squared_difference)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> y) { return g * (x - y) * 2; })
    .gradient<1>([](const Tensor& g, In<0> x, In<1> y) { return g * (y - x) * 2; });

OP("_smooth_l1_backward(Tensor grad, Tensor difference, Scalar beta) -> Tensor")
    .pointwise(Formula::smooth_l1_backward)
    .gradient<0>([](const Tensor& g, In<1> d, Param<0> beta) { return _smooth_l1_backward(g, d, beta); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> d, Param<0> beta) {
      return where(lt(abs(d), beta), g * grad / beta, 0);
    });

OP("_smooth_l1(Tensor difference, Scalar beta) -> Tensor")
    .pointwise(Formula::smooth_l1)
    .gradient<0>([](const Tensor& g, In<0> d, Param<0> beta) { return _smooth_l1_backward(g, d, beta); });

OP("_huber_backward(Tensor grad, Tensor difference, Scalar delta) -> Tensor")
    .pointwise(Formula::huber_backward)
    .gradient<0>([](const Tensor& g, In<1> d, Param<0> delta) { return _huber_backward(g, d, delta); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> d, Param<0> delta) {
      return where(le(abs(d), delta), g * grad, 0);
    });

OP("_huber(Tensor difference, Scalar delta) -> Tensor")
    .pointwise(Formula::huber)
    .gradient<0>([](const Tensor& g, In<0> d, Param<0> delta) { return _huber_backward(g, d, delta); });

OP("_binary_cross_entropy_backward(Tensor grad, Tensor input, Tensor target) -> Tensor")
    .pointwise(Formula::binary_cross_entropy_backward)
    .gradient<0>([](const Tensor& g, In<1> x, In<2> target) {
      return _binary_cross_entropy_backward(g, x, target);
    })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> x, In<2> target) {
      Tensor spread = clamp_min(x * (1 - x), 1e-12);
      return g * grad * (x * x - x * target * 2 + target) / (spread * spread);
    })
    .gradient<2>([](const Tensor& g, In<0> grad, In<1> x) {
      return -g * grad / clamp_min(x * (1 - x), 1e-12);
    });

OP("_binary_cross_entropy(Tensor input, Tensor target) -> Tensor")
    .pointwise(Formula::binary_cross_entropy)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> target) {
      return _binary_cross_entropy_backward(g, x, target);
    })
    .gradient<1>([](const Tensor& g, In<0> x) {
      return g * (clamp_min(log1p(-x), -100) - clamp_min(log(x), -100));
    });

OP("_binary_cross_entropy_with_logits(Tensor input, Tensor target) -> Tensor")
    .pointwise(Formula::binary_cross_entropy_with_logits)
    .gradient<0>([](const Tensor& g, In<0> x, In<1> target) { return g * (sigmoid(x) - target); })
    .gradient<1>([](const Tensor& g, In<0> x) { return -g * x; });

// ---- reductions of losses

namespace {

Tensor reduced(const Tensor& loss, const std::string& reduction) {
  if (reduction == "mean") return mean(loss);
  if (reduction == "sum") return sum(loss);
  if (reduction == "none") return loss;
  throw ValueError(reduction, " is not a valid value for reduction; it must be 'none', 'mean' or 'sum'");
}

// The reduction that PyTorch's deprecated flags ask for.
std::string chosen(const std::string& reduction, std::optional<bool> size_average,
                   std::optional<bool> reduce) {
  if (!size_average && !reduce) return reduction;
  if (!reduce.value_or(true)) return "none";
  return size_average.value_or(true) ? "mean" : "sum";
}

Tensor weighted(const Tensor& loss, const Tensor& weight) { return weight.defined() ? loss * weight : loss; }

// Whether `t` is as large as `like` but for one dimension, in which it has one element.
bool repeats_along_one_dim(const Tensor& t, const Tensor& like) {
  int64_t others = 0;
  for (int64_t d = 0; t.dim() == like.dim() && d < t.dim(); ++d)
    if (t.size(d) != like.size(d)) others += t.size(d);
  return others == 1;
}

// Broadcasting is allowed, but (n, 1) with (n) makes n * n differences, which is seldom meant.
void warn_about_sizes(const char* op, const Tensor& input, const Tensor& target) {
  if (input.shape() != target.shape())
    warn(str(op, "(): Using a target size ", target.shape(), " that is different to the input size ",
             input.shape(), ": the two are broadcast. Give them one shape, unless that is what you want."));
}

}  // namespace

namespace functional {

// ---- regression

// (input - target) ** 2.
OP("nn.functional.mse_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str "
   "reduction='mean', Tensor? weight=None) -> Tensor")
    .node("MseLossBackward0");
Tensor mse_loss(const Tensor& input, const Tensor& target, std::optional<bool> size_average,
                std::optional<bool> reduce, const std::string& reduction, const Tensor& weight) {
  warn_about_sizes("mse_loss", input, target);
  Tensor loss = weighted(_squared_difference(input, target), weight);
  std::string how = chosen(reduction, size_average, reduce);
  return weight.defined() && how == "mean" ? sum(loss) / sum(expand(weight, loss.shape(), false))
                                           : reduced(loss, how);
}

// |input - target|.
OP("nn.functional.l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str "
   "reduction='mean', Tensor? weight=None) -> Tensor");
Tensor l1_loss(const Tensor& input, const Tensor& target, std::optional<bool> size_average,
               std::optional<bool> reduce, const std::string& reduction, const Tensor& weight) {
  warn_about_sizes("l1_loss", input, target);
  Tensor loss = weighted(abs(input - target), weight);
  std::string how = chosen(reduction, size_average, reduce);
  return weight.defined() && how == "mean" ? sum(loss) / sum(expand(weight, loss.shape(), false))
                                           : reduced(loss, how);
}

// Quadratic for differences below beta, linear above: https://arxiv.org/abs/1504.08083
OP("nn.functional.smooth_l1_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, "
   "str reduction='mean', float beta=1.0) -> Tensor")
    .node("SmoothL1LossBackward0");
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, std::optional<bool> size_average,
                      std::optional<bool> reduce, const std::string& reduction, double beta) {
  warn_about_sizes("smooth_l1_loss", input, target);
  if (beta < 0) throw RuntimeError("smooth_l1_loss(): beta must not be negative, but is ", beta);
  Tensor difference = input - target;
  return reduced(beta == 0 ? abs(difference) : _smooth_l1(difference, beta),
                 chosen(reduction, size_average, reduce));
}

// Quadratic for differences up to delta, linear above. The mean is over elements, whatever their weights.
OP("nn.functional.huber_loss(Tensor input, Tensor target, str reduction='mean', float delta=1.0, Tensor? "
   "weight=None) -> Tensor")
    .node("HuberLossBackward0");
Tensor huber_loss(const Tensor& input, const Tensor& target, const std::string& reduction, double delta,
                  const Tensor& weight) {
  warn_about_sizes("huber_loss", input, target);
  if (delta <= 0) throw RuntimeError("huber_loss(): delta must be positive, but is ", delta);
  return reduced(weighted(_huber(input - target, delta), weight), reduction);
}

// ---- probabilities

// Cross entropy of probabilities in [0, 1] with targets in [0, 1].
OP("nn.functional.binary_cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? "
   "size_average=None, bool? reduce=None, str reduction='mean') -> Tensor")
    .node("BinaryCrossEntropyBackward0");
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                            std::optional<bool> size_average, std::optional<bool> reduce,
                            const std::string& reduction) {
  if (input.shape() != target.shape())
    throw ValueError("binary_cross_entropy(): target size ", target.shape(),
                     " is different to the input size ", input.shape());
  raise_if_any(logical_not(logical_and(ge(input, 0), le(input, 1))), Check::Runtime,
               "binary_cross_entropy(): all elements of input should be between 0 and 1");
  raise_if_any(logical_not(logical_and(ge(target, 0), le(target, 1))), Check::Runtime,
               "binary_cross_entropy(): all elements of target should be between 0 and 1");
  return reduced(weighted(_binary_cross_entropy(input, target), weight),
                 chosen(reduction, size_average, reduce));
}

namespace {

// With PyTorch's order of roundings, which shows in half precision, forward and backward.
Tensor rounded_loss_of_logits(const Tensor& input, const Tensor& target) {
  Tensor loss = [&] {
    GradModeGuard off(false);
    return (1 - target) * input - _log_sigmoid(input);
  }();
  return record("BinaryCrossEntropyWithLogits", loss, {&input, &target},
                [x = save(input), y = save(target)](Backward& b) -> Grads {
                  Tensor logits = b.get(x);
                  return {b.grad() * (sigmoid(logits) - b.get(y)),
                          b.needs(1) ? -b.grad() * logits : Tensor()};
                });
}

}  // namespace

// Cross entropy of sigmoid(input) with targets in [0, 1]; pos_weight weighs the positive answers.
OP("nn.functional.binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, bool? "
   "size_average=None, bool? reduce=None, str reduction='mean', Tensor? pos_weight=None) -> Tensor")
    .node("BinaryCrossEntropyWithLogitsBackward0");
Tensor binary_cross_entropy_with_logits(const Tensor& input, const Tensor& target, const Tensor& weight,
                                        std::optional<bool> size_average, std::optional<bool> reduce,
                                        const std::string& reduction, const Tensor& pos_weight) {
  if (input.shape() != target.shape())
    throw ValueError("binary_cross_entropy_with_logits(): target size ", target.shape(),
                     " must be the same as input size ", input.shape());
  Tensor loss;
  if (pos_weight.defined()) {
    Tensor log_weight = (pos_weight - 1) * target + 1;
    loss = (1 - target) * input - log_weight * _log_sigmoid(input);
  } else if (is_reduced(input.dtype())) {
    loss = rounded_loss_of_logits(input, target);
  } else {
    loss = _binary_cross_entropy_with_logits(input, target);
  }
  return reduced(weighted(loss, weight), chosen(reduction, size_average, reduce));
}

// The Kullback-Leibler divergence of log-probabilities `input` from `target`.
OP("nn.functional.kl_div(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, str "
   "reduction='mean', bool log_target=False) -> Tensor");
Tensor kl_div(const Tensor& input, const Tensor& target, std::optional<bool> size_average,
              std::optional<bool> reduce, const std::string& reduction, bool log_target) {
  Tensor loss = log_target ? exp(target) * (target - input) : xlogy(target, target) - target * input;
  std::string how = chosen(reduction, size_average, reduce);
  if (how != "batchmean") return reduced(loss, how);
  return input.dim() == 0 ? sum(loss) : sum(loss) / input.shape()[0];
}

// The negative log likelihood of Poisson distributed targets.
OP("nn.functional.poisson_nll_loss(Tensor input, Tensor target, bool log_input=True, bool full=False, bool? "
   "size_average=None, float eps=1e-08, bool? reduce=None, str reduction='mean') -> Tensor");
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, bool log_input, bool full,
                        std::optional<bool> size_average, double eps, std::optional<bool> reduce,
                        const std::string& reduction) {
  Tensor loss = log_input ? exp(input) - target * input : input - target * log(input + eps);
  if (full) {
    // Stirling's approximation of log(target!).
    Tensor stirling = target * log(target) - target + log(target * (2 * std::numbers::pi)) * 0.5;
    loss = loss + where(le(target, 1), zeros_like(stirling), stirling);
  }
  return reduced(loss, chosen(reduction, size_average, reduce));
}

// The negative log likelihood of normally distributed targets.
OP("nn.functional.gaussian_nll_loss(Tensor input, Tensor target, Operand var, bool full=False, float "
   "eps=1e-06, str reduction='mean') -> Tensor");
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& var, bool full, double eps,
                         const std::string& reduction) {
  Tensor variance = var;
  if (var.impl()->wrapped_number) {
    variance = expand(to(var, input.dtype(), false, false), input.shape(), false);
  } else if (var.shape() != input.shape()) {
    Shape lead(input.shape().begin(), input.shape().end() - (input.dim() ? 1 : 0));
    if (var.shape() == lead)
      variance = unsqueeze(var, -1);
    else if (!repeats_along_one_dim(var, input))
      throw ValueError("gaussian_nll_loss(): var is of incorrect size ", var.shape());
  }
  raise_if_any(lt(variance, 0), Check::Value, "gaussian_nll_loss(): var has negative entries");
  // Clamped as PyTorch does it: the gradient does not see the bound.
  variance = variance + (clamp_min(detach(variance), eps) - detach(variance));
  Tensor loss = (log(variance) + square(input - target) / variance) * 0.5;
  if (full) loss = loss + 0.5 * std::log(2 * std::numbers::pi);
  return reduced(loss, reduction);
}

// ---- margins; targets are 1 or -1

// log(1 + exp(-target * input)).
OP("nn.functional.soft_margin_loss(Tensor input, Tensor target, bool? size_average=None, bool? reduce=None, "
   "str reduction='mean') -> Tensor")
    .node("SoftMarginLossBackward0");
Tensor soft_margin_loss(const Tensor& input, const Tensor& target, std::optional<bool> size_average,
                        std::optional<bool> reduce, const std::string& reduction) {
  return reduced(-_log_sigmoid(target * input), chosen(reduction, size_average, reduce));
}

// The input for targets of 1, max(0, margin - input) for those of -1.
OP("nn.functional.hinge_embedding_loss(Tensor input, Tensor target, float margin=1.0, bool? "
   "size_average=None, bool? reduce=None, str reduction='mean') -> Tensor");
Tensor hinge_embedding_loss(const Tensor& input, const Tensor& target, double margin,
                            std::optional<bool> size_average, std::optional<bool> reduce,
                            const std::string& reduction) {
  Tensor loss = where(ne(target, 1), clamp_min(margin - input, 0), 0) + where(ne(target, -1), input, 0);
  return reduced(loss, chosen(reduction, size_average, reduce));
}

// max(0, -target * (input1 - input2) + margin).
OP("nn.functional.margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0, bool? "
   "size_average=None, bool? reduce=None, str reduction='mean') -> Tensor");
Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin,
                           std::optional<bool> size_average, std::optional<bool> reduce,
                           const std::string& reduction) {
  if (input1.dim() != input2.dim() || input1.dim() != target.dim())
    throw RuntimeError(
        "margin_ranking_loss(): input1, input2 and target should have the same number of dimensions, but "
        "have shapes ",
        input1.shape(), ", ", input2.shape(), " and ", target.shape());
  Tensor difference = -target * (input1 - input2);
  return reduced(clamp_min(difference + margin, 0), chosen(reduction, size_average, reduce));
}

// ---- distances

// The cosine of the angle between x1 and x2 along a dimension.
OP("nn.functional.cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08) -> Tensor")
    .alias("cosine_similarity");
Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  const DType dtype = result_type({&x1, &x2});
  if (!is_floating(dtype))
    throw RuntimeError("cosine_similarity(): expected floating-point tensors, but got ", x1.dtype(), " and ",
                       x2.dtype());
  Shape shape = broadcast_shapes(x1.shape(), x2.shape(), "cosine_similarity");
  Tensor a = widened(expand(x1, shape, false)), b = widened(expand(x2, shape, false));
  auto length = [&](const Tensor& x) {
    Tensor norm = linalg::vector_norm(x, 2, Shape{dim}, true);
    return norm + (clamp_min(detach(norm), eps) - detach(norm));
  };
  return to(sum((a / length(a)) * (b / length(b)), Shape{dim}, false), dtype, false, false);
}

// The p-norm of x1 - x2 + eps over the last dimension.
OP("nn.functional.pairwise_distance(Tensor x1, Tensor x2, float p=2.0, float eps=1e-06, bool keepdim=False) "
   "-> Tensor")
    .alias("pairwise_distance");
Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p, double eps, bool keepdim) {
  return linalg::vector_norm(x1 - x2 + eps, p, Shape{-1}, keepdim);
}

// max(0, d(anchor, positive) - d(anchor, negative) + margin); with `swap` the negative may instead be
// compared with the positive.
OP("nn.functional.triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, "
   "float p=2, float eps=1e-06, bool swap=False, bool? size_average=None, bool? reduce=None, str "
   "reduction='mean') -> Tensor");
Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin, double p, double eps, bool swap, std::optional<bool> size_average,
                           std::optional<bool> reduce, const std::string& reduction) {
  if (margin <= 0) throw ValueError("triplet_margin_loss(): margin must be greater than 0, but is ", margin);
  Tensor near = pairwise_distance(anchor, positive, p, eps, false),
         far = pairwise_distance(anchor, negative, p, eps, false);
  if (swap) far = minimum(far, pairwise_distance(positive, negative, p, eps, false));
  return reduced(clamp_min(near - far + margin, 0), chosen(reduction, size_average, reduce));
}

// 1 - cos(input1, input2) for targets of 1, max(0, cos - margin) for those of -1.
OP("nn.functional.cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0, bool? "
   "size_average=None, bool? reduce=None, str reduction='mean') -> Tensor");
Tensor cosine_embedding_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin,
                             std::optional<bool> size_average, std::optional<bool> reduce,
                             const std::string& reduction) {
  const int64_t dim = target.dim();
  if (dim > 1 || input1.dim() != dim + 1 || input2.dim() != dim + 1)
    throw RuntimeError(
        "cosine_embedding_loss(): expected inputs (N, D) with targets (N), or (D) with (), but got ",
        input1.shape(), ", ", input2.shape(), " and ", target.shape());
  constexpr double kEps = 1e-12;
  Tensor product = sum(input1 * input2, Shape{dim}, false);
  Tensor size1 = sum(input1 * input1, Shape{dim}, false) + kEps,
         size2 = sum(input2 * input2, Shape{dim}, false) + kEps;
  Tensor cosine = product / sqrt(size1 * size2);
  Tensor loss = where(eq(target, 1), 1 - cosine, 0) + where(eq(target, -1), clamp_min(cosine - margin, 0), 0);
  return reduced(loss, chosen(reduction, size_average, reduce));
}

}  // namespace functional
}  // namespace mlx

// Losses of classifiers: negative log-likelihood and cross-entropy.

#include "ops/check.h"
#include "ops/reduction.h"

namespace mlx {
namespace {

enum class Averaging { None, Mean, Sum };

Averaging averaging_of(const std::string& reduction, std::optional<bool> size_average,
                       std::optional<bool> reduce) {
  if (size_average || reduce) {
    if (!reduce.value_or(true)) return Averaging::None;
    return size_average.value_or(true) ? Averaging::Mean : Averaging::Sum;
  }
  if (reduction == "none") return Averaging::None;
  if (reduction == "mean") return Averaging::Mean;
  if (reduction == "sum") return Averaging::Sum;
  throw ValueError(reduction, " is not a valid value for reduction");
}

// The class dimension's index: 0 for one sample, else 1.
int64_t class_dim(const Tensor& input) { return input.dim() == 1 ? 0 : 1; }

void check_shapes(const char* op, const Tensor& input, const Tensor& target) {
  Shape expected = input.shape();
  if (input.dim() == 0) throw ValueError("Expected input to have 1 or more dimensions, got 0");
  expected.erase(static_cast<size_t>(class_dim(input)));
  if (input.dim() > 1 && target.dim() > 0 && input.size(0) != target.size(0))
    throw ValueError(op, "(): Expected input batch_size (", input.size(0), ") to match target batch_size (",
                     target.size(0), ").");
  if (expected != target.shape())
    throw RuntimeError(op, "(): Expected target size ", expected, ", got ", target.shape());
  if (target.is_inexact() || target.dtype() == DType::Bool)
    throw RuntimeError(op, "(): expected class indices of an integer dtype, but target has dtype ",
                       target.dtype());
}

// Class indices with 0 where the class is to be ignored. IndexError for one that is not a class.
struct Labels {
  Tensor index, kept;
};

Labels checked_labels(const char* op, const Tensor& target, int64_t classes, int64_t ignore_index) {
  GradModeGuard off(false);
  Tensor labels = to(target, DType::Int64, false, false), kept = ne(labels, ignore_index);
  Tensor index = where(kept, labels, 0), wrong = logical_or(lt(index, 0), ge(index, classes));
  if (is_traced(wrong)) {
    raise_if_any(wrong, Check::Index, "cross_entropy(), nll_loss(): a target is out of bounds");
  } else if (item(any(wrong)).to_bool()) {
    int64_t at = item(argmax(to(reshape(wrong, {-1}), DType::UInt8, false, false))).to_int();
    throw IndexError(op, "(): Target ", item(select(reshape(index, {-1}), 0, at)).to_int(),
                     " is out of bounds for ", classes, " classes");
  }
  return {index, kept};
}

void check_weight(const char* op, const Tensor& weight, int64_t classes) {
  if (weight.defined() && (weight.dim() != 1 || weight.numel() != classes))
    throw RuntimeError(op, "(): weight tensor should be defined either for all ", classes,
                       " classes or no classes but got weight tensor of shape: ", weight.shape());
}

// Each sample's weight: that of its class, 0 where ignored.
Tensor sample_weights(const Tensor& weight, const Labels& labels, DType dtype) {
  Tensor kept = to(labels.kept, dtype, false, false);
  if (!weight.defined()) return kept;
  return reshape(index_select(weight, 0, reshape(labels.index, {-1})), labels.index.shape()) * kept;
}

Tensor averaged(const Tensor& losses, const Tensor& weights, Averaging averaging) {
  if (averaging == Averaging::None) return losses;
  return averaging == Averaging::Sum ? sum(losses) : sum(losses) / sum(weights);
}

Tensor likelihood_losses(const Tensor& input, const Labels& labels, const Tensor& weights) {
  const int64_t d = class_dim(input);
  Tensor picked = squeeze(take_along(input, d, unsqueeze(labels.index, d)), d);
  return where(labels.kept, neg(picked) * weights, 0);
}

// ---- the fused loss over float32 logits (samples, classes)

Tensor fused_gradient(const Tensor& logits, const Tensor& labels, const Tensor& sums, const Tensor& scale) {
  if (recording({&logits, &scale})) {
    Tensor column = unsqueeze(where(lt(labels, 0), 0, scale), 1);
    Tensor hit = add_along(column, logits.shape(), 1, unsqueeze(where(lt(labels, 0), 0, labels), 1));
    return softmax(logits, 1) * column - hit;
  }
  Tensor out = allocate(logits.shape(), logits.dtype(), logits.device()), rows = contiguous(scale);
  if (out.numel()) launch(CrossEntropyGradient{}, {&out}, {&logits, &labels, &sums, &rows});
  return out;
}

Tensor fused_cross_entropy(const Tensor& input, const Labels& labels, Averaging averaging) {
  Tensor logits = contiguous(input);
  const Shape samples = {input.size(0)};
  Tensor index = contiguous(where(labels.kept, labels.index, -1));
  Tensor sums = allocate(samples, DType::Float32, input.device()),
         losses = allocate(samples, DType::Float32, input.device());
  if (logits.numel()) launch(CrossEntropy{}, {&sums, &losses}, {&logits, &index});
  record("CrossEntropyLoss", losses, {&logits}, [index, sums, logits = save(logits)](Backward& b) -> Grads {
    return {fused_gradient(b.get(logits), index, sums, b.grad())};
  });
  return averaged(losses, labels.kept, averaging);
}

// ---- cross-entropy by its definition

Tensor smoothed(const Tensor& logs, const Labels& labels, const Tensor& weight, double smoothing,
                Averaging averaging) {
  const int64_t d = class_dim(logs), classes = logs.size(d);
  Tensor weights = sample_weights(weight, labels, logs.dtype());
  Tensor nll = averaged(likelihood_losses(logs, labels, weights), weights, averaging);
  if (smoothing == 0) return nll;
  Tensor by_class = logs;
  if (weight.defined()) {
    Shape column(logs.shape().size(), 1);
    column[static_cast<size_t>(d)] = classes;
    by_class = logs * reshape(weight, column);
  }
  Tensor uniform = where(labels.kept, neg(sum(by_class, Shape{d})), 0);
  return nll * Scalar(1 - smoothing) +
         averaged(uniform, weights, averaging) * Scalar(smoothing / static_cast<double>(classes));
}

Tensor of_probabilities(const Tensor& input, const Tensor& target, const Tensor& weight, double smoothing,
                        Averaging averaging) {
  const int64_t d = class_dim(input), classes = input.size(d);
  Tensor wanted = smoothing > 0
                      ? target * Scalar(1 - smoothing) + Scalar(smoothing / static_cast<double>(classes))
                      : target;
  Tensor terms = log_softmax(input, d) * wanted;
  if (weight.defined()) {
    Shape column(input.shape().size(), 1);
    column[static_cast<size_t>(d)] = classes;
    terms = terms * reshape(weight, column);
  }
  if (averaging == Averaging::None) return neg(sum(terms, Shape{d}));
  Tensor total = neg(sum(terms));
  return averaging == Averaging::Sum
             ? total
             : total / Scalar(static_cast<double>(input.numel()) / static_cast<double>(classes));
}

}  // namespace

// The negative log-likelihood of the classes `target`, given log-probabilities (samples, classes, ...).
OP("nn.functional.nll_loss(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, int "
   "ignore_index=-100, bool? reduce=None, str reduction='mean') -> Tensor")
    .node("NllLossBackward0");
Tensor functional::nll_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                            std::optional<bool> size_average, int64_t ignore_index,
                            std::optional<bool> reduce, const std::string& reduction) {
  Averaging averaging = averaging_of(reduction, size_average, reduce);
  check_shapes("nll_loss", input, target);
  const int64_t classes = input.size(class_dim(input));
  check_weight("nll_loss", weight, classes);
  Labels labels = checked_labels("nll_loss", target, classes, ignore_index);
  Tensor weights = sample_weights(weight, labels, input.dtype());
  return averaged(likelihood_losses(input, labels, weights), weights, averaging);
}

// The cross-entropy of logits (samples, classes, ...) with class indices or with probabilities of the same
// shape. Classes equal to ignore_index count for nothing; label_smoothing mixes in the uniform distribution
// (Szegedy et al., 2016). IndexError for an index that is not a class.
OP("nn.functional.cross_entropy(Tensor input, Tensor target, Tensor? weight=None, bool? size_average=None, "
   "int ignore_index=-100, bool? reduce=None, str reduction='mean', float label_smoothing=0.0) -> Tensor");
Tensor functional::cross_entropy(const Tensor& input, const Tensor& target, const Tensor& weight,
                                 std::optional<bool> size_average, int64_t ignore_index,
                                 std::optional<bool> reduce, const std::string& reduction,
                                 double label_smoothing) {
  Averaging averaging = averaging_of(reduction, size_average, reduce);
  if (label_smoothing < 0 || label_smoothing > 1)
    throw RuntimeError("cross_entropy(): label_smoothing must be between 0.0 and 1.0. Got: ",
                       label_smoothing);
  if (input.dim() > 0) check_weight("cross_entropy", weight, input.size(class_dim(input)));
  if (target.is_floating() && input.shape() == target.shape()) {
    if (ignore_index >= 0)
      throw RuntimeError("cross_entropy(): ignore_index is not supported for floating point target");
    return of_probabilities(input, target, weight, label_smoothing, averaging);
  }
  check_shapes("cross_entropy", input, target);
  const int64_t d = class_dim(input), classes = input.size(d);
  Labels labels = checked_labels("cross_entropy", target, classes, ignore_index);
  NodeLabel likelihood("NllLossBackward0");
  if (input.dim() == 2 && input.dtype() == DType::Float32 && !weight.defined() && label_smoothing == 0)
    return likelihood.label(fused_cross_entropy(input, labels, averaging));
  Tensor loss = smoothed(log_softmax(input, d), labels, weight, label_smoothing, averaging);
  return label_smoothing == 0 ? likelihood.label(loss) : loss;
}

}  // namespace mlx

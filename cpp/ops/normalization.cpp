// Normalisations. The kernels work on float32 and float64; the smaller floats are widened on the way in.

#include <limits>

#include "ops/reduction.h"
#include "ops/widening.h"

namespace mlx {
namespace {

Tensor for_kernels(const Tensor& t) {
  return t.defined() ? contiguous(as_dtype(t, compute_type(t.dtype()))) : t;
}

Tensor widened_as(const Tensor& t, const Tensor& x) {
  return t.defined() ? contiguous(to(t, x.dtype(), false, false)) : t;
}

// Gradients of y = (x - mean) * rstd * weight + bias over dimensions `dims`, written with ops for second
// derivatives.
Grads composed_gradients(const Tensor& g, const Tensor& x, const Tensor& mean, const Tensor& rstd,
                         const Tensor& weight, const Shape& dims, const Shape& parameter_dims, bool centred,
                         bool own_statistics) {
  Tensor normal = (x - mean) * rstd, scaled = weight.defined() ? g * weight : g;
  Tensor dx = scaled;
  if (own_statistics) {
    dx = dx - normal * mlx::mean(scaled * normal, dims, true);
    if (centred) dx = dx - mlx::mean(scaled, dims, true);
  }
  return {dx * rstd, sum(g * normal, parameter_dims), sum(g, parameter_dims)};
}

Tensor inverse_root(const Tensor& variance, double eps) { return pow(variance + Scalar(eps), Scalar(-0.5)); }

// Rows of a matrix to mean 0 and variance 1 (or, uncentred, to mean square 1), then * weight + bias.
Tensor normalized_rows(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias,
                       double eps, bool centred) {
  Tensor out = allocate(x.shape(), x.dtype(), x.device());
  Tensor mean = allocate({x.size(0)}, x.dtype(), x.device()),
         rstd = allocate({x.size(0)}, x.dtype(), x.device());
  if (out.numel()) launch(LayerNorm{eps, centred}, {&out, &mean, &rstd}, {&x, &weight, &bias});
  return record(
      name, out, {&x, &weight, &bias}, [=, x = save(x), weight = save(weight)](Backward& b) -> Grads {
        Tensor in = b.get(x), w = b.get(weight), g = contiguous(b.grad());
        if (recording({&g, &in, &w})) {
          Tensor m = centred ? mlx::mean(in, Shape{1}, true) : zeros({1, 1}, in.dtype(), in.device());
          Tensor r = inverse_root(mlx::mean((in - m) * (in - m), Shape{1}, true), eps);
          return composed_gradients(g, in, m, r, w, {1}, {0}, centred, true);
        }
        Tensor dx = allocate(in.shape(), in.dtype(), in.device()), dw, db;
        if (b.needs(1) || b.needs(2)) {
          dw = zeros({in.size(1)}, in.dtype(), in.device());
          db = zeros({in.size(1)}, in.dtype(), in.device());
        }
        if (in.numel()) launch(LayerNormGradient{centred}, {&dx, &dw, &db}, {&g, &in, &mean, &rstd, &w});
        return {dx, dw, db};
      });
}

void check_normalized_shape(const char* op, const Tensor& input, const Shape& shape, const Tensor& weight,
                            const Tensor& bias) {
  if (shape.empty())
    throw RuntimeError(op,
                       "(): Expected normalized_shape to be at least 1-dimensional, i.e., containing at "
                       "least one element, but got normalized_shape = ",
                       shape);
  for (const Tensor* t : {&weight, &bias})
    if (t->defined() && t->shape() != shape)
      throw RuntimeError(op, "(): Expected weight and bias to be of same shape as normalized_shape, but got ",
                         t->shape(), " and normalized_shape = ", shape);
  const size_t n = shape.size(), have = input.shape().size();
  bool fits = have >= n;
  for (size_t i = 0; fits && i < n; ++i) fits = input.shape()[have - n + i] == shape[i];
  if (!fits)
    throw RuntimeError(op, "(): Given normalized_shape=", shape, ", expected input with trailing shape ",
                       shape, ", but got input of size ", input.shape());
}

Tensor normalized_trailing(const char* name, const Tensor& input, const Shape& shape, const Tensor& weight,
                           const Tensor& bias, double eps, bool centred) {
  Tensor x = for_kernels(input);
  const int64_t n = numel(shape);
  auto flat = [&](const Tensor& t) { return t.defined() ? reshape(widened_as(t, x), {n}) : t; };
  Tensor rows = reshape(x, {n ? x.numel() / n : 0, n});
  return to(reshape(normalized_rows(name, rows, flat(weight), flat(bias), eps, centred), input.shape()),
            input.dtype(), false, false);
}

// (batch, channels, inner) to mean 0 and variance 1 over each channel, or by given statistics.
struct ChannelNorm {
  Tensor out, mean, variance;
};

ChannelNorm normalized_channels(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor mean,
                                Tensor variance, bool training, double eps) {
  const Shape channels = {x.size(1)};
  Tensor out = allocate(x.shape(), x.dtype(), x.device());
  if (training) {
    mean = zeros(channels, x.dtype(), x.device());
    variance = zeros(channels, x.dtype(), x.device());
    if (x.numel()) launch(ChannelStatistics{}, {&mean, &variance}, {&x});
  }
  Tensor rstd = contiguous(inverse_root(detach(variance), eps));
  mean = contiguous(detach(mean));
  if (x.numel()) launch(ChannelAffine{}, {&out}, {&x, &mean, &rstd, &weight, &bias});
  record("NativeBatchNorm", out, {&x, &weight, &bias},
         [=, x = save(x), weight = save(weight)](Backward& b) -> Grads {
           Tensor in = b.get(x), w = b.get(weight), g = contiguous(b.grad());
           if (recording({&g, &in, &w})) {
             auto column = [](const Tensor& t) { return t.defined() ? reshape(t, {-1, 1}) : t; };
             Tensor m = training ? mlx::mean(in, Shape{0, 2}, true) : column(mean);
             Tensor r = training ? inverse_root(mlx::mean((in - m) * (in - m), Shape{0, 2}, true), eps)
                                 : column(rstd);
             return composed_gradients(g, in, m, r, column(w), {0, 2}, {0, 2}, true, training);
           }
           Tensor dx = allocate(in.shape(), in.dtype(), in.device()),
                  dw = zeros(channels, in.dtype(), in.device()),
                  db = zeros(channels, in.dtype(), in.device());
           if (in.numel()) launch(ChannelGradient{training}, {&dx, &dw, &db}, {&g, &in, &mean, &rstd, &w});
           return {dx, dw, db};
         });
  return {out, mean, variance};
}

// What normalized_groups() passes to the kernels, for which the channels of all samples are those of one.
struct GroupNorm {
  Shape channels, planes;  // (batch, groups, channels of a group); (1, all channels, inner)
  Tensor mean, rstd;       // of each group, (batch, groups, 1)
  double eps;

  GroupNorm(const Tensor& x, double eps) : channels{x.size(0), x.size(1), x.size(2)}, eps(eps) {
    planes = {1, numel(channels), x.size(3)};
    const int64_t groups = channels[0] * channels[1];
    Tensor means = zeros({groups}, x.dtype(), x.device()), variance = zeros({groups}, x.dtype(), x.device());
    const Tensor rows = reshape(x, {1, groups, channels[2] * x.size(3)});
    if (x.numel()) launch(ChannelStatistics{}, {&means, &variance}, {&rows});
    mean = reshape(means, {channels[0], channels[1], 1});
    rstd = reshape(inverse_root(variance, eps), mean.shape());
  }
  Tensor parameter(const Tensor& t) const {
    return t.defined() ? reshape(t, {1, channels[1], channels[2]}) : t;
  }
  // One number for each channel of each sample, from one for each group (batch, groups, 1) or for each
  // channel (1, groups, channels of a group).
  Tensor each(const Tensor& t) const {
    return t.defined() ? reshape(contiguous(expand(t, channels)), {planes[1]}) : t;
  }

  Tensor forward(const Tensor& x, const Tensor& weight, const Tensor& bias) const {
    Tensor out = allocate(planes, x.dtype(), x.device());
    const Tensor in = reshape(x, planes), m = each(mean), r = each(rstd), w = each(parameter(weight)),
                 b = each(parameter(bias));
    if (out.numel()) launch(ChannelAffine{}, {&out}, {&in, &m, &r, &w, &b});
    return reshape(out, x.shape());
  }

  // First as if the statistics were given. What x does to them follows from the sums over each channel.
  Grads backward(const Tensor& g, const Tensor& x, const Tensor& weight) const {
    const Shape flat = {planes[1]};
    Tensor dx = allocate(planes, x.dtype(), x.device()), dw = zeros(flat, x.dtype(), x.device()),
           db = zeros(flat, x.dtype(), x.device());
    const Tensor in = reshape(x, planes), grad = reshape(g, planes), m = each(mean), r = each(rstd),
                 w = each(parameter(weight));
    if (x.numel()) launch(ChannelGradient{false}, {&dx, &dw, &db}, {&grad, &in, &m, &r, &w});
    const auto mean_of_group = [&](const Tensor& sums) {
      const Tensor scaled = reshape(w.defined() ? sums * w : sums, channels);
      return sum(scaled, Shape{2}, true) / static_cast<double>(channels[2] * planes[2]);
    };
    const Tensor slope = rstd * rstd * mean_of_group(dw);
    const Tensor offset = slope * mean - rstd * mean_of_group(db);
    dx = addcmul(reshape(dx, x.shape()) + unsqueeze(offset, 3), x, unsqueeze(slope, 3), -1);
    const auto over_batch = [&](const Tensor& t) {
      return sum(reshape(t, {channels[0], channels[1] * channels[2]}), Shape{0});
    };
    return {dx, over_batch(dw), over_batch(db)};
  }
};

// Groups of channels of (batch, groups, channels of a group, inner) to mean 0 and variance 1, then * weight +
// bias for each channel.
Tensor normalized_groups(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
  const auto [norm, out] = [&] {
    GradModeGuard off(false);
    const GroupNorm made(x, eps);
    return std::pair(made, made.forward(x, weight, bias));
  }();
  return record("NativeGroupNorm", out, {&x, &weight, &bias},
                [norm = norm, x = save(x), weight = save(weight)](Backward& b) -> Grads {
                  Tensor in = b.get(x), w = b.get(weight), g = contiguous(b.grad());
                  if (!recording({&g, &in, &w})) return norm.backward(g, in, w);
                  Tensor mean = mlx::mean(in, Shape{2, 3}, true), off = in - mean;
                  Tensor rstd = inverse_root(mlx::mean(off * off, Shape{2, 3}, true), norm.eps);
                  Tensor column = w.defined() ? unsqueeze(norm.parameter(w), 3) : w;
                  Grads grads = composed_gradients(g, in, mean, rstd, column, {2, 3}, {0, 3}, true, true);
                  return {grads[0], reshape(grads[1], {-1}), reshape(grads[2], {-1})};
                });
}

// running = (1 - momentum) * running + momentum * now, without history.
void update_running(const Tensor& running, const Tensor& now, double momentum) {
  if (!running.defined()) return;
  GradModeGuard off(false);
  copy_(running, running * Scalar(1 - momentum) + to(now, running.dtype(), false, false) * Scalar(momentum),
        false);
}

void check_channels(const char* op, const Tensor& t, const char* what, int64_t channels) {
  if (t.defined() && t.numel() != channels)
    throw RuntimeError(op, "(): ", what, " should contain ", channels, " elements not ", t.numel());
}

double variance_correction(int64_t n) {
  return n > 1 ? static_cast<double>(n) / static_cast<double>(n - 1)
               : std::numeric_limits<double>::quiet_NaN();
}

// Channels with few elements lie better the other way round: (1, channels, batch * inner).
constexpr int64_t kShortInner = 16;

}  // namespace

// The trailing dimensions `normalized_shape` to mean 0 and variance 1, then * weight + bias (Ba et al.,
// 2016).
OP("nn.functional.layer_norm(Tensor input, int[1] normalized_shape, Tensor? weight=None, Tensor? bias=None, "
   "float eps=1e-05) -> Tensor")
    .node("NativeLayerNormBackward0");
Tensor functional::layer_norm(const Tensor& input, const Shape& normalized_shape, const Tensor& weight,
                              const Tensor& bias, double eps) {
  check_normalized_shape("layer_norm", input, normalized_shape, weight, bias);
  if (!input.is_floating())
    throw NotImplementedError("\"LayerNormKernelImpl\" not implemented for '", short_name(input.dtype()),
                              "'");
  return normalized_trailing("NativeLayerNorm", input, normalized_shape, weight, bias, eps, true);
}

OP("layer_norm(Tensor input, int[1] normalized_shape, Tensor? weight=None, Tensor? bias=None, float "
   "eps=1e-05, bool cudnn_enable=True) -> Tensor")
    .node("NativeLayerNormBackward0");
Tensor layer_norm(const Tensor& input, const Shape& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double eps, bool) {
  return functional::layer_norm(input, normalized_shape, weight, bias, eps);
}

// The trailing dimensions divided by their root mean square, then * weight (Zhang and Sennrich, 2019).
OP("nn.functional.rms_norm(Tensor input, int[1] normalized_shape, Tensor? weight=None, float? eps=None) -> "
   "Tensor")
    .alias("rms_norm");
Tensor functional::rms_norm(const Tensor& input, const Shape& normalized_shape, const Tensor& weight,
                            std::optional<double> eps) {
  check_normalized_shape("rms_norm", input, normalized_shape, weight, {});
  if (!input.is_inexact())
    throw NotImplementedError("\"rms_norm\" not implemented for '", short_name(input.dtype()), "'");
  const bool wide = input.dtype() == DType::Float64 || input.dtype() == DType::Complex128;
  const double small =
      eps.value_or(wide ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon());
  if (!input.is_complex())
    return normalized_trailing("RmsNorm", input, normalized_shape, weight, {}, small, false);
  Shape dims;
  for (size_t i = 1; i <= normalized_shape.size(); ++i) dims.push_back(-static_cast<int64_t>(i));
  Tensor out = input * inverse_root(mean(input * input, dims, true), small);
  return weight.defined() ? out * weight : out;
}

// Each channel to mean 0 and variance 1 over the batch (or by the running statistics), then * weight + bias
// (Ioffe and Szegedy, 2015). In training the running statistics are moved towards the batch's by `momentum`.
OP("nn.functional.batch_norm(Tensor input, Tensor? running_mean, Tensor? running_var, Tensor? weight=None, "
   "Tensor? bias=None, bool training=False, float momentum=0.1, float eps=1e-05) -> Tensor")
    .node("NativeBatchNormBackward0");
Tensor functional::batch_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                              const Tensor& weight, const Tensor& bias, bool training, double momentum,
                              double eps) {
  if (input.dim() == 1 && input.numel() == 0) return clone(input);
  if (input.dim() < 2)
    throw RuntimeError("batch_norm(): expected at least 2 dimensions, got shape ", input.shape());
  const int64_t channels = input.size(1), n = channels ? input.numel() / channels : 0;
  check_channels("batch_norm", running_mean, "running_mean", channels);
  check_channels("batch_norm", running_var, "running_var", channels);
  check_channels("batch_norm", weight, "weight", channels);
  check_channels("batch_norm", bias, "bias", channels);
  if (!training && !(running_mean.defined() && running_var.defined()))
    throw RuntimeError(
        "batch_norm(): Expected running_mean and running_var to be defined when training=False");
  if (training && n == 1)
    throw ValueError("Expected more than 1 value per channel when training, got input size ", input.shape());
  Tensor x = to(input, compute_type(input.dtype()), false, false);
  const int64_t batch = input.size(0), inner = batch && channels ? n / batch : 0;
  const bool turned = inner < kShortInner && batch > 1;
  Tensor three = reshape(x, {batch, channels, inner});
  if (turned) three = reshape(contiguous(transpose(three, 0, 1)), {1, channels, n});
  auto [out, mean, variance] =
      normalized_channels(contiguous(three), widened_as(weight, x), widened_as(bias, x),
                          widened_as(running_mean, x), widened_as(running_var, x), training, eps);
  if (training && input.numel()) {
    update_running(running_mean, mean, momentum);
    update_running(running_var, variance * Scalar(variance_correction(n)), momentum);
  }
  if (turned) out = contiguous(transpose(reshape(out, {channels, batch, inner}), 0, 1));
  return to(reshape(out, input.shape()), input.dtype(), false, false);
}

OP("batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool "
   "training, float momentum, float eps, bool cudnn_enabled=True) -> Tensor")
    .node("NativeBatchNormBackward0");
Tensor batch_norm(const Tensor& input, const Tensor& weight, const Tensor& bias, const Tensor& running_mean,
                  const Tensor& running_var, bool training, double momentum, double eps, bool) {
  return functional::batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps);
}

// Groups of channels of each sample to mean 0 and variance 1, then * weight + bias a channel (Wu and He,
// 2018).
OP("nn.functional.group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float "
   "eps=1e-05) -> Tensor")
    .node("NativeGroupNormBackward0");
Tensor functional::group_norm(const Tensor& input, int64_t num_groups, const Tensor& weight,
                              const Tensor& bias, double eps) {
  if (input.dim() < 2)
    throw RuntimeError("group_norm(): Expected at least 2 dimensions for input tensor but received ",
                       input.dim());
  const int64_t batch = input.size(0), channels = input.size(1);
  if (num_groups <= 0 || channels % num_groups)
    throw RuntimeError(
        "group_norm(): Expected number of channels in input to be divisible by num_groups, but got input of "
        "shape ",
        input.shape(), " and num_groups=", num_groups);
  check_channels("group_norm", weight, "weight", channels);
  check_channels("group_norm", bias, "bias", channels);
  const int64_t each = channels / num_groups, planes = batch * channels;
  Tensor x = reshape(for_kernels(input), {batch, num_groups, each, planes ? input.numel() / planes : 0});
  Tensor out = normalized_groups(x, widened_as(weight, x), widened_as(bias, x), eps);
  return to(reshape(out, input.shape()), input.dtype(), false, false);
}

OP("group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-05, bool "
   "cudnn_enabled=True) -> Tensor")
    .node("NativeGroupNormBackward0");
Tensor group_norm(const Tensor& input, int64_t num_groups, const Tensor& weight, const Tensor& bias,
                  double eps, bool) {
  return functional::group_norm(input, num_groups, weight, bias, eps);
}

// Each channel of each sample to mean 0 and variance 1 (or by the running statistics), then * weight + bias.
OP("nn.functional.instance_norm(Tensor input, Tensor? running_mean=None, Tensor? running_var=None, Tensor? "
   "weight=None, Tensor? bias=None, bool use_input_stats=True, float momentum=0.1, float eps=1e-05) -> "
   "Tensor");
Tensor functional::instance_norm(const Tensor& input, const Tensor& running_mean, const Tensor& running_var,
                                 const Tensor& weight, const Tensor& bias, bool use_input_stats,
                                 double momentum, double eps) {
  if (!use_input_stats)
    return functional::batch_norm(input, running_mean, running_var, weight, bias, false, momentum, eps);
  if (input.dim() < 2)
    throw RuntimeError("instance_norm(): expected at least 2 dimensions, got shape ", input.shape());
  const int64_t channels = input.size(1), samples = input.size(0) * channels,
                n = samples ? input.numel() / samples : 0;
  if (n == 1)
    throw ValueError("Expected more than 1 spatial element when training, got input size ", input.shape());
  if ((running_mean.defined() || running_var.defined()) && n) {
    GradModeGuard off(false);
    auto [variances, means] =
        var_mean(reshape(to(input, compute_type(input.dtype()), false, false), {input.size(0), channels, n}),
                 Shape{2});
    update_running(running_mean, mean(means, Shape{0}), momentum);
    update_running(running_var, mean(variances, Shape{0}), momentum);
  }
  return functional::group_norm(input, channels, weight, bias, eps);
}

OP("instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, "
   "bool use_input_stats, float momentum, float eps, bool cudnn_enabled) -> Tensor");
Tensor instance_norm(const Tensor& input, const Tensor& weight, const Tensor& bias,
                     const Tensor& running_mean, const Tensor& running_var, bool use_input_stats,
                     double momentum, double eps, bool) {
  return functional::instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum,
                                   eps);
}

// Vectors along a dimension divided by their p-norm, or by eps where that is smaller.
OP("nn.functional.normalize(Tensor input, float p=2.0, int[1] dim=1, float eps=1e-12) -> Tensor");
Tensor functional::normalize(const Tensor& input, double p, const Shape& dim, double eps) {
  Tensor x = widened(input);  // in float16 eps would be zero
  Tensor length = linalg::vector_norm(x, p, dim, true);
  return as_dtype(x / where(lt(length, eps), eps, length), input.dtype());
}

// Each element divided by a power of the mean square of its neighbours in the channel dimension (Krizhevsky
// et al., 2012).
OP("nn.functional.local_response_norm(Tensor input, int size, float alpha=0.0001, float beta=0.75, float "
   "k=1.0) -> Tensor");
Tensor functional::local_response_norm(const Tensor& input, int64_t size, double alpha, double beta,
                                       double k) {
  if (input.dim() < 3)
    throw ValueError("Expected 3D or higher dimensionality input (got ", input.dim(), " dimensions)");
  if (input.numel() == 0) return input;
  auto padding = [&](int64_t n) {
    Shape shape = input.shape();
    shape[1] = n;
    return zeros(shape, input.dtype(), input.device());
  };
  Tensor squares = cat({padding(size / 2), input * input, padding((size - 1) / 2)}, 1);
  Tensor windows = unfold(squares, 1, size, 1);
  Tensor neighbours =
      input.is_inexact() ? mean(windows, Shape{-1}) : floor_divide(sum(windows, Shape{-1}), size);
  return input / pow(neighbours * Scalar(alpha) + Scalar(k), beta);
}

}  // namespace mlx

// Layer and batch normalisation. Statistics of channels are reductions, scaling is pointwise; the rest has
// kernels of its own (metal/normalization.metal).

#include <algorithm>

#include "backends/gpu/elementwise.h"
#include "backends/gpu/rows.h"

namespace mlx::gpu {
namespace {

// Pieces that the rows are cut into for the sums over columns.
constexpr int64_t kPieceRows = 32, kMaxPieces = 64;

// As in the kernels' text.
struct Norm {
  Rows shape;
  float eps;
  uint32_t centred, has_weight, has_bias;
};

const Kernel* norm_kernel(Runtime& runtime, const char* function) {
  return kernel(runtime, "normalization", function, {});
}

// What stands for an operand that is not there, and is never looked at.
Argument read_or(const Tensor& t, const Tensor& other) { return read(t.defined() ? t : other); }

void reduce_to(const Tensor& out, const Tensor& in, const Reduce& k, const Tensor* mean = nullptr) {
  const Tensor *outputs[] = {&out}, *inputs[] = {&in, mean};
  backend(out.device().type)
      .run({kernel_number<Reduce>(), &k, sizeof k, outputs, std::span(inputs, mean ? 2 : 1)});
}

bool layer_norm(const LayerNorm& k, const Launch& launch, Runtime& runtime) {
  const Tensor &x = launch.in(0), &weight = launch.in(1), &bias = launch.in(2);
  if (!Rows::fit(x)) return false;
  const Norm norm{Rows(x), static_cast<float>(k.eps), k.centred, weight.defined(), bias.defined()};
  run(runtime, launch, norm_kernel(runtime, "layer_norm"),
      {read(x), read_or(weight, x), read_or(bias, x), write(launch.out(0)), write(launch.out(1)),
       write(launch.out(2)), bytes(norm)},
      norm.shape.groups(), {kRowThreads});
  return true;
}

// Sums over the rows, in pieces first.
void parameter_gradients(const Launch& launch, Runtime& runtime, const Rows& rows) {
  const Tensor &g = launch.in(0), &dw = launch.out(1), &db = launch.out(2);
  const int64_t pieces = std::clamp<int64_t>(rows.rows / kPieceRows, 1, kMaxPieces);
  const Shape shape = {pieces, rows.n};
  const Tensor weights = allocate(shape, g.dtype(), g.device()), biases = allocate(shape, g.dtype(), g.device());
  const uint32_t threads = power_of_two(rows.n, kRowThreads);
  run(runtime, launch, norm_kernel(runtime, "layer_norm_parameters"),
      {read(g), read(launch.in(1)), read(launch.in(2)), read(launch.in(3)), write(weights), write(biases),
       bytes(rows)},
      {groups_of(rows.n, threads).x, static_cast<uint32_t>(pieces)}, {threads});
  const Shape row = {1, rows.n};
  for (const auto& [parts, sums] : {std::pair(&weights, &dw), std::pair(&biases, &db)})
    reduce_to(view_of(*sums, row, contiguous_strides(row), sums->offset()), *parts,
              Reduce{Reduction::Sum, DType::Float32});
}

bool layer_norm_gradient(const LayerNormGradient& k, const Launch& launch, Runtime& runtime) {
  const Tensor &g = launch.in(0), &x = launch.in(1), &weight = launch.in(4);
  if (!Rows::fit(x)) return false;
  const Norm norm{Rows(x), 0, k.centred, weight.defined(), 0};
  run(runtime, launch, norm_kernel(runtime, "layer_norm_gradient"),
      {read(g), read(x), read(launch.in(2)), read(launch.in(3)), read_or(weight, x), write(launch.out(0)),
       bytes(norm)},
      norm.shape.groups(), {kRowThreads});
  if (launch.out(1).defined()) parameter_gradients(launch, runtime, norm.shape);
  return true;
}

// ---- channels: x is (batch, channels, inner), parameters one a channel

Shape channel_shape(const Tensor& x) { return {1, x.size(1), 1}; }

Tensor as_channels(const Tensor& t, const Tensor& x) {
  const Shape shape = channel_shape(x);
  return view_of(t, shape, contiguous_strides(shape), t.offset());
}

void input_channels(Elementwise& kernel, const Tensor& t) {
  kernel.input(t, Shape{0, 1, 0}, DType::Float32);
}

bool channel_statistics(const ChannelStatistics&, const Launch& launch, Runtime&) {
  const Tensor& x = launch.in(0);
  if (x.dtype() != DType::Float32) return false;
  const double count = static_cast<double>(x.size(0) * x.size(2));
  const Tensor mean = as_channels(launch.out(0), x), variance = as_channels(launch.out(1), x);
  reduce_to(mean, x, Reduce{Reduction::Sum, DType::Float32, count});
  reduce_to(variance, x, Reduce{Reduction::SquaredDeviation, DType::Float32, count}, &mean);
  return true;
}

bool channel_affine(const ChannelAffine&, const Launch& launch, Runtime& runtime) {
  const Tensor &x = launch.in(0), &weight = launch.in(3), &bias = launch.in(4), &out = launch.out();
  if (x.dtype() != DType::Float32) return false;
  Elementwise kernel(runtime, "channel_affine", x.shape());
  kernel.input(x, DType::Float32);
  for (int i : {1, 2}) input_channels(kernel, launch.in(static_cast<size_t>(i)));
  std::string scale = "x2", shift;
  int next = 3;
  if (weight.defined()) input_channels(kernel, weight), scale = str("(x2 * x", next++, ")");
  if (bias.defined()) input_channels(kernel, bias), shift = str(" + x", next);
  kernel.output(out, out.strides(), DType::Float32);
  return kernel.run(str("channel_affine", scale, shift), [&] {
    return Arithmetic{"", str("    const float y0 = (x0 - x1) * ", scale, shift, ";\n")};
  });
}

bool channel_gradient(const ChannelGradient& k, const Launch& launch, Runtime& runtime) {
  const Tensor &g = launch.in(0), &x = launch.in(1), &mean = launch.in(2), &rstd = launch.in(3),
               &weight = launch.in(4), &dx = launch.out(0), &dw = launch.out(1), &db = launch.out(2);
  if (x.dtype() != DType::Float32 || x.numel() > UINT32_MAX) return false;
  const uint32_t sizes[4] = {static_cast<uint32_t>(x.size(0)), static_cast<uint32_t>(x.size(1)),
                             static_cast<uint32_t>(x.size(2)), 0};
  run(runtime, launch, norm_kernel(runtime, "channel_sums"),
      {read(g), read(x), read(mean), read(rstd), write(dw), write(db), bytes(sizes)}, {sizes[1]},
      {kRowThreads});
  Elementwise kernel(runtime, "channel_gradient", x.shape());
  kernel.input(g, DType::Float32);
  kernel.input(x, DType::Float32);
  for (const Tensor* t : {&mean, &rstd, &dw, &db}) input_channels(kernel, *t);
  kernel.value(static_cast<double>(x.size(0) * x.size(2)), DType::Float32);
  if (weight.defined()) input_channels(kernel, weight);
  kernel.output(dx, dx.strides(), DType::Float32);
  const std::string scale = weight.defined() ? "x7 * x3" : "x3";
  const std::string rest = k.training ? "x0 - x5 / x6 - (x1 - x2) * (x4 / x6 * x3)" : "x0";
  return kernel.run(str("channel_gradient ", scale, ' ', rest), [&] {
    return Arithmetic{"", str("    const float y0 = (", scale, ") * (", rest, ");\n")};
  });
}

GPU_KERNEL(LayerNorm, layer_norm);
GPU_KERNEL(LayerNormGradient, layer_norm_gradient);
GPU_KERNEL(ChannelStatistics, channel_statistics);
GPU_KERNEL(ChannelAffine, channel_affine);
GPU_KERNEL(ChannelGradient, channel_gradient);

}  // namespace
}  // namespace mlx::gpu

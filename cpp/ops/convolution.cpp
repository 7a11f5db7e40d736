// Convolutions over one, two or three dimensions, and their transposes.
//
// y = conv(x, w) is linear in x and in w, so there are three products of two tensors, each the
// gradient of another: y from (x, w), x's gradient from (y's, w), w's gradient from (x, y's).

#include "backends/backend.h"
#include "ops.h"
#include "ops/window.h"

namespace mlx {
namespace {

struct Geometry {
  Window window;
  int64_t groups;
};

// A bias, if there is one, is a number a channel that is added to the result.
Tensor conv_forward(const Tensor& x, const Tensor& w, const Tensor& bias, const Shape& y_shape,
                    const Geometry& g);
Tensor conv_input_grad(const Tensor& gy, const Tensor& w, const Tensor& bias, const Shape& x_shape,
                       const Geometry& g);
Tensor conv_weight_grad(const Tensor& x, const Tensor& gy, const Shape& w_shape, const Geometry& g);

Tensor run(Convolution::Kind kind, const Shape& shape, const Tensor& a, const Tensor& b, const Tensor& bias,
           const Geometry& g) {
  Tensor out = allocate(shape, a.dtype(), a.device());
  if (a.numel() == 0 || b.numel() == 0 || out.numel() == 0) {
    zero_(out);
    return bias.defined() ? add(out, view(detach(bias), {1, -1, 1, 1, 1})) : out;
  }
  Tensor left = contiguous(detach(a)), right = contiguous(detach(b));
  const Convolution kernel{kind, g.window, g.groups};
  if (!bias.defined()) {
    launch(kernel, {&out}, {&left, &right});
    return out;
  }
  Tensor numbers = contiguous(detach(bias));
  launch(kernel, {&out}, {&left, &right, &numbers});
  return out;
}

// The gradient of a bias: all places of a channel add up.
Tensor sum_of_places(const Tensor& gy) { return sum(gy, Shape{0, 2, 3, 4}, false, gy.dtype()); }

Tensor conv_forward(const Tensor& x, const Tensor& w, const Tensor& bias, const Shape& y_shape,
                    const Geometry& g) {
  Tensor out = run(Convolution::Forward, y_shape, x, w, bias, g);
  return record("Convolution", out, {&x, &w, &bias},
                [x = save(x), w = save(w), xs = x.shape(), ws = w.shape(), g](Backward& b) -> Grads {
                  Grads grads(3);
                  if (b.needs(0)) grads[0] = conv_input_grad(b.grad(), conj(b.get(w)), {}, xs, g);
                  if (b.needs(1)) grads[1] = conv_weight_grad(conj(b.get(x)), b.grad(), ws, g);
                  if (b.needs(2)) grads[2] = sum_of_places(b.grad());
                  return grads;
                });
}

Tensor conv_input_grad(const Tensor& gy, const Tensor& w, const Tensor& bias, const Shape& x_shape,
                       const Geometry& g) {
  Tensor out = run(Convolution::InputGrad, x_shape, gy, w, bias, g);
  return record("ConvolutionInputGrad", out, {&gy, &w, &bias},
                [gy = save(gy), w = save(w), ys = gy.shape(), ws = w.shape(), g](Backward& b) -> Grads {
                  Grads grads(3);
                  if (b.needs(0)) grads[0] = conv_forward(b.grad(), conj(b.get(w)), {}, ys, g);
                  if (b.needs(1)) grads[1] = conv_weight_grad(b.grad(), conj(b.get(gy)), ws, g);
                  if (b.needs(2)) grads[2] = sum_of_places(b.grad());
                  return grads;
                });
}

Tensor conv_weight_grad(const Tensor& x, const Tensor& gy, const Shape& w_shape, const Geometry& g) {
  Tensor out = run(Convolution::WeightGrad, w_shape, x, gy, {}, g);
  return record("ConvolutionWeightGrad", out, {&x, &gy},
                [x = save(x), gy = save(gy), xs = x.shape(), ys = gy.shape(), g](Backward& b) -> Grads {
                  Grads grads(2);
                  if (b.needs(0)) grads[0] = conv_input_grad(conj(b.get(gy)), b.grad(), {}, xs, g);
                  if (b.needs(1)) grads[1] = conv_forward(conj(b.get(x)), b.grad(), {}, ys, g);
                  return grads;
                });
}

void check_operands(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias, int dims) {
  if (w.dim() != dims + 2)
    throw RuntimeError(op, "(): expected a weight of ", dims + 2, " dimensions, but got shape ", w.shape());
  if (x.dim() != dims + 2 && x.dim() != dims + 1)
    throw RuntimeError(op, "(): Expected ", dims + 1, "D (unbatched) or ", dims + 2,
                       "D (batched) input, but got input of size: ", x.shape());
  if (x.dtype() != w.dtype() || (bias.defined() && bias.dtype() != w.dtype()))
    throw RuntimeError(op, "(): Input type (", x.dtype(), ") and weight type (", w.dtype(),
                       ") and bias type should be the same");
}

void check_bias(const char* op, const Tensor& bias, int64_t channels) {
  if (bias.defined() && (bias.dim() != 1 || bias.size(0) != channels))
    throw RuntimeError(op, "(): expected bias to be 1-dimensional with ", channels,
                       " elements, but got shape ", bias.shape());
}

// Numbers a dimension: one for all, or one each.
void check_count(const char* op, const char* name, const Shape& numbers, int dims) {
  if (numbers.size() != 1 && numbers.size() != static_cast<size_t>(dims))
    throw RuntimeError(op, "(): expected ", name, " to be a single integer value or a list of ", dims,
                       " values to match the convolution dimensions, but got ", name, "=", numbers);
}

void check_window(const char* op, const Shape& stride, const Shape& padding, const Shape& dilation,
                  int64_t groups, int dims) {
  check_count(op, "stride", stride, dims);
  check_count(op, "padding", padding, dims);
  check_count(op, "dilation", dilation, dims);
  for (int64_t s : stride)
    if (s <= 0) throw RuntimeError(op, "(): non-positive stride is not supported: ", stride);
  for (int64_t p : padding)
    if (p < 0) throw RuntimeError(op, "(): negative padding is not supported: ", padding);
  for (int64_t d : dilation)
    if (d <= 0) throw RuntimeError(op, "(): dilation should be greater than zero: ", dilation);
  if (groups <= 0) throw RuntimeError(op, "(): non-positive groups is not supported: ", groups);
}

Tensor convolve(const char* op, const Tensor& input, const Tensor& weight, const Tensor& bias,
                const Shape& stride, const Shape& padding, const Shape& dilation, int64_t groups, int dims) {
  check_operands(op, input, weight, bias, dims);
  check_window(op, stride, padding, dilation, groups, dims);
  bool batched = input.dim() == dims + 2;
  Tensor x = as_3d(batched ? input : unsqueeze(input, 0), dims), w = as_3d(weight, dims);
  if (x.size(1) != w.size(1) * groups)
    throw RuntimeError(op, "(): Given groups=", groups, ", weight of size ", weight.shape(),
                       ", expected input", input.shape(), " to have ", w.size(1) * groups,
                       " channels, but got ", x.size(1), " channels instead");
  if (w.size(0) % groups)
    throw RuntimeError(op, "(): out channels (", w.size(0), ") must be divisible by groups (", groups, ")");
  Geometry g{make_window(Shape(weight.shape().begin() + 2, weight.shape().end()), stride, padding, dilation),
             groups};
  for (int i = 0; i < 3; ++i) {
    int64_t reach = g.window.dilation[i] * (g.window.kernel[i] - 1) + 1;
    if (x.size(i + 2) + 2 * g.window.padding[i] < reach)
      throw RuntimeError(
          op, "(): Calculated padded input size per channel: ", x.size(i + 2) + 2 * g.window.padding[i],
          ". Kernel size: ", reach, ". Kernel size can't be greater than actual input size");
  }
  check_bias(op, bias, w.size(0));
  Shape y_shape{x.size(0), w.size(0)};
  for (int i = 0; i < 3; ++i) y_shape.push_back(output_size(x.size(i + 2), g.window, i));
  Tensor y = from_3d(conv_forward(x, w, bias, y_shape, g), dims);
  return batched ? y : squeeze(y, 0);
}

// Padding given as a word: "valid" is none, "same" keeps the size (the odd element goes behind).
Tensor convolve(const char* op, const Tensor& input, const Tensor& weight, const Tensor& bias,
                const Shape& stride, const std::string& padding, const Shape& dilation, int64_t groups,
                int dims) {
  Shape none(static_cast<size_t>(dims), 0);
  if (padding == "valid") return convolve(op, input, weight, bias, stride, none, dilation, groups, dims);
  if (padding != "same")
    throw RuntimeError(op, "(): Invalid padding string: '", padding, "'; it is 'valid' or 'same'");
  check_operands(op, input, weight, bias, dims);
  for (int64_t s : stride)
    if (s != 1) throw RuntimeError(op, "(): padding='same' is not supported for strided convolutions");
  Shape both, pads;
  bool even = true;
  for (int d = 0; d < dims; ++d) {
    int64_t total = dilation[d] * (weight.size(d + 2) - 1);
    both.push_back(total / 2);
    even &= total % 2 == 0;
    pads.insert(0, total % 2);  // pad() lists the last dimension first, in front before behind
    pads.insert(0, 0);
  }
  return convolve(op, even ? input : constant_pad_nd(input, pads, 0), weight, bias, stride, both, dilation,
                  groups, dims);
}

Tensor convolve_transposed(const char* op, const Tensor& input, const Tensor& weight, const Tensor& bias,
                           const Shape& stride, const Shape& padding, const Shape& output_padding,
                           int64_t groups, const Shape& dilation, int dims) {
  check_operands(op, input, weight, bias, dims);
  check_window(op, stride, padding, dilation, groups, dims);
  check_count(op, "output_padding", output_padding, dims);
  bool batched = input.dim() == dims + 2;
  Tensor gy = as_3d(batched ? input : unsqueeze(input, 0), dims), w = as_3d(weight, dims);
  if (gy.size(1) != w.size(0))
    throw RuntimeError(op, "(): Given transposed=1, weight of size ", weight.shape(), ", expected input",
                       input.shape(), " to have ", w.size(0), " channels, but got ", gy.size(1),
                       " channels instead");
  Geometry g{make_window(Shape(weight.shape().begin() + 2, weight.shape().end()), stride, padding, dilation),
             groups};
  check_bias(op, bias, w.size(1) * groups);
  Shape shape{gy.size(0), w.size(1) * groups};
  for (int i = 0; i < 3; ++i) {
    int64_t extra = i < 3 - dims ? 0 : output_padding[i - (3 - dims)];
    if (extra >= g.window.stride[i] && extra >= g.window.dilation[i] && extra)
      throw RuntimeError(
          op, "(): output padding must be smaller than either stride or dilation, but got output_padding: ",
          output_padding);
    int64_t size = (gy.size(i + 2) - 1) * g.window.stride[i] - 2 * g.window.padding[i] +
                   g.window.dilation[i] * (g.window.kernel[i] - 1) + extra + 1;
    if (size <= 0)
      throw RuntimeError(op, "(): the result would have a non-positive size ", size, " for input of shape ",
                         input.shape());
    shape.push_back(size);
  }
  Tensor y = from_3d(conv_input_grad(gy, w, bias, shape, g), dims);
  return batched ? y : squeeze(y, 0);
}

}  // namespace

// Cross-correlation of signals (batch, in channels, length) with weight (out channels, in channels /
// groups, kernel).
OP("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] "
   "dilation=1, int groups=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv1d");
Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
              const Shape& padding, const Shape& dilation, int64_t groups) {
  return convolve("conv1d", input, weight, bias, stride, padding, dilation, groups, 1);
}
OP("conv1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding='valid', int[1] "
   "dilation=1, int groups=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv1d");
Tensor conv1d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
              const std::string& padding, const Shape& dilation, int64_t groups) {
  return convolve("conv1d", input, weight, bias, stride, padding, dilation, groups, 1);
}

// Cross-correlation of images (batch, in channels, height, width) with weight (out channels, in
// channels / groups, kernel height, kernel width).
//
// >>> mlx.conv2d(mlx.ones(1, 1, 3, 3), mlx.ones(1, 1, 2, 2))
// tensor([[[[4., 4.],
//           [4., 4.]]]])
OP("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, int[2] "
   "dilation=1, int groups=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv2d");
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
              const Shape& padding, const Shape& dilation, int64_t groups) {
  return convolve("conv2d", input, weight, bias, stride, padding, dilation, groups, 2);
}
OP("conv2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, str padding='valid', int[2] "
   "dilation=1, int groups=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv2d");
Tensor conv2d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
              const std::string& padding, const Shape& dilation, int64_t groups) {
  return convolve("conv2d", input, weight, bias, stride, padding, dilation, groups, 2);
}

// Cross-correlation of volumes (batch, in channels, depth, height, width).
OP("conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, int[3] "
   "dilation=1, int groups=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv3d");
Tensor conv3d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
              const Shape& padding, const Shape& dilation, int64_t groups) {
  return convolve("conv3d", input, weight, bias, stride, padding, dilation, groups, 3);
}
OP("conv3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, str padding='valid', int[3] "
   "dilation=1, int groups=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv3d");
Tensor conv3d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
              const std::string& padding, const Shape& dilation, int64_t groups) {
  return convolve("conv3d", input, weight, bias, stride, padding, dilation, groups, 3);
}

// The transpose of conv1d: what its gradient does to a signal. Weight is (in channels, out channels /
// groups, kernel).
OP("conv_transpose1d(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, "
   "int[1] output_padding=0, int groups=1, int[1] dilation=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv_transpose1d");
Tensor conv_transpose1d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
                        const Shape& padding, const Shape& output_padding, int64_t groups,
                        const Shape& dilation) {
  return convolve_transposed("conv_transpose1d", input, weight, bias, stride, padding, output_padding, groups,
                             dilation, 1);
}

// The transpose of conv2d.
OP("conv_transpose2d(Tensor input, Tensor weight, Tensor? bias=None, int[2] stride=1, int[2] padding=0, "
   "int[2] output_padding=0, int groups=1, int[2] dilation=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv_transpose2d");
Tensor conv_transpose2d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
                        const Shape& padding, const Shape& output_padding, int64_t groups,
                        const Shape& dilation) {
  return convolve_transposed("conv_transpose2d", input, weight, bias, stride, padding, output_padding, groups,
                             dilation, 2);
}

// The transpose of conv3d.
OP("conv_transpose3d(Tensor input, Tensor weight, Tensor? bias=None, int[3] stride=1, int[3] padding=0, "
   "int[3] output_padding=0, int groups=1, int[3] dilation=1) -> Tensor")
    .node("ConvolutionBackward0")
    .alias("nn.functional.conv_transpose3d");
Tensor conv_transpose3d(const Tensor& input, const Tensor& weight, const Tensor& bias, const Shape& stride,
                        const Shape& padding, const Shape& output_padding, int64_t groups,
                        const Shape& dilation) {
  return convolve_transposed("conv_transpose3d", input, weight, bias, stride, padding, output_padding, groups,
                             dilation, 3);
}

}  // namespace mlx

// Pooling: the maximum or the mean of windows, or of equal cells.

#include "backends/backend.h"
#include "ops.h"
#include "ops/widening.h"
#include "ops/window.h"

namespace mlx {
namespace {

// The input as (batch * channels, D, H, W) and the way back.
struct Planes {
  Tensor x;
  Shape lead;  // batch and channels as given
  int dims;

  Planes(const char* op, const Tensor& input, int d) : dims(d) {
    if (input.dim() != d + 1 && input.dim() != d + 2)
      throw RuntimeError(op, "(): Expected ", d + 1, "D or ", d + 2,
                         "D (batch mode) tensor, but got input of size: ", input.shape());
    for (int64_t i = input.dim() - d - (input.dim() == d + 2 ? 1 : 0); i < input.dim(); ++i)
      if (input.size(i) == 0)
        throw RuntimeError(op,
                           "(): Expected input with non-zero size for non-batch dimensions, but got shape ",
                           input.shape());
    lead = Shape(input.shape().begin(), input.shape().end() - d);
    Shape shape{numel(lead)};
    for (int i = d; i < 3; ++i) shape.push_back(1);
    for (int64_t i = input.dim() - d; i < input.dim(); ++i) shape.push_back(input.size(i));
    x = contiguous(reshape(input, shape));
  }

  Tensor restore(const Tensor& y) const {
    Shape shape = lead;
    for (int i = 4 - dims; i < 4; ++i) shape.push_back(y.size(i));
    return reshape(y, shape);
  }
};

Window checked_window(const char* op, const Shape& kernel, const Shape& stride, const Shape& padding,
                      const Shape& dilation, int dims) {
  auto full = [&](const Shape& s, const char* what) {
    if (s.size() == 1) return Shape(static_cast<size_t>(dims), s[0]);
    if (static_cast<int>(s.size()) != dims)
      throw RuntimeError(op, "(): ", what, " must be an int or ", dims, " ints, not ", s);
    return s;
  };
  Shape k = full(kernel, "kernel_size"), st = stride.empty() ? k : full(stride, "stride"),
        p = full(padding, "padding"), di = full(dilation, "dilation");
  for (int i = 0; i < dims; ++i) {
    if (k[i] <= 0) throw RuntimeError(op, "(): kernel size should be greater than zero, but got ", k);
    if (st[i] <= 0) throw RuntimeError(op, "(): stride must be greater than zero, but got ", st);
    if (di[i] <= 0) throw RuntimeError(op, "(): dilation should be greater than zero, but got ", di);
    if (p[i] < 0) throw RuntimeError(op, "(): pad must be non-negative, but got pad: ", p[i]);
    if (p[i] > ((k[i] - 1) * di[i] + 1) / 2)
      throw RuntimeError(op, "(): pad should be at most half of effective kernel size, but got pad=", p[i],
                         ", kernel_size=", k[i], " and dilation=", di[i]);
  }
  return make_window(k, st, p, di);
}

Shape pooled_shape(const char* op, const Tensor& x, const Window& w, bool ceil_mode) {
  Shape shape{x.size(0)};
  for (int i = 0; i < 3; ++i) {
    int64_t size = output_size(x.size(i + 1), w, i, ceil_mode);
    if (size < 1)
      throw RuntimeError(op, "(): the output size is too small: ", size, " for input ", x.shape());
    shape.push_back(size);
  }
  return shape;
}

// The gradient of maxima: each goes to the place it came from.
Tensor to_places(const Tensor& grad, const Tensor& indices, const Shape& shape) {
  Tensor g = widened(grad);
  Tensor flat = zeros({shape[0], shape[1] * shape[2] * shape[3]}, g.dtype(), g.device());
  return reshape(scatter_add(flat, 1, flatten(indices, 1, -1), flatten(g, 1, -1)), shape);
}

template <class Kernel>
std::pair<Tensor, Tensor> run_max(const char* name, const Tensor& x, const Shape& shape,
                                  const Kernel& kernel) {
  Tensor out = allocate(shape, x.dtype(), x.device()), indices = allocate(shape, DType::Int64, x.device());
  if (out.numel()) launch(kernel, {&out, &indices}, {&x});
  record(name, out, {&x}, [indices, shape = x.shape()](Backward& b) -> Grads {
    return {to_places(b.grad(), indices, shape)};
  });
  return {out, indices};
}

std::tuple<Tensor, Tensor> max_pool(const char* op, const Tensor& input, const Shape& kernel,
                                    const Shape& stride, const Shape& padding, const Shape& dilation,
                                    bool ceil_mode, int dims) {
  Window w = checked_window(op, kernel, stride, padding, dilation, dims);
  Planes planes(op, input, dims);
  auto [out, indices] = run_max("MaxPool", planes.x, pooled_shape(op, planes.x, w, ceil_mode), MaxPool{w});
  return {planes.restore(out), planes.restore(indices)};
}

Tensor run_avg(const Tensor& x, const Shape& shape, AvgPool kernel) {
  Tensor out = allocate(shape, x.dtype(), x.device());
  Tensor source = contiguous(detach(x));
  if (out.numel()) launch(kernel, {&out}, {&source});
  // Linear, so its gradient's gradient is itself.
  return record("AvgPool", out, {&x}, [shape = x.shape(), kernel](Backward& b) -> Grads {
    AvgPool other = kernel;
    other.backward = !kernel.backward;
    return {run_avg(b.grad(), shape, other)};
  });
}

Tensor avg_pool(const char* op, const Tensor& input, const Shape& kernel, const Shape& stride,
                const Shape& padding, bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor,
                int dims) {
  if (divisor && *divisor == 0) throw RuntimeError(op, "(): divisor must be not zero");
  Window w = checked_window(op, kernel, stride, padding, {1}, dims);
  Planes planes(op, input, dims);
  return planes.restore(run_avg(planes.x, pooled_shape(op, planes.x, w, ceil_mode),
                                AvgPool{w, false, count_include_pad, divisor.value_or(0)}));
}

// The requested output of an adaptive pooling; -1 (None in Python) keeps a size.
Shape adaptive_shape(const char* op, const Planes& planes, const Shape& output_size) {
  if (static_cast<int>(output_size.size()) != planes.dims)
    throw RuntimeError(op, "(): output_size must be ", planes.dims, " ints, not ", output_size);
  Shape shape{planes.x.size(0)};
  for (int i = 0; i < 3; ++i) {
    int64_t size = i < 3 - planes.dims ? 1 : output_size[i - (3 - planes.dims)];
    if (size < -1)
      throw RuntimeError(op, "(): elements of output_size must be greater than or equal to 0, but got ",
                         output_size);
    shape.push_back(size == -1 ? planes.x.size(i + 1) : size);
  }
  return shape;
}

Tensor run_adaptive(const Tensor& x, const Shape& shape, bool backward) {
  Tensor out = allocate(shape, x.dtype(), x.device());
  Tensor source = contiguous(detach(x));
  if (out.numel() && x.numel())
    launch(AdaptiveAvgPool{backward}, {&out}, {&source});
  else
    zero_(out);
  return record("AdaptiveAvgPool", out, {&x}, [shape = x.shape(), backward](Backward& b) -> Grads {
    return {run_adaptive(b.grad(), shape, !backward)};
  });
}

Tensor adaptive_avg(const char* op, const Tensor& input, const Shape& output_size, int dims) {
  Planes planes(op, input, dims);
  return planes.restore(run_adaptive(planes.x, adaptive_shape(op, planes, output_size), false));
}

std::tuple<Tensor, Tensor> adaptive_max(const char* op, const Tensor& input, const Shape& output_size,
                                        int dims) {
  Planes planes(op, input, dims);
  auto [out, indices] =
      run_max("AdaptiveMaxPool", planes.x, adaptive_shape(op, planes, output_size), AdaptiveMaxPool{});
  return {planes.restore(out), planes.restore(indices)};
}

}  // namespace

// The maximum of each window, and where in the input (flattened over the pooled dimensions) it lies.
OP("_max_pool1d(Tensor input, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] dilation=1, "
   "bool ceil_mode=False) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> _max_pool1d(const Tensor& input, const Shape& kernel_size, const Shape& stride,
                                       const Shape& padding, const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool1d", input, kernel_size, stride, padding, dilation, ceil_mode, 1);
}
OP("_max_pool2d(Tensor input, int[2] kernel_size, int[2] stride=[], int[2] padding=0, int[2] dilation=1, "
   "bool ceil_mode=False) -> (Tensor values, Tensor indices)")
    .node("MaxPool2DWithIndicesBackward0");
std::tuple<Tensor, Tensor> _max_pool2d(const Tensor& input, const Shape& kernel_size, const Shape& stride,
                                       const Shape& padding, const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool2d", input, kernel_size, stride, padding, dilation, ceil_mode, 2);
}
OP("_max_pool3d(Tensor input, int[3] kernel_size, int[3] stride=[], int[3] padding=0, int[3] dilation=1, "
   "bool ceil_mode=False) -> (Tensor values, Tensor indices)")
    .node("MaxPool3DWithIndicesBackward0");
std::tuple<Tensor, Tensor> _max_pool3d(const Tensor& input, const Shape& kernel_size, const Shape& stride,
                                       const Shape& padding, const Shape& dilation, bool ceil_mode) {
  return max_pool("max_pool3d", input, kernel_size, stride, padding, dilation, ceil_mode, 3);
}
OP("_adaptive_max_pool1d(Tensor input, int[1] output_size) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> _adaptive_max_pool1d(const Tensor& input, const Shape& output_size) {
  return adaptive_max("adaptive_max_pool1d", input, output_size, 1);
}
OP("_adaptive_max_pool2d(Tensor input, int[2] output_size) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> _adaptive_max_pool2d(const Tensor& input, const Shape& output_size) {
  return adaptive_max("adaptive_max_pool2d", input, output_size, 2);
}
OP("_adaptive_max_pool3d(Tensor input, int[3] output_size) -> (Tensor values, Tensor indices)");
std::tuple<Tensor, Tensor> _adaptive_max_pool3d(const Tensor& input, const Shape& output_size) {
  return adaptive_max("adaptive_max_pool3d", input, output_size, 3);
}

// The mean of each window of a signal.
OP("nn.functional.avg_pool1d(Tensor input, int[1] kernel_size, int[1]? stride=None, int[1] padding=0, bool "
   "ceil_mode=False, bool count_include_pad=True) -> Tensor")
    .alias("avg_pool1d");
Tensor functional::avg_pool1d(const Tensor& input, const Shape& kernel_size,
                              const std::optional<Shape>& stride, const Shape& padding, bool ceil_mode,
                              bool count_include_pad) {
  return avg_pool("avg_pool1d", input, kernel_size, stride.value_or(Shape{}), padding, ceil_mode,
                  count_include_pad, std::nullopt, 1);
}

// The mean of each window of an image.
//
// >>> mlx.nn.functional.avg_pool2d(mlx.tensor([[[1., 2.], [3., 4.]]]), 2)
// tensor([[[2.5000]]])
OP("nn.functional.avg_pool2d(Tensor input, int[2] kernel_size, int[2]? stride=None, int[2] padding=0, bool "
   "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor")
    .node("AvgPool2DBackward0");
Tensor functional::avg_pool2d(const Tensor& input, const Shape& kernel_size,
                              const std::optional<Shape>& stride, const Shape& padding, bool ceil_mode,
                              bool count_include_pad, std::optional<int64_t> divisor_override) {
  return avg_pool("avg_pool2d", input, kernel_size, stride.value_or(Shape{}), padding, ceil_mode,
                  count_include_pad, divisor_override, 2);
}

// The mean of each window of a volume.
OP("nn.functional.avg_pool3d(Tensor input, int[3] kernel_size, int[3]? stride=None, int[3] padding=0, bool "
   "ceil_mode=False, bool count_include_pad=True, int? divisor_override=None) -> Tensor")
    .node("AvgPool3DBackward0");
Tensor functional::avg_pool3d(const Tensor& input, const Shape& kernel_size,
                              const std::optional<Shape>& stride, const Shape& padding, bool ceil_mode,
                              bool count_include_pad, std::optional<int64_t> divisor_override) {
  return avg_pool("avg_pool3d", input, kernel_size, stride.value_or(Shape{}), padding, ceil_mode,
                  count_include_pad, divisor_override, 3);
}

OP("_adaptive_avg_pool1d(Tensor input, int[1] output_size) -> Tensor");
Tensor _adaptive_avg_pool1d(const Tensor& input, const Shape& output_size) {
  return adaptive_avg("adaptive_avg_pool1d", input, output_size, 1);
}
OP("_adaptive_avg_pool2d(Tensor input, int[2] output_size) -> Tensor").node("AdaptiveAvgPool2DBackward0");
Tensor _adaptive_avg_pool2d(const Tensor& input, const Shape& output_size) {
  return adaptive_avg("adaptive_avg_pool2d", input, output_size, 2);
}
OP("_adaptive_avg_pool3d(Tensor input, int[3] output_size) -> Tensor").node("AdaptiveAvgPool3DBackward0");
Tensor _adaptive_avg_pool3d(const Tensor& input, const Shape& output_size) {
  return adaptive_avg("adaptive_avg_pool3d", input, output_size, 3);
}

}  // namespace mlx

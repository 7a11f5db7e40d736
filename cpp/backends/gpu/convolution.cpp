// Convolutions of one to three dimensions, forward and both gradients.

#include "backends/gpu/finish.h"

namespace mlx::gpu {
namespace {

constexpr uint32_t kTile = 64, kTiledThreads = 128, kThreads = 256;
// With fewer rows than these a tile would be mostly padding.
constexpr uint32_t kFewRows = 8;

// As in metal/convolution.metal.
struct Layout {
  uint32_t batch, groups, in_channels, out_channels;
  uint32_t in[3], out[3], kernel[3];
  int32_t stride[3], padding[3], dilation[3];
};

Layout layout_of(const Convolution& k, const Shape& x, const Shape& y) {
  auto u = [](int64_t v) { return static_cast<uint32_t>(v); };
  auto i = [](int64_t v) { return static_cast<int32_t>(v); };
  Layout l{u(x[0]), u(k.groups), u(x[1] / k.groups), u(y[1] / k.groups), {}, {}, {}, {}, {}, {}};
  for (int d = 0; d < 3; ++d) {
    l.in[d] = u(x[d + 2]), l.out[d] = u(y[d + 2]), l.kernel[d] = u(k.window.kernel[d]);
    l.stride[d] = i(k.window.stride[d]), l.padding[d] = i(k.window.padding[d]);
    l.dilation[d] = i(k.window.dilation[d]);
  }
  return l;
}

uint32_t volume(const uint32_t* sizes) { return sizes[0] * sizes[1] * sizes[2]; }

// The product that a launch is: how the kernel calls it, and its sizes, as text for the kernel and as
// numbers.
struct Product {
  const char *kind, *m_text, *n_text, *k_text;
  uint32_t m, n;
};

Product product_of(Convolution::Kind kind, const Layout& l) {
  const uint32_t taps = volume(l.kernel);
  switch (kind) {
    case Convolution::Forward:
      return {"Forward",      "l.out_channels",       "(l.batch * volume(l.out))", "(l.in_channels * taps)",
              l.out_channels, l.batch * volume(l.out)};
    case Convolution::InputGrad:
      return {"InputGradient",           "l.in_channels", "(l.batch * volume(l.in))",
              "(l.out_channels * taps)", l.in_channels,   l.batch * volume(l.in)};
    case Convolution::WeightGrad:
      break;
  }
  return {"WeightGradient", "l.out_channels",    "(l.in_channels * taps)", "(l.batch * volume(l.out))",
          l.out_channels,   l.in_channels * taps};
}

// Outputs and inputs by kind: y (x, w); dx (dy, w); dw (x, dy).
const Shape& shape_of_x(const Convolution& k, const Launch& launch, const Shape& out) {
  return k.kind == Convolution::InputGrad ? out : launch.in(0).shape();
}
const Shape& shape_of_y(const Convolution& k, const Launch& launch, const Shape& out) {
  return k.kind == Convolution::Forward     ? out
         : k.kind == Convolution::InputGrad ? launch.in(0).shape()
                                            : launch.in(1).shape();
}

// Calls run(head) with the kernel that makes the elements of `out`.
template <class Run>
bool convolve(const Convolution& k, const Launch& launch, const Shape& out, Run&& run) {
  const Shape &x = shape_of_x(k, launch, out), &y = shape_of_y(k, launch, out);
  const DType type = launch.in(0).dtype();
  if (!has_type(type) || !is_floating(type) || numel(x) > INT32_MAX || numel(y) > INT32_MAX) return false;
  const Layout l = layout_of(k, x, y);
  const Product p = product_of(k.kind, l);
  const bool tiled = p.m >= kFewRows && p.n >= kFewRows;
  return run(
      Head{"convolution",
           tiled ? "convolution" : "convolution_by_results",
           {{"T", type_text(type)}, {"KIND", p.kind}, {"M", p.m_text}, {"N", p.n_text}, {"K", p.k_text}},
           {read(launch.in(0)), read(launch.in(1)), bytes(l)},
           tiled ? Size{ceil_div(p.n, kTile), ceil_div(p.m, kTile), l.groups}
                 : Size{ceil_div(p.n, kThreads), p.m, l.groups},
           {tiled ? kTiledThreads : kThreads}});
}

bool convolution(const Convolution& k, const Launch& launch, Runtime& runtime) {
  return convolve(k, launch, launch.out().shape(), [&](const Head& head) {
    const Tensor* bias = launch.inputs.size() > 2 ? &launch.in(2) : nullptr;
    return run_product(head, launch, bias, {0, 1, 0, 0, 0}, runtime);
  });
}

bool fused_convolution(const FusedConvolution& k, const Launch& launch, Runtime& runtime) {
  return convolve(k.convolution, launch, k.program->shape,
                  [&](const Head& head) { return run_product(head, launch, *k.program, runtime); });
}

GPU_KERNEL(Convolution, convolution);
GPU_KERNEL(FusedConvolution, fused_convolution);

}  // namespace
}  // namespace mlx::gpu

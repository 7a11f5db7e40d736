// Convolutions of one to three dimensions, forward and both gradients.

#include "backends/gpu/gpu_backend.h"

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

Layout layout_of(const Convolution& k, const Tensor& x, const Tensor& y) {
  auto u = [](int64_t v) { return static_cast<uint32_t>(v); };
  auto i = [](int64_t v) { return static_cast<int32_t>(v); };
  Layout l{u(x.size(0)), u(k.groups), u(x.size(1) / k.groups), u(y.size(1) / k.groups), {}, {}, {}, {},
           {},           {}};
  for (int d = 0; d < 3; ++d) {
    l.in[d] = u(x.size(d + 2)), l.out[d] = u(y.size(d + 2)), l.kernel[d] = u(k.window.kernel[d]);
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

bool convolution(const Convolution& k, const Launch& launch, Runtime& runtime) {
  // Outputs and inputs by kind: y (x, w); dx (dy, w); dw (x, dy).
  const Tensor &x = k.kind == Convolution::InputGrad ? launch.out() : launch.in(0),
               &y = k.kind == Convolution::Forward     ? launch.out()
                    : k.kind == Convolution::InputGrad ? launch.in(0)
                                                       : launch.in(1);
  const DType type = x.dtype();
  if (!has_type(type) || !is_floating(type) || x.numel() > INT32_MAX || y.numel() > INT32_MAX) return false;
  const Layout l = layout_of(k, x, y);
  const Product p = product_of(k.kind, l);
  const bool tiled = p.m >= kFewRows && p.n >= kFewRows;
  const Kernel* kernel = gpu::kernel(
      runtime, "convolution", tiled ? "convolution" : "convolution_by_results",
      {{"T", type_text(type)}, {"KIND", p.kind}, {"M", p.m_text}, {"N", p.n_text}, {"K", p.k_text}});
  const Size groups = tiled ? Size{(p.n + kTile - 1) / kTile, (p.m + kTile - 1) / kTile, l.groups}
                            : Size{(p.n + kThreads - 1) / kThreads, p.m, l.groups};
  run(runtime, launch, kernel, {read(launch.in(0)), read(launch.in(1)), write(launch.out()), bytes(l)},
      groups, {tiled ? kTiledThreads : kThreads});
  return true;
}

GPU_KERNEL(Convolution, convolution);

}  // namespace
}  // namespace mlx::gpu

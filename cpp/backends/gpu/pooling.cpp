// Pooling by windows and by cells of nearly equal size.

#include "backends/gpu/gpu_backend.h"

namespace mlx::gpu {
namespace {

constexpr uint32_t kThreads = 256;

// As in metal/pooling.metal.
struct Layout {
  uint32_t planes, large[3], small[3];
  int32_t kernel[3], stride[3], padding[3], dilation[3];
  int32_t divisor, count_padding;
};

Layout layout_of(const Tensor& large, const Tensor& small, const Window* window) {
  Layout l{};
  l.planes = static_cast<uint32_t>(large.size(0));
  for (int d = 0; d < 3; ++d) {
    l.large[d] = static_cast<uint32_t>(large.size(d + 1)),
    l.small[d] = static_cast<uint32_t>(small.size(d + 1));
    if (!window) continue;
    l.kernel[d] = static_cast<int32_t>(window->kernel[d]),
    l.stride[d] = static_cast<int32_t>(window->stride[d]);
    l.padding[d] = static_cast<int32_t>(window->padding[d]);
    l.dilation[d] = static_cast<int32_t>(window->dilation[d]);
  }
  return l;
}

bool fits(const Launch& launch) {
  const DType type = launch.in(0).dtype();
  return has_type(type) && !is_complex(type) && type != DType::Bool && launch.in(0).numel() <= INT32_MAX &&
         launch.out().numel() <= INT32_MAX;
}

bool largest(const Launch& launch, Runtime& runtime, const Window* window) {
  if (!fits(launch)) return false;
  const Tensor &x = launch.in(0), &out = launch.out();
  const Kernel* kernel = gpu::kernel(runtime, "pooling", "max_pool",
                                     {{"T", type_text(x.dtype())}, {"ADAPTIVE", window ? "0" : "1"}});
  run(runtime, launch, kernel, {read(x), write(out), write(launch.out(1)), bytes(layout_of(x, out, window))},
      groups_of(out.numel(), kThreads), {kThreads});
  return true;
}

bool mean(const Launch& launch, Runtime& runtime, bool backward, const Layout& layout, bool adaptive) {
  const Tensor &x = launch.in(0), &out = launch.out();
  if (!fits(launch) || !is_floating(x.dtype())) return false;
  const Kernel* kernel = gpu::kernel(runtime, "pooling", backward ? "mean_pool_gradient" : "mean_pool",
                                     {{"T", type_text(x.dtype())}, {"ADAPTIVE", adaptive ? "1" : "0"}});
  run(runtime, launch, kernel, {read(x), write(out), bytes(layout)}, groups_of(out.numel(), kThreads),
      {kThreads});
  return true;
}

bool max_pool(const MaxPool& k, const Launch& launch, Runtime& runtime) {
  return largest(launch, runtime, &k.window);
}

bool adaptive_max_pool(const AdaptiveMaxPool&, const Launch& launch, Runtime& runtime) {
  return largest(launch, runtime, nullptr);
}

bool avg_pool(const AvgPool& k, const Launch& launch, Runtime& runtime) {
  const Tensor &large = k.backward ? launch.out() : launch.in(0),
               &small = k.backward ? launch.in(0) : launch.out();
  Layout layout = layout_of(large, small, &k.window);
  layout.divisor = static_cast<int32_t>(k.divisor);
  layout.count_padding = k.count_include_pad;
  return mean(launch, runtime, k.backward, layout, false);
}

bool adaptive_avg_pool(const AdaptiveAvgPool& k, const Launch& launch, Runtime& runtime) {
  const Tensor &large = k.backward ? launch.out() : launch.in(0),
               &small = k.backward ? launch.in(0) : launch.out();
  return mean(launch, runtime, k.backward, layout_of(large, small, nullptr), true);
}

GPU_KERNEL(MaxPool, max_pool);
GPU_KERNEL(AdaptiveMaxPool, adaptive_max_pool);
GPU_KERNEL(AvgPool, avg_pool);
GPU_KERNEL(AdaptiveAvgPool, adaptive_avg_pool);

}  // namespace
}  // namespace mlx::gpu

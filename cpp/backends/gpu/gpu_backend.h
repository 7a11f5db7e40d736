#pragma once
// The backend of a GPU: launch plans, one a kernel of backends/kernels.h, written once for every runtime. A
// file of this room adds its plans with a line each:
//
//   static bool softmax(const Softmax& k, const Launch& launch, Runtime& runtime) { ... }
//   GPU_KERNEL(Softmax, softmax);
//
// A plan that returns false (a type that GPUs lack, a rare case) leaves the launch to the CPU's kernel, which
// works in the same memory once queued work is done.

#include <string>
#include <type_traits>
#include <vector>

#include "backends/backend.h"
#include "backends/gpu/formula_text.h"
#include "backends/gpu/runtime.h"
#include "base/sizes.h"

namespace mlx::gpu {

using Plan = bool (*)(const Launch& launch, Runtime& runtime);

void register_plan(int kernel, Plan plan);

template <class K, bool (*Run)(const K&, const Launch&, Runtime&)>
struct Registration {
  Registration() {
    register_plan(kernel_number<K>(), [](const Launch& launch, Runtime& runtime) {
      return Run(launch.as<K>(), launch, runtime);
    });
  }
};

#define GPU_KERNEL(Kernel, function) static const ::mlx::gpu::Registration<Kernel, function> plan_##Kernel

// Makes a device of a runtime: its allocator and its backend. The runtime lives as long as the process.
void register_runtime(DeviceType type, Runtime& runtime);
Runtime* runtime_of(DeviceType type);

// What has been left to the CPU so far, as "kernel" or "pointwise: formula", and how often.
struct Fallback {
  std::string name;
  int64_t count;
};
std::vector<Fallback> fallbacks();
// What always is: kernels without a plan, and formulas that lack a function ("pointwise: zeta, float32").
std::vector<std::string> kernels_left_to_cpu();

// ---- what plans are written with

// One name of the kernels' language that stands for a text: {"T", "float"}.
struct Definition {
  const char* name;
  std::string text;
};

// The function of a file of metal/, compiled with these definitions in front.
const Kernel* kernel(Runtime& runtime, const char* file, const char* function,
                     std::initializer_list<Definition> definitions);

inline Argument read(const Tensor& t) { return {Argument::Read, t.raw()}; }
inline Argument write(const Tensor& t) { return {Argument::Write, t.raw()}; }
inline Argument update(const Tensor& t) { return {Argument::ReadWrite, t.raw()}; }
template <class T>
Argument bytes(const T& value) {
  return {Argument::Bytes, &value, sizeof(T)};
}

// Queues the kernel over a grid of `groups` groups of `threads`.
inline void run(Runtime& runtime, const Launch& launch, const Kernel* kernel,
                std::initializer_list<Argument> arguments, Size groups, Size threads) {
  runtime.run({kernel_name(launch.kernel), kernel, {arguments.begin(), arguments.size()}, groups, threads});
}

// The groups that n threads make.
inline Size groups_of(int64_t n, uint32_t threads) { return {static_cast<uint32_t>(ceil_div(n, threads))}; }

}  // namespace mlx::gpu

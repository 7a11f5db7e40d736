#pragma once
// The CPU's backend: a table of functions, one a kernel of backends/kernels.h. A file of this room
// adds its kernels with a line each:
//
//   static void gather(const Gather& k, const Launch& launch) { ... }
//   CPU_KERNEL(Gather, gather);

#include "backends/backend.h"

namespace mlx::cpu {

using KernelFunction = void (*)(const Launch& launch);

void register_kernel(int kernel, KernelFunction run);

// to = from, converted to its dtype and broadcast to its shape, in whatever memory the two lie: kernels of
// the CPU work in that of other devices too.
void copy_elements(const Tensor& to, const Tensor& from);

template <class K, void (*Run)(const K&, const Launch&)>
struct Registration {
  Registration() {
    register_kernel(kernel_number<K>(), [](const Launch& launch) { Run(launch.as<K>(), launch); });
  }
};

#define CPU_KERNEL(Kernel, function) static const ::mlx::cpu::Registration<Kernel, function> kernel_##Kernel

}  // namespace mlx::cpu

// What is not arithmetic: conditions that ops put on the elements of their arguments, calls of the host
// language.

#include "backends/cpu/cpu_backend.h"

namespace mlx::cpu {
namespace {

void check(const Check& k, const Launch& launch) {
  if (!*launch.in(0).data<bool>()) return;
  switch (k.error) {
    case Check::Index:
      throw IndexError(k.message);
    case Check::Runtime:
      throw RuntimeError(k.message);
    case Check::Value:
      throw ValueError(k.message);
  }
}

void host_call(const HostCall& k, const Launch& launch) { k.run(k.context, launch); }

CPU_KERNEL(Check, check);
CPU_KERNEL(HostCall, host_call);

}  // namespace
}  // namespace mlx::cpu

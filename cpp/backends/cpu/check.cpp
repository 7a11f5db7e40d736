// Conditions that ops put on the elements of their arguments.

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

CPU_KERNEL(Check, check);

}  // namespace
}  // namespace mlx::cpu

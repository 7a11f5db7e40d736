#include "backends/cpu/vector_kernels.h"

#include <cstdlib>
#include <string_view>

namespace mlx::cpu {

namespace {

#if defined(__x86_64__)

const VectorKernels& choose() {
  __builtin_cpu_init();
  // F16C and LZCNT, which Clang has no name for here, came with or before AVX2 in every processor.
  const bool has_v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool has_v4 = has_v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const char* setting = std::getenv("MLX_CPU_ISA");
  const std::string_view wanted = setting ? setting : "";
  if (has_v4 && wanted != "v3" && wanted != "v2") return kernels_v4;
  if (has_v3 && wanted != "v2") return kernels_v3;
  return kernels_v2;
}

#else

const VectorKernels& choose() { return kernels_neon; }

#endif

}  // namespace

const VectorKernels& vector_kernels() {
  static const VectorKernels& chosen = choose();
  return chosen;
}

}  // namespace mlx::cpu

#include "backends/cpu/row_kernels.h"

namespace mlx::cpu {

#if defined(__x86_64__)
namespace v2 {
extern const RowKernels row_kernels;
}
namespace v3 {
extern const RowKernels row_kernels;
}
namespace v4 {
extern const RowKernels row_kernels;
}
namespace {
const RowKernels& choose() {
  if (&vector_kernels() == &kernels_v4) return v4::row_kernels;
  return &vector_kernels() == &kernels_v3 ? v3::row_kernels : v2::row_kernels;
}
}  // namespace
#else
namespace neon {
extern const RowKernels row_kernels;
}
namespace {
const RowKernels& choose() { return neon::row_kernels; }
}  // namespace
#endif

const RowKernels& row_kernels() {
  static const RowKernels& chosen = choose();
  return chosen;
}

}  // namespace mlx::cpu

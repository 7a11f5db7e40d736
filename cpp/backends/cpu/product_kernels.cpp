#include "backends/cpu/product_kernels.h"

#include "backends/cpu/vector_kernels.h"

namespace mlx::cpu {

#if defined(__x86_64__)

namespace v2 {
extern const ProductKernels product_kernels;
}
namespace v3 {
extern const ProductKernels product_kernels;
}
namespace v4 {
extern const ProductKernels product_kernels;
}
namespace v4_bf16 {
extern const ProductKernels product_kernels;
}

const ProductKernels& product_kernels() {
  if (&vector_kernels() == &kernels_v4) return v4::product_kernels;
  return &vector_kernels() == &kernels_v3 ? v3::product_kernels : v2::product_kernels;
}

const ProductKernels& bfloat16_product_kernels() {
  static const bool pairs = [] {
    __builtin_cpu_init();
    return &vector_kernels() == &kernels_v4 && __builtin_cpu_supports("avx512bf16");
  }();
  return pairs ? v4_bf16::product_kernels : product_kernels();
}

#else

namespace neon {
extern const ProductKernels product_kernels;
}

const ProductKernels& product_kernels() { return neon::product_kernels; }
const ProductKernels& bfloat16_product_kernels() { return product_kernels(); }

#endif

}  // namespace mlx::cpu

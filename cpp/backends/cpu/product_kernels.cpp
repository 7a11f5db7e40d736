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

const ProductKernels* bfloat16_pair_kernels() {
  __builtin_cpu_init();
  const bool has_pairs = &vector_kernels() == &kernels_v4 && __builtin_cpu_supports("avx512bf16");
  return has_pairs ? &v4_bf16::product_kernels : nullptr;
}

const ProductKernels& bfloat16_product_kernels() {
  // Intel's processors take two cycles for an instruction that AMD's do in one: there floats are twice as
  // fast.
  static const ProductKernels* const pairs = __builtin_cpu_is("amd") ? bfloat16_pair_kernels() : nullptr;
  return pairs ? *pairs : product_kernels();
}

#else

namespace neon {
extern const ProductKernels product_kernels;
}

const ProductKernels& product_kernels() { return neon::product_kernels; }
const ProductKernels* bfloat16_pair_kernels() { return nullptr; }
const ProductKernels& bfloat16_product_kernels() { return product_kernels(); }

#endif

}  // namespace mlx::cpu

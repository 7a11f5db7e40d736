// Products of bfloat16 on processors that multiply pairs of them. The instruction takes denormal numbers, in
// and out, for zero, and adds in float32.

#include "backends/cpu/vector/product_packing.h"

namespace mlx::cpu::MLX_ISA {

struct MultiplyPairs {
  MLX_INLINE static FloatVec add(FloatVec a, FloatVec b, FloatVec c) {
    return FloatVec(
        _mm512_dpbf16_ps(c.v, (__m512bh)_mm512_castps_si512(b.v), (__m512bh)_mm512_castps_si512(a.v)));
  }
};

extern const ProductKernels product_kernels;
constinit const ProductKernels product_kernels = {kTileRows,
                                                  kLanes,
                                                  2,
                                                  all_tiles<MultiplyPairs, true>(),
                                                  all_tiles<MultiplyPairs, false>(),
                                                  {nullptr, nullptr, &gather_panel<PairWords>},
                                                  {nullptr, nullptr, &transpose_panel<PairWords>}};

}  // namespace mlx::cpu::MLX_ISA

// Products whose panels hold floats.

#include "backends/cpu/vector/product_packing.h"

namespace mlx::cpu::MLX_ISA {

struct MultiplyFloats {
  MLX_INLINE static FloatVec add(FloatVec a, FloatVec b, FloatVec c) { return fma(a, b, c); }
};

extern const ProductKernels product_kernels;
constinit const ProductKernels product_kernels = {
    kTileRows,
    kLanes,
    1,
    all_tiles<MultiplyFloats, true>(),
    all_tiles<MultiplyFloats, false>(),
    {&gather_panel<FloatWords<float>>, &gather_panel<FloatWords<Half>>, &gather_panel<FloatWords<BFloat16>>},
    {&transpose_panel<FloatWords<float>>, &transpose_panel<FloatWords<Half>>,
     &transpose_panel<FloatWords<BFloat16>>}};

}  // namespace mlx::cpu::MLX_ISA

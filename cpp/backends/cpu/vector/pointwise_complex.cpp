#include "backends/cpu/vector/pointwise_kernels.h"

namespace mlx::cpu::MLX_ISA {

extern constexpr PointwiseEntry pointwise_complex64[kFormulaCount] = {
#define MLX_ROW_VECTOR Complex<float>
#include "backends/cpu/vector/pointwise_row.inc"
};

extern constexpr PointwiseEntry pointwise_complex128[kFormulaCount] = {
#define MLX_ROW_VECTOR Complex<double>
#include "backends/cpu/vector/pointwise_row.inc"
};

}  // namespace mlx::cpu::MLX_ISA

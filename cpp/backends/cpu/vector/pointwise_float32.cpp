#include "backends/cpu/vector/pointwise_kernels.h"

namespace mlx::cpu::MLX_ISA {

extern constexpr PointwiseEntry pointwise_float32[kFormulaCount] = {
#define MLX_ROW_VECTOR Vec<float>
#include "backends/cpu/vector/pointwise_row.inc"
};

}  // namespace mlx::cpu::MLX_ISA

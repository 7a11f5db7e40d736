#include "backends/cpu/vector/pointwise_kernels.h"

namespace mlx::cpu::MLX_ISA {

extern constexpr PointwiseEntry pointwise_uint8[kFormulaCount] = {
#define MLX_ROW_VECTOR Vec<uint8_t>
#include "backends/cpu/vector/pointwise_row.inc"
};

extern constexpr PointwiseEntry pointwise_int32[kFormulaCount] = {
#define MLX_ROW_VECTOR Vec<int32_t>
#include "backends/cpu/vector/pointwise_row.inc"
};

extern constexpr PointwiseEntry pointwise_int64[kFormulaCount] = {
#define MLX_ROW_VECTOR Vec<int64_t>
#include "backends/cpu/vector/pointwise_row.inc"
};

}  // namespace mlx::cpu::MLX_ISA

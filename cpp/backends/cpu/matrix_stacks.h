#pragma once
// Stacks of matrices: which way of multiplying suits them, and the packed product of all of them.

#include "backends/cpu/product.h"
#include "tensor/tensor.h"

namespace mlx::cpu {

// The element offset of matrix number i of a stack.
int64_t offset_of(const Tensor& stack, int64_t i);

// Whether dimension `along` is adjacent in memory and steps along `across` do not overlap.
bool has_rows(const Tensor& t, int64_t across, int64_t along);

// Whether the packed product is the better one for (m, k) @ (k, n). BLAS is, for vectors, for small matrices
// (which it does not pack at all), for great depths, and where it has matrix units of its own to work with.
bool is_packed(const Tensor& a, const Tensor& b);

// a @ b, of one dtype, float32 or a half type, into matrices without gaps at `out`; or to the ending, if that
// stores results and `out` is null.
void multiply_packed(const Tensor& a, const Tensor& b, void* out, const ProductEnding* ending);

}  // namespace mlx::cpu

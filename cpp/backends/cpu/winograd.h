#pragma once
// Winograd's convolutions of kernels of 3 x 3: F(2x2, 3x3) takes 16 multiplications for four results where
// the sum over taps takes 36, and its gradient F(3x3, 2x2) as many for the nine of a kernel.
//
// Every patch of 4 x 4 elements of the input becomes 16 planes, every kernel or tile of results too, and what
// remains is a matrix product for each plane. A result's sums hold no elements that its taps do not see, and
// are about as exact as those of the direct convolution.

#include "backends/cpu/convolution_shapes.h"

namespace mlx::cpu {

// Whether it computes these results, sooner than the direct product, and none of its sums can overflow.
bool is_winograd(const ConvolutionShapes& s, Convolution::Kind kind, const Tensor& a, const Tensor& b);

// As packed_convolution().
void winograd_convolution(const ConvolutionShapes& s, Convolution::Kind kind, const Tensor& a,
                          const Tensor& b, void* out, const ProductEnding* ending = nullptr);

// The gradient of the weight, in winograd_gradient.cpp.
void winograd_weight_gradient(const ConvolutionShapes& s, const float* x, const float* gy, float* gw);

}  // namespace mlx::cpu

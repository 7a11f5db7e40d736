#pragma once
// Convolutions of one input and one output channel a group in float32, and their gradients: sums of shifted
// rows of a plane with its padding. With a stride, columns that lie it apart are neighbours in the plane.

#include "backends/cpu/convolution_shapes.h"

namespace mlx::cpu {

inline bool is_depthwise(const ConvolutionShapes& s) { return s.cin == 1 && s.cout == 1; }

void depthwise_forward(const ConvolutionShapes& s, const float* x, const float* w, float* y);
void depthwise_input_gradient(const ConvolutionShapes& s, const float* gy, const float* w, float* gx);
void depthwise_weight_gradient(const ConvolutionShapes& s, const float* x, const float* gy, float* gw);

}  // namespace mlx::cpu

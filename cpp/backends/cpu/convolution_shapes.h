#pragma once
// The geometry of one convolution, and the ways to compute one.

#include "backends/cpu/product.h"
#include "backends/kernels.h"
#include "tensor/tensor.h"

namespace mlx::cpu {

// x is (batch, groups * cin, D, H, W), y (batch, groups * cout, d, h, w).
struct ConvolutionShapes {
  int64_t batch, groups, cin, cout, in[3], out[3];
  Window window;
  int64_t in_size() const { return in[0] * in[1] * in[2]; }
  int64_t places() const { return out[0] * out[1] * out[2]; }
  int64_t taps() const { return window.kernel[0] * window.kernel[1] * window.kernel[2]; }
  int64_t rows() const { return cin * taps(); }  // of the column matrix
  // The input itself is the column matrix.
  bool is_pointwise() const {
    bool one = true;
    for (int i = 0; i < 3; ++i)
      one &= window.kernel[i] == 1 && window.stride[i] == 1 && window.padding[i] == 0;
    return one;
  }
};

// Of a launch with inputs (a, b) and an output of this shape.
ConvolutionShapes shapes_of(const Convolution& k, const Tensor& a, const Tensor& b, const Shape& out);

// Whether the packed product does it best: float32 and the half types, where channels fill its tiles.
bool is_packed(const ConvolutionShapes& s, Convolution::Kind kind, const Tensor& a, const Tensor& b);
// Whether results come in the order that an ending needs.
bool takes_ending(const ConvolutionShapes& s, Convolution::Kind kind);
// The packed product of operands of one dtype, as they lie, into a tensor of the same without gaps at `out`;
// or to the ending, if that stores results and `out` is null.
void packed_convolution(const ConvolutionShapes& s, Convolution::Kind kind, const Tensor& a, const Tensor& b,
                        void* out, const ProductEnding* ending = nullptr);

}  // namespace mlx::cpu

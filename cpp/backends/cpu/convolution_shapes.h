#pragma once
// The geometry of one convolution, and the ways to compute one.

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

// By the packed product: float32 and the half types, as they lie. a and b have one dtype, out the same or
// float32. A bias is a number for each channel of out, or missing.
void packed_convolution(const ConvolutionShapes& s, Convolution::Kind kind, const Tensor& a, const Tensor& b,
                        const Tensor& out, const Tensor& bias);

}  // namespace mlx::cpu

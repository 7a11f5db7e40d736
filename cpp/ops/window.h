#pragma once
// Convolutions and poolings of one and two dimensions are run as ones of three: sizes of one in front.

#include "ops.h"
#include "ops/row.h"

namespace mlx {

inline Window make_window(const Shape& kernel, const Shape& stride, const Shape& padding,
                          const Shape& dilation) {
  Window w;
  size_t dims = kernel.size();
  for (size_t i = 0; i < 3; ++i) {
    bool real = i + dims >= 3;
    size_t d = i + dims - 3;
    w.kernel[i] = real ? kernel[d] : 1;
    w.stride[i] = real ? stride[d] : 1;
    w.padding[i] = real ? padding[d] : 0;
    w.dilation[i] = real ? dilation[d] : 1;
  }
  return w;
}

// How many places the window has along dimension i of an input of this size.
inline int64_t output_size(int64_t input, const Window& w, int i, bool ceil_mode = false) {
  int64_t span = input + 2 * w.padding[i] - w.dilation[i] * (w.kernel[i] - 1) - 1;
  if (span < 0 && !ceil_mode) return 0;  // the window is wider than the input
  int64_t size = (span + (ceil_mode ? w.stride[i] - 1 : 0)) / w.stride[i] + 1;
  // With ceil_mode the last window must still begin inside the input or its front padding.
  if (ceil_mode && (size - 1) * w.stride[i] >= input + w.padding[i]) --size;
  return size;
}

// (batch, channels, ...) with `dims` trailing dimensions as one with three, and back.
inline Tensor as_3d(const Tensor& t, int dims) {
  Tensor out = t;
  for (int i = dims; i < 3; ++i) out = unsqueeze(out, 2);
  return out;
}

inline Tensor from_3d(const Tensor& t, int dims) {
  Tensor out = t;
  for (int i = dims; i < 3; ++i) out = squeeze(out, 2);
  return out;
}

}  // namespace mlx

#pragma once
// The kernels of attention (see kernels.h for what a kernel is). Matrices (length, features) of float32 or
// float64, in stacks of equal shape; features lie side by side, whatever the other strides. Outputs have no
// gaps.

namespace mlx {

// out = softmax(query @ key^T * scale) @ value of (query, key, value). When `causal`, query i sees keys up to
// i.
struct Attention {
  static constexpr const char* name = "attention";
  double scale;
  bool causal;
};
// (d query, d key, d value) of (gradient of out, query, key, value).
struct AttentionGradient {
  static constexpr const char* name = "attention_gradient";
  double scale;
  bool causal;
};

}  // namespace mlx

#pragma once
// The kernels of attention (see kernels.h for what a kernel is). Matrices (length, features) of float32 or
// float64, in stacks of equal shape; features lie side by side, whatever the other strides. Outputs have no
// gaps.

namespace mlx {

// out = softmax(query @ key^T * scale + mask) @ value of (query, key, value, mask). The mask may be missing; it
// is a stack of (queries, keys) of the same type whose keys lie side by side. When `causal`, query i sees keys
// up to i. A query that sees no key, its mask being -infinity throughout, gets zeros.
struct Attention {
  static constexpr const char* name = "attention";
  double scale;
  bool causal;
};
// (d query, d key, d value) of (gradient of out, query, key, value, mask).
struct AttentionGradient {
  static constexpr const char* name = "attention_gradient";
  double scale;
  bool causal;
};

}  // namespace mlx

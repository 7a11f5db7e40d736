// Normalisation of rows and of channels, float32.
#include "rows.h"

// Optional operands are looked at if they are there.
struct Norm {
  Rows shape;
  float eps;
  uint centred, has_weight, has_bias;
};

kernel void layer_norm(device const float* in [[buffer(0)]], device const float* weight [[buffer(1)]],
                       device const float* bias [[buffer(2)]], device float* out [[buffer(3)]],
                       device float* means [[buffer(4)]], device float* rstds [[buffer(5)]],
                       constant Norm& norm [[buffer(6)]], uint group [[threadgroup_position_in_grid]],
                       uint self [[thread_index_in_threadgroup]]) {
  threadgroup float room[kThreads / kSimd];
  constant Rows& shape = norm.shape;
  const Place at = place_of(shape, group, self);
  device const float* x = in + ulong(at.row) * shape.n;
  const float count = float(shape.n);
  float mean = 0;
  if (norm.centred) {
    ExactSum sum = {0, 0};
    if (at.there)
      for (uint i = at.lane; i < shape.n; i += shape.lanes) sum = exact_add(sum, x[i]);
    mean = total_across(sum, shape.lanes, self, room) / count;
  }
  ExactSum squares = {0, 0}, rest = {0, 0};
  if (at.there)
    for (uint i = at.lane; i < shape.n; i += shape.lanes) {
      const float d = x[i] - mean;
      squares = exact_add(squares, d * d);
      rest = exact_add(rest, d);
    }
  float variance = total_across(squares, shape.lanes, self, room) / count;
  const float correction = total_across(rest, shape.lanes, self, room) / count;
  // What the mean lacks in digits.
  if (norm.centred) variance -= correction * correction;
  if (variance < 0) variance = 0;
  const float rstd = 1.0f / sqrt(variance + norm.eps);
  if (!at.there) return;
  if (at.lane == 0) {
    means[at.row] = mean;
    rstds[at.row] = rstd;
  }
  for (uint i = at.lane; i < shape.n; i += shape.lanes) {
    float y = (x[i] - mean) * rstd;
    if (norm.has_weight) y *= weight[i];
    if (norm.has_bias) y += bias[i];
    out[ulong(at.row) * shape.n + i] = y;
  }
}

kernel void layer_norm_gradient(device const float* grad [[buffer(0)]], device const float* in [[buffer(1)]],
                                device const float* means [[buffer(2)]],
                                device const float* rstds [[buffer(3)]],
                                device const float* weight [[buffer(4)]], device float* out [[buffer(5)]],
                                constant Norm& norm [[buffer(6)]],
                                uint group [[threadgroup_position_in_grid]],
                                uint self [[thread_index_in_threadgroup]]) {
  threadgroup float room[kThreads / kSimd];
  constant Rows& shape = norm.shape;
  const Place at = place_of(shape, group, self);
  const ulong start = ulong(at.row) * shape.n;
  device const float *g = grad + start, *x = in + start;
  const float mean = at.there ? means[at.row] : 0.0f, rstd = at.there ? rstds[at.row] : 0.0f;
  ExactSum first = {0, 0}, second = {0, 0};
  if (at.there)
    for (uint i = at.lane; i < shape.n; i += shape.lanes) {
      const float v = norm.has_weight ? g[i] * weight[i] : g[i];
      first = exact_add(first, v);
      second = exact_add(second, v * (x[i] - mean));
    }
  const float a = total_across(first, shape.lanes, self, room) / float(shape.n);
  const float b = total_across(second, shape.lanes, self, room) * rstd / float(shape.n) * rstd;
  if (!at.there) return;
  for (uint i = at.lane; i < shape.n; i += shape.lanes) {
    const float v = norm.has_weight ? g[i] * weight[i] : g[i];
    out[start + i] = rstd * (v - (norm.centred ? a : 0.0f) - (x[i] - mean) * b);
  }
}

// A thread a column and a piece of the rows: its sums of g * (x - mean) * rstd and of g.
kernel void layer_norm_parameters(device const float* grad [[buffer(0)]],
                                  device const float* in [[buffer(1)]],
                                  device const float* means [[buffer(2)]],
                                  device const float* rstds [[buffer(3)]],
                                  device float* weights [[buffer(4)]], device float* biases [[buffer(5)]],
                                  constant Rows& shape [[buffer(6)]],
                                  uint2 position [[thread_position_in_grid]],
                                  uint2 grid [[threads_per_grid]]) {
  const uint column = position.x, piece = position.y;
  if (column >= shape.n) return;
  ExactSum w = {0, 0}, b = {0, 0};
  for (uint row = piece; row < shape.rows; row += grid.y) {
    const ulong at = ulong(row) * shape.n + column;
    w = exact_add(w, grad[at] * ((in[at] - means[row]) * rstds[row]));
    b = exact_add(b, grad[at]);
  }
  weights[piece * shape.n + column] = rounded(w);
  biases[piece * shape.n + column] = rounded(b);
}

// x is (batch, channels, inner); a group a channel: its sums of g * (x - mean) * rstd and of g.
kernel void channel_sums(device const float* grad [[buffer(0)]], device const float* in [[buffer(1)]],
                         device const float* means [[buffer(2)]], device const float* rstds [[buffer(3)]],
                         device float* weights [[buffer(4)]], device float* biases [[buffer(5)]],
                         constant uint3& sizes [[buffer(6)]], uint channel [[threadgroup_position_in_grid]],
                         uint self [[thread_index_in_threadgroup]]) {
  threadgroup float room[kThreads / kSimd];
  const uint channels = sizes.y, inner = sizes.z;
  const float mean = means[channel];
  ExactSum w = {0, 0}, b = {0, 0};
  for (ulong i = self; i < ulong(sizes.x) * inner; i += kThreads) {
    const ulong sample = i / inner, at = (sample * channels + channel) * inner + (i - sample * inner);
    w = exact_add(w, grad[at] * (in[at] - mean));
    b = exact_add(b, grad[at]);
  }
  const float weight = total_across(w, kThreads, self, room), bias = total_across(b, kThreads, self, room);
  if (self != 0) return;
  weights[channel] = weight * rstds[channel];
  biases[channel] = bias;
}

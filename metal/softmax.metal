// Softmax and its relatives over the rows of float32 matrices.
#include "rows.h"

#define ROW_PLACE                                                                    \
  constant Rows &shape [[buffer(4)]], uint group [[threadgroup_position_in_grid]],  \
      uint self [[thread_index_in_threadgroup]]

kernel void softmax(device const float* in [[buffer(0)]], device float* out [[buffer(1)]], ROW_PLACE) {
  threadgroup float room[kThreads / kSimd];
  const Place at = place_of(shape, group, self);
  device const float* x = in + ulong(at.row) * shape.n;
  device float* y = out + ulong(at.row) * shape.n;
  const float largest = row_maximum(x, shape, at, self, room);
  const float sum = row_exp_sum(x, largest, shape, at, self, room);
  if (!at.there) return;
#ifdef LOG
  const float rest = log(sum);
  for (uint i = at.lane; i < shape.n; i += shape.lanes) y[i] = (x[i] - largest) - rest;
#else
  const float scale = 1.0f / sum;
  for (uint i = at.lane; i < shape.n; i += shape.lanes) y[i] = exp(x[i] - largest) * scale;
#endif
}

kernel void softmax_gradient(device const float* grad [[buffer(0)]], device const float* result [[buffer(1)]],
                             device float* out [[buffer(2)]], ROW_PLACE) {
  threadgroup float room[kThreads / kSimd];
  const Place at = place_of(shape, group, self);
  const ulong start = ulong(at.row) * shape.n;
  device const float *g = grad + start, *y = result + start;
  ExactSum part = {0, 0};
  if (at.there)
    for (uint i = at.lane; i < shape.n; i += shape.lanes)
#ifdef LOG
      part = exact_add(part, g[i]);
#else
      part = exact_add(part, g[i] * y[i]);
#endif
  const float sum = total_across(part, shape.lanes, self, room);
  if (!at.there) return;
  for (uint i = at.lane; i < shape.n; i += shape.lanes)
#ifdef LOG
    out[start + i] = g[i] - exp(y[i]) * sum;
#else
    out[start + i] = (g[i] - sum) * y[i];
#endif
}

// log(sum(exp(x))) as the largest element, and what the others add to it.
struct LogSum {
  float largest, rest;
};
inline LogSum row_logsumexp(device const float* x, constant Rows& shape, Place at, uint self,
                            threadgroup float* room) {
  const float largest = row_maximum(x, shape, at, self, room);
  const float shift = isinf(largest) ? 0.0f : largest;
  const float sum = row_exp_sum(x, shift, shape, at, self, room);
  return {largest, isinf(largest) ? 0.0f : log(sum)};
}

kernel void logsumexp(device const float* in [[buffer(0)]], device float* out [[buffer(1)]], ROW_PLACE) {
  threadgroup float room[kThreads / kSimd];
  const Place at = place_of(shape, group, self);
  const LogSum sum = row_logsumexp(in + ulong(at.row) * shape.n, shape, at, self, room);
  if (at.there && at.lane == 0) out[at.row] = sum.largest + sum.rest;
}

kernel void cross_entropy(device const float* logits [[buffer(0)]], device const long* labels [[buffer(1)]],
                          device float* sums [[buffer(2)]], device float* losses [[buffer(3)]], ROW_PLACE) {
  threadgroup float room[kThreads / kSimd];
  const Place at = place_of(shape, group, self);
  device const float* x = logits + ulong(at.row) * shape.n;
  const LogSum sum = row_logsumexp(x, shape, at, self, room);
  if (!at.there || at.lane != 0) return;
  const long label = labels[at.row];
  sums[at.row] = sum.largest + sum.rest;
  losses[at.row] = label < 0 ? 0.0f : (sum.largest - x[label]) + sum.rest;
}

// A thread an element.
kernel void cross_entropy_gradient(device const float* logits [[buffer(0)]],
                                   device const long* labels [[buffer(1)]],
                                   device const float* sums [[buffer(2)]],
                                   device const float* scales [[buffer(3)]], device float* out [[buffer(4)]],
                                   constant Rows& shape [[buffer(5)]],
                                   uint2 position [[thread_position_in_grid]]) {
  const uint i = position.x, row = position.y;
  if (i >= shape.n) return;
  const ulong at = ulong(row) * shape.n + i;
  const long label = labels[row];
  const float y = exp(logits[at] - sums[row]) * scales[row];
  out[at] = label < 0 ? 0.0f : long(i) == label ? y - scales[row] : y;
}

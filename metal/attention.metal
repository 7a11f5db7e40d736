// Attention without storing the scores: softmax(q k^T scale) v by running totals over blocks of 32 keys, whose scores
// the lanes of a simdgroup find side by side (Milakov and Gimelshein, "Online normalizer calculation for softmax",
// 2018; Dao et al., "FlashAttention", 2022). Features lie side by side; a lane keeps every 32nd of a result's. With
// MASKED, a mask is added to the scores; a query that sees nothing gets zeros.

#define LANES 32
#define MAX_STACK 6
#define MAX_FEATURES 256
#define CHUNKS (MAX_FEATURES / LANES)
#define ROWS_AT_ONCE 4

struct Matrix {
  long row;
  long stack[MAX_STACK];
};

struct Layout {
  uint queries, keys, features, value_features, causal, stack_dims;
  uint stack[MAX_STACK];
  float scale;
  Matrix query, key, value, gradient, mask;
};

inline long start_of(uint number, constant Matrix& m, constant Layout& l) {
  long at = 0;
  for (int d = int(l.stack_dims) - 1; d >= 0; --d) {
    at += long(number % l.stack[d]) * m.stack[d];
    number /= l.stack[d];
  }
  return at;
}

inline float dot_rows(threadgroup const float* a, device const float* b, uint n) {
  float sum = 0;
  for (uint f = 0; f < n; ++f) sum += a[f] * b[f];
  return sum;
}

// What is added to the scores of one matrix of the stack.
struct Mask {
#if MASKED
  device const float* first;
  long row;
  float at(uint query, uint key) const { return first[query * row + key]; }
#define MASK_PARAMETER(slot) , device const float* mask [[buffer(slot)]]
#define MASK_OF(number) Mask{mask + start_of(number, l.mask, l), l.mask.row}
#else
  float at(uint, uint) const { return 0.0f; }
#define MASK_PARAMETER(slot)
#define MASK_OF(number) Mask{}
#endif
};

// The weight of a score, given the logarithm of the sum of exponentials.
inline float weight_of(float score, float log_sum) { return score == -INFINITY ? 0.0f : exp(score - log_sum); }

// Brings a row into threadgroup memory, by the lanes of one simdgroup.
inline void fetch(device const float* from, uint n, threadgroup float* to, uint lane) {
  for (uint f = lane; f < n; f += LANES) to[f] = from[f];
  simdgroup_barrier(mem_flags::mem_threadgroup);
}

// The running softmax of one query.
struct Totals {
  float largest, sum;

  // Takes in the scores of up to 32 keys, one a lane; returns this lane's weight, and in `shrink` what everything
  // before is multiplied by.
  float see(float score, thread float& shrink) {
    const float before = largest;
    largest = max(largest, simd_max(score));
    shrink = before == largest ? 1.0f : exp(before - largest);
    const float weight = score == -INFINITY ? 0.0f : exp(score - largest);
    sum = sum * shrink + simd_sum(weight);
    return weight;
  }
};

kernel void attention(device const float* query [[buffer(0)]], device const float* key [[buffer(1)]],
                      device const float* value [[buffer(2)]], device float* out [[buffer(3)]],
                      constant Layout& l [[buffer(4)]] MASK_PARAMETER(5), uint3 group [[threadgroup_position_in_grid]],
                      uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float rows[ROWS_AT_ONCE][MAX_FEATURES];
  const uint i = group.x * ROWS_AT_ONCE + simdgroup;
  if (i >= l.queries) return;
  threadgroup float* q = rows[simdgroup];
  fetch(query + start_of(group.y, l.query, l) + i * l.query.row, l.features, q, lane);
  device const float* k = key + start_of(group.y, l.key, l);
  device const float* v = value + start_of(group.y, l.value, l);
  const Mask mask_at = MASK_OF(group.y);
  const uint seen = l.causal ? min(l.keys, i + 1) : l.keys;
  Totals totals = {-INFINITY, 0.0f};
  float result[CHUNKS] = {0};
  for (uint first = 0; first < seen; first += LANES) {
    const uint j = first + lane;
    float shrink;
    const float score = j < seen ? dot_rows(q, k + j * l.key.row, l.features) * l.scale + mask_at.at(i, j) : -INFINITY;
    const float weight = totals.see(score, shrink);
    for (uint c = 0; c < CHUNKS; ++c) result[c] *= shrink;
    for (uint n = 0; n < min(uint(LANES), seen - first); ++n) {
      const float w = simd_shuffle(weight, ushort(n));
      for (uint f = lane, c = 0; f < l.value_features; f += LANES, ++c) result[c] += w * v[(first + n) * l.value.row + f];
    }
  }
  device float* to = out + (ulong(group.y) * l.queries + i) * l.value_features;
  for (uint f = lane, c = 0; f < l.value_features; f += LANES, ++c) to[f] = totals.sum == 0 ? 0.0f : result[c] / totals.sum;
}

// The gradient of the queries, and for each query what attention_gradient_keys needs: the logarithm of the sum of
// exponentials, and the mean of the weights' gradients.
kernel void attention_gradient_queries(device const float* query [[buffer(0)]], device const float* key [[buffer(1)]],
                                       device const float* value [[buffer(2)]],
                                       device const float* gradient [[buffer(3)]], device float* out [[buffer(4)]],
                                       device float2* sums [[buffer(5)]], constant Layout& l [[buffer(6)]] MASK_PARAMETER(7),
                                       uint3 group [[threadgroup_position_in_grid]],
                                       uint lane [[thread_index_in_simdgroup]],
                                       uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float rows[2 * ROWS_AT_ONCE][MAX_FEATURES];
  const uint i = group.x * ROWS_AT_ONCE + simdgroup;
  if (i >= l.queries) return;
  threadgroup float* q = rows[2 * simdgroup];
  threadgroup float* g = rows[2 * simdgroup + 1];
  fetch(query + start_of(group.y, l.query, l) + i * l.query.row, l.features, q, lane);
  fetch(gradient + start_of(group.y, l.gradient, l) + i * l.gradient.row, l.value_features, g, lane);
  device const float* k = key + start_of(group.y, l.key, l);
  device const float* v = value + start_of(group.y, l.value, l);
  const Mask mask_at = MASK_OF(group.y);
  const uint seen = l.causal ? min(l.keys, i + 1) : l.keys;
  Totals totals = {-INFINITY, 0.0f};
  float mean = 0;
  for (uint first = 0; first < seen; first += LANES) {
    const uint j = first + lane;
    float shrink;
    const bool inside = j < seen;
    const float score = inside ? dot_rows(q, k + j * l.key.row, l.features) * l.scale + mask_at.at(i, j) : -INFINITY;
    const float weight = totals.see(score, shrink);
    mean = mean * shrink + simd_sum(inside ? weight * dot_rows(g, v + j * l.value.row, l.value_features) : 0.0f);
  }
  mean = totals.sum == 0 ? 0.0f : mean / totals.sum;
  const float log_sum = totals.largest + log(totals.sum);
  float result[CHUNKS] = {0};
  for (uint first = 0; first < seen; first += LANES) {
    const uint j = first + lane;
    float slope = 0;
    if (j < seen) {
      const float score = dot_rows(q, k + j * l.key.row, l.features) * l.scale + mask_at.at(i, j);
      const float weight = weight_of(score, log_sum);
      slope = weight * (dot_rows(g, v + j * l.value.row, l.value_features) - mean) * l.scale;
    }
    for (uint n = 0; n < min(uint(LANES), seen - first); ++n) {
      const float s = simd_shuffle(slope, ushort(n));
      for (uint f = lane, c = 0; f < l.features; f += LANES, ++c) result[c] += s * k[(first + n) * l.key.row + f];
    }
  }
  const ulong row = ulong(group.y) * l.queries + i;
  for (uint f = lane, c = 0; f < l.features; f += LANES, ++c) out[row * l.features + f] = result[c];
  if (lane == 0) sums[row] = float2(log_sum, mean);
}

// The gradients of keys and values: each simdgroup takes a key, its lanes the queries.
kernel void attention_gradient_keys(device const float* query [[buffer(0)]], device const float* key [[buffer(1)]],
                                    device const float* value [[buffer(2)]],
                                    device const float* gradient [[buffer(3)]], device const float2* sums [[buffer(4)]],
                                    device float* key_out [[buffer(5)]], device float* value_out [[buffer(6)]],
                                    constant Layout& l [[buffer(7)]] MASK_PARAMETER(8), uint3 group [[threadgroup_position_in_grid]],
                                    uint lane [[thread_index_in_simdgroup]],
                                    uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float rows[2 * ROWS_AT_ONCE][MAX_FEATURES];
  const uint j = group.x * ROWS_AT_ONCE + simdgroup;
  if (j >= l.keys) return;
  threadgroup float* k = rows[2 * simdgroup];
  threadgroup float* v = rows[2 * simdgroup + 1];
  fetch(key + start_of(group.y, l.key, l) + j * l.key.row, l.features, k, lane);
  fetch(value + start_of(group.y, l.value, l) + j * l.value.row, l.value_features, v, lane);
  device const float* q = query + start_of(group.y, l.query, l);
  device const float* g = gradient + start_of(group.y, l.gradient, l);
  const Mask mask_at = MASK_OF(group.y);
  float d_key[CHUNKS] = {0}, d_value[CHUNKS] = {0};
  for (uint first = l.causal ? j : 0; first < l.queries; first += LANES) {
    const uint i = first + lane;
    float weight = 0, slope = 0;
    if (i < l.queries) {
      const float2 sum = sums[ulong(group.y) * l.queries + i];
      weight = weight_of(dot_rows(k, q + i * l.query.row, l.features) * l.scale + mask_at.at(i, j), sum.x);
      slope = weight * (dot_rows(v, g + i * l.gradient.row, l.value_features) - sum.y) * l.scale;
    }
    for (uint n = 0; n < min(uint(LANES), l.queries - first); ++n) {
      const float w = simd_shuffle(weight, ushort(n)), s = simd_shuffle(slope, ushort(n));
      for (uint f = lane, c = 0; f < l.features; f += LANES, ++c) d_key[c] += s * q[(first + n) * l.query.row + f];
      for (uint f = lane, c = 0; f < l.value_features; f += LANES, ++c)
        d_value[c] += w * g[(first + n) * l.gradient.row + f];
    }
  }
  const ulong row = ulong(group.y) * l.keys + j;
  for (uint f = lane, c = 0; f < l.features; f += LANES, ++c) key_out[row * l.features + f] = d_key[c];
  for (uint f = lane, c = 0; f < l.value_features; f += LANES, ++c) value_out[row * l.value_features + f] = d_value[c];
}

// What kernels over the rows of a matrix share. A row is the work of `lanes` neighbouring threads, a power of
// two: some rows a group where they are short, a group a row where they are long.
#include "totals.h"

constant constexpr uint kThreads = 256, kSimd = 32;

struct Rows {
  uint rows, n, lanes;
};

// This thread's row and place in it. Threads without a row (`there` is false) keep the others company at
// barriers.
struct Place {
  uint row, lane;
  bool there;
};
inline Place place_of(constant Rows& shape, uint group, uint self) {
  const uint row = group * (kThreads / shape.lanes) + self / shape.lanes;
  return {row, self % shape.lanes, row < shape.rows};
}

struct Add {
  static float join(float a, float b) { return a + b; }
};
struct Largest {
  static float join(float a, float b) { return b > a || is_nan(b) ? b : a; }
};

// A value of all lanes of each row, for all of them. `room` has a place for each simdgroup.
template <typename Join>
inline float across(float x, uint lanes, uint self, threadgroup float* room) {
  for (uint step = 1; step < min(lanes, kSimd); step *= 2)
    x = Join::join(x, simd_shuffle_xor(x, ushort(step)));
  if (lanes <= kSimd) return x;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  if (self % kSimd == 0) room[self / kSimd] = x;
  threadgroup_barrier(mem_flags::mem_threadgroup);
  const uint first = self / lanes * (lanes / kSimd);
  x = room[first];
  for (uint i = 1; i < lanes / kSimd; ++i) x = Join::join(x, room[first + i]);
  return x;
}
inline float total_across(ExactSum x, uint lanes, uint self, threadgroup float* room) {
  return across<Add>(rounded(x), lanes, self, room);
}

// The largest element of a row.
inline float row_maximum(device const float* x, constant Rows& shape, Place at, uint self,
                         threadgroup float* room) {
  float largest = -INFINITY;
  if (at.there)
    for (uint i = at.lane; i < shape.n; i += shape.lanes) largest = Largest::join(largest, x[i]);
  return across<Largest>(largest, shape.lanes, self, room);
}

// The sum of exp(x - shift) over a row.
inline float row_exp_sum(device const float* x, float shift, constant Rows& shape, Place at, uint self,
                         threadgroup float* room) {
  ExactSum sum = {0, 0};
  if (at.there)
    for (uint i = at.lane; i < shape.n; i += shape.lanes) sum = exact_add(sum, exp(x[i] - shift));
  return total_across(sum, shape.lanes, self, room);
}

// Elements by index. T is the elements' type, or where they are only moved an unsigned integer of their size. Index
// values are known to be in range. What is written goes in the order of the indices: a thread takes all writes to a
// column, one after the other.

#define MAX_DIMS 8

// A walk over the dimensions of an index's result. `steps` are the distances in the tensor that is indexed, in the
// other one, and in the index; along `dim` the first is the distance that an index of one stands for.
struct Walk {
  uint count, dims, dim;
  uint sizes[MAX_DIMS];
  long steps[3][MAX_DIMS];
};

struct Place {
  long indexed, other, index;
};

// Element number i of the walk; without_dim, of the walk over all dimensions but `dim`.
inline Place place_of(uint i, bool without_dim, constant Walk& walk) {
  Place at = {0, 0, 0};
  for (int d = int(walk.dims) - 1; d >= 0; --d) {
    if (without_dim && d == int(walk.dim)) continue;
    const long k = i % walk.sizes[d];
    i /= walk.sizes[d];
    if (d != int(walk.dim)) at.indexed += k * walk.steps[0][d];
    at.other += k * walk.steps[1][d];
    at.index += k * walk.steps[2][d];
  }
  return at;
}

kernel void gather(device const T* in [[buffer(0)]], device const long* index [[buffer(1)]],
                   device T* out [[buffer(2)]], constant Walk& walk [[buffer(3)]],
                   uint i [[thread_position_in_grid]]) {
  if (i >= walk.count) return;
  const Place at = place_of(i, false, walk);
  out[at.other] = in[at.indexed + index[at.index] * walk.steps[0][walk.dim]];
}

#ifdef JOIN
inline T joined(T old, T value) {
  // Computed as the type SUM; NaN passes on through maxima and minima.
  const SUM a = convert<SUM>(old), b = convert<SUM>(value);
  return convert<T>(JOIN);
}

// `count` is that of the columns.
kernel void scatter(device T* out [[buffer(0)]], device const long* index [[buffer(1)]],
                    device const T* values [[buffer(2)]], constant Walk& walk [[buffer(3)]],
                    uint i [[thread_position_in_grid]]) {
  if (i >= walk.count) return;
  const Place at = place_of(i, true, walk);
  for (uint n = 0; n < walk.sizes[walk.dim]; ++n) {
    device T& place =
        out[at.indexed + index[at.index + n * walk.steps[2][walk.dim]] * walk.steps[0][walk.dim]];
    place = joined(place, values[at.other + n * walk.steps[1][walk.dim]]);
  }
}
#endif

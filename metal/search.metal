// Places in sorted rows, and counts of integers.

struct Search {
  ulong count;
  uint n, m;     // of a row of boundaries and of values
  uint stride;   // between rows of boundaries
  uint right;
};

// ELEMENT: the type of both.
kernel void searchsorted(device const ELEMENT* boundaries [[buffer(0)]], device const ELEMENT* values [[buffer(1)]],
                         device long* out [[buffer(2)]], constant Search& s [[buffer(3)]],
                         uint i [[thread_position_in_grid]]) {
  if (i >= s.count) return;
  device const ELEMENT* row = boundaries + ulong(i / s.m) * s.stride;
  const ELEMENT value = values[i];
  uint low = 0, high = s.n;
  while (low < high) {
    const uint middle = low + (high - low) / 2;
    // NaN lies beyond every boundary.
    if (s.right ? row[middle] > value : row[middle] >= value)
      high = middle;
    else
      low = middle + 1;
  }
  out[i] = low;
}

kernel void count_integers(device const long* in [[buffer(0)]], device atomic_uint* counts [[buffer(1)]],
                           constant uint& n [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  if (i < n) atomic_fetch_add_explicit(&counts[in[i]], 1, memory_order_relaxed);
}

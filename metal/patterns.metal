// Elements that follow from their position: sequences of numbers, triangles of matrices.

// A number as the sum of two floats, as good as twice the digits: Metal has no double.
struct Long {
  float high, low;
};
inline Long product(Long a, float x) {
  const float high = a.high * x;
  return {high, fma(a.high, x, -high) + a.low * x};
}
inline float sum(Long a, Long b) {
  const float high = a.high + b.high, part = high - a.high;
  return high + (((a.high - (high - part)) + (b.high - part)) + (a.low + b.low));
}
// start + i * step, rounded once.
inline float progression(Long start, Long step, ulong i) {
  const float upper = float(i >> 24) * 0x1p24f, lower = float(i & 0xffffffu);
  const Long a = product(step, upper), b = product(step, lower);
  const float high = a.high + b.high, part = high - a.high;
  return sum(start, {high, ((a.high - (high - part)) + (b.high - part)) + (a.low + b.low)});
}

struct Progression {
  ulong count, turn;  // elements from `turn` on count back from the end
  long stride;
  long first, by;     // of integers
  Long start, end, step;
};

// OUT: the elements' type.
kernel void count_up(device Memory<OUT>* out [[buffer(0)]], constant Progression& p [[buffer(1)]],
                     uint i [[thread_position_in_grid]]) {
  if (i < p.count) out[i * p.stride] = stored<OUT>(p.first + long(i) * p.by);
}
kernel void progress(device Memory<OUT>* out [[buffer(0)]], constant Progression& p [[buffer(1)]],
                     uint i [[thread_position_in_grid]]) {
  if (i >= p.count) return;
  const Long back = {-p.step.high, -p.step.low};
  const float y = i < p.turn ? progression(p.start, p.step, i) : progression(p.end, back, p.count - 1 - i);
  out[i * p.stride] = stored<OUT>(y);
}

struct Triangle {
  ulong count;
  uint rows, columns, upper;
  long diagonal;
  Dims in, out;
};

// OUT: an unsigned integer of the elements' size.
kernel void triangle(device const OUT* in [[buffer(0)]], device OUT* out [[buffer(1)]],
                     constant Triangle& t [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  if (i >= t.count) return;
  const uint column = i % t.columns, row = i / t.columns % t.rows;
  const long above = long(column) - long(row) - t.diagonal;
  const bool kept = t.upper ? above >= 0 : above <= 0;
  out[offset_of(t.out, i)] = kept ? in[offset_of(t.in, i)] : OUT(0);
}

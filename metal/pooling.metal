// Pooling of planes (planes, depth, height, width) without gaps; a thread makes one element of the result. T is the
// elements' type; with ADAPTIVE the planes are cut into cells of nearly equal size instead of windows.

struct Layout {
  uint planes, large[3], small[3];
  int kernel_size[3], stride[3], padding[3], dilation[3];
  int divisor, count_padding;
};

inline uint volume(constant const uint* sizes) { return sizes[0] * sizes[1] * sizes[2]; }
inline uint index_of(uint d, uint h, uint w, constant const uint* sizes) { return (d * sizes[1] + h) * sizes[2] + w; }

// What a place of the small plane stands for in the large one: first places and ends by dimension, and steps.
struct Box {
  int begin[3], end[3], step[3];
  float count;  // what a mean is divided by
};

inline Box box_of(uint place, constant Layout& l) {
  const uint at[3] = {place / (l.small[1] * l.small[2]), place / l.small[2] % l.small[1], place % l.small[2]};
  Box box;
  int inside = 1, padded = 1;
  for (uint d = 0; d < 3; ++d) {
    const int size = int(l.large[d]);
#if ADAPTIVE
    const int parts = int(l.small[d]);
    box.begin[d] = int(at[d]) * size / parts;
    box.end[d] = ((int(at[d]) + 1) * size + parts - 1) / parts;
    box.step[d] = 1;
    padded *= box.end[d] - box.begin[d];
#else
    const int begin = int(at[d]) * l.stride[d] - l.padding[d], step = l.dilation[d];
    const int end = begin + (l.kernel_size[d] - 1) * step + 1;
    padded *= min(end, size + l.padding[d]) - begin;
    box.begin[d] = begin < 0 ? begin + (-begin + step - 1) / step * step : begin;
    box.end[d] = min(end, size);
    box.step[d] = step;
#endif
    inside *= box.end[d] - box.begin[d];
  }
  box.count = float(l.divisor ? l.divisor : l.count_padding ? padded : inside);
  return box;
}

kernel void max_pool(device const T* x [[buffer(0)]], device T* values [[buffer(1)]], device long* places [[buffer(2)]],
                     constant Layout& l [[buffer(3)]], uint i [[thread_position_in_grid]]) {
  const uint size = volume(l.small);
  if (i >= l.planes * size) return;
  device const T* plane = x + ulong(i / size) * volume(l.large);
  const Box box = box_of(i % size, l);
  int place = -1;
  T best = T(0);
  for (int d = box.begin[0]; d < box.end[0]; d += box.step[0])
    for (int h = box.begin[1]; h < box.end[1]; h += box.step[1])
      for (int w = box.begin[2]; w < box.end[2]; w += box.step[2]) {
        const uint at = index_of(d, h, w, l.large);
        const T v = plane[at];
        // NaN is above all.
        if (place < 0 || v > best || v != v) {
          best = v;
          place = int(at);
        }
      }
  values[i] = best;
  places[i] = place;
}

kernel void mean_pool(device const T* x [[buffer(0)]], device T* means [[buffer(1)]], constant Layout& l [[buffer(2)]],
                      uint i [[thread_position_in_grid]]) {
  const uint size = volume(l.small);
  if (i >= l.planes * size) return;
  device const T* plane = x + ulong(i / size) * volume(l.large);
  const Box box = box_of(i % size, l);
  float sum = 0;
  for (int d = box.begin[0]; d < box.end[0]; ++d)
    for (int h = box.begin[1]; h < box.end[1]; ++h)
      for (int w = box.begin[2]; w < box.end[2]; ++w) sum += float(plane[index_of(d, h, w, l.large)]);
  means[i] = T(sum / box.count);
}

// Each element of the large plane collects from the boxes that it lies in.
kernel void mean_pool_gradient(device const T* g [[buffer(0)]], device T* result [[buffer(1)]],
                               constant Layout& l [[buffer(2)]], uint i [[thread_position_in_grid]]) {
  const uint size = volume(l.large);
  if (i >= l.planes * size) return;
  device const T* plane = g + ulong(i / size) * volume(l.small);
  const uint place = i % size;
  const int at[3] = {int(place / (l.large[1] * l.large[2])), int(place / l.large[2] % l.large[1]),
                     int(place % l.large[2])};
  int first[3], last[3];
  for (uint d = 0; d < 3; ++d) {
    const int small = int(l.small[d]), large = int(l.large[d]);
#if ADAPTIVE
    first[d] = at[d] * small / large;
    last[d] = ((at[d] + 1) * small + large - 1) / large - 1;
#else
    const int beyond = at[d] + l.padding[d] - l.kernel_size[d] + 1;
    first[d] = beyond <= 0 ? 0 : (beyond + l.stride[d] - 1) / l.stride[d];
    last[d] = min((at[d] + l.padding[d]) / l.stride[d], small - 1);
#endif
  }
  float sum = 0;
  for (int d = first[0]; d <= last[0]; ++d)
    for (int h = first[1]; h <= last[1]; ++h)
      for (int w = first[2]; w <= last[2]; ++w) {
        const uint box = index_of(d, h, w, l.small);
        sum += float(plane[box]) / box_of(box, l).count;
      }
  result[i] = T(sum);
}

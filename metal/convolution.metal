// Convolutions as products of matrices of which one is never written down: its elements are found in the image as
// they are needed. T is the elements' type; images are (batch, channels, depth, height, width) without gaps. Sums go to
// FINISH.
#include "product.h"

struct Layout {
  uint batch, groups, in_channels, out_channels;  // channels of one group
  uint in[3], out[3];
  uint kernel_size[3];
  int stride[3], padding[3], dilation[3];
};

inline uint volume(constant const uint* sizes) { return sizes[0] * sizes[1] * sizes[2]; }
inline uint3 place_of(uint number, constant const uint* sizes) {
  return uint3(number / (sizes[1] * sizes[2]), number / sizes[2] % sizes[1], number % sizes[2]);
}

// One group of channels.
struct Images {
  device const T* left;
  device const T* right;
  constant Layout& l;
  Finish finish;
  uint group;
  uint m, n, k;
  bool a_by_terms, b_by_columns;

  Images(device const T* a, device const T* b, constant Layout& layout, Finish f, uint number)
      : left(a), right(b), l(layout), finish(f), group(number), a_by_terms(true), b_by_columns(true) {}

  uint taps() const { return volume(l.kernel_size); }
  uint in_at(uint image, uint channel) const {
    return ((image * l.groups + group) * l.in_channels + channel) * volume(l.in);
  }
  uint out_at(uint image, uint channel) const {
    return ((image * l.groups + group) * l.out_channels + channel) * volume(l.out);
  }
  uint weight_at(uint out_channel, uint in_channel, uint tap) const {
    return ((group * l.out_channels + out_channel) * l.in_channels + in_channel) * taps() + tap;
  }
  // The place in the input that a tap of the kernel sees from a place of the output, or -1 for the padding.
  int seen(uint tap, uint place) const {
    const uint3 t = place_of(tap, l.kernel_size), p = place_of(place, l.out);
    int at = 0;
    for (uint d = 0; d < 3; ++d) {
      const int x = int(p[d]) * l.stride[d] - l.padding[d] + int(t[d]) * l.dilation[d];
      if (x < 0 || x >= int(l.in[d])) return -1;
      at = at * int(l.in[d]) + x;
    }
    return at;
  }
  // The place in the output from which a tap of the kernel sees a place of the input, or -1.
  int seeing(uint tap, uint place) const {
    const uint3 t = place_of(tap, l.kernel_size), p = place_of(place, l.in);
    int at = 0;
    for (uint d = 0; d < 3; ++d) {
      const int moved = int(p[d]) + l.padding[d] - int(t[d]) * l.dilation[d];
      if (moved < 0 || moved % l.stride[d] != 0 || moved / l.stride[d] >= int(l.out[d])) return -1;
      at = at * int(l.out[d]) + moved / l.stride[d];
    }
    return at;
  }
};

// y = w x: rows are output channels, columns the places of all images, terms the taps of all input channels.
struct Forward : Images {
  using Images::Images;
  T read_a(uint row, uint term) const { return right[weight_at(row, term / taps(), term % taps())]; }
  T read_b(uint term, uint column) const {
    const uint places = volume(l.out);
    const int at = seen(term % taps(), column % places);
    return at < 0 ? T(0) : left[in_at(column / places, term / taps()) + at];
  }
  void write(uint row, uint column, float sum) const {
    const uint places = volume(l.out);
    finish(out_at(column / places, row) + column % places, sum);
  }
};

// dx from (dy, w): rows are input channels, columns the places of all inputs, terms the taps of output channels.
struct InputGradient : Images {
  using Images::Images;
  T read_a(uint row, uint term) const { return right[weight_at(term / taps(), row, term % taps())]; }
  T read_b(uint term, uint column) const {
    const uint places = volume(l.in);
    const int at = seeing(term % taps(), column % places);
    return at < 0 ? T(0) : left[out_at(column / places, term / taps()) + at];
  }
  void write(uint row, uint column, float sum) const {
    const uint places = volume(l.in);
    finish(in_at(column / places, row) + column % places, sum);
  }
};

// dw from (x, dy): rows are output channels, columns the taps of input channels, terms the places of all outputs.
struct WeightGradient : Images {
  using Images::Images;
  T read_a(uint row, uint term) const {
    const uint places = volume(l.out);
    return right[out_at(term / places, row) + term % places];
  }
  T read_b(uint term, uint column) const {
    const uint places = volume(l.out);
    const int at = seen(column % taps(), term % places);
    return at < 0 ? T(0) : left[in_at(term / places, column / taps()) + at];
  }
  void write(uint row, uint column, float sum) const {
    finish(weight_at(row, column / taps(), column % taps()), sum);
  }
};

inline KIND images_of(device const T* left, device const T* right, constant Layout& l, Finish finish, uint group) {
  KIND images(left, right, l, finish, group);
  const uint taps = volume(l.kernel_size);
  images.m = M;
  images.n = N;
  images.k = K;
  return images;
}

kernel void convolution(device const T* left [[buffer(0)]], device const T* right [[buffer(1)]],
                        constant Layout& l [[buffer(2)]], FINISH_PARAMETERS,
                        uint3 group [[threadgroup_position_in_grid]],
                        uint thread_index [[thread_index_in_threadgroup]],
                        uint simdgroup [[simdgroup_index_in_threadgroup]]) {
  threadgroup float memory[TILE * TILE];
  const KIND images = images_of(left, right, l, FINISH, group.z);
  tiled_product<T>(images, group.xy, memory, thread_index, simdgroup);
}

// A thread makes one result: for products too narrow to fill tiles, as of depthwise convolutions.
kernel void convolution_by_results(device const T* left [[buffer(0)]], device const T* right [[buffer(1)]],
                                   constant Layout& l [[buffer(2)]], FINISH_PARAMETERS,
                                   uint3 at [[thread_position_in_grid]]) {
  const KIND images = images_of(left, right, l, FINISH, at.z);
  if (at.x >= images.n || at.y >= images.m) return;
  float sum = 0;
  for (uint t = 0; t < images.k; ++t) sum += float(images.read_a(at.y, t)) * float(images.read_b(t, at.x));
  images.write(at.y, at.x, sum);
}

#pragma once
// The transforms of Winograd's convolution F(2x2, 3x3) and of its gradient F(3x3, 2x2): patches of 4 x 4
// elements, kernels of 3 x 3 and tiles of 2 x 2 results become, or come from, 16 planes.
//
// Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (2015), section 4.1; the gradient's
// matrices are those of the same points 0, 1, -1 and infinity for two taps.

#include "backends/cpu/row_kernels.h"
#include "backends/cpu/vector/vec_basic.h"
#include "backends/cpu/vector/vec_lanes.h"

namespace mlx::cpu::MLX_ISA {

// One dimension of each transform: of a patch, a kernel of three taps or of two, sums to two results or to
// the gradients of three taps.
MLX_INLINE void transform_patch(const Vec<float> (&d)[4], Vec<float> (&out)[4]) {
  out[0] = d[0] - d[2];
  out[1] = d[1] + d[2];
  out[2] = d[2] - d[1];
  out[3] = d[1] - d[3];
}
MLX_INLINE void transform_three(const Vec<float> (&g)[3], Vec<float> (&out)[4]) {
  const Vec<float> ends = 0.5f * (g[0] + g[2]), middle = 0.5f * g[1];
  out[0] = g[0];
  out[1] = ends + middle;
  out[2] = ends - middle;
  out[3] = g[2];
}
MLX_INLINE void transform_two(const Vec<float> (&g)[2], Vec<float> (&out)[4]) {
  const Vec<float> a = 0.5f * g[0], b = 0.5f * g[1];
  out[0] = g[0];
  out[1] = a + b;
  out[2] = a - b;
  out[3] = g[1];
}
MLX_INLINE void transform_results(const Vec<float> (&m)[4], Vec<float> (&out)[2]) {
  out[0] = m[0] + m[1] + m[2];
  out[1] = m[1] - m[2] - m[3];
}
MLX_INLINE void transform_gradients(const Vec<float> (&m)[4], Vec<float> (&out)[3]) {
  const Vec<float> sum = m[1] + m[2];
  out[0] = m[0] + sum;
  out[1] = m[1] - m[2];
  out[2] = sum - m[3];
}

// Both dimensions: rows, then columns.
template <int kFrom, int kTo>
MLX_INLINE void transform_square(void (*transform)(const Vec<float> (&)[kFrom], Vec<float> (&)[kTo]),
                                 const Vec<float> (&in)[kFrom][kFrom], Vec<float> (&out)[kTo][kTo]) {
  Vec<float> rows[kFrom][kTo];
#pragma GCC unroll 4
  for (int i = 0; i < kFrom; ++i) transform(in[i], rows[i]);
#pragma GCC unroll 4
  for (int j = 0; j < kTo; ++j) {
    Vec<float> column[kFrom], result[kTo];
#pragma GCC unroll 4
    for (int i = 0; i < kFrom; ++i) column[i] = rows[i][j];
    transform(column, result);
#pragma GCC unroll 4
    for (int i = 0; i < kTo; ++i) out[i][j] = result[i];
  }
}

template <int kSize>
MLX_INLINE void load_planes(const float* planes, int64_t stride, Vec<float> (&out)[kSize][kSize]) {
#pragma GCC unroll 4
  for (int i = 0; i < kSize; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kSize; ++j) out[i][j] = Vec<float>::load(planes + (kSize * i + j) * stride);
}
template <int kSize>
MLX_INLINE void store_planes(const Vec<float> (&in)[kSize][kSize], float* planes, int64_t stride) {
#pragma GCC unroll 4
  for (int i = 0; i < kSize; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < kSize; ++j) in[i][j].store(planes + (kSize * i + j) * stride);
}

// Squares of kSize x kSize elements, two columns apart, to planes.
template <int kSize, auto kTransform>
void squares_to_planes(const float* const* rows, int64_t begin, int64_t width, int64_t tiles, float* planes,
                       int64_t plane_stride) {
  constexpr int kLanes = Vec<float>::kLanes;
  for (int64_t t = 0; t < tiles; t += kLanes) {
    Vec<float> in[kSize][kSize], out[4][4];
#pragma GCC unroll 2
    for (int j = 0; j < kSize; j += 2) {
      const int64_t at = begin + 2 * t + j;
      const LaneRange low(-at, width - at), high(-at - kLanes, width - at - kLanes);
#pragma GCC unroll 4
      for (int i = 0; i < kSize; ++i) {
        in[i][j] = in[i][j + 1] = Vec<float>(0);
        if (rows[i])
          unzip(low.load(rows[i] + at), high.load(rows[i] + at + kLanes), in[i][j], in[i][j + 1],
                FloatLanes{});
      }
    }
    transform_square(kTransform, in, out);
    store_planes(out, planes + t, plane_stride);
  }
}

// kFrom x kFrom planes to kTo x kTo, n lanes of each.
template <int kFrom, int kTo, auto kTransform>
void planes_to_planes(const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t n) {
  for (int64_t at = 0; at < n; at += Vec<float>::kLanes) {
    Vec<float> in[kFrom][kFrom], out[kTo][kTo];
    load_planes(from + at, from_stride, in);
    transform_square(kTransform, in, out);
    store_planes(out, to + at, to_stride);
  }
}

inline void planes_to_results(const float* planes, int64_t plane_stride, int64_t tiles, float* const* rows,
                              int64_t columns) {
  constexpr int kLanes = Vec<float>::kLanes;
  for (int64_t t = 0; t < tiles; t += kLanes) {
    Vec<float> in[4][4], out[2][2];
    load_planes(planes + t, plane_stride, in);
    transform_square(transform_results, in, out);
    const int64_t at = 2 * t, rest = columns - at;
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
      if (!rows[i]) continue;
      Vec<float> low, high;
      zip(out[i][0], out[i][1], low, high, FloatLanes{});
      store_up_to(low, rows[i] + at, rest < kLanes ? rest : kLanes);
      if (rest > kLanes) store_up_to(high, rows[i] + at + kLanes, rest < 2 * kLanes ? rest - kLanes : kLanes);
    }
  }
}

// As the bits of a float: of a NaN, those of one, which are more than infinity's.
inline uint32_t largest_magnitude(const float* x, int64_t n) {
  constexpr int kLanes = Vec<float>::kLanes;
  const Vec<int32_t> magnitude(0x7fffffff);
  Vec<int32_t> most[4];
  for (auto& m : most) m = Vec<int32_t>(0);
  const auto take = [&](Vec<int32_t>& m, Vec<int32_t> bits) {
    bits = bits & magnitude;
    m = select(bits > m, bits, m);
  };
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) take(most[j], Vec<int32_t>::load(x + i + j * kLanes));
  for (; i < n; i += kLanes)
    take(most[0], bit_cast<int32_t>(load_some(x + i, n - i < kLanes ? n - i : kLanes)));
  int32_t result = 0;
  for (const auto& m : most)
    for (int j = 0; j < kLanes; ++j) result = m[j] > result ? m[j] : result;
  return static_cast<uint32_t>(result);
}

inline constexpr WinogradEntry winograd_entry = {
    &squares_to_planes<4, &transform_patch>,       &squares_to_planes<2, &transform_two>,
    &planes_to_planes<3, 4, &transform_three>,     &planes_to_results,
    &planes_to_planes<4, 3, &transform_gradients>, &largest_magnitude};

}  // namespace mlx::cpu::MLX_ISA

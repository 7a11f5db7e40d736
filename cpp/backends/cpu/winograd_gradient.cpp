// The gradient of the weight by Winograd's F(3x3, 2x2): for every plane the product of the result's gradient
// and the input, summed over tiles.

#include <algorithm>

#include "backends/cpu/scratch.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/winograd.h"
#include "backends/cpu/winograd_tiles.h"
#include "backends/cpu/work_memory.h"

namespace mlx::cpu {
namespace {

// One group. The planes of the kernels' gradients are matrices of cout rows and `columns` columns.
struct Job {
  const ConvolutionShapes& shapes;
  const ImageChannels input, gradient;
  int64_t padding[2];
  TileGrid grid;
  // The tiles are cut into a fixed number of parts, whatever the number of threads, whose sums are added at
  // the end; the input channels into blocks for as many threads as are left.
  int64_t parts, channel_block, tile_block;
  int64_t rows, columns;

  int64_t plane() const { return rows * columns + kPlaneGap; }
  int64_t channel_blocks() const { return ceil_div(shapes.cin, channel_block); }
};

void divide(Job& job) {
  const ConvolutionShapes& s = job.shapes;
  const ProductKernels& kernels = product_kernels();
  job.rows = round_up(s.cout, int64_t{kernels.rows});
  job.columns = round_up(s.cin, int64_t{kernels.lanes});
  // So many words of sums may there be in all, and so many words of planes at a time. The blocks of tiles
  // decide on the order of sums, and do not depend on the threads either.
  constexpr int64_t kSumWords = int64_t{1} << 21, kTaskWords = int64_t{384} << 10;
  constexpr int64_t kParts = 8, kLeastTiles = 64, kMostTiles = 192;
  const bool divides_tiles =
      kParts * kWinogradPlanes * job.plane() <= kSumWords && job.grid.count() >= kParts * kLeastTiles;
  job.parts = divides_tiles ? kParts : 1;
  const int64_t threads = in_parallel_region() ? 1 : num_threads();
  job.channel_block = round_up(ceil_div(s.cin, ceil_div(threads, job.parts)), kernels.lanes);
  const int64_t fit = kTaskWords / kWinogradPlanes / (s.cin + s.cout);
  job.tile_block = std::clamp(fit / kernels.lanes * kernels.lanes, kLeastTiles, kMostTiles);
}

// Adds up one part of the tiles for one block of input channels.
class Task {
 public:
  explicit Task(const Job& job)
      : job_(job),
        kernels_(product_kernels()),
        line_(job.tile_block),
        plane_(line_ * kernels_.panel_columns() + kPlaneGap),
        left_plane_(line_ * job.rows + kPlaneGap),
        right_plane_(line_ * round_up(job.channel_block, int64_t{kernels_.lanes}) + kPlaneGap),
        planes_(floats(WorkRole::Sums, plane_)),
        left_(floats(WorkRole::Left, left_plane_)),
        right_(floats(WorkRole::Right, right_plane_)) {}

  void run(int64_t part, int64_t block, float* sums) {
    const ConvolutionShapes& s = job_.shapes;
    channel_ = block * job_.channel_block;
    channels_ = std::min(job_.channel_block, s.cin - channel_);
    const int64_t tiles = job_.grid.count(), end = (part + 1) * tiles / job_.parts;
    bool add = false;
    for (int64_t at = part * tiles / job_.parts; at < end; at += job_.tile_block, add = true) {
      tiles_ = std::min(job_.tile_block, end - at);
      segments_ = job_.grid.segments(at, at + tiles_);
      pack_gradient();
      pack_input();
      for (int64_t p = 0; p < kWinogradPlanes; ++p) multiply(p, sums + p * job_.plane() + channel_, add);
    }
  }

 private:
  static float* floats(WorkRole role, int64_t plane) {
    return reinterpret_cast<float*>(work_memory(role, kWinogradPlanes * plane));
  }

  // Panels of a few channels side by side, tile by tile, for each plane.
  void pack_gradient() {
    for (int64_t c = 0; c < job_.shapes.cout; c += kernels_.rows) {
      const int64_t lines = std::min<int64_t>(kernels_.rows, job_.shapes.cout - c);
      for (int64_t i = 0; i < lines; ++i)
        transform_tiles(job_.gradient, c + i, segments_, planes_ + i * line_, plane_);
      pack(lines, kernels_.rows, left_ + c * tiles_, left_plane_);
    }
  }
  void pack_input() {
    const int64_t panel = kernels_.panel_columns();
    for (int64_t c = 0; c < channels_; c += panel) {
      const int64_t lines = std::min(panel, channels_ - c);
      for (int64_t i = 0; i < lines; ++i)
        transform_patches(job_.input, channel_ + c + i, job_.padding, segments_, planes_ + i * line_, plane_);
      pack(lines, round_up(lines, int64_t{kernels_.lanes}), right_ + c * tiles_, right_plane_);
    }
  }
  void pack(int64_t lines, int64_t width, float* panels, int64_t panels_plane) const {
    const auto transpose = kernels_.transpose[static_cast<size_t>(PackedType::Float32)];
    for (int64_t p = 0; p < kWinogradPlanes; ++p)
      transpose(planes_ + p * plane_, line_, lines, tiles_, width, panels + p * panels_plane);
  }

  void multiply(int64_t plane, float* sums, bool add) const {
    const auto words = [](const float* panel) { return reinterpret_cast<const uint32_t*>(panel); };
    const float *left = left_ + plane * left_plane_, *right = right_ + plane * right_plane_;
    const auto& tiles = kernels_.tiles[static_cast<size_t>(kernels_.rows - 1)];
    for (int64_t j = 0; j < channels_; j += kernels_.panel_columns()) {
      const int64_t registers =
          ceil_div(std::min(kernels_.panel_columns(), channels_ - j), int64_t{kernels_.lanes});
      const int64_t width = registers * kernels_.lanes;
      for (int64_t i = 0; i < job_.rows; i += kernels_.rows)
        tiles[static_cast<size_t>(registers - 1)](tiles_, words(left + i * tiles_), kernels_.rows,
                                                  words(right + j * tiles_), width,
                                                  sums + i * job_.columns + j, job_.columns, add, width);
    }
  }

  const Job& job_;
  const ProductKernels& kernels_;
  const int64_t line_, plane_, left_plane_, right_plane_;
  float *const planes_, *const left_, *const right_;
  int64_t channel_ = 0, channels_ = 0, tiles_ = 0;
  std::vector<TileSegment> segments_;
};

// The taps' gradients of the kernels of one output channel, from all parts' sums.
void store_kernels(const Job& job, float* sums, int64_t row, float* to) {
  const int64_t size = kWinogradPlanes * job.plane();
  for (int64_t part = 1; part < job.parts; ++part)
    for (int64_t p = 0; p < kWinogradPlanes; ++p) {
      float* total = sums + p * job.plane() + row * job.columns;
      for (int64_t j = 0; j < job.columns; ++j) total[j] += total[part * size + j];
    }
  constexpr int64_t kKernels = 64;
  float taps[kWinogradTaps][kKernels];
  for (int64_t c = 0; c < job.shapes.cin; c += kKernels) {
    const int64_t count = std::min(kKernels, job.shapes.cin - c);
    row_kernels().winograd.gradients(sums + row * job.columns + c, job.plane(), taps[0], kKernels, count);
    for (int64_t i = 0; i < count; ++i, to += kWinogradTaps)
#pragma GCC unroll 9
      for (int64_t t = 0; t < kWinogradTaps; ++t) to[t] = taps[t][i];
  }
}

}  // namespace

void winograd_weight_gradient(const ConvolutionShapes& s, const float* x, const float* gy, float* gw) {
  for (int64_t group = 0; group < s.groups; ++group) {
    Job job{
        .shapes = s,
        .input = {x + group * s.cin * s.in_size(), s.in[1], s.in[2], s.groups * s.cin * s.in_size()},
        .gradient = {gy + group * s.cout * s.places(), s.out[1], s.out[2], s.groups * s.cout * s.places()},
        .padding = {s.window.padding[1], s.window.padding[2]},
        .grid = {s.batch, s.out[1], s.out[2]},
        .parts = 1,
        .channel_block = s.cin,
        .tile_block = 0,
        .rows = 0,
        .columns = 0};
    divide(job);
    const int64_t size = kWinogradPlanes * job.plane(), blocks = job.channel_blocks();
    const Scratch<float> sums(job.parts * size);
    parallel_for(0, job.parts * blocks, 1, [&](int64_t begin, int64_t end) {
      Task task(job);
      for (int64_t i = begin; i < end; ++i) task.run(i / blocks, i % blocks, sums.data() + i / blocks * size);
    });
    float* kernels = gw + group * s.cout * s.rows();
    parallel_for(0, s.cout, ceil_div(int64_t{1} << 12, s.cin), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; ++c) store_kernels(job, sums.data(), c, kernels + c * s.rows());
    });
  }
}

}  // namespace mlx::cpu

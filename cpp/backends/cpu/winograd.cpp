#include "backends/cpu/winograd.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <vector>

#include "backends/cpu/scratch.h"
#include "backends/cpu/thread_pool.h"
#include "backends/cpu/winograd_tiles.h"
#include "backends/cpu/work_memory.h"

namespace mlx::cpu {
namespace {

// One group of a convolution of stride 1 with kernels of 3 x 3, from `depth` channels to `channels` of them.
// That of the result's gradient with kernels whose taps and channels are reversed is the input's gradient.
struct Shapes {
  int64_t batch, groups, depth, channels;
  int64_t in[2], out[2], padding[2];
  int64_t kernel_stride, depth_stride;  // between the kernels of output channels, and of input channels
  bool reversed;

  int64_t out_size() const { return out[0] * out[1]; }
  TileGrid grid() const { return {batch, out[0], out[1]}; }
};

Shapes shapes_of(const ConvolutionShapes& s, Convolution::Kind kind) {
  const bool reversed = kind == Convolution::InputGrad;
  Shapes shapes{.batch = s.batch,
                .groups = s.groups,
                .depth = reversed ? s.cout : s.cin,
                .channels = reversed ? s.cin : s.cout,
                .in = {},
                .out = {},
                .padding = {},
                .kernel_stride = (reversed ? 1 : s.cin) * kWinogradTaps,
                .depth_stride = (reversed ? s.cin : 1) * kWinogradTaps,
                .reversed = reversed};
  for (int i = 0; i < 2; ++i) {
    shapes.in[i] = (reversed ? s.out : s.in)[i + 1];
    shapes.out[i] = (reversed ? s.in : s.out)[i + 1];
    shapes.padding[i] = reversed ? 2 - s.window.padding[i + 1] : s.window.padding[i + 1];
  }
  return shapes;
}

bool has_its_window(const ConvolutionShapes& s) {
  const Window& w = s.window;
  for (int i = 0; i < 3; ++i)
    if (w.stride[i] != 1 || w.dilation[i] != 1 || w.kernel[i] != (i ? 3 : 1)) return false;
  return s.in[0] == 1 && s.out[0] == 1;
}

// Of all elements: infinite, or no number, if one of them is.
float largest_magnitude(const Tensor& t) {
  constexpr int64_t kGrain = int64_t{1} << 16;
  std::atomic<uint32_t> most = 0;
  parallel_for(0, t.numel(), kGrain, [&](int64_t begin, int64_t end) {
    const uint32_t here = row_kernels().winograd.largest(t.data<float>() + begin, end - begin);
    uint32_t before = most;
    while (before < here && !most.compare_exchange_weak(before, here)) {
    }
  });
  return std::bit_cast<float>(most.load());
}

// Whether some tap is zero in all kernels, as those are of convolutions that must not look ahead. What it
// sees would reach the results as rounding errors.
bool has_idle_tap(const Tensor& kernels) {
  const float* weights = kernels.data<float>();
  for (int64_t tap = 0; tap < kWinogradTaps; ++tap) {
    int64_t at = tap;
    while (at < kernels.numel() && weights[at] == 0) at += kWinogradTaps;
    if (at >= kernels.numel()) return true;
  }
  return false;
}

// The transformed kernels of one group, as left panels of the products: blocks of output channels, planes and
// then input channels.
class KernelPlanes {
 public:
  KernelPlanes(const Shapes& s, const float* weights)
      : rows_(product_kernels().rows),
        plane_(s.depth * rows_ + kPlaneGap),
        words_(ceil_div(s.channels, rows_) * kWinogradPlanes * plane_) {
    constexpr int64_t kGrain = int64_t{1} << 12;  // kernels
    parallel_for(0, ceil_div(s.channels, rows_), ceil_div(kGrain, s.depth * rows_),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t block = begin; block < end; ++block) transform(s, weights, block);
                 });
  }
  int64_t rows() const { return rows_; }
  const uint32_t* at(int64_t block, int64_t plane) const {
    return reinterpret_cast<const uint32_t*>(words_.data()) + (block * kWinogradPlanes + plane) * plane_;
  }

 private:
  static constexpr int64_t kDepths = 16;  // transformed together
  static constexpr int64_t kTapStride = kDepths * kMaxTileRows;

  template <bool kReversed>
  static void spread(const float* kernel, float* taps) {
#pragma GCC unroll 9
    for (int64_t t = 0; t < kWinogradTaps; ++t)
      taps[t * kTapStride] = kernel[kReversed ? kWinogradTaps - 1 - t : t];
  }
  void transform(const Shapes& s, const float* weights, int64_t block) const {
    float taps[kWinogradTaps][kTapStride] = {};
    const int64_t first = block * rows_, lines = std::min<int64_t>(rows_, s.channels - first);
    float* planes = words_.data() + block * kWinogradPlanes * plane_;
    for (int64_t c = 0; c < s.depth; c += kDepths) {
      const int64_t depths = std::min(kDepths, s.depth - c);
      for (int64_t i = 0; i < lines; ++i)
        for (int64_t k = 0; k < depths; ++k) {
          const float* kernel = weights + (first + i) * s.kernel_stride + (c + k) * s.depth_stride;
          float* to = taps[0] + k * rows_ + i;
          s.reversed ? spread<true>(kernel, to) : spread<false>(kernel, to);
        }
      row_kernels().winograd.kernels(taps[0], kTapStride, planes + c * rows_, plane_, depths * rows_);
    }
  }

  const int64_t rows_, plane_;
  const Scratch<float> words_;
};

// How the tiles are cut into panels of `width`, and the output channels into parts.
struct Plan {
  int64_t width, panels, parts;
};

Plan choose_plan(const Shapes& s) {
  const ProductKernels& kernels = product_kernels();
  const int64_t threads = in_parallel_region() ? 1 : num_threads(), tiles = s.grid().count();
  Plan plan;
  const int64_t panels = round_up(ceil_div(tiles, kernels.panel_columns()), threads);
  plan.width = round_up(ceil_div(tiles, panels), kernels.lanes);
  plan.panels = ceil_div(tiles, plan.width);
  plan.parts = std::min(ceil_div(threads, plan.panels), ceil_div(s.channels, int64_t{kernels.rows}));
  return plan;
}

// What the tasks of one group share. Without `out`, an ending takes the results.
struct Job {
  const Shapes& shapes;
  const Plan& plan;
  const KernelPlanes& kernels;
  const ImageChannels images;
  float* out;
  int64_t group;
  const ProductEnding* ending;
};

// Computes panels of tiles, for a part of the output channels, one after the other on one thread.
class Task {
 public:
  explicit Task(const Job& job)
      : job_(job),
        s_(job.shapes),
        width_(job.plan.width),
        plane_(s_.depth * width_ + kPlaneGap),
        planes_(reinterpret_cast<float*>(work_memory(WorkRole::Right, kWinogradPlanes * plane_))),
        sums_(static_cast<size_t>(kWinogradPlanes * job.kernels.rows() * width_ + kPlaneGap)),
        results_(static_cast<size_t>(kTileSize * kTileSize * width_)),
        finish_(job.ending ? job.ending->start() : nullptr) {}

  void run(int64_t panel, int64_t part) {
    const TileGrid grid = s_.grid();
    const int64_t first = panel * width_;
    segments_ = grid.segments(first, std::min(first + width_, grid.count()));
    find_runs();
    for (int64_t c = 0; c < s_.depth; ++c)
      transform_patches(job_.images, c, s_.padding, segments_, planes_ + c * width_, plane_);
    const int64_t blocks = ceil_div(s_.channels, job_.kernels.rows()), parts = job_.plan.parts;
    for (int64_t i = part * blocks / parts; i < (part + 1) * blocks / parts; ++i) multiply(i);
  }

 private:
  // Results of a channel that are neighbours in the output: `count` of them, from `offset` of the image on.
  struct Run {
    int64_t image, offset, count;
  };

  // Results are put side by side, row by row of each segment, so that an ending sees few and long runs.
  void find_runs() {
    runs_.clear();
    for (const TileSegment& s : segments_)
      for (int64_t i = 0; i < rows_of(s); ++i) {
        const int64_t offset = (kTileSize * s.row + i) * s_.out[1] + kTileSize * s.column;
        if (!runs_.empty() && runs_.back().image == s.image &&
            runs_.back().offset + runs_.back().count == offset)
          runs_.back().count += columns_of(s);
        else
          runs_.push_back({s.image, offset, columns_of(s)});
      }
  }
  int64_t rows_of(const TileSegment& s) const { return std::min(kTileSize, s_.out[0] - kTileSize * s.row); }
  int64_t columns_of(const TileSegment& s) const {
    return std::min(kTileSize * s.count, s_.out[1] - kTileSize * s.column);
  }

  // The results of one block of output channels.
  void multiply(int64_t block) {
    const ProductKernels& kernels = product_kernels();
    const int64_t first = block * kernels.rows, rows = std::min<int64_t>(kernels.rows, s_.channels - first),
                  plane = kernels.rows * width_;
    const TileKernel tile =
        kernels.tiles[static_cast<size_t>(rows - 1)][static_cast<size_t>(width_ / kernels.lanes - 1)];
    for (int64_t p = 0; p < kWinogradPlanes; ++p)
      tile(s_.depth, job_.kernels.at(block, p), kernels.rows,
           reinterpret_cast<const uint32_t*>(planes_ + p * plane_), width_, sums_.data() + p * plane, width_,
           false, width_);
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t channel = job_.group * s_.channels + first + i;
      if (finish_)
        finish(sums_.data() + i * width_, plane, channel);
      else
        store(sums_.data() + i * width_, plane, channel);
    }
  }

  int64_t element(int64_t image, int64_t channel) const {
    return (image * s_.groups * s_.channels + channel) * s_.out_size();
  }
  void store(const float* sums, int64_t plane, int64_t channel) const {
    for (const TileSegment& s : segments_) {
      float* first = job_.out + element(s.image, channel) + kTileSize * (s.row * s_.out[1] + s.column);
      float* const rows[] = {first, rows_of(s) > 1 ? first + s_.out[1] : nullptr};
      row_kernels().winograd.results(sums + s.lane, plane, s.count, rows, columns_of(s));
    }
  }
  void finish(const float* sums, int64_t plane, int64_t channel) {
    float* results = results_.data();
    for (const TileSegment& s : segments_) {
      float* const rows[] = {results, rows_of(s) > 1 ? results + columns_of(s) : nullptr};
      row_kernels().winograd.results(sums + s.lane, plane, s.count, rows, columns_of(s));
      results += rows_of(s) * columns_of(s);
    }
    results = results_.data();
    for (const auto& [image, offset, count] : runs_) {
      const int64_t first = element(image, channel) + offset;
      finish_->run(results, first, count);
      if (!job_.ending->stores()) std::copy_n(results, count, job_.out + first);
      results += count;
    }
  }

  const Job& job_;
  const Shapes& s_;
  const int64_t width_, plane_;
  float* const planes_;
  std::vector<float> sums_, results_;
  const std::unique_ptr<ProductEnding::Finish> finish_;
  std::vector<TileSegment> segments_;
  std::vector<Run> runs_;
};

}  // namespace

bool is_winograd(const ConvolutionShapes& s, Convolution::Kind kind, const Tensor& a, const Tensor& b) {
  // Fewer channels, or tiles, would not pay for the transforms; more channels would leave the cache.
  constexpr int64_t kFewChannels = 16, kManyChannels = 1024, kFewTiles = 32;
  if (a.dtype() != DType::Float32 || b.dtype() != DType::Float32 || !has_its_window(s)) return false;
  if (std::min(s.cin, s.cout) < kFewChannels || std::max(s.cin, s.cout) > kManyChannels) return false;
  if (shapes_of(s, kind).grid().count() < kFewTiles) return false;
  if (kind != Convolution::WeightGrad && has_idle_tap(b)) return false;
  // Infinities would leave differences that are no numbers. Patches grow 4 times at most, kernels 2.25 times,
  // and a result is the sum of 9 planes.
  constexpr double kGrowth = 4 * 2.25 * 9, kMost = std::numeric_limits<float>::max();
  const int64_t terms = kind == Convolution::WeightGrad ? s.batch * s.places() : std::max(s.cin, s.cout);
  return kGrowth * static_cast<double>(terms) * largest_magnitude(a) * largest_magnitude(b) < kMost;
}

void winograd_convolution(const ConvolutionShapes& convolution, Convolution::Kind kind, const Tensor& a,
                          const Tensor& b, void* out, const ProductEnding* ending) {
  if (kind == Convolution::WeightGrad)
    return winograd_weight_gradient(convolution, a.data<float>(), b.data<float>(), static_cast<float*>(out));
  const Shapes s = shapes_of(convolution, kind);
  const Plan plan = choose_plan(s);
  for (int64_t group = 0; group < s.groups; ++group) {
    const int64_t in_size = s.in[0] * s.in[1];
    const KernelPlanes kernels(s, b.data<float>() + group * s.channels * s.depth * kWinogradTaps);
    const Job job{.shapes = s,
                  .plan = plan,
                  .kernels = kernels,
                  .images = {a.data<float>() + group * s.depth * in_size, s.in[0], s.in[1],
                             s.groups * s.depth * in_size},
                  .out = static_cast<float*>(out),
                  .group = group,
                  .ending = ending};
    parallel_for(0, plan.panels * plan.parts, 1, [&](int64_t begin, int64_t end) {
      Task task(job);
      for (int64_t i = begin; i < end; ++i) task.run(i / plan.parts, i % plan.parts);
    });
  }
}

}  // namespace mlx::cpu

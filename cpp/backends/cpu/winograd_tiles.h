#pragma once
// The tiles of 2 x 2 results that Winograd's convolutions are made of, and the patches under them.

#include <vector>

#include "backends/cpu/row_kernels.h"
#include "base/sizes.h"

namespace mlx::cpu {

inline constexpr int64_t kTileSize = 2, kPatchSize = 4, kWinogradTaps = 9, kWinogradPlanes = 16;
// What lies between planes: a power of two apart, they would share few lines of the first-level cache. It
// also takes the register that kernels may write behind a plane's end.
inline constexpr int64_t kPlaneGap = 16;

// Neighbouring tiles of one row of an image, from `lane` of a block of tiles on.
struct TileSegment {
  int64_t image, row, column, count, lane;
};

// The tiles of a stack of images, row by row, image by image. Those at the lower and right edges may reach
// beyond them.
class TileGrid {
 public:
  TileGrid(int64_t images, int64_t height, int64_t width)
      : images_(images), rows_(ceil_div(height, kTileSize)), columns_(ceil_div(width, kTileSize)) {}

  int64_t count() const { return images_ * rows_ * columns_; }
  std::vector<TileSegment> segments(int64_t begin, int64_t end) const {
    std::vector<TileSegment> all;
    for (int64_t tile = begin; tile < end;) {
      const int64_t line = tile / columns_, column = tile % columns_,
                    count = std::min(columns_ - column, end - tile);
      all.push_back({line / rows_, line % rows_, column, count, tile - begin});
      tile += count;
    }
    return all;
  }

 private:
  int64_t images_, rows_, columns_;
};

// The channels of one group of a stack of images.
struct ImageChannels {
  const float* data;  // of the first image's first channel
  int64_t height, width, image_stride;

  int64_t size() const { return height * width; }
  // Where a row of one channel of an image begins; null outside.
  const float* row(int64_t image, int64_t channel, int64_t row) const {
    if (row < 0 || row >= height) return nullptr;
    return data + image * image_stride + channel * size() + row * width;
  }
};

// The planes of one channel's patches under these tiles. A patch begins `padding` before its tile.
inline void transform_patches(const ImageChannels& images, int64_t channel, const int64_t (&padding)[2],
                              const std::vector<TileSegment>& segments, float* planes, int64_t stride) {
  for (const TileSegment& s : segments) {
    const float* rows[kPatchSize];
    for (int64_t i = 0; i < kPatchSize; ++i)
      rows[i] = images.row(s.image, channel, kTileSize * s.row + i - padding[0]);
    row_kernels().winograd.patches(rows, kTileSize * s.column - padding[1], images.width, s.count,
                                   planes + s.lane, stride);
  }
}

// The planes of one channel's tiles themselves.
inline void transform_tiles(const ImageChannels& images, int64_t channel,
                            const std::vector<TileSegment>& segments, float* planes, int64_t stride) {
  for (const TileSegment& s : segments) {
    const float* rows[kTileSize];
    for (int64_t i = 0; i < kTileSize; ++i) rows[i] = images.row(s.image, channel, kTileSize * s.row + i);
    row_kernels().winograd.tiles(rows, kTileSize * s.column, images.width, s.count, planes + s.lane, stride);
  }
}

}  // namespace mlx::cpu

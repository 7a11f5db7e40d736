#pragma once
// Images under the taps of a convolution as operands of the packed product, without a matrix of columns in
// memory: what the taps see is read from the image, or from padded copies of the few rows that a panel needs.

#include <vector>

#include "backends/cpu/product.h"

namespace mlx::cpu {

// The places of a convolution over a stack of images, and the elements that its taps see there: the input
// coordinate of tap t at place p is p * step + offset[t], in each of three dimensions; what lies outside of
// the image is zero.
struct TappedImages {
  struct Tap {
    int64_t offset[3];
  };

  const void* data;  // of the first image's first channel
  DType dtype;
  int64_t channels, image_stride;
  int64_t size[3], grid[3], step[3];
  std::vector<Tap> taps;

  int64_t image_size() const { return size[0] * size[1] * size[2]; }
  int64_t places() const { return grid[0] * grid[1] * grid[2]; }
  // Whether every tap at every place lies inside, and places of a row are neighbours in the image.
  bool is_dense() const;
};

// Lines are places, image by image; depths are channels and, within them, taps.
class PlacesSource : public PanelSource {
 public:
  explicit PlacesSource(const TappedImages& images) : images_(images), dense_(images.is_dense()) {}
  void pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const override;

 private:
  const TappedImages& images_;
  const bool dense_;
};

// Lines are channels and taps; depths are places, image by image. To be read by registers, the elements of a
// few channels stand side by side, so lines are ordered by groups of kGroup channels, then taps, then
// channels.
class TapsSource : public PanelSource {
 public:
  static constexpr int64_t kGroup = 16;

  explicit TapsSource(const TappedImages& images) : images_(images) {}
  void pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const override;

  struct Line {
    int64_t channel, tap;
  };
  Line line(int64_t index) const;
  // The lines of a whole group of channels.
  int64_t group_lines() const { return group_channels() * static_cast<int64_t>(images_.taps.size()); }

 private:
  void mix(const ProductKernels& kernels, const char* planes, int64_t channels, int64_t size,
           float* mixed) const;
  int64_t group_channels() const { return std::min(kGroup, images_.channels); }

  const TappedImages& images_;
};

// Lines are channels, depths places: the channels as they lie.
class ChannelsSource : public PanelSource {
 public:
  explicit ChannelsSource(const TappedImages& images) : images_(images) {}
  void pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const override;

 private:
  const TappedImages& images_;
};

}  // namespace mlx::cpu

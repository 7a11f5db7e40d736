#include "backends/cpu/image_panels.h"

#include <algorithm>

#include "backends/cpu/matrix_product.h"
#include "backends/cpu/padded_rows.h"
#include "backends/cpu/scratch.h"
#include "backends/cpu/tiles.h"

namespace mlx::cpu {
namespace {

// Elements of padded rows that are made at a time, for the second-level cache.
constexpr int64_t kPaddedElements = int64_t{32} << 10;
// Registers may read this far behind an element.
constexpr int64_t kSlack = 64;

const char* element(const TappedImages& images, int64_t offset) {
  return static_cast<const char*>(images.data) + offset * static_cast<int64_t>(item_size(images.dtype));
}

// A segment that continues the last one lengthens it.
void append(std::vector<Segment>& segments, int64_t lane, int64_t offset, int64_t length) {
  if (!segments.empty()) {
    Segment& last = segments.back();
    if (last.lane + last.length == lane && last.offset + last.length == offset) {
      last.length += length;
      return;
    }
  }
  segments.push_back({lane, offset, length});
}

// The depths [begin, end) of places that one image holds: f(image, first place, count, depths before).
template <class F>
void for_images(int64_t places, int64_t begin, int64_t end, F&& f) {
  for (int64_t at = begin; at < end;) {
    const int64_t count = std::min(end - at, places - at % places);
    f(at / places, at % places, count, at - begin);
    at += count;
  }
}

// Packs depths of images that need no padding, where they lie.
void pack_dense(const TappedImages& images, const PanelBlock& block, const PanelLayout& layout,
                uint32_t* panels) {
  const auto taps = static_cast<int64_t>(images.taps.size());
  const int64_t height = images.size[1], width = images.size[2], grid_width = images.grid[2];
  std::vector<const void*> rows;
  for (int64_t depth = block.begin; depth < block.end; ++depth) {
    const int64_t* tap = images.taps[static_cast<size_t>(depth % taps)].offset;
    rows.push_back(
        element(images, depth / taps * images.image_size() + (tap[0] * height + tap[1]) * width + tap[2]));
  }
  std::vector<Segment> segments;
  layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t panel_width, uint32_t* panel) {
    segments.clear();
    const int64_t first = block.first + at;
    for_images(images.places(), first, first + lines,
               [&](int64_t image, int64_t place, int64_t count, int64_t lane) {
                 for (int64_t end = place + count; place < end;) {
                   const int64_t line = place / grid_width, column = place % grid_width,
                                 length = std::min(grid_width - column, end - place);
                   const int64_t d = line / images.grid[1] * images.step[0],
                                 h = line % images.grid[1] * images.step[1];
                   append(segments, lane, image * images.image_stride + (d * height + h) * width + column,
                          length);
                   place += length;
                   lane += length;
                 }
               });
    layout.kernels.gather[static_cast<size_t>(packed_type(images.dtype))](
        rows.data(), block.depths(), segments.data(), static_cast<int64_t>(segments.size()), false,
        panel_width, panel);
  });
}

}  // namespace

bool TappedImages::is_dense() const {
  if (step[2] != 1) return false;
  for (const Tap& tap : taps)
    for (int i = 0; i < 3; ++i)
      if (tap.offset[i] < 0 || tap.offset[i] + (grid[i] - 1) * step[i] >= size[i]) return false;
  return true;
}

void PlacesSource::pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const {
  if (block.depths() == 0) return;
  if (dense_) return pack_dense(images_, block, layout, panels);
  const PaddedRows padded(images_, block.first, block.first + block.lines);
  const auto taps = static_cast<int64_t>(images_.taps.size());
  const auto item = static_cast<int64_t>(item_size(images_.dtype));
  // Depths of as many channels as fit, of one or two at least, whose copies serve all taps; an even number of
  // them, since a word may hold two.
  const int64_t fitting = std::max(1 + taps % 2, kPaddedElements / padded.size()) * taps / 2 * 2;
  const Scratch<char> planes((std::min(fitting, block.depths()) / taps + 2) * padded.size() * item + kSlack);
  std::vector<const void*> rows;
  std::vector<Segment> segments;
  for (int64_t begin = block.begin; begin < block.end; begin += fitting) {
    const int64_t end = std::min(begin + fitting, block.end), first_channel = begin / taps;
    for (int64_t c = first_channel; c <= (end - 1) / taps; ++c)
      padded.fill(c, planes.data() + (c - first_channel) * padded.size() * item);
    rows.clear();
    for (int64_t depth = begin; depth < end; ++depth)
      rows.push_back(planes.data() +
                     ((depth / taps - first_channel) * padded.size() + padded.tap(depth % taps)) * item);
    layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t width, uint32_t* panel) {
      segments.clear();
      padded.for_runs(block.first + at, lines, [&](int64_t lane, int64_t offset, int64_t length) {
        append(segments, lane, offset, length);
      });
      layout.kernels.gather[static_cast<size_t>(packed_type(images_.dtype))](
          rows.data(), end - begin, segments.data(), static_cast<int64_t>(segments.size()), true, width,
          panel + layout.kernels.steps(begin - block.begin) * width);
    });
  }
}

TapsSource::Line TapsSource::line(int64_t index) const {
  const int64_t first = index / group_lines() * kGroup, rest = index % group_lines(),
                width = std::min(kGroup, images_.channels - first);
  return {first + rest % width, rest / width};
}

// Puts the elements of a place's channels side by side, group_channels() apart from those of the next place.
void TapsSource::mix(const ProductKernels& kernels, const char* planes, int64_t channels, int64_t size,
                     float* mixed) const {
  if (group_channels() == kGroup) {
    kernels.transpose[static_cast<size_t>(packed_type(images_.dtype))](planes, size, channels, size, kGroup,
                                                                       reinterpret_cast<uint32_t*>(mixed));
    return;
  }
  const auto item = static_cast<int64_t>(item_size(images_.dtype));
  float tile[kTile];
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t at = 0; at < size; at += kTile) {
      const int64_t count = std::min(kTile, size - at);
      convert(images_.dtype, DType::Float32, planes + (c * size + at) * item, tile, count);
      for (int64_t i = 0; i < count; ++i) mixed[(at + i) * channels + c] = tile[i];
    }
}

void TapsSource::pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const {
  if (block.depths() == 0) return;
  const PaddedRows padded(images_, block.begin, block.end);
  const auto item = static_cast<int64_t>(item_size(images_.dtype));
  const int64_t size = padded.size(), first_group = block.first / group_lines(),
                last_group = (block.first + block.lines - 1) / group_lines();
  const int64_t spacing = group_channels();
  const Scratch<char> planes(spacing * size * item + kSlack);
  const Scratch<float> mixed((last_group - first_group + 1) * size * spacing + kSlack);
  for (int64_t group = first_group; group <= last_group; ++group) {
    const int64_t first = group * kGroup, width = std::min(kGroup, images_.channels - first);
    for (int64_t c = 0; c < width; ++c) padded.fill(first + c, planes.data() + c * size * item);
    mix(layout.kernels, planes.data(), width, size, mixed.data() + (group - first_group) * size * spacing);
  }
  std::vector<const void*> rows;
  padded.for_runs(block.begin, block.depths(), [&](int64_t, int64_t offset, int64_t length) {
    for (int64_t i = 0; i < length; ++i) rows.push_back(mixed.data() + (offset + i) * spacing);
  });
  std::vector<Segment> segments;
  layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t width, uint32_t* panel) {
    segments.clear();
    for (int64_t lane = 0; lane < lines;) {
      const int64_t index = block.first + at + lane, group = index / group_lines();
      const Line here = line(index);
      const int64_t channel = here.channel - group * kGroup,
                    length =
                        std::min(std::min(kGroup, images_.channels - group * kGroup) - channel, lines - lane);
      append(segments, lane, ((group - first_group) * size + padded.tap(here.tap)) * spacing + channel,
             length);
      lane += length;
    }
    layout.kernels.gather[static_cast<size_t>(PackedType::Float32)](
        rows.data(), block.depths(), segments.data(), static_cast<int64_t>(segments.size()), true, width,
        panel);
  });
}

void ChannelsSource::pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const {
  layout.for_panels(block, panels, [&](int64_t at, int64_t lines, int64_t width, uint32_t* panel) {
    for_images(images_.places(), block.begin, block.end,
               [&](int64_t image, int64_t place, int64_t count, int64_t before) {
                 layout.kernels.transpose[static_cast<size_t>(packed_type(images_.dtype))](
                     element(images_, image * images_.image_stride +
                                          (block.first + at) * images_.image_size() + place),
                     images_.image_size(), lines, count, width, panel + before * width);
               });
  });
}

}  // namespace mlx::cpu

#include "backends/cpu/padded_rows.h"

#include <algorithm>
#include <cstring>

#include "backends/cpu/row_kernels.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {
constexpr int64_t kBlock = 16, kSmallBlock = 4;
}

PaddedRows::PaddedRows(const TappedImages& images, int64_t begin, int64_t end) : images_(images) {
  for (int i = 0; i < 3; ++i) {
    int64_t least = images.taps[0].offset[i], greatest = least;
    for (const auto& tap : images.taps) {
      least = std::min(least, tap.offset[i]);
      greatest = std::max(greatest, tap.offset[i]);
    }
    least_[i] = least;
    span_[i] = greatest - least;
    seen_[i].assign(static_cast<size_t>(images.step[i]), 0);
    for (const auto& tap : images.taps)
      seen_[i][static_cast<size_t>((tap.offset[i] - least) % images.step[i])] = 1;
  }
  // A row is cut into phases, so that places a step apart become neighbours.
  phase_pitch_ = images.grid[2] + span_[2] / images.step[2];
  pitch_ = phase_pitch_ * images.step[2];
  for (int64_t i = 0; i < images.step[2]; ++i) {
    const int64_t step = images.step[2], start = i + least_[2], left = images.size[2] - start;
    const int64_t first = std::min(start < 0 ? ceil_div(-start, step) : 0, phase_pitch_);
    phases_.push_back(
        {sees(2, i), start, first, std::clamp(left > 0 ? ceil_div(left, step) : 0, first, phase_pitch_)});
  }

  const int64_t lines = images.grid[0] * images.grid[1], first_line = begin / images.grid[2],
                last_line = (end - 1) / images.grid[2];
  first_image_ = first_line / lines;
  for (int64_t image = first_image_; image <= last_line / lines; ++image) {
    const int64_t first = std::max(first_line - image * lines, int64_t{0}),
                  last = std::min(last_line - image * lines, lines - 1);
    const int64_t d[2] = {first / images.grid[1], last / images.grid[1]};
    const bool flat = d[0] == d[1];
    const int64_t h[2] = {flat ? first % images.grid[1] : 0,
                          flat ? last % images.grid[1] : images.grid[1] - 1};
    Strip strip{image, 0, {}, {}, {d[0], h[0]}};
    strip.first[0] = d[0] * images.step[0] + least_[0];
    strip.count[0] = (d[1] - d[0]) * images.step[0] + span_[0] + 1;
    strip.first[1] = h[0] * images.step[1] + least_[1];
    strip.count[1] = (h[1] - h[0]) * images.step[1] + span_[1] + 1;
    height_ = std::max(height_, strip.count[1]);
    strips_.push_back(strip);
  }
  for (Strip& strip : strips_) {
    strip.base = size_;
    size_ += strip.count[0] * height_ * pitch_;
  }
  for (const auto& tap : images.taps) {
    const int64_t distance = tap.offset[2] - least_[2];
    taps_.push_back(((tap.offset[0] - least_[0]) * height_ + tap.offset[1] - least_[1]) * pitch_ +
                    distance % images.step[2] * phase_pitch_ + distance / images.step[2]);
  }
}

bool PaddedRows::sees(int dimension, int64_t distance) const {
  if (images_.step[dimension] == 1) return true;
  return seen_[dimension][static_cast<size_t>(distance % images_.step[dimension])];
}

int64_t PaddedRows::line_offset(int64_t line) const {
  const int64_t lines = images_.grid[0] * images_.grid[1], in_image = line % lines;
  const Strip& strip = strips_[static_cast<size_t>(line / lines - first_image_)];
  const int64_t d = (in_image / images_.grid[1] - strip.grid_first[0]) * images_.step[0],
                h = (in_image % images_.grid[1] - strip.grid_first[1]) * images_.step[1];
  return strip.base + (d * height_ + h) * pitch_;
}

template <class Item>
void PaddedRows::fill_row(const Item* row, Item* out) const {
  const RowKernels& kernels = row_kernels();
  const int64_t step = images_.step[2];
  for (const Phase& phase : phases_) {
    if (phase.seen) {
      const Item* from = row + phase.start;
      int64_t j = 0;
      for (; j < phase.first; ++j) out[j] = Item(0);
      if (step == 1) j = copy_blocks(from, j, phase.last, out);
      if (j < phase.last) kernels.move(from + j * step, step, out + j, phase.last - j);
      j = phase.last;
      for (; j < phase_pitch_; ++j) out[j] = Item(0);
    }
    out += phase_pitch_;
  }
}

// Elements [begin, end) but for some last ones, in blocks of fixed sizes, which need no call; gives where
// they begin.
template <class Item>
int64_t PaddedRows::copy_blocks(const Item* from, int64_t begin, int64_t end, Item* out) const {
  int64_t j = begin;
  for (; j + kBlock <= end; j += kBlock) {
    // The same row of the next channel is needed soon, and too far away for the processor to foresee.
    __builtin_prefetch(from + j + images_.image_size());
    std::memcpy(out + j, from + j, kBlock * sizeof(Item));
  }
  for (; j + kSmallBlock <= end; j += kSmallBlock) std::memcpy(out + j, from + j, kSmallBlock * sizeof(Item));
  return j;
}

template <class Item>
void PaddedRows::fill_items(int64_t channel, Item* plane) const {
  const auto* data = static_cast<const Item*>(images_.data) + channel * images_.image_size();
  for (const Strip& strip : strips_) {
    const Item* image = data + strip.image * images_.image_stride;
    for (int64_t d = 0; d < strip.count[0]; ++d) {
      if (!sees(0, d)) continue;
      for (int64_t h = 0; h < strip.count[1]; ++h) {
        if (!sees(1, h)) continue;
        Item* out = plane + strip.base + (d * height_ + h) * pitch_;
        const int64_t z = strip.first[0] + d, y = strip.first[1] + h;
        if (z < 0 || z >= images_.size[0] || y < 0 || y >= images_.size[1])
          std::fill_n(out, pitch_, Item(0));
        else
          fill_row(image + (z * images_.size[1] + y) * images_.size[2], out);
      }
    }
  }
}

void PaddedRows::fill(int64_t channel, void* plane) const {
  if (item_size(images_.dtype) == 4)
    fill_items(channel, static_cast<uint32_t*>(plane));
  else
    fill_items(channel, static_cast<uint16_t*>(plane));
}

}  // namespace mlx::cpu

#pragma once
// Copies of the rows of images that a range of a convolution's places sees, with their padding, so that
// taps need no bounds: whatever the stride, the elements that one tap sees along a row of places are
// neighbours.

#include <vector>

#include "backends/cpu/image_panels.h"

namespace mlx::cpu {

class PaddedRows {
 public:
  // For places [begin, end), counted through all images.
  PaddedRows(const TappedImages& images, int64_t begin, int64_t end);

  // Elements of the copy of one channel: the planes of all images that the range touches.
  int64_t size() const { return size_; }
  // Writes one channel's copy.
  void fill(int64_t channel, void* plane) const;
  // What a tap sees at a place lies at place(p) + tap(t) in the copy.
  int64_t tap(int64_t index) const { return taps_[static_cast<size_t>(index)]; }

  // Calls f(distance from `first`, offset in the copy, length) for places that are neighbours in the copy.
  template <class F>
  void for_runs(int64_t first, int64_t count, F&& f) const {
    const int64_t width = images_.grid[2];
    for (int64_t at = first; at < first + count;) {
      const int64_t column = at % width, length = std::min(width - column, first + count - at);
      f(at - first, line_offset(at / width) + column, length);
      at += length;
    }
  }

 private:
  // The rows of one image, lines [first_line, last_line] of whose places are in the range.
  struct Strip {
    int64_t image, base;
    int64_t first[3], count[3];  // rows of the image, the first perhaps in the padding
    int64_t grid_first[2];
  };

  // Columns a step of the convolution apart: element j of the phase is column j * step + start of the image,
  // which exists for first <= j < last.
  struct Phase {
    bool seen;
    int64_t start, first, last;
  };

  // Of a line of places, counted through all images.
  int64_t line_offset(int64_t line) const;
  template <class Item>
  void fill_items(int64_t channel, Item* plane) const;
  template <class Item>
  void fill_row(const Item* row, Item* out) const;
  template <class Item>
  int64_t copy_blocks(const Item* from, int64_t begin, int64_t end, Item* out) const;
  bool sees(int dimension, int64_t distance) const;

  const TappedImages& images_;
  int64_t least_[3], span_[3];  // of the taps' offsets: the least, and the greatest less that
  std::vector<uint8_t>
      seen_[3];  // by distance from the least offset, modulo the step: whether a tap is there
  int64_t pitch_, phase_pitch_, height_ = 0, size_ = 0;
  int64_t first_image_;
  std::vector<Phase> phases_;
  std::vector<Strip> strips_;
  std::vector<int64_t> taps_;
};

}  // namespace mlx::cpu

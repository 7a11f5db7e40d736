#pragma once
// Reading and writing strided tensors tile by tile, as contiguous arrays of the type that a kernel
// computes in. A tile stays in the first-level cache, so kernels know one layout and seven types,
// whatever the strides and dtypes of the tensors.

#include <algorithm>
#include <cstddef>

#include "tensor/tensor.h"

namespace mlx::cpu {

inline constexpr int64_t kTile = 1024;  // elements
inline constexpr int64_t kMaxItem = 16;

// Elements of a tensor in the row-major order of some shape that it broadcasts to.
struct Layout {
  Layout(const Tensor& t, const Shape& shape);
  Layout(const Tensor& t, const Shape& shape, const Shape& strides);

  char* data;
  DType dtype;
  Shape shape;    // collapsed: neighbouring dimensions that are steps of one another are one
  Shape strides;  // in elements, as many
  bool contiguous;
  bool constant;  // one element stands for all

  // Where elements [start, start + n) lie, if they lie side by side; else null.
  char* place_of(int64_t start, int64_t n) const;
};

// How tiles of several operands are cut: where rows are long, at their ends, so that what is a row of an
// operand need not be copied to be one.
class TileCuts {
 public:
  void add(const Layout& l);
  // The elements of the tile that begins at `start`, of those before `end`.
  int64_t length(int64_t start, int64_t end) const {
    const int64_t rest = std::min(kTile, end - start);
    if (!is_long_) return rest;
    const int64_t at = start % row_;
    return std::min({rest, row_ - at, piece_ - at % piece_});
  }

 private:
  static constexpr int64_t kLongRow = 128;
  int64_t row_ = 0, piece_ = 0;  // the shortest row, and the equal parts that it is cut into
  bool is_long_ = false;
};

// Copies elements [start, start + n) of the layout into `out`, and back. `item` is the element's size.
void gather(const Layout& from, int64_t start, int64_t n, void* out);
void scatter(const Layout& to, int64_t start, int64_t n, const void* in);

// Reads one operand's tiles on one thread.
class TileReader {
 public:
  TileReader(const Layout& layout, DType as) : layout_(layout), as_(as) {}
  // Elements [start, start + n), n <= kTile, as `as`; valid until the next call.
  const void* read(int64_t start, int64_t n);

 private:
  const Layout& layout_;
  DType as_;
  int64_t filled_ = 0;  // of a constant: how much of the tile holds it
  alignas(64) char raw_[kTile * kMaxItem];
  alignas(64) char tile_[kTile * kMaxItem];
};

// Writes one output's tiles on one thread.
class TileWriter {
 public:
  TileWriter(const Layout& layout, DType from) : layout_(layout), from_(from) {}
  // Where a kernel may put elements [start, start + n), n <= kTile, of type `from`; done() then stores them.
  void* target(int64_t start, int64_t n);
  void done(int64_t start, int64_t n);

 private:
  const Layout& layout_;
  DType from_;
  char* place_ = nullptr;  // of the elements, if they lie in order
  alignas(64) char tile_[kTile * kMaxItem];
  alignas(64) char raw_[kTile * kMaxItem];
};

// Reads tiles that are changed in place and written back, of one tensor on one thread.
class TileEditor {
 public:
  TileEditor(const Tensor& t, DType as) : layout_(t, t.shape()), as_(as) {}
  // Elements [start, start + n), n <= kTile, as `as`; store() puts them back.
  void* load(int64_t start, int64_t n);
  void store(int64_t start, int64_t n);

 private:
  Layout layout_;
  DType as_;
  alignas(64) char raw_[kTile * kMaxItem];
  alignas(64) char tile_[kTile * kMaxItem];
};

// Converts n contiguous elements between any two dtypes.
void convert(DType from, DType to, const void* in, void* out, int64_t n);

}  // namespace mlx::cpu

#pragma once
// The packed product: matrix products whose operands are whatever can be packed into panels (strided
// matrices, half types, images under the taps of a convolution) and whose results go wherever a target puts
// them.
//
// The depth is cut into blocks and the result into tasks; a task packs its part of the operands into panels
// that stay in the second-level cache and multiplies them tile by tile. Sums are made in float32, in an order
// that depends on the shapes alone: the result is the same for any number of threads.

#include <algorithm>
#include <memory>

#include "backends/cpu/product_kernels.h"
#include "base/sizes.h"
#include "tensor/tensor.h"

namespace mlx::cpu {

// Lines [first, first + lines) of an operand (rows of the left one, columns of the right one) at depths
// [begin, end).
struct PanelBlock {
  int64_t first, lines, begin, end;
  int64_t depths() const { return end - begin; }
};

// How a block of lines is cut into panels: each `width` lines, the last as few multiples of `unit` as hold
// the rest.
struct PanelLayout {
  const ProductKernels& kernels;
  int64_t width, unit;

  // Calls f(first line of the panel within the block, lines in it, its width, where it lies).
  template <class F>
  void for_panels(const PanelBlock& block, uint32_t* panels, F&& f) const {
    const int64_t steps = kernels.steps(block.depths());
    for (int64_t at = 0; at < block.lines; at += width) {
      const int64_t lines = std::min(width, block.lines - at);
      f(at, lines, round_up(lines, unit), panels + at * steps);
    }
  }
};

// An operand that can be multiplied as it is: line i, or depth i, begins at data + i * stride, and what it
// consists of lies side by side, a word each.
struct Unpacked {
  const uint32_t* data = nullptr;
  int64_t stride = 0;
};

// One operand.
class PanelSource {
 public:
  virtual ~PanelSource() = default;
  // Its lines, or its depths, as they are; null if they have to be packed.
  virtual Unpacked unpacked_lines(const ProductKernels&) const { return {}; }
  virtual Unpacked unpacked_depths(const ProductKernels&) const { return {}; }
  // Whether neighbours of one depth, rather than of one line, lie side by side.
  virtual bool has_adjacent_lines() const { return false; }
  virtual void pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const = 0;
};

// A rectangle of the result, in float32, whose rows lie `stride` apart.
struct ResultBlock {
  int64_t row, rows, column, columns;
  float* data;
  int64_t stride;
};

// Where results go.
class ProductTarget {
 public:
  virtual ~ProductTarget() = default;
  // Sets data and stride where the block's results may be summed up in their own place; else false, and
  // the sums are made in memory of the product's own and given to store().
  virtual bool place(ResultBlock& block) const = 0;
  // Fills the block with what the target holds: sums begin with that if the product accumulates.
  virtual void load(const ResultBlock& block) const;
  virtual void store(const ResultBlock& block) const = 0;
  // Which element of the output a result is, and how many results of its row are the elements from there on.
  struct Run {
    int64_t first, count;
  };
  virtual Run elements_from(int64_t row, int64_t column) const;
};

// What is done with sums while they are in the first-level cache, before they are stored.
class ProductEnding {
 public:
  virtual ~ProductEnding() = default;
  // One task's: sees n complete sums, which are the output's elements from `first` on.
  class Finish {
   public:
    virtual ~Finish() = default;
    // Is told of elements that run() will get, while their sums are still to be made.
    virtual void prepare(int64_t /*first*/, int64_t /*n*/) {}
    virtual void run(float* sums, int64_t first, int64_t n) = 0;
  };
  virtual std::unique_ptr<Finish> start() const = 0;
  // Whether it puts the results where they belong, and the target need not.
  virtual bool stores() const { return false; }
};

struct Product {
  const ProductKernels& kernels;
  int64_t rows, columns, depth;
  const PanelSource &left, &right;
  const ProductTarget& target;
  bool accumulate = false;
  int64_t column_unit = 1;  // tasks begin at multiples of it, where that costs nothing
  const ProductEnding* ending = nullptr;
};

// target = left @ right, or target += left @ right. A depth of 0 gives zeros.
void multiply(const Product& product);

}  // namespace mlx::cpu

#pragma once
// Strided matrices as operands and results of the packed product.

#include "backends/cpu/product.h"

namespace mlx::cpu {

PackedType packed_type(DType dtype);  // of float32 and the half types

// Lines that lie `line_stride` elements apart, whose depths lie `depth_stride` apart; any strides will do.
class MatrixSource : public PanelSource {
 public:
  MatrixSource(const void* data, DType dtype, int64_t line_stride, int64_t depth_stride);
  Unpacked unpacked_lines(const ProductKernels& kernels) const override;
  Unpacked unpacked_depths(const ProductKernels& kernels) const override;
  bool has_adjacent_lines() const override { return line_stride_ == 1 && depth_stride_ != 1; }
  void pack(const PanelBlock& block, const PanelLayout& layout, uint32_t* panels) const override;

 private:
  const char* data_;
  PackedType type_;
  int64_t item_, line_stride_, depth_stride_;
};

// A matrix of adjacent elements in rows, of float32 or a half type, which is rounded to once. `first` is the
// number of its first element in a stack without gaps. Without data, an ending takes the results.
class MatrixTarget : public ProductTarget {
 public:
  MatrixTarget(void* data, DType dtype, int64_t stride, int64_t first = 0)
      : data_(data), dtype_(dtype), stride_(stride), first_(first) {}
  bool place(ResultBlock& block) const override;
  void load(const ResultBlock& block) const override;
  void store(const ResultBlock& block) const override;
  Run elements_from(int64_t row, int64_t column) const override {
    return {first_ + row * stride_ + column, stride_ - column};
  }

 private:
  char* at(int64_t row, int64_t column) const;

  void* data_;
  DType dtype_;
  int64_t stride_, first_;
};

}  // namespace mlx::cpu

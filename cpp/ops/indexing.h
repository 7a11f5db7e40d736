#pragma once
// What ops that read or write rows by index share.

#include "tensor/tensor.h"

namespace mlx {

using Indices = TensorList;  // one a dimension, undefined where a dimension is taken whole

// input[indices] as rows: where they lie, and the shape of the result.
struct IndexedRows {
  Tensor base;     // the input's dimensions that are not indexed
  Tensor offsets;  // of each row, in elements
  int before = 0;  // how many of base's dimensions stand before the indexed ones in the result
  Shape index_shape;
  // Of the result: before + index_shape + after; and with the index dimensions as one.
  Shape shape, row_shape;
};

// Makes `indices` int64 tensors (masks become the coordinates of their true elements) and computes the rows.
// IndexError for wrong dtypes, mask shapes, index shapes that do not broadcast, and indices out of range.
IndexedRows indexed_rows(const char* op, const Tensor& input, const Indices& indices);
// The rows along one dimension, for an index of at most one dimension.
IndexedRows rows_along(const char* op, const Tensor& input, int64_t dim, const Tensor& index);

Tensor read_rows(const IndexedRows& rows, const Tensor& input);
// Changes memory, without history: `values` has the shape rows.shape or broadcasts to it.
void write_rows(const IndexedRows& rows, const Tensor& values, bool accumulate);

}  // namespace mlx

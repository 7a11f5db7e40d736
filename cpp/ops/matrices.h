#pragma once
// What the ops on matrices share: shapes of stacks, checks of arguments, and matrices as LAPACK has them.

#include "backends/backend.h"
#include "ops.h"
#include "ops/row.h"
#include "ops/widening.h"

namespace mlx {

// The stack's shape, without that of the matrices in it; and with one put behind it.
inline Shape leading(const Tensor& t) { return Shape(t.shape().begin(), t.shape().end() - 2); }
inline Shape joined(Shape lead, int64_t rows, int64_t columns) {
  lead.push_back(rows);
  lead.push_back(columns);
  return lead;
}
inline Shape joined(Shape lead, int64_t n) {
  lead.push_back(n);
  return lead;
}

// Whether the tensor broadcasts to exactly this shape.
inline bool broadcasts_to(const Tensor& t, const Shape& shape) {
  if (t.shape().size() > shape.size()) return false;
  const size_t lead = shape.size() - t.shape().size();
  for (size_t d = 0; d < t.shape().size(); ++d)
    if (t.shape()[d] != 1 && t.shape()[d] != shape[lead + d]) return false;
  return true;
}

inline Tensor turned(const Tensor& t) { return transpose(t, -2, -1); }
inline Tensor adjoint_of(const Tensor& t) { return turned(conj(t)); }
// A column of numbers that scale rows, and a row of them that scales columns.
inline Tensor as_column(const Tensor& t) { return unsqueeze(t, -1); }
inline Tensor as_row(const Tensor& t) { return unsqueeze(t, -2); }
inline Tensor diagonal_of(const Tensor& t) { return diagonal(t, 0, -2, -1); }

// The transposed view of a fresh result: no view in the tape's sense, since nothing else sees its memory.
Tensor turned_result(const Tensor& t);

// `op` is the public name, as "linalg.inv". All throw RuntimeError (NotImplementedError for half types).
void check_matrix(const char* op, const Tensor& t, const char* name = "A");
void check_square(const char* op, const Tensor& t, const char* name = "A");
void check_same_dtype(const char* op, const Tensor& a, const Tensor& b);

// Both with the stack shape that theirs broadcast to.
void broadcast_stacks(const char* op, Tensor& a, Tensor& b);

}  // namespace mlx

#pragma once
// Running a pointwise row: dtypes meet, shapes broadcast, one kernel is launched, a node is recorded.

#include "ops/row.h"

namespace mlx {

using Operands = std::initializer_list<const Tensor*>;
using Params = std::initializer_list<Scalar>;

// A new tensor: the row's formula over the operands, then the numbers.
Tensor pointwise(const Row& row, Operands operands, Params params = {});
// The same written into the first operand's memory; returns it.
Tensor pointwise_in_place(const Row& row, Operands operands, Params params = {});

// ---- writing into existing tensors (ops/inplace.cpp)

// Throws where PyTorch does: a leaf that requires grad, overlapping elements.
void check_writable(const Tensor& self, const char* op);
// Gives `self` the elements of `value` (a result of the same shape) and its history.
Tensor assign_in_place(const Tensor& self, const Tensor& value, const char* op);
// What an in-place op of `self` and others reads instead of `self`: a copy when the op will be recorded,
// since the tape might need the old elements.
Tensor readable_copy(const Tensor& self, std::initializer_list<const Tensor*> others = {});
// Copies data without history.
void copy_data(const Tensor& to, const Tensor& from);

}  // namespace mlx

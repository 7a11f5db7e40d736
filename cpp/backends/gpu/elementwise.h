#pragma once
// Kernels that compute each element of their outputs from the same element of their inputs: pointwise ones,
// copies, and what the compiler fuses. Their text is written here; callers bring the arithmetic.

#include <string>
#include <vector>

#include "backends/gpu/gpu_backend.h"

namespace mlx::gpu {

// The arithmetic: functions, and statements that compute y0, y1, ... from x0, x1, ...
struct Arithmetic {
  std::string functions, statements;
};

class Elementwise {
 public:
  static constexpr size_t kMaxDims = 8, kMaxTensors = 24;

  Elementwise(Runtime& runtime, const char* op, const Shape& shape)
      : runtime_(runtime), op_(op), shape_(shape) {}

  // The next x, read as the type `as`: elements of a tensor that broadcasts to the shape, or a number.
  void input(const Tensor& t, DType as) { input(t, broadcast_strides(t, shape_), as); }
  void input(const Tensor& t, const Shape& strides, DType as);
  void value(const Scalar& number, DType as);
  // The next y, computed as the type `from`.
  void output(const Tensor& t, const Shape& strides, DType from);

  // Queues the kernel. `name` tells the arithmetic from every other; `arithmetic()` is called for a new one.
  // False if it cannot be: a type that GPUs lack, or more operands or dimensions than a kernel takes.
  template <class F>
  bool run(const std::string& name, F&& arithmetic) {
    if (!possible_ || !plan()) return false;
    const Kernel*& kernel = known(name);
    if (!kernel) kernel = compile(arithmetic());
    queue(kernel);
    return true;
  }

 private:
  enum class Source : char { Memory = 'm', OneElement = 'o', Number = 'n' };
  struct Operand {
    const Tensor* tensor;
    Shape strides;
    DType stored, computed;
    Source source;
    size_t at;  // of a number: where it lies in numbers_
  };

  bool plan();
  const Kernel*& known(const std::string& name) const;
  const Kernel* compile(const Arithmetic& arithmetic) const;
  void queue(const Kernel* kernel);

  Runtime& runtime_;
  const char* op_;
  Shape shape_;
  std::vector<Operand> inputs_, outputs_;
  std::vector<unsigned char> numbers_;
  bool possible_ = true;
  // Found by plan(): the collapsed dimensions, and which of the two kernels suits.
  Shape sizes_;
  std::vector<Shape> steps_;  // of the tensors in memory, inputs first
  int64_t count_ = 1;
  bool flat_ = false, wide_ = false;
};

// What memory holds for elements of this type.
const char* memory_text(DType t);

}  // namespace mlx::gpu

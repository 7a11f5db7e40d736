#pragma once
// Kernels that compute each element of their outputs from the same element of their inputs: pointwise ones,
// copies, and what the compiler fuses. Their text is written here; callers bring the arithmetic. The same may
// be the last part of a kernel of metal/ that computes elements in a way of its own.

#include <string>
#include <vector>

#include "backends/gpu/gpu_backend.h"

namespace mlx::gpu {

// The arithmetic: functions, and statements that compute y0, y1, ... from x0, x1, ...
struct Arithmetic {
  std::string functions, statements;
};

// A kernel of metal/ that computes elements for others to finish, and how it is queued.
struct Head {
  const char *file, *function;
  std::vector<Definition> definitions;
  std::vector<Argument> arguments;  // its own
  Size groups, threads;

  std::string key() const;
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
  // The next x is what the kernel computes whose last part this is.
  void computed(DType as);
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

  // Queues a kernel of metal/ of which this is the last part. Its text finds FINISH_PARAMETERS, which
  // declares what it is given beside arguments of its own, and FINISH, to be called with an element's number
  // and value.
  template <class F>
  bool finish(const Head& head, const std::string& name, F&& arithmetic) {
    finishes_ = true;
    if (!possible_ || !plan()) return false;
    const Kernel*& kernel = known(str(head.key(), ' ', name));
    if (!kernel) kernel = compile(head, arithmetic());
    queue(kernel, head);
    return true;
  }

 private:
  enum class Source : char { Memory = 'm', OneElement = 'o', Number = 'n', Computed = 'c' };
  struct Operand {
    const Tensor* tensor;
    Shape strides;
    DType stored, computed;
    Source source;
    size_t at;  // of a number: where it lies in numbers_
  };
  // As in the kernels' text, with room for the most tensors.
  struct Layout {
    uint64_t count;
    uint32_t dims;
    uint32_t sizes[kMaxDims];
    int64_t steps[kMaxTensors][kMaxDims];
  };
  struct Access;

  bool plan();
  std::string key(const std::string& name) const;
  const Kernel*& known(const std::string& name) const;
  std::string structs() const;
  Access access() const;
  const Kernel* compile(const Arithmetic& arithmetic) const;
  const Kernel* compile(const Head& head, const Arithmetic& arithmetic) const;
  void add_arguments(std::vector<Argument>& arguments);
  void queue(const Kernel* kernel);
  void queue(const Kernel* kernel, const Head& head);

  Runtime& runtime_;
  const char* op_;
  Shape shape_;
  std::vector<Operand> inputs_, outputs_;
  std::vector<unsigned char> numbers_;
  Layout layout_;
  bool possible_ = true, finishes_ = false;
  // Found by plan(): the collapsed dimensions, and which of the two kernels suits.
  Shape sizes_;
  std::vector<Shape> steps_;  // of the tensors in memory, inputs first
  int64_t count_ = 1;
  bool flat_ = false, wide_ = false;
};

// What memory holds for elements of this type.
const char* memory_text(DType t);

}  // namespace mlx::gpu

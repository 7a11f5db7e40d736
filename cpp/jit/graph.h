#pragma once
// The program of a traced function: a list of kernel launches on buffers. It is what ops launched, so views,
// writes in place, the backward pass and an optimizer's step are all in it, and nothing of Python is.

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "backends/backend.h"
#include "backends/fused.h"

namespace mlx::jit {

using BufferId = int32_t;
inline constexpr BufferId kNone = -1;

// A block of memory that the program uses.
struct Buffer {
  enum Kind : uint8_t {
    Local,     // made by the program
    Input,     // given at each call: of an argument, or of a tensor that the function reaches by closure
    Constant,  // holds the same elements in each call
  };
  Kind kind = Local;
  size_t bytes = 0;
  Device device;
  Ref<Storage> storage;  // a constant's memory, or what a tensor reached by closure had while tracing
};

// A strided view of a buffer: what a launch reads or writes.
struct View {
  BufferId buffer = kNone;  // kNone: no tensor
  DType dtype = DType::Float32;
  int64_t offset = 0;
  Shape shape, strides;

  bool defined() const { return buffer != kNone; }
  bool is_contiguous() const { return mlx::is_contiguous(shape, strides); }
  friend bool operator==(const View&, const View&) = default;
};

struct Operation {
  int kernel = 0;
  std::vector<uint64_t> params;  // the bytes of the kernel's struct, aligned
  std::vector<View> outputs, inputs;
  std::shared_ptr<void> kept;                 // what a call of the host language needs
  std::shared_ptr<const FusedProgram> fused;  // what the parameters of a fused kernel point to
  // Of one that draws random numbers: which generator's they are. Its position, in the parameters, counts
  // from where that one stands when the program starts. -1: seed and position are what they say.
  int generator = -1;

  template <class K>
  const K* as() const {
    return kernel == kernel_number<K>() ? reinterpret_cast<const K*>(params.data()) : nullptr;
  }
  const KernelTraits& traits() const { return kernel_traits(kernel); }
  bool updates() const { return traits().updates(params.data()); }
};

template <class K>
Operation make_operation(const K& kernel, std::vector<View> outputs, std::vector<View> inputs) {
  Operation op;
  op.kernel = kernel_number<K>();
  op.params.resize((sizeof(K) + sizeof(uint64_t) - 1) / sizeof(uint64_t));
  std::memcpy(op.params.data(), &kernel, sizeof(K));
  op.outputs = std::move(outputs);
  op.inputs = std::move(inputs);
  return op;
}

struct Graph {
  std::vector<Buffer> buffers;
  std::vector<Operation> operations;
  std::vector<BufferId> results;  // buffers that are read after the program has run

  BufferId add_buffer(Buffer b) {
    buffers.push_back(std::move(b));
    return static_cast<BufferId>(buffers.size()) - 1;
  }
  // Whether the view is every byte of its buffer, in order.
  bool is_whole(const View& v) const;
};

// The buffers that an operation writes and reads, each write and read counted.
template <class F>
void for_writes(const Operation& op, F&& f) {
  for (const View& v : op.outputs)
    if (v.defined()) f(v);
}
template <class F>
void for_reads(const Operation& op, F&& f) {
  for (const View& v : op.inputs)
    if (v.defined()) f(v);
}

// The view of the row-major tensor of this shape over a new buffer.
View new_local(Graph& g, const Shape& shape, DType dtype, Device device);

// One line an operation.
std::string to_text(const Graph& g);

// What a picture shows of an operation.
struct OperationSummary {
  std::string name;
  bool fused;
  std::vector<std::string> outputs;                      // their dtypes and shapes
  std::vector<int> operands;                             // the operations that it reads from
  std::vector<std::pair<BufferId, std::string>> inputs;  // the program's inputs that it reads
};
std::vector<OperationSummary> summarise(const Graph& g);

}  // namespace mlx::jit

#pragma once
// The nodes of the tape: each turns the gradients of an op's results into those of its inputs.

#include <functional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace mlx {

class Node;
using Grads = SmallVector<Tensor, 3>;  // an undefined tensor stands for zero

// Where a gradient goes next: output number `output` of `node`.
struct Edge {
  Ref<Node> node;
  uint32_t output = 0;
};

// What the gradient of one output has to look like.
struct OutputMeta {
  Shape shape;
  DType dtype = DType::Float32;
  Device device;
};

using PreHook = std::function<void(Grads& grads)>;
using PostHook = std::function<void(Grads& results, const Grads& grads)>;

class Node : public RefCounted {
 public:
  Node();
  virtual ~Node();
  static void destroy(Node* n);

  // As PyTorch names the op: of a composite, the label that its last node was given.
  std::string name() const { return label_ ? label_ : kind(); }
  void set_label(const char* label) { label_ = label; }
  virtual std::string kind() const = 0;
  // The gradients of the inputs (one an edge). `needs(i)` tells which are wanted.
  virtual Grads backward(const Grads& grads) = 0;
  // Drops what was saved for the backward pass; a second pass then raises.
  virtual void release_saved() {}
  // Whether missing gradients of some outputs are passed to backward() as zeros.
  virtual bool materializes_grads() const { return true; }

  bool needs(size_t i) const { return next[i].node && (i >= 32 || !(unwanted_ >> i & 1)); }
  // While a pass computes the gradients of some tensors only: the inputs that do not lead to them, a bit
  // each.
  void set_unwanted(uint32_t inputs) { unwanted_ = inputs; }
  // Higher for nodes made later: the order in which the engine visits them.
  uint64_t sequence() const { return sequence_; }
  static uint64_t next_sequence();

  SmallVector<Edge, 2> next;           // where the gradients of the inputs go; no node: not wanted
  SmallVector<OutputMeta, 1> outputs;  // what the incoming gradients look like

  // Rarely present: hooks, what anomaly mode keeps, the Python object that stands for the node.
  struct Extras {
    std::vector<std::pair<int64_t, PreHook>> pre_hooks;      // on this node's incoming gradients
    std::vector<std::pair<int64_t, PostHook>> post_hooks;    // after backward
    std::vector<std::pair<uint32_t, TensorImpl*>> retained;  // living results that keep their gradient
    std::string forward_trace;                               // Python's stack when the op ran
  };
  Extras& extras();
  Extras* extras_if_any() const { return extras_.get(); }
  void* python = nullptr;  // borrowed

  // Returns Python's stack as text; anomaly mode calls it for every new node. Set by the bindings.
  static inline std::string (*capture_trace)() = nullptr;
  static inline void (*report_trace)(const std::string& node, const std::string& trace) = nullptr;

 private:
  uint64_t sequence_;
  const char* label_ = nullptr;
  uint32_t unwanted_ = 0;
  std::unique_ptr<Extras> extras_;
};

}  // namespace mlx

#pragma once
// Writes down what a function launches while it is traced.

#include <unordered_map>

#include "jit/graph.h"

namespace mlx::jit {

// A number above those of the nodes that were recorded so far.
uint64_t next_node();

class LaunchRecorder : public Recorder {
 public:
  LaunchRecorder();
  void record(const Launch& launch) override;

  // A symbol in the layout of `t`, whose storage is given at each call. Tensors that share a storage get
  // symbols that do.
  Tensor placeholder(const Tensor& t);
  // The same for a part of `t`, whatever else shares its storage.
  Tensor separate_placeholder(const Tensor& t, const Shape& shape, const Shape& strides);
  // Where the tensor lies in the program.
  View view(const Tensor& t);

  Graph& graph() { return graph_; }
  const Graph& graph() const { return graph_; }

 private:
  BufferId buffer_of(const Tensor& t);
  Ref<Storage> symbol_for(const Storage& s);
  // What the program writes to has no elements to look at any more: those it begins with go to the graph.
  void take_first_value(Storage& s, BufferId buffer);

  Graph graph_;
  uint64_t first_symbol_;
  bool nested_;  // in another trace, whose symbols are like tensors that were there before
  std::unordered_map<uint64_t, BufferId> symbols_;
  std::unordered_map<const Storage*, BufferId> storages_;  // of tensors that were there before
  std::unordered_map<const Storage*, Ref<Storage>> placeholders_;
};

}  // namespace mlx::jit

#pragma once
// Running a function for all samples of a batch at once: it is traced with one sample, and what it launched
// is then launched on tensors that have the batch as one dimension more.

#include <optional>

#include "jit/recorder.h"
#include "tape/autograd_meta.h"

namespace mlx::jit {

// Where the samples have a buffer: `stride` bytes apart, or, at 0, in one place for all.
struct SampleMemory {
  Ref<Storage> storage;
  int64_t stride = 0;
};

// It may run inside another trace, which then records the launches for the whole batch.
class BatchTrace {
 public:
  explicit BatchTrace(int64_t samples) : samples_(samples) {}
  ~BatchTrace() { stop(); }
  BatchTrace(const BatchTrace&) = delete;

  void start();
  void stop();

  // What stands for one sample of `t`, which lie along `dim`, or for all of it, which the samples share.
  Tensor placeholder(const Tensor& t, std::optional<int64_t> dim);

  // Nodes with lower numbers were recorded before the trace.
  uint64_t first_node() const { return first_node_; }
  // Whether the function has drawn random numbers.
  bool draws() const;
  // The tensors whose gradients it has read or set, with what they were before.
  const std::vector<std::pair<Tensor, Tensor>>& touched_grads() const { return grads_.before; }

  // Runs what was recorded. The results have the batch as their first dimension, and memory of their own.
  // TraceError if samples write to what they share.
  TensorList run(const TensorList& results);

 private:
  int64_t samples_;
  LaunchRecorder recorder_;
  GradLog grads_;
  std::vector<std::pair<BufferId, SampleMemory>> arguments_;
  uint64_t first_node_ = 0;
  Recorder* outer_recorder_ = nullptr;
  GradLog* outer_grads_ = nullptr;
  bool active_ = false;
};

}  // namespace mlx::jit

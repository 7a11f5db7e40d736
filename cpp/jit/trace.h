#pragma once
// Tracing a function: from start() to stop() what this thread launches is recorded instead of run. compile()
// then makes programs of the recording.

#include "jit/program.h"
#include "jit/recorder.h"
#include "ops/generator.h"
#include "tape/autograd_meta.h"

namespace mlx::jit {

// A compiled program with what its calls need to know beside it.
struct Compiled {
  // How a generator is left by a call.
  struct Stream {
    Ref<Generator> generator;
    bool reset =
        false;  // the function seeds it: `end` is where it then stands. Else `end` counts from its start
    DrawStart end{};
  };

  std::unique_ptr<Program> program;
  std::vector<View> results;  // as tensors; `buffer` is a number into the program's results
  std::vector<Stream> streams;
  std::vector<Ref<Storage>> fixed;  // of each external tensor, for those that no call brings

  // Runs on the storages of the arguments and then of the external tensors (null: the one that was there
  // while tracing). With `starts` given, draws what a call that began there drew, and leaves generators
  // alone.
  TensorList run(std::vector<Ref<Storage>> inputs, const std::vector<DrawStart>* starts = nullptr) const;
  std::vector<DrawStart> starts() const;
  // Drops fixed storages of the external tensors that calls bring: those with a number that is not negative.
  void forget_external(const std::vector<int>& numbers);
};

class Trace {
 public:
  explicit Trace(std::vector<Ref<Generator>> generators);
  ~Trace() { stop(); }

  void start();
  void stop();
  bool active() const { return active_; }

  // What stands for an argument: a leaf of the same layout.
  Tensor placeholder(const Tensor& t);
  // The operations so far, and forgetting those after.
  size_t mark() const { return recorder_.graph().operations.size(); }
  void rewind(size_t mark) { recorder_.graph().operations.resize(mark); }

  // Nodes with lower numbers were recorded before the trace.
  uint64_t first_node() const { return first_node_; }
  const std::vector<std::pair<Tensor, Tensor>>& touched_grads() const { return grads_.before; }

  // The storages that the function reached by closure, in the order in which programs take them.
  std::vector<BufferId> externals() const;
  Ref<Storage> storage_of(BufferId external) const { return recorder_.graph().buffers[external].storage; }

  const LaunchRecorder& recorder() const { return recorder_; }
  // Where a tensor lies: its buffer is what compile() and a call are told.
  View view(const Tensor& t) { return recorder_.view(t); }
  // What operations from `mark` on read of what those before it made.
  std::vector<BufferId> carried_over(size_t mark) const;
  // All bytes of a buffer.
  View bytes_of(BufferId b) const;

  // The program of operations [begin, end). A call brings the storages of `arguments`, then those of the
  // external tensors.
  Compiled compile(size_t begin, size_t end, const std::vector<BufferId>& arguments,
                   const std::vector<View>& results) const;

 private:
  struct GeneratorState {
    Ref<Generator> generator;
    uint64_t seed, position, resets;
    uint64_t end_seed = 0, end_position = 0;
    bool reset = false;
  };
  void assign_generator(Operation& op) const;

  LaunchRecorder recorder_;
  GradLog grads_;
  std::vector<GeneratorState> generators_;
  uint64_t first_node_ = 0;
  bool active_ = false;
};

}  // namespace mlx::jit

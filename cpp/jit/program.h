#pragma once
// A graph made ready to run: operands are tensors over windows, which each run points at the memory that the
// buffers have in it.

#include <array>
#include <mutex>
#include <optional>

#include "jit/graph.h"

namespace mlx::jit {

// Where a generator stands.
struct DrawStart {
  uint64_t seed, position;
};

// Where the local buffers lie (see passes/memory.cpp): small ones in a block that a run allocates for all of
// a device, the others in pieces that exist while they are needed.
struct MemoryPlan {
  // Serves buffers that follow each other in place, the last of which may be a result, which stays.
  struct Piece {
    std::vector<BufferId> buffers;
    BufferId result = kNone;
    int first = 0, last = 0;  // the operations between which it is needed
  };
  std::vector<Piece> pieces;       // by first operation
  std::vector<size_t> by_last;     // their numbers, by last operation, without those of results
  std::vector<BufferId> in_block;  // small buffers,
  std::vector<size_t> offsets;     // and for each buffer its offset
  std::array<size_t, 3> bytes{};   // of each device type's block
};

class Program {
 public:
  // `inputs` are the buffers whose storages a call brings, in their order.
  Program(Graph graph, std::vector<BufferId> inputs);

  // Runs on these storages; returns those of the graph's results, in their order. A result that is an input
  // or a constant is that storage itself.
  std::vector<Ref<Storage>> run(std::span<const Ref<Storage>> inputs, std::span<const DrawStart> starts);

  const Graph& graph() const { return graph_; }
  // The inputs that it writes to, as numbers into the list given to run().
  const std::vector<size_t>& written() const { return written_; }
  // For each input, whether an operation or a result uses it.
  const std::vector<bool>& used_inputs() const { return used_; }

 private:
  struct Step {
    Backend* backend;  // null where devices meet: launch() knows what to wait for
    Launch launch;
  };
  void prepare();
  void bind(std::span<const Ref<Storage>> inputs, std::span<const DrawStart> starts);
  void run_steps(std::vector<Ref<Storage>>& pieces);

  Graph graph_;
  std::vector<BufferId> inputs_;
  struct Draw {
    uint64_t* stream;  // seed and position, the first members of a kernel's parameters
    int generator;
    uint64_t position;
  };
  std::vector<Draw> draws_;
  MemoryPlan plan_;
  std::vector<size_t> written_;
  std::vector<bool> used_;
  bool long_work_ = false;  // worth letting other threads run meanwhile

  std::vector<Ref<Storage>> windows_;  // one a buffer
  std::vector<Tensor> operands_;
  std::vector<const Tensor*> pointers_;
  std::vector<Step> steps_;
  std::mutex running_;
};

}  // namespace mlx::jit

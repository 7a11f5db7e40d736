#pragma once
// Runs a fused program tile by tile: every register is a tile in the first-level cache.

#include <deque>
#include <memory>

#include "backends/cpu/tiles.h"
#include "backends/fused.h"

namespace mlx::cpu {

// What the threads share: where the inputs and outputs lie.
struct FusedOperands {
  FusedOperands(const FusedProgram& program, std::span<const Tensor* const> outputs,
                std::span<const Tensor* const> inputs);

  const FusedProgram& program;
  std::vector<Layout> inputs, outputs;  // outputs as the program numbers them
  // Whether the first input is handed to run(), and `inputs` are the others; and where all of it lies, if it
  // does anywhere.
  bool computed = false;
  const char* computed_at = nullptr;
};

// One thread's registers.
class FusedTiles {
 public:
  explicit FusedTiles(const FusedOperands& operands);

  // Computes elements [start, start + n), n <= kTile, and writes the outputs.
  void run(int64_t start, int64_t n, const void* computed = nullptr);
  // Brings inputs that run() will read nearer, where they lie in order.
  void prefetch(int64_t start, int64_t n) const;
  // The same as the source of a reduction: returns the program's value, valid until the next call.
  const void* read(int64_t start, int64_t n) {
    run(start, n);
    return registers_[program_.value];
  }

 private:
  char* address(const FusedProgram::Store& store, int64_t start) const;
  bool is_in_place(const FusedProgram::Store& store) const;

  const FusedOperands& operands_;
  const FusedProgram& program_;
  std::deque<TileReader> readers_;
  struct alignas(64) Tile {
    char data[kTile * kMaxItem];
  };
  std::unique_ptr<Tile[]> memory_;
  std::vector<const FusedProgram::Store*> stores_;
  const FusedProgram::Store* last_ = nullptr;  // the one that the last step makes without a copy
  // Inputs that are wanted at the end. An output may lie where they do, so their tiles are copied first.
  std::vector<std::pair<int16_t, Tile*>> kept_;
  std::vector<const void*> registers_;
  std::vector<void*> temporaries_;  // where a register's own tile is
};

}  // namespace mlx::cpu

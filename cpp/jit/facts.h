#pragma once
// What passes ask about a graph.

#include <optional>

#include "jit/graph.h"

namespace mlx::jit {

// Who writes and reads each buffer. Holds for the graph as it was given.
class Facts {
 public:
  explicit Facts(const Graph& g);

  // Written once, as a whole, by an operation that does not read it: the buffer stands for one value.
  bool is_value(BufferId b) const { return uses_[b].value; }
  // The elements are the same wherever the program reads them, but for the copies that write inputs back.
  bool is_immutable(BufferId b) const { return is_value(b) || !uses_[b].written_inside; }
  // Operation number `op` can still read them.
  bool is_intact_at(BufferId b, size_t op) const {
    return is_value(b) ||
           (is_immutable(b) && (!uses_[b].writes || uses_[b].first_write >= static_cast<int>(op)));
  }
  // The operation that makes a value; -1 for what is not one.
  int writer(BufferId b) const { return uses_[b].value ? uses_[b].writer : -1; }
  int reads(BufferId b) const { return uses_[b].reads; }
  bool is_result(BufferId b) const { return uses_[b].result; }

 private:
  struct Use {
    int writer = -1, first_write = -1, writes = 0, reads = 0;
    bool value = false, result = false;
    bool written_inside = false;  // other than by the copies that write inputs back at the end
  };
  std::vector<Use> uses_;
};

// Which operations must run before which: ancestors of each as a set of bits.
class Dependencies {
 public:
  explicit Dependencies(const Graph& g);
  const std::vector<int>& direct(size_t op) const { return direct_[op]; }
  bool depends(size_t op, size_t on) const { return bits_[op * words_ + on / 64] >> (on % 64) & 1; }

 private:
  std::vector<std::vector<int>> direct_;
  std::vector<uint64_t> bits_;
  size_t words_;
};

// The elements of a constant.
const char* bytes_of(const Buffer& constant);
// The number that a view repeats, if it is one that the program fixes.
std::optional<Scalar> constant_number(const Graph& g, const Facts& facts, const View& v);

// Whether the operation is the copy that gives an input its new elements at the end of the program.
bool writes_back(const Graph& g, const Operation& op);

}  // namespace mlx::jit

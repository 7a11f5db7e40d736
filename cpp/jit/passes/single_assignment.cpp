#include <map>

#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

class Renaming {
 public:
  explicit Renaming(Graph& g) : g_(g), current_(g.buffers.size()), used_(g.buffers.size()) {
    for (size_t b = 0; b < current_.size(); ++b) current_[b] = static_cast<BufferId>(b);
  }

  void run() {
    for (Operation& op : std::exchange(g_.operations, {})) rename(std::move(op));
    for (auto& [input, view] : overwritten_) write_back(input, view);
    for (BufferId& b : g_.results) {
      if (g_.buffers[b].kind == Buffer::Input) continue;  // the caller sees the input itself
      b = current_[b];
      if (g_.buffers[b].kind == Buffer::Constant) b = copied(b);
    }
  }

 private:
  void rename(Operation op) {
    for (View& v : op.inputs)
      if (v.defined()) {
        used_[v.buffer] = true;
        v.buffer = current_[v.buffer];
      }
    const bool updates = op.updates();
    for (View& v : op.outputs) {
      if (!v.defined()) continue;
      const BufferId original = v.buffer;
      BufferId& now = current_[original];
      const bool complete = !updates && g_.is_whole(v);
      if (g_.buffers[original].kind == Buffer::Input && complete) {
        overwritten_[original] = v;
      }
      if (complete && (used_[original] || g_.buffers[original].kind != Buffer::Local))
        now = g_.add_buffer({Buffer::Local, g_.buffers[original].bytes, g_.buffers[original].device, {}});
      else if (!complete && g_.buffers[now].kind == Buffer::Constant)
        now = copied(now);
      used_[original] = true;
      v.buffer = now;
    }
    g_.operations.push_back(std::move(op));
  }

  // The bytes of a buffer as a vector.
  View bytes_of(BufferId b) const {
    const int64_t n = static_cast<int64_t>(g_.buffers[b].bytes);
    return {b, DType::UInt8, 0, {n}, {1}};
  }

  BufferId copied(BufferId from) {
    const Buffer source{Buffer::Local, g_.buffers[from].bytes, g_.buffers[from].device, {}};
    const BufferId to = g_.add_buffer(source);
    g_.operations.push_back(make_operation(Copy{}, {bytes_of(to)}, {bytes_of(from)}));
    return to;
  }

  void write_back(BufferId input, View as) {
    as.buffer = input;
    View from = as;
    from.buffer = current_[input];
    if (from.buffer != input) g_.operations.push_back(make_operation(Copy{}, {as}, {from}));
  }

  Graph& g_;
  std::vector<BufferId> current_;  // the buffer that holds what an original one would hold by now
  std::vector<bool> used_;
  std::map<BufferId, View> overwritten_;  // inputs, and how they were seen when they were
};

}  // namespace

void single_assignment(Graph& g) { Renaming(g).run(); }

}  // namespace mlx::jit

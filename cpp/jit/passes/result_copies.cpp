// A result that is the copy of a value takes the value's place.

#include "jit/facts.h"
#include "jit/passes/passes.h"

namespace mlx::jit {

void remove_result_copies(Graph& g) {
  const Facts facts(g);
  std::vector<BufferId> renamed(g.buffers.size(), kNone);
  std::vector<bool> gone(g.operations.size());
  for (size_t i = 0; i < g.operations.size(); ++i) {
    const Operation& op = g.operations[i];
    if (!op.as<Copy>()) continue;
    const View &out = op.outputs[0], &in = op.inputs[0];
    if (!facts.is_result(out.buffer) || !facts.is_value(out.buffer) || !g.is_whole(in)) continue;
    if (out.dtype != in.dtype || !facts.is_value(in.buffer) || facts.is_result(in.buffer) ||
        renamed[in.buffer] != kNone)
      continue;
    renamed[in.buffer] = out.buffer;
    gone[i] = true;
  }
  drop_operations(g, gone);
  for (Operation& op : g.operations)
    for (auto* views : {&op.outputs, &op.inputs})
      for (View& v : *views)
        if (v.defined() && renamed[v.buffer] != kNone) v.buffer = renamed[v.buffer];
}

}  // namespace mlx::jit

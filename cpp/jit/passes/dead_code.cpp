#include "jit/passes/passes.h"

namespace mlx::jit {

void remove_dead_code(Graph& g) {
  std::vector<bool> live(g.buffers.size());
  for (size_t b = 0; b < g.buffers.size(); ++b) live[b] = g.buffers[b].kind == Buffer::Input;
  for (BufferId b : g.results) live[b] = true;
  std::vector<Operation> kept;
  for (size_t i = g.operations.size(); i-- > 0;) {
    Operation& op = g.operations[i];
    bool needed = op.outputs.empty();
    for_writes(op, [&](const View& v) { needed |= live[v.buffer]; });
    if (!needed) continue;
    for_reads(op, [&](const View& v) { live[v.buffer] = true; });
    if (op.updates())
      for_writes(op, [&](const View& v) { live[v.buffer] = true; });  // read before they are written
    kept.push_back(std::move(op));
  }
  g.operations.assign(std::make_move_iterator(kept.rbegin()), std::make_move_iterator(kept.rend()));
}

}  // namespace mlx::jit

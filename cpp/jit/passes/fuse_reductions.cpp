// A reduction of what a pointwise chain computes reads the chain's tiles as they are made.

#include "jit/facts.h"
#include "jit/passes/fused_builder.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

// Whether the reduction reads elements in the order in which they lie: the reduced dimensions side by side.
bool reads_in_order(const Shape& in, const Shape& out) {
  int changes = 0;
  bool before = false;
  for (size_t d = 0; d < in.size(); ++d) {
    if (in[d] == 1) continue;
    const bool reduced = out[d] == 1;
    changes += reduced && !before;
    before = reduced;
  }
  return changes <= 1;
}

bool can_absorb(const Graph& g, const Facts& facts, const Operation& op) {
  const auto* k = op.as<Reduce>();
  if (!k || op.inputs.size() != 1 || !g.is_whole(op.inputs[0]) || numel(op.inputs[0].shape) == 0)
    return false;
  if (!g.is_whole(op.outputs[0]) || !facts.is_value(op.outputs[0].buffer)) return false;
  return reads_in_order(op.inputs[0].shape, op.outputs[0].shape);
}

Operation absorb(const Graph& g, const Facts& facts, const Operation& chain, const Operation& reduce,
                 bool keep) {
  const Reduce& k = *reduce.as<Reduce>();
  const bool truth = k.kind == Reduction::Any || k.kind == Reduction::All;
  Chain c = chain_of(g, facts, chain, reduce.inputs[0], truth ? DType::Bool : k.compute, keep, 1);
  c.outputs.insert(c.outputs.begin(), reduce.outputs[0]);
  Operation op = make_operation(FusedReduce{c.program.get(), k}, std::move(c.outputs), std::move(c.inputs));
  op.fused = std::move(c.program);
  return op;
}

}  // namespace

void fuse_reductions(Graph& g) {
  const Facts facts(g);
  std::vector<bool> gone(g.operations.size());
  for (size_t i = 0; i < g.operations.size(); ++i) {
    const Operation& reduce = g.operations[i];
    if (!can_absorb(g, facts, reduce)) continue;
    const BufferId value = reduce.inputs[0].buffer;
    const int writer = facts.writer(value);
    if (writer < 0 || gone[writer] || !is_chain(g.operations[writer])) continue;
    const bool keep = facts.reads(value) > 1 || facts.is_result(value);
    // In the chain's place: a reduction reads nothing else, and its result is new.
    g.operations[writer] = absorb(g, facts, g.operations[writer], reduce, keep);
    gone[i] = true;
  }
  drop_operations(g, gone);
}

}  // namespace mlx::jit

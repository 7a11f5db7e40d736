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

// Whether an operation is a chain, or a link that could be one, that makes this value.
bool is_chain(const Operation& op) {
  if (op.as<Fused>()) return true;
  const auto* k = op.as<Pointwise>();
  return k && !is_integral(k->compute);
}

Operation absorb(const Graph& g, const Facts& facts, const Operation& chain, const Operation& reduce,
                 bool keep) {
  const View& value = reduce.inputs[0];
  if (!chain.as<Fused>()) {
    FusedBuilder builder(g, facts);
    builder.add(chain);
    if (keep) builder.store(chain.outputs[0]);
    return builder.finish_reduction(reduce, value);
  }
  auto p = std::make_shared<FusedProgram>(*chain.fused);
  const Reduce& k = *reduce.as<Reduce>();
  std::vector<View> outputs{reduce.outputs[0]};
  std::vector<FusedProgram::Store> stores;
  for (const FusedProgram::Store& s : p->stores) {
    const View& out = chain.outputs[s.output];
    if (out.buffer == value.buffer) {
      p->value = s.from;
      if (!keep) continue;
    }
    stores.push_back({s.from, s.type, static_cast<uint8_t>(outputs.size())});
    outputs.push_back(out);
  }
  p->stores = std::move(stores);
  p->shape = value.shape;
  const bool truth = k.kind == Reduction::Any || k.kind == Reduction::All;
  if (const DType read = truth ? DType::Bool : k.compute; read != value.dtype) {
    FusedProgram::Step step{FusedProgram::Step::Convert, {}, value.dtype, read, {p->value}};
    step.result = p->registers++;
    p->steps.push_back(step);
    p->value = step.result;
  }
  Operation op = make_operation(FusedReduce{p.get(), k}, std::move(outputs), chain.inputs);
  op.fused = std::move(p);
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

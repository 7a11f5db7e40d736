// A softmax, norm or loss over rows that a pointwise chain computes takes them from the cache.

#include <cstring>

#include "jit/facts.h"
#include "jit/passes/fused_builder.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

// The kernels whose every row of results needs the same row of their first input alone. A GPU's read rows
// into the registers of a group, which a chain does not fill.
bool works_by_rows(const Graph& g, const Operation& op) {
  constexpr int64_t kManyElements = int64_t{1} << 20;  // fewer stay in the cache between two kernels too
  if (!op.as<Softmax>() && !op.as<SoftmaxGradient>() && !op.as<LogSumExp>() && !op.as<LayerNorm>() &&
      !op.as<CrossEntropy>())
    return false;
  return g.buffers[op.inputs[0].buffer].device.type == DeviceType::CPU && op.inputs[0].shape.size() == 2 &&
         numel(op.inputs[0].shape) >= kManyElements;
}

// Whether what the kernel reads beside its rows is there when operation `chain` runs.
bool can_run_at(const Facts& facts, const Operation& op, int chain) {
  for (size_t i = 1; i < op.inputs.size(); ++i) {
    const View& v = op.inputs[i];
    if (!v.defined()) continue;
    if (v.buffer == op.inputs[0].buffer || !facts.is_immutable(v.buffer) || facts.writer(v.buffer) >= chain)
      return false;
  }
  for (const View& v : op.outputs)
    if (v.defined() && !facts.is_value(v.buffer)) return false;
  return true;
}

Operation absorb(const Graph& g, const Facts& facts, const Operation& chain, const Operation& rows) {
  const View& value = rows.inputs[0];
  Chain c = chain_of(g, facts, chain, value, value.dtype, false, rows.outputs.size());
  c.outputs.insert(c.outputs.begin(), rows.outputs.begin(), rows.outputs.end());
  c.inputs.insert(c.inputs.end(), rows.inputs.begin() + 1, rows.inputs.end());
  FusedRows k{c.program.get(),      value.dtype, rows.kernel, {}, static_cast<int>(rows.outputs.size()),
              !rows.as<LayerNorm>()};
  std::memcpy(k.params, rows.params.data(), rows.params.size() * sizeof(uint64_t));
  Operation op = make_operation(k, std::move(c.outputs), std::move(c.inputs));
  op.fused = std::move(c.program);
  return op;
}

}  // namespace

void fuse_rows(Graph& g) {
  const Facts facts(g);
  std::vector<bool> gone(g.operations.size());
  for (size_t i = 0; i < g.operations.size(); ++i) {
    const Operation& rows = g.operations[i];
    if (!works_by_rows(g, rows) || !g.is_whole(rows.inputs[0])) continue;
    const BufferId value = rows.inputs[0].buffer;
    const int writer = facts.writer(value);
    if (writer < 0 || gone[writer] || !is_chain(g.operations[writer]) || !can_run_at(facts, rows, writer))
      continue;
    // A value that has to be stored is written sooner by the chain alone.
    if (facts.reads(value) > 1 || facts.is_result(value)) continue;
    g.operations[writer] = absorb(g, facts, g.operations[writer], rows);
    gone[i] = true;
  }
  drop_operations(g, gone);
}

}  // namespace mlx::jit

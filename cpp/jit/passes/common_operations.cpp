#include <map>
#include <tuple>

#include "jit/facts.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

using Key = std::vector<int64_t>;

void append(Key& key, const View& v) {
  key.insert(key.end(),
             {v.buffer, static_cast<int64_t>(v.dtype), v.offset, static_cast<int64_t>(v.shape.size())});
  key.insert(key.end(), v.shape.begin(), v.shape.end());
  key.insert(key.end(), v.strides.begin(), v.strides.end());
}

// What tells operations apart; empty for those that have to run each time.
Key key_of(const Facts& facts, const Operation& op) {
  if (op.outputs.empty() || op.traits().random || op.updates()) return {};
  bool pure = true;
  for_reads(op, [&](const View& v) { pure &= facts.is_immutable(v.buffer); });
  for_writes(op, [&](const View& v) { pure &= facts.is_value(v.buffer) && !facts.is_result(v.buffer); });
  if (!pure) return {};
  Key key{op.kernel, static_cast<int64_t>(op.inputs.size())};
  for (uint64_t word : op.params) key.push_back(static_cast<int64_t>(word));
  for (const View& v : op.inputs) append(key, v);
  for (View v : op.outputs) {
    if (v.defined()) v.buffer = 0;
    append(key, v);
  }
  return key;
}

}  // namespace

void share_common_operations(Graph& g) {
  const Facts facts(g);
  std::vector<BufferId> same(g.buffers.size());
  for (size_t b = 0; b < same.size(); ++b) same[b] = static_cast<BufferId>(b);
  std::map<Key, size_t> seen;
  std::vector<Operation> kept;
  for (Operation& op : g.operations) {
    for (View& v : op.inputs)
      if (v.defined()) v.buffer = same[v.buffer];
    if (Key key = key_of(facts, op); !key.empty()) {
      auto [at, first] = seen.try_emplace(std::move(key), kept.size());
      if (!first) {
        const Operation& earlier = kept[at->second];
        for (size_t i = 0; i < op.outputs.size(); ++i)
          if (op.outputs[i].defined()) same[op.outputs[i].buffer] = earlier.outputs[i].buffer;
        continue;
      }
    }
    kept.push_back(std::move(op));
  }
  g.operations = std::move(kept);
}

}  // namespace mlx::jit

#include "jit/facts.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

constexpr size_t kLargest = 1 << 16;  // bytes of a result that is worth keeping

// A number that fills a buffer may be given memory too, where an operation on it is done away with.
bool depends_on_constants(const Graph& g, const Facts& facts, const Operation& op) {
  // Fill stays what it is: a number that fusion reads without any memory.
  if (op.outputs.empty() || op.traits().random || op.updates() || op.as<Fill>()) return false;
  bool constant = true;
  for_reads(op, [&](const View& v) {
    const int writer = facts.writer(v.buffer);
    const bool filled = writer >= 0 && g.operations[writer].as<Fill>() && !facts.is_result(v.buffer) &&
                        g.buffers[v.buffer].bytes <= kLargest;
    constant &= filled || g.buffers[v.buffer].kind == Buffer::Constant;
  });
  for_writes(op, [&](const View& v) {
    constant &= facts.is_value(v.buffer) && g.buffers[v.buffer].bytes <= kLargest;
  });
  return constant;
}

void run_now(Graph& g, const Operation& op) {
  std::vector<Tensor> tensors;
  std::vector<const Tensor*> pointers;
  tensors.reserve(op.outputs.size() + op.inputs.size());
  auto add = [&](const View& v) {
    tensors.push_back(v.defined()
                          ? tensor_over(g.buffers[v.buffer].storage, v.shape, v.strides, v.offset, v.dtype)
                          : Tensor());
    pointers.push_back(&tensors.back());
  };
  for (const View& v : op.outputs) {
    Buffer& b = g.buffers[v.buffer];
    b.storage = Storage::allocate(b.bytes, b.device);
    b.kind = Buffer::Constant;
    add(v);
  }
  for (const View& v : op.inputs) add(v);
  const std::span<const Tensor* const> all(pointers);
  launch(Launch{op.kernel, op.params.data(), op.params.size() * sizeof(uint64_t),
                all.first(op.outputs.size()), all.subspan(op.outputs.size())});
}

}  // namespace

void fold_constants(Graph& g) {
  const Facts facts(g);
  std::vector<bool> folded(g.operations.size());
  auto fold = [&](size_t i) {
    run_now(g, g.operations[i]);
    folded[i] = true;
  };
  for (size_t i = 0; i < g.operations.size(); ++i) {
    const Operation& op = g.operations[i];
    bool result = false;  // each call gets memory of its own
    for_writes(op, [&](const View& v) { result |= facts.is_result(v.buffer); });
    if (result || !depends_on_constants(g, facts, op)) continue;
    for_reads(op, [&](const View& v) {
      if (g.buffers[v.buffer].kind != Buffer::Constant) fold(static_cast<size_t>(facts.writer(v.buffer)));
    });
    fold(i);
  }
  std::vector<Operation> kept;
  for (size_t i = 0; i < g.operations.size(); ++i)
    if (!folded[i]) kept.push_back(std::move(g.operations[i]));
  g.operations = std::move(kept);
}

}  // namespace mlx::jit

#include "jit/facts.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

// What all elements of a condition are, if the program fixes them and they are the same.
std::optional<bool> constant_truth(const Graph& g, const Facts& facts, const View& v) {
  if (auto number = constant_number(g, facts, v)) return number->to_bool();
  const Buffer& b = g.buffers[v.buffer];
  if (b.kind != Buffer::Constant || v.dtype != DType::Bool || !g.is_whole(v)) return {};
  const bool* p = reinterpret_cast<const bool*>(bytes_of(b));
  const bool first = b.bytes && p[0];
  if (std::find(p, p + b.bytes, !first) != p + b.bytes) return {};
  return first;
}

// The operand that an operation hands on unchanged, if it does: x * 1, x / 1, x - 0, a copy.
std::optional<View> unchanged_operand(const Graph& g, const Facts& facts, const Operation& op) {
  if (op.as<Copy>()) return op.inputs[0];
  const auto* k = op.as<Pointwise>();
  if (k && k->formula == Formula::where) {
    if (auto always = constant_truth(g, facts, op.inputs[0])) return op.inputs[*always ? 1 : 2];
    return {};
  }
  if (!k || op.inputs.size() != 2 || k->param_count) return {};
  auto is = [&](size_t i, double number) {
    auto value = constant_number(g, facts, op.inputs[i]);
    return value && value->equals(number);
  };
  switch (k->formula) {
    case Formula::mul:
      if (is(0, 1)) return op.inputs[1];
      [[fallthrough]];
    case Formula::div:
      if (is(1, 1)) return op.inputs[0];
      return {};
    case Formula::sub:  // not x + 0: that makes 0 of -0
      if (is(1, 0)) return op.inputs[0];
      return {};
    default:
      return {};
  }
}

// Kernels that read any strides at no cost that a copy would spare.
bool takes_any_strides(const Operation& op) { return op.as<Pointwise>() || op.as<Copy>() || op.as<Reduce>(); }

// `use`, a view of the copy, as a view of what was copied.
std::optional<View> through(const Graph& g, const Operation& user, const View& use, const View& source) {
  View v = use;
  v.buffer = source.buffer;
  if (source.is_contiguous()) {
    v.offset += source.offset;
    return v;
  }
  if (!takes_any_strides(user) || !g.is_whole(use) || use.shape != source.shape) return {};
  v.offset = source.offset;
  v.strides = source.strides;
  return v;
}

}  // namespace

void simplify(Graph& g) {
  const Facts facts(g);
  std::vector<View> source(g.buffers.size());  // of each buffer that is a copy
  for (size_t i = 0; i < g.operations.size(); ++i) {
    Operation& op = g.operations[i];
    for (View& v : op.inputs)
      if (v.defined() && source[v.buffer].defined() && facts.is_intact_at(source[v.buffer].buffer, i))
        if (auto direct = through(g, op, v, source[v.buffer])) v = *direct;
    if (op.outputs.size() != 1 || !facts.is_value(op.outputs[0].buffer)) continue;
    const View& out = op.outputs[0];
    auto in = unchanged_operand(g, facts, op);
    if (in && in->dtype == out.dtype && in->shape == out.shape && facts.is_immutable(in->buffer))
      source[out.buffer] = *in;
  }
}

}  // namespace mlx::jit

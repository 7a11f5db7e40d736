#include "jit/graph.h"

#include <sstream>

namespace mlx::jit {
namespace {

std::string label(const Graph& g, const View& v) {
  if (!v.defined()) return "-";
  const char letters[] = {'%', 'i', 'c'};
  std::string out = str(letters[g.buffers[v.buffer].kind], v.buffer);
  if (!g.is_whole(v)) {
    out += str('[', v.offset, ':');
    for (size_t d = 0; d < v.strides.size(); ++d) out += str(d ? "," : "", v.strides[d]);
    out += ']';
  }
  return out;
}

std::string describe(const View& v) { return str(short_name(v.dtype), v.shape); }

std::string operation_name(const Operation& op) {
  if (auto* k = op.as<Pointwise>()) return name(k->formula);
  if (!op.fused) return op.traits().name;
  std::string out = str(op.traits().name, '(');
  bool first = true;
  for (const auto& step : op.fused->steps) {
    if (step.kind != FusedProgram::Step::Apply) continue;
    out += str(first ? "" : " ", name(step.formula));
    first = false;
  }
  return out + ')';
}

}  // namespace

bool Graph::is_whole(const View& v) const {
  return v.defined() && v.offset == 0 && v.is_contiguous() &&
         static_cast<size_t>(numel(v.shape)) * item_size(v.dtype) == buffers[v.buffer].bytes;
}

View new_local(Graph& g, const Shape& shape, DType dtype, Device device) {
  const size_t bytes = static_cast<size_t>(numel(shape)) * item_size(dtype);
  return {g.add_buffer({Buffer::Local, bytes, device, {}}), dtype, 0, shape, contiguous_strides(shape)};
}

std::string to_text(const Graph& g) {
  std::ostringstream out;
  for (const Operation& op : g.operations) {
    const char* comma = "";
    for (const View& v : op.outputs) {
      out << comma << label(g, v) << ": " << describe(v);
      comma = ", ";
    }
    out << (op.outputs.empty() ? "" : op.updates() ? " += " : " = ") << operation_name(op) << '(';
    comma = "";
    for (const View& v : op.inputs) {
      out << comma << label(g, v);
      comma = ", ";
    }
    out << ")\n";
  }
  out << "return";
  for (BufferId b : g.results) out << " %" << b;
  out << '\n';
  return out.str();
}

std::vector<OperationSummary> summarise(const Graph& g) {
  std::vector<OperationSummary> out;
  std::vector<int> writer(g.buffers.size(), -1);
  for (const Operation& op : g.operations) {
    OperationSummary s{operation_name(op), op.fused != nullptr, {}, {}, {}};
    for_writes(op, [&](const View& v) { s.outputs.push_back(describe(v)); });
    for_reads(op, [&](const View& v) {
      if (writer[v.buffer] >= 0)
        s.operands.push_back(writer[v.buffer]);
      else if (g.buffers[v.buffer].kind == Buffer::Input)
        s.inputs.emplace_back(v.buffer, describe(v));
    });
    for_writes(op, [&](const View& v) { writer[v.buffer] = static_cast<int>(out.size()); });
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace mlx::jit

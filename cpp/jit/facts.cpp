#include "jit/facts.h"

#include <cstring>

#include "memory/allocator.h"

namespace mlx::jit {

bool writes_back(const Graph& g, const Operation& op) {
  return op.as<Copy>() && g.buffers[op.outputs[0].buffer].kind == Buffer::Input && g.is_whole(op.outputs[0]);
}

Facts::Facts(const Graph& g) : uses_(g.buffers.size()) {
  for (size_t i = 0; i < g.operations.size(); ++i) {
    const Operation& op = g.operations[i];
    for_reads(op, [&](const View& v) { ++uses_[v.buffer].reads; });
    const bool updates = op.updates(), back = writes_back(g, op);
    for_writes(op, [&](const View& v) {
      Use& u = uses_[v.buffer];
      u.value = ++u.writes == 1 && u.reads == 0 && !updates && g.is_whole(v) &&
                g.buffers[v.buffer].kind == Buffer::Local;
      u.writer = static_cast<int>(i);
      if (u.writes == 1) u.first_write = u.writer;
      u.written_inside |= !back;
    });
  }
  for (BufferId b : g.results) uses_[b].result = true;
}

Dependencies::Dependencies(const Graph& g)
    : direct_(g.operations.size()), words_((g.operations.size() + 63) / 64) {
  struct Last {
    int write = -1;
    std::vector<int> reads;
  };
  std::vector<Last> last(g.buffers.size());
  bits_.resize(g.operations.size() * words_);
  int check = -1;  // checks stay in order
  for (size_t i = 0; i < g.operations.size(); ++i) {
    const Operation& op = g.operations[i];
    auto on = [&](int before) {
      if (before < 0 || before == static_cast<int>(i)) return;
      direct_[i].push_back(before);
      const size_t b = static_cast<size_t>(before);
      for (size_t w = 0; w < words_; ++w) bits_[i * words_ + w] |= bits_[b * words_ + w];
      bits_[i * words_ + b / 64] |= uint64_t{1} << (b % 64);
    };
    for_reads(op, [&](const View& v) { on(last[v.buffer].write); });
    for_writes(op, [&](const View& v) {
      on(last[v.buffer].write);
      for (int r : last[v.buffer].reads) on(r);
    });
    if (op.as<Check>()) {
      on(check);
      check = static_cast<int>(i);
    }
    for_reads(op, [&](const View& v) { last[v.buffer].reads.push_back(static_cast<int>(i)); });
    for_writes(op, [&](const View& v) {
      last[v.buffer].write = static_cast<int>(i);
      last[v.buffer].reads.clear();
    });
  }
}

const char* bytes_of(const Buffer& constant) {
  void* p = constant.storage->data();
  if (p && constant.device.type != DeviceType::CPU) allocator(constant.device.type).wait(p);
  return static_cast<const char*>(p);
}

std::optional<Scalar> constant_number(const Graph& g, const Facts& facts, const View& v) {
  if (!v.defined()) return {};
  const Buffer& b = g.buffers[v.buffer];
  if (b.kind == Buffer::Constant && numel(v.shape) == 1) {
    const char* p = bytes_of(b) + v.offset * item_size(v.dtype);
    return visit(v.dtype, [&](auto zero) {
      std::memcpy(&zero, p, sizeof(zero));
      return Scalar(zero);
    });
  }
  if (const int w = facts.writer(v.buffer); w >= 0) {
    const Operation& op = g.operations[w];
    if (auto* fill = op.as<Fill>(); fill && op.outputs[0].dtype == v.dtype)
      return visit(v.dtype, [&](auto zero) {
        std::memcpy(&zero, fill->bits, sizeof(zero));
        return Scalar(zero);
      });
  }
  return {};
}

}  // namespace mlx::jit

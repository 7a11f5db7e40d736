#include "jit/facts.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

constexpr size_t kAlignment = 64;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

// A piece of the block, from one operation to another: one buffer, or several that follow each other in
// place.
struct Lease {
  std::vector<BufferId> buffers;
  Device device;
  size_t bytes = 0, offset = 0;
  int first = 0, last = 0;
};

class Planner {
 public:
  explicit Planner(const Graph& g) : g_(g), lease_of_(g.buffers.size(), -1) {
    std::vector<bool> result(g.buffers.size());
    for (BufferId b : g.results) result[b] = true;
    for (size_t i = 0; i < g.operations.size(); ++i) {
      auto use = [&](const View& v) {
        if (g.buffers[v.buffer].kind == Buffer::Local && !result[v.buffer])
          extend(v.buffer, static_cast<int>(i));
      };
      for_writes(g.operations[i], use);
      for_reads(g.operations[i], use);
    }
  }

  MemoryPlan run() {
    for (size_t i = 0; i < g_.operations.size(); ++i) reuse_in_place(g_.operations[i], static_cast<int>(i));
    MemoryPlan plan;
    plan.offsets.resize(g_.buffers.size());
    place(plan);
    for (const Lease& l : leases_)
      for (BufferId b : l.buffers) plan.offsets[b] = l.offset;
    return plan;
  }

 private:
  void extend(BufferId b, int at) {
    if (lease_of_[b] < 0) {
      lease_of_[b] = static_cast<int>(leases_.size());
      leases_.push_back({{b}, g_.buffers[b].device, aligned(g_.buffers[b].bytes), 0, at, at});
    }
    leases_[lease_of_[b]].last = at;
  }

  // Pointwise kernels may write over an operand that nobody needs afterwards, where every element of the
  // result takes the place of the element it was made from.
  void reuse_in_place(const Operation& op, int at) {
    if (!op.as<Pointwise>() && !op.as<Fused>()) return;
    for (const View& out : op.outputs) {
      const int made = out.defined() ? lease_of_[out.buffer] : -1;
      if (made < 0 || leases_[made].first != at || !g_.is_whole(out)) continue;
      for (const View& in : op.inputs) {
        const int old = in.defined() ? lease_of_[in.buffer] : -1;
        if (old < 0 || old == made || leases_[old].last != at || !replaces(op, out, in) ||
            !(leases_[old].device == leases_[made].device))
          continue;
        Lease &from = leases_[made], &to = leases_[old];
        to.last = from.last;
        for (BufferId b : from.buffers) lease_of_[b] = old;
        to.buffers.insert(to.buffers.end(), from.buffers.begin(), from.buffers.end());
        from.buffers.clear();
        break;
      }
    }
  }

  bool replaces(const Operation& op, const View& out, const View& in) const {
    if (!g_.is_whole(in) || item_size(in.dtype) != item_size(out.dtype) ||
        numel(in.shape) != numel(out.shape))
      return false;
    for (const View& other : op.inputs)  // no other view of the same memory
      if (other.defined() && lease_of_[other.buffer] == lease_of_[in.buffer] && !g_.is_whole(other))
        return false;
    return true;
  }

  // Largest first, each at the lowest place of its device's block that is free while it lives.
  void place(MemoryPlan& plan) {
    std::vector<Lease*> order;
    for (Lease& l : leases_)
      if (!l.buffers.empty() && l.bytes) order.push_back(&l);
    std::stable_sort(order.begin(), order.end(), [](Lease* a, Lease* b) { return a->bytes > b->bytes; });
    std::vector<Lease*> placed;  // by offset
    for (Lease* l : order) {
      size_t at = 0;
      for (Lease* p : placed) {
        if (p->last < l->first || l->last < p->first || !(p->device == l->device)) continue;
        if (at + l->bytes <= p->offset) break;
        at = std::max(at, p->offset + p->bytes);
      }
      l->offset = at;
      size_t& total = plan.bytes[static_cast<size_t>(l->device.type)];
      total = std::max(total, at + l->bytes);
      placed.insert(std::upper_bound(placed.begin(), placed.end(), l,
                                     [](Lease* a, Lease* b) { return a->offset < b->offset; }),
                    l);
    }
  }

  const Graph& g_;
  std::vector<int> lease_of_;
  std::vector<Lease> leases_;
};

}  // namespace

MemoryPlan plan_memory(const Graph& g) { return Planner(g).run(); }

}  // namespace mlx::jit

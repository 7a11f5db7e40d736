#include <limits>

#include "base/sizes.h"
#include "jit/facts.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

constexpr size_t kAlignment = 64;
// Smaller buffers share a block, which costs a call nothing. It stays to the end, when others are free again.
constexpr size_t kSmallBytes = size_t{4} << 10;

// Memory from one operation to another: of one buffer, or of several that follow each other in place.
struct Lease {
  std::vector<BufferId> buffers;
  Device device;
  size_t bytes = 0, offset = 0;
  int first = 0, last = 0;
  BufferId result = kNone;
};

class Planner {
 public:
  explicit Planner(const Graph& g) : g_(g), lease_of_(g.buffers.size(), -1), is_result_(g.buffers.size()) {
    for (BufferId b : g.results) is_result_[b] = true;
    for (size_t i = 0; i < g.operations.size(); ++i) {
      auto use = [&](const View& v) {
        if (g.buffers[v.buffer].kind == Buffer::Local) extend(v.buffer, static_cast<int>(i));
      };
      for_writes(g.operations[i], use);
      for_reads(g.operations[i], use);
    }
    for (BufferId b : g.results)
      if (g.buffers[b].kind == Buffer::Local) extend(b, kEnd);
  }

  MemoryPlan run() {
    for (size_t i = 0; i < g_.operations.size(); ++i) reuse_in_place(g_.operations[i], static_cast<int>(i));
    MemoryPlan plan;
    plan.offsets.resize(g_.buffers.size());
    share_block(plan);
    make_pieces(plan);
    return plan;
  }

 private:
  static constexpr int kEnd = std::numeric_limits<int>::max();

  void extend(BufferId b, int at) {
    if (lease_of_[b] < 0) {
      lease_of_[b] = static_cast<int>(leases_.size());
      leases_.push_back({{b}, g_.buffers[b].device, g_.buffers[b].bytes, 0, at, at});
      if (is_result_[b]) leases_.back().result = b;
    }
    leases_[lease_of_[b]].last = at;
  }

  // Pointwise kernels may write over an operand that nobody needs afterwards, where every element of the
  // result takes the place of the element it was made from.
  void reuse_in_place(const Operation& op, int at) {
    const bool reduces = op.as<FusedReduce>();
    if (!op.as<Pointwise>() && !op.as<Fused>() && !reduces) return;
    for (size_t o = reduces ? 1 : 0; o < op.outputs.size(); ++o) {  // a reduction itself comes later
      const View& out = op.outputs[o];
      if (!out.defined() || !g_.is_whole(out)) continue;
      const int made = lease_of_[out.buffer];
      if (made < 0 || leases_[made].first != at) continue;
      for (const View& in : op.inputs) {
        const int old = in.defined() ? lease_of_[in.buffer] : -1;
        if (old < 0 || old == made || leases_[old].last != at || !replaces(op, out, in)) continue;
        Lease &from = leases_[made], &to = leases_[old];
        if (!(to.device == from.device) || (from.result != kNone && is_small(to))) continue;
        to.last = from.last;
        to.result = from.result;
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

  static bool is_small(const Lease& l) { return l.result == kNone && l.bytes < kSmallBytes; }

  // Largest first, each at the lowest place that is free while it lives.
  void share_block(MemoryPlan& plan) {
    std::vector<Lease*> order, placed;
    for (Lease& l : leases_)
      if (!l.buffers.empty() && is_small(l)) order.push_back(&l);
    std::stable_sort(order.begin(), order.end(), [](Lease* a, Lease* b) { return a->bytes > b->bytes; });
    for (Lease* l : order) {
      for (const Lease* other : placed) {
        if (other->last < l->first || l->last < other->first || !(other->device == l->device)) continue;
        if (l->offset + l->bytes <= other->offset) break;
        l->offset = std::max(l->offset, round_up(other->offset + other->bytes, kAlignment));
      }
      placed.insert(std::upper_bound(placed.begin(), placed.end(), l,
                                     [](const Lease* a, const Lease* b) { return a->offset < b->offset; }),
                    l);
      for (BufferId b : l->buffers) {
        plan.in_block.push_back(b);
        plan.offsets[b] = l->offset;
      }
      size_t& bytes = plan.bytes[static_cast<size_t>(l->device.type)];
      bytes = std::max(bytes, l->offset + l->bytes);
    }
  }

  void make_pieces(MemoryPlan& plan) {
    for (const Lease& l : leases_)
      if (!l.buffers.empty() && !is_small(l)) plan.pieces.push_back({l.buffers, l.result, l.first, l.last});
    std::ranges::stable_sort(plan.pieces, {}, &MemoryPlan::Piece::first);
    for (size_t i = 0; i < plan.pieces.size(); ++i)
      if (plan.pieces[i].result == kNone) plan.by_last.push_back(i);
    std::ranges::stable_sort(plan.by_last, {}, [&](size_t i) { return plan.pieces[i].last; });
  }

  const Graph& g_;
  std::vector<int> lease_of_;
  std::vector<bool> is_result_;
  std::vector<Lease> leases_;
};

}  // namespace

MemoryPlan plan_memory(const Graph& g) { return Planner(g).run(); }

}  // namespace mlx::jit

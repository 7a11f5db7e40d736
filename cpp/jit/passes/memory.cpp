#include <limits>

#include "base/sizes.h"
#include "jit/facts.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

constexpr size_t kAlignment = 64;

// A piece of memory, from one operation to another: one buffer, or several that follow each other in place.
struct Lease {
  std::vector<BufferId> buffers;
  Device device;
  size_t bytes = 0, offset = 0;
  int first = 0, last = 0;
  BufferId heir = kNone;  // the result that the last operation may make in its place
};

// Memory that leases share. That of a result serves them until the operation that first writes the result.
struct Room {
  BufferId host = kNone;
  Device device;
  size_t bytes = std::numeric_limits<size_t>::max();
  int end = std::numeric_limits<int>::max();
  std::vector<Lease*> leases;  // by offset

  // Takes the lease in at the lowest place that is free while it lives.
  bool take(Lease& l) {
    const bool inherits = host != kNone && l.heir == host;
    if (!(l.device == device) || l.last > end || (l.last == end && !inherits)) return false;
    size_t at = 0;
    for (Lease* other : leases) {
      if (other->last < l.first || l.last < other->first) continue;
      if (at + l.bytes <= other->offset) break;
      at = std::max(at, other->offset + other->bytes);
    }
    if (bytes < l.bytes || at > bytes - l.bytes || (l.last == end && at > 0)) return false;
    l.offset = at;
    leases.insert(std::upper_bound(leases.begin(), leases.end(), &l,
                                   [](Lease* a, Lease* b) { return a->offset < b->offset; }),
                  &l);
    return true;
  }
};

class Planner {
 public:
  explicit Planner(const Graph& g) : g_(g), lease_of_(g.buffers.size(), -1) {
    std::vector<bool> result(g.buffers.size()), seen(g.buffers.size());
    for (BufferId b : g.results) result[b] = true;
    for (size_t i = 0; i < g.operations.size(); ++i) {
      auto use = [&](const View& v) {
        const Buffer& buffer = g.buffers[v.buffer];
        if (buffer.kind != Buffer::Local) return;
        if (!result[v.buffer])
          extend(v.buffer, static_cast<int>(i));
        else if (!seen[v.buffer])
          rooms_.push_back({v.buffer, buffer.device, buffer.bytes, static_cast<int>(i), {}});
        seen[v.buffer] = true;
      };
      for_writes(g.operations[i], use);
      for_reads(g.operations[i], use);
    }
  }

  MemoryPlan run() {
    for (size_t i = 0; i < g_.operations.size(); ++i) reuse_in_place(g_.operations[i], static_cast<int>(i));
    std::stable_sort(rooms_.begin(), rooms_.end(),
                     [](const Room& a, const Room& b) { return a.bytes < b.bytes; });
    return place();
  }

 private:
  void extend(BufferId b, int at) {
    if (lease_of_[b] < 0) {
      lease_of_[b] = static_cast<int>(leases_.size());
      leases_.push_back({{b}, g_.buffers[b].device, round_up(g_.buffers[b].bytes, kAlignment), 0, at, at});
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
      if (made >= 0 && leases_[made].first != at) continue;
      for (const View& in : op.inputs) {
        const int old = in.defined() ? lease_of_[in.buffer] : -1;
        if (old < 0 || old == made || leases_[old].last != at || !replaces(op, out, in) ||
            !(leases_[old].device == g_.buffers[out.buffer].device))
          continue;
        if (made < 0) {
          leases_[old].heir = out.buffer;
          continue;
        }
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

  // Largest first: in the smallest result that has room, else in the device's block.
  MemoryPlan place() {
    std::vector<Lease*> order;
    for (Lease& l : leases_)
      if (!l.buffers.empty() && l.bytes) order.push_back(&l);
    std::stable_sort(order.begin(), order.end(), [](Lease* a, Lease* b) { return a->bytes > b->bytes; });
    MemoryPlan plan;
    plan.places.resize(g_.buffers.size());
    for (Lease* l : order) {
      const BufferId host = host_of(*l);
      for (BufferId b : l->buffers) plan.places[b] = {host, l->offset};
      size_t& bytes = plan.bytes[static_cast<size_t>(l->device.type)];
      if (host == kNone) bytes = std::max(bytes, l->offset + l->bytes);
    }
    return plan;
  }

  // Returns the result that takes the lease in; kNone: the block.
  BufferId host_of(Lease& l) {
    for (Room& room : rooms_)
      if (room.take(l)) return room.host;
    Room block;
    block.device = l.device;
    block.take(l);
    rooms_.push_back(std::move(block));
    return kNone;
  }

  const Graph& g_;
  std::vector<int> lease_of_;
  std::vector<Lease> leases_;
  std::vector<Room> rooms_;  // results, the smallest first, and behind them each device's block
};

}  // namespace

MemoryPlan plan_memory(const Graph& g) { return Planner(g).run(); }

}  // namespace mlx::jit

// Groups of pointwise operations that one kernel computes. Operations join the group of what they read, when
// they run through the same elements in the same order and no operation outside would have to run between
// them.

#include <queue>

#include "jit/facts.h"
#include "jit/passes/fused_builder.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

constexpr size_t kMostInputs = 16;      // of a group: each is read through tiles of its own
constexpr size_t kMostOperations = 48;  // of a group

bool refuses_zero(const Pointwise& k) {
  const Formula f = k.formula;
  return is_integral(k.compute) && (f == Formula::div_trunc || f == Formula::div_floor ||
                                    f == Formula::fmod || f == Formula::remainder);
}

class Grouping {
 public:
  explicit Grouping(Graph& g)
      : g_(g), facts_(g), dependencies_(g), group_of_(g.operations.size()), readers_(g.buffers.size()) {
    for (size_t i = 0; i < group_of_.size(); ++i) {
      group_of_[i] = static_cast<int>(i);
      groups_.push_back({static_cast<int>(i)});
      for_reads(g.operations[i], [&](const View& v) { readers_[v.buffer].push_back(static_cast<int>(i)); });
    }
  }

  void run() {
    for (size_t i = 0; i < g_.operations.size(); ++i) {
      if (!can_fuse(g_.operations[i])) continue;
      for (const View& v : g_.operations[i].inputs)
        if (const int writer = fusible_writer(g_.operations[i], v); writer >= 0)
          try_merge(group_of_[writer], group_of_[i]);
    }
    emit();
  }

 private:
  bool can_fuse(const Operation& op) const {
    if (op.outputs.size() != 1) return false;
    const View& out = op.outputs[0];
    if (!g_.is_whole(out) || numel(out.shape) == 0) return false;
    if (!facts_.is_value(out.buffer) && !writes_back(g_, op)) return false;
    if (const auto* k = op.as<Pointwise>()) return !refuses_zero(*k);
    return op.as<Copy>() != nullptr;
  }

  // The operation that makes what `v` reads, if its elements come in the order in which they are made.
  int fusible_writer(const Operation& op, const View& v) const {
    if (!v.defined() || !g_.is_whole(v)) return -1;
    const int writer = facts_.writer(v.buffer);
    if (writer < 0 || !can_fuse(g_.operations[writer])) return -1;
    const View& made = g_.operations[writer].outputs[0];
    if (!(g_.buffers[made.buffer].device == g_.buffers[op.outputs[0].buffer].device)) return -1;
    return made.dtype == v.dtype && numel(v.shape) == numel(op.outputs[0].shape) ? writer : -1;
  }

  void try_merge(int a, int b) {
    if (a == b || groups_[a].size() + groups_[b].size() > kMostOperations) return;
    if (reaches(a, b) || reaches(b, a)) return;
    std::vector<int> all = groups_[a];
    all.insert(all.end(), groups_[b].begin(), groups_[b].end());
    std::sort(all.begin(), all.end());
    if (outside_inputs(all) > kMostInputs || writes_what_it_reads_elsewhere(all) || reorders(all)) return;
    for (int op : groups_[b]) group_of_[op] = a;
    groups_[a] = std::move(all);
    groups_[b].clear();
  }

  // Whether `to` depends on `from` by way of another group.
  bool reaches(int from, int to) {
    const int oldest = groups_[from].front();
    std::vector<bool> seen(groups_.size());
    std::vector<int> stack;
    auto visit = [&](int group, bool direct) {
      for (int op : groups_[group])
        for (int before : dependencies_.direct(op)) {
          const int next = group_of_[before];
          if (next == group || seen[next] || (direct && next == from)) continue;
          seen[next] = true;
          stack.push_back(next);
        }
    };
    visit(to, true);
    while (!stack.empty()) {
      const int group = stack.back();
      stack.pop_back();
      if (group == from) return true;
      if (groups_[group].back() > oldest) visit(group, false);
    }
    return false;
  }

  size_t outside_inputs(const std::vector<int>& ops) const {
    std::vector<View> views;
    for (int i : ops)
      for (const View& v : g_.operations[i].inputs) {
        const int writer = facts_.writer(v.buffer);
        if (writer >= 0 && std::binary_search(ops.begin(), ops.end(), writer)) continue;
        if (constant_number(g_, facts_, v)) continue;
        if (std::find(views.begin(), views.end(), v) == views.end()) views.push_back(v);
      }
    return views.size();
  }

  // Whether one of them reads what another makes in another order than it is made.
  bool reorders(const std::vector<int>& ops) const {
    for (int i : ops)
      for (const View& v : g_.operations[i].inputs) {
        const int writer = facts_.writer(v.buffer);
        if (writer >= 0 && std::binary_search(ops.begin(), ops.end(), writer) &&
            fusible_writer(g_.operations[i], v) < 0)
          return true;
      }
    return false;
  }

  // An input that the group writes back may be read in it element by element only.
  bool writes_what_it_reads_elsewhere(const std::vector<int>& ops) const {
    for (int w : ops) {
      const View& out = g_.operations[w].outputs[0];
      if (g_.buffers[out.buffer].kind != Buffer::Input) continue;
      for (int r : ops)
        for (const View& v : g_.operations[r].inputs)
          if (v.buffer == out.buffer && !(g_.is_whole(v) && item_size(v.dtype) == item_size(out.dtype)))
            return true;
    }
    return false;
  }

  // The groups in an order that respects dependencies, each where its last operation was if it can be.
  void emit() {
    std::vector<int> waiting(groups_.size());
    std::vector<std::vector<int>> followers(groups_.size());
    for (size_t i = 0; i < g_.operations.size(); ++i)
      for (int before : dependencies_.direct(i)) {
        const int a = group_of_[before], b = group_of_[i];
        if (a == b) continue;
        followers[a].push_back(b);
        ++waiting[b];
      }
    auto later = [&](int a, int b) { return groups_[a].back() > groups_[b].back(); };
    std::priority_queue<int, std::vector<int>, decltype(later)> ready(later);
    for (size_t i = 0; i < groups_.size(); ++i)
      if (!groups_[i].empty() && waiting[i] == 0) ready.push(static_cast<int>(i));
    std::vector<Operation> ordered;
    while (!ready.empty()) {
      const int group = ready.top();
      ready.pop();
      ordered.push_back(operation_of(groups_[group]));
      for (int f : followers[group])
        if (--waiting[f] == 0) ready.push(f);
    }
    g_.operations = std::move(ordered);
  }

  Operation operation_of(const std::vector<int>& ops) {
    const Operation& only = g_.operations[ops[0]];
    // One alone keeps its own kernel, which needs no tiles for operands that lie side by side.
    if (ops.size() == 1) return only;
    FusedBuilder builder(g_, facts_);
    for (int i : ops) builder.add(g_.operations[i]);
    for (int i : ops)
      if (is_seen_outside(i)) builder.store(g_.operations[i].outputs[0]);
    return builder.finish();
  }

  bool is_seen_outside(int i) const {
    const BufferId out = g_.operations[i].outputs[0].buffer;
    if (facts_.is_result(out) || g_.buffers[out].kind == Buffer::Input) return true;
    return std::any_of(readers_[out].begin(), readers_[out].end(),
                       [&](int reader) { return group_of_[reader] != group_of_[i]; });
  }

  Graph& g_;
  const Facts facts_;
  const Dependencies dependencies_;
  std::vector<int> group_of_;
  std::vector<std::vector<int>> readers_;  // of each buffer
  std::vector<std::vector<int>> groups_;   // operations in order; empty when merged into another
};

}  // namespace

void fuse_pointwise(Graph& g) { Grouping(g).run(); }

}  // namespace mlx::jit

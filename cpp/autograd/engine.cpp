#include "autograd/engine.h"

#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "ops.h"
#include "tape/grad_mode.h"

namespace mlx {
namespace {

struct NewestFirst {
  bool operator()(const Ref<Node>& a, const Ref<Node>& b) const { return a->sequence() < b->sequence(); }
};

// Brings a gradient into the shape and dtype that the receiving node expects, and to its device: what was
// broadcast is summed, what was promoted is cast back, what was moved is moved back. The one place for all.
Tensor fit(Tensor grad, const OutputMeta& meta, const Node& from) {
  if (!grad.defined()) return grad;
  if (grad.shape() != meta.shape) {
    Shape joint = grad.shape();
    bool fits = true;
    try {
      fits = broadcast_shapes(joint, meta.shape) == joint;
    } catch (const RuntimeError&) {
      fits = false;
    }
    if (!fits)
      throw RuntimeError("Function ", from.name(), " returned an invalid gradient: got shape ", grad.shape(),
                         " but expected one compatible with ", meta.shape);
    grad = sum_to_size(grad, meta.shape);
  }
  if (grad.dtype() != meta.dtype) {
    if (grad.is_complex() && !is_complex(meta.dtype)) grad = real(grad);
    grad = to(grad, meta.dtype);
  }
  if (grad.device() != meta.device) grad = to(grad, meta.device, meta.dtype);
  return grad;
}

// One run of the engine: how many gradients each node still waits for, and what has arrived.
class Pass {
 public:
  Pass(const BackwardOptions& options, const std::vector<Edge>& targets, bool capture)
      : options_(options), captured_(targets.size()), capture_(capture) {
    for (size_t i = 0; i < targets.size(); ++i) {
      targets_[targets[i].node.get()].push_back({targets[i].output, i});
    }
  }

  static const Pass* current() { return current_; }
  int64_t number() const { return number_; }
  bool reaches(Node* n) const { return waiting_.count(n) && is_wanted(n); }

  void run(const std::vector<Edge>& roots, const TensorList& grads) {
    Running running(this);
    find_dependencies(roots);
    for (size_t i = 0; i < roots.size(); ++i) deliver(roots[i], grads[i]);
    for (auto& edge : roots)
      if (waiting_.count(edge.node.get()) && waiting_[edge.node.get()] == 0) make_ready(edge.node);
    GradModeGuard mode(options_.create_graph);
    while (!ready_.empty()) {
      Ref<Node> node = ready_.top();
      ready_.pop();
      visit(*node);
    }
  }

  TensorList captured() { return std::move(captured_); }

 private:
  // Counts the edges into each node that the roots reach, and with targets marks the nodes on a way to
  // one. Iterative, since chains may be millions of nodes long.
  void find_dependencies(const std::vector<Edge>& roots) {
    std::vector<std::pair<Node*, size_t>> path;  // a node, and how many of its edges were followed
    auto meet = [&](Node* n) {
      if (waiting_.emplace(n, 0).second) path.emplace_back(n, 0);
    };
    for (const Edge& root : roots) {
      meet(root.node.get());
      while (!path.empty()) {
        auto& [node, followed] = path.back();
        if (followed < node->next.size()) {
          Node* next = node->next[followed++].node.get();
          if (!next) continue;
          meet(next);
          ++waiting_[next];
        } else {
          decide(node);
          path.pop_back();
        }
      }
    }
  }

  // Called when everything behind `n` is decided.
  void decide(Node* n) {
    if (targets_.empty()) return;
    bool wanted = targets_.count(n) != 0;
    for (const Edge& e : n->next) wanted |= e.node && wanted_.count(e.node.get());
    if (wanted) wanted_.insert(n);
  }

  bool is_wanted(Node* n) const { return targets_.empty() || wanted_.count(n); }

  void deliver(const Edge& e, const Tensor& grad) {
    Grads& slots = arrived_.try_emplace(e.node.get(), e.node->outputs.size()).first->second;
    Tensor& slot = slots[e.output];
    if (!grad.defined()) return;
    slot = slot.defined() ? sum_of_gradients(slot, grad, false) : grad;
  }

  void make_ready(const Ref<Node>& node) {
    if (!queued_.insert(node.get()).second) return;
    ready_.push(node);
  }

  void visit(Node& node) {
    auto at = arrived_.find(&node);
    Grads grads = at == arrived_.end() ? Grads(node.outputs.size()) : std::move(at->second);
    if (at != arrived_.end()) arrived_.erase(at);
    auto* extras = node.extras_if_any();
    run_pre_hooks(node, extras, grads);
    if (auto target = targets_.find(&node); target != targets_.end() && capture_)
      for (auto [output, slot] : target->second) captured_[slot] = grads[output];
    bool accumulates = node.next.empty() && dynamic_cast<AccumulateGrad*>(&node);
    if (accumulates && (capture_ || !is_wanted(&node))) return;

    bool any = false;
    for (const Tensor& g : grads) any |= g.defined();
    Grads results(node.next.size());
    if (any && is_wanted(&node) && needs_run(node)) {
      fill_missing(node, grads);
      results = call(node, grads);
    }
    if (extras)
      for (size_t i = 0; i < extras->post_hooks.size(); ++i) extras->post_hooks[i].second(results, grads);
    if (!options_.retain_graph) node.release_saved();
    pass_on(node, results);
  }

  void run_pre_hooks(Node& node, Node::Extras* extras, Grads& grads) {
    if (auto* accumulate = dynamic_cast<AccumulateGrad*>(&node)) {
      auto& hooks = autograd_meta(accumulate->leaf()).hooks;
      for (size_t i = 0; i < hooks.size() && grads[0].defined(); ++i)
        if (Tensor changed = hooks[i].second(grads[0]); changed.defined()) grads[0] = changed;
    }
    if (!extras) return;
    for (size_t i = 0; i < extras->pre_hooks.size(); ++i) extras->pre_hooks[i].second(grads);
    for (auto [output, impl] : extras->retained) {
      if (!grads[output].defined()) continue;
      auto& meta = static_cast<AutogradMeta&>(*impl->grad_meta);
      meta.grad = meta.grad.defined() ? sum_of_gradients(meta.grad, grads[output], false) : grads[output];
    }
  }

  // A node whose only successors are unwanted is only passed by.
  bool needs_run(const Node& node) const {
    if (node.next.empty()) return true;
    for (const Edge& e : node.next)
      if (e.node && is_wanted(e.node.get())) return true;
    return false;
  }

  // Rules of ops with one result need no test for a missing gradient; those of several see zeros.
  static void fill_missing(const Node& node, Grads& grads) {
    if (!node.materializes_grads()) return;
    for (size_t i = 0; i < grads.size(); ++i)
      if (!grads[i].defined() && is_inexact(node.outputs[i].dtype))
        grads[i] = zeros(node.outputs[i].shape, node.outputs[i].dtype, node.outputs[i].device);
  }

  uint32_t unwanted_inputs(const Node& node) const {
    uint32_t inputs = 0;
    if (targets_.empty()) return inputs;
    for (size_t i = 0; i < std::min<size_t>(node.next.size(), 32); ++i)
      if (node.next[i].node && !is_wanted(node.next[i].node.get())) inputs |= uint32_t{1} << i;
    return inputs;
  }

  Grads call(Node& node, const Grads& grads) {
    node.set_unwanted(unwanted_inputs(node));
    Grads results;
    try {
      results = node.backward(grads);
    } catch (const Error&) {
      warn_forward_line(node);
      throw;
    }
    if (results.size() < node.next.size()) results.resize(node.next.size());
    if (GradMode::anomaly() && GradMode::anomaly_check_nan()) {
      for (size_t i = 0; i < results.size(); ++i) {
        if (!results[i].defined() || !results[i].is_inexact() || !item(any(isnan(results[i]))).to_bool())
          continue;
        warn_forward_line(node);
        throw RuntimeError("Function '", node.name(), "' returned nan values in its ", i, "th output.");
      }
    }
    return results;
  }

  static void warn_forward_line(const Node& node) {
    auto* extras = node.extras_if_any();
    if (extras && !extras->forward_trace.empty() && Node::report_trace)
      Node::report_trace(node.name(), extras->forward_trace);
  }

  void pass_on(Node& node, Grads& results) {
    for (size_t i = 0; i < node.next.size(); ++i) {
      const Edge& e = node.next[i];
      if (!e.node) continue;
      if (is_wanted(e.node.get())) deliver(e, fit(results[i], e.node->outputs[e.output], node));
      results[i] = {};
      if (--waiting_[e.node.get()] == 0) make_ready(e.node);
    }
  }

  // Makes a pass the current one of its thread, and then the one around it again.
  struct Running {
    explicit Running(const Pass* pass) : around(std::exchange(current_, pass)) {}
    ~Running() { current_ = around; }
    const Pass* around;
  };
  static inline thread_local const Pass* current_ = nullptr;
  static inline std::atomic<int64_t> count_{0};

  const int64_t number_ = count_.fetch_add(1);
  const BackwardOptions options_;
  TensorList captured_;
  bool capture_;
  std::unordered_map<Node*, std::vector<std::pair<uint32_t, size_t>>> targets_;
  std::unordered_set<Node*> wanted_;
  std::unordered_map<Node*, int64_t> waiting_;
  std::unordered_set<Node*> queued_;
  std::unordered_map<Node*, Grads> arrived_;
  std::priority_queue<Ref<Node>, std::vector<Ref<Node>>, NewestFirst> ready_;
};

// The cotangent of a root: as given, or ones (the gradient of the sum).
Tensor cotangent(const Tensor& root, const Tensor& given, size_t i) {
  if (!given.defined()) {
    if (root.is_complex())
      throw RuntimeError("grad can be implicitly created only for real outputs but got ", root.dtype());
    return ones(root.shape(), root.dtype(), root.device());
  }
  if (given.shape() != root.shape())
    throw RuntimeError("Mismatch in shape: grad_output[", i, "] has a shape of ", given.shape(),
                       " and output[", i, "] has a shape of ", root.shape(), ".");
  if (given.is_complex() != root.is_complex())
    throw RuntimeError(
        "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
        "dtype: grad_output[",
        i, "] has a dtype of ", given.dtype(), " and output[", i, "] has a dtype of ", root.dtype(), ".");
  return given;
}

TensorList run(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
               const BackwardOptions& options, bool capture) {
  std::vector<Edge> edges, targets;
  TensorList cotangents;
  for (size_t i = 0; i < roots.size(); ++i) {
    Edge e = gradient_edge(roots[i]);
    if (!e.node)
      throw RuntimeError("element ", i, " of tensors does not require grad and does not have a grad_fn");
    edges.push_back(std::move(e));
    cotangents.push_back(cotangent(roots[i], i < grads.size() ? grads[i] : Tensor(), i));
  }
  for (const Tensor& t : inputs) {
    if (!t.requires_grad()) throw RuntimeError("One of the differentiated Tensors does not require grad");
    targets.push_back(gradient_edge(t));
  }
  Pass pass(options, targets, capture);
  pass.run(edges, cotangents);
  return pass.captured();
}

}  // namespace

int64_t backward_pass() { return Pass::current() ? Pass::current()->number() : -1; }

bool backward_pass_reaches(const Tensor& t) {
  const Pass* pass = Pass::current();
  return pass && pass->reaches(gradient_edge(t).node.get());
}

void run_backward(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
                  const BackwardOptions& options) {
  for (const Tensor& t : inputs)
    if (!is_leaf(t) && !autograd_meta(t).retains_grad) retain_grad(t);
  run(roots, grads, inputs, options, false);
}

TensorList gradients(const TensorList& roots, const TensorList& grads, const TensorList& inputs,
                     const BackwardOptions& options) {
  TensorList out = run(roots, grads, inputs, options, true);
  for (size_t i = 0; i < out.size(); ++i)
    if (!out[i].defined() && !options.allow_unused)
      throw RuntimeError(
          "One of the differentiated Tensors appears to not have been used in the graph. Set "
          "allow_unused=True if this is the desired behavior.");
  return out;
}

Tensor sum_of_gradients(const Tensor& a, const Tensor& b, bool in_place) {
  return in_place ? add_(a, b) : add(a, b);
}

Tensor own_gradient(const Tensor& grad, const Tensor& leaf) {
  // The arriving tensor becomes `.grad` itself when nobody else sees its memory and it is laid out
  // like the leaf; otherwise a copy does.
  bool sole = grad.impl()->ref_count() <= 2 && grad.storage()->ref_count() == 1;
  if (GradMode::enabled()) return grad;
  if (sole && grad.is_contiguous() && leaf.is_contiguous()) return detach(grad);
  return clone(detach(grad));
}

}  // namespace mlx

#pragma once
// record(): how an op that is not pointwise states its gradient, beside its forward code:
//
//   return record("Gather", out, {&input}, [=, index = save(index)](Backward& b) -> Grads {
//     return {scatter_add(zeros(shape), dim, b.get(index), b.grad())};
//   });
//
// The rule is kept (and what it captured) only when an input requires a gradient.

#include <optional>
#include <tuple>

#include "tape/grad_mode.h"
#include "tape/saved_tensor.h"

namespace mlx {

// What a rule sees when it runs.
class Backward {
 public:
  Backward(const Node& node, const Grads& grads) : node_(node), grads_(grads) {}
  // The gradient of output i; undefined when nothing flowed into it (never so for a single output).
  const Tensor& grad(size_t i = 0) const { return grads_[i]; }
  TensorList grads() const { return {grads_.begin(), grads_.end()}; }
  // Whether the gradient of input i is wanted.
  bool needs(size_t i) const { return node_.needs(i); }
  Tensor get(const SavedTensor& saved) const { return saved.get(node_); }

 private:
  const Node& node_;
  const Grads& grads_;
};

inline bool recording(std::initializer_list<const Tensor*> inputs) {
  if (!GradMode::enabled()) return false;
  for (const Tensor* t : inputs)
    if (t->defined() && t->requires_grad()) return true;
  return false;
}

inline bool recording(const TensorList& inputs) {
  if (!GradMode::enabled()) return false;
  for (const Tensor& t : inputs)
    if (t.defined() && t.requires_grad()) return true;
  return false;
}

[[noreturn]] void throw_released(const Node& node);

template <class Rule>
class RuleNode : public Node {
 public:
  // `name` without "Backward0", or, where PyTorch counts several, with its number.
  RuleNode(const char* name, Rule rule) : name_(name), rule_(std::move(rule)) {}
  std::string kind() const override {
    return std::string_view(name_).find("Backward") == std::string_view::npos ? str(name_, "Backward0")
                                                                              : name_;
  }
  Grads backward(const Grads& grads) override {
    if (!rule_) throw_released(*this);
    Backward b(*this, grads);
    return (*rule_)(b);
  }
  void release_saved() override { rule_.reset(); }

 private:
  const char* name_;
  std::optional<Rule> rule_;
};

template <class Rule>
Ref<Node> rule_node(const char* name, Rule&& rule) {
  Keeping keeping;
  return Ref<Node>(new RuleNode<std::decay_t<Rule>>(name, std::forward<Rule>(rule)));
}

// Makes `outputs` the results of `node`, which has `inputs`.
void connect(const Ref<Node>& node, std::span<const Tensor* const> outputs,
             std::span<const Tensor* const> inputs);

template <class Rule>
Tensor record(const char* name, const Tensor& out, std::initializer_list<const Tensor*> inputs, Rule&& rule) {
  if (!recording(inputs)) return out;
  Ref<Node> node = rule_node(name, std::forward<Rule>(rule));
  const Tensor* outputs[] = {&out};
  connect(node, outputs, {inputs.begin(), inputs.size()});
  return out;
}

template <class Rule>
void record_all(const char* name, std::initializer_list<const Tensor*> outputs,
                std::initializer_list<const Tensor*> inputs, Rule&& rule) {
  if (!recording(inputs)) return;
  Ref<Node> node = rule_node(name, std::forward<Rule>(rule));
  connect(node, {outputs.begin(), outputs.size()}, {inputs.begin(), inputs.size()});
}

template <class Rule>
void record_all(const char* name, const TensorList& outputs, const Tensor& input, Rule&& rule) {
  if (!recording({&input})) return;
  Ref<Node> node = rule_node(name, std::forward<Rule>(rule));
  std::vector<const Tensor*> pointers;
  for (const Tensor& t : outputs) pointers.push_back(&t);
  const Tensor* inputs[] = {&input};
  connect(node, pointers, inputs);
}

template <class Rule>
Tensor record(const char* name, const Tensor& out, const TensorList& inputs, Rule&& rule) {
  if (!recording(inputs)) return out;
  Ref<Node> node = rule_node(name, std::forward<Rule>(rule));
  std::vector<const Tensor*> pointers;
  for (const Tensor& t : inputs) pointers.push_back(&t);
  const Tensor* outputs[] = {&out};
  connect(node, outputs, pointers);
  return out;
}

// Gives the node of a composite's result a name, if the composite made one.
class NodeLabel {
 public:
  explicit NodeLabel(const char* name) : name_(name), since_(Node::next_sequence()) {}
  Tensor label(Tensor result) const;
  template <class... Rest>
  std::tuple<Tensor, Rest...> label(std::tuple<Tensor, Rest...> results) const {
    label(std::get<0>(results));
    return results;
  }

 private:
  const char* name_;
  uint64_t since_;
};

// Makes `view` a differentiable view of `base`, so that writes to either show in the other's history.
Tensor as_view_of(const Tensor& base, Tensor view);

template <class Rule>
Tensor record_view(const char* name, const Tensor& base, const Tensor& view, Rule&& rule) {
  return record(name, as_view_of(base, view), {&base}, std::forward<Rule>(rule));
}

}  // namespace mlx

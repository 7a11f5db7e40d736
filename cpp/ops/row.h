#pragma once
// OP("schema"): one row of the op table. From the schema come the C++ declaration (ops.h), the
// Python function, method, in-place and out= forms, the stub and the reference; cmake/generate_ops.py
// reads it. A row is either the name of a function defined below it, or a pointwise op, which needs
// no function: it names its formula and the gradient of each operand.
//
//   OP("mul(Operand input, Operand other) -> Tensor")
//       .pointwise(Formula::mul)
//       .gradient<0>([](const Tensor& g, In<1> other) { return g * conj(other); })
//       .gradient<1>([](const Tensor& g, In<0> input) { return g * conj(input); });
//
// A gradient rule's parameters say what is kept for it: In<i> (operand i), Out (the result),
// Param<i> (the i-th number after the operands).

#include "backends/kernels.h"
#include "tape/record.h"

namespace mlx {

template <int I>
struct In : Tensor {
  explicit In(Tensor t) : Tensor(std::move(t)) {}
};
struct Out : Tensor {
  explicit Out(Tensor t) : Tensor(std::move(t)) {}
};
template <int I>
struct Param : Scalar {
  explicit Param(const Scalar& s) : Scalar(s) {}
};

inline constexpr int kMaxOperands = 4;
inline constexpr uint8_t kReadsOut = 1 << 7;

template <int I>
constexpr uint8_t reads(In<I>*) {
  return 1 << I;
}
constexpr uint8_t reads(Out*) { return kReadsOut; }
template <int I>
constexpr uint8_t reads(Param<I>*) {
  return 0;
}

class PointwiseNode;

enum class Promote : uint8_t { None, Float };  // Float: integers become the default float type

class Row {
 public:
  constexpr explicit Row(const char* name) : name_(name) {}
  // The row that was declared with this schema.
  static Row& of(const char* schema);

  Row& pointwise(Formula formula, Result result = Result::Same) {
    formula_ = formula;
    result_ = result;
    return *this;
  }
  Row& to_float() {
    promote_ = Promote::Float;
    return *this;
  }
  // Beside half types, a Python number is read at full precision; other ops round it to the tensors' dtype.
  Row& keeps_numbers() {
    rounds_numbers_ = false;
    return *this;
  }
  // A Python number must fit into the dtype; in arithmetic it may wrap around or become infinite.
  Row& fits_numbers() {
    fits_numbers_ = true;
    return *this;
  }
  // PyTorch defines the op for numbers only.
  Row& refuse_bool() {
    takes_bool_ = false;
    return *this;
  }
  template <int I, class Rule>
  Row& gradient(Rule) {
    gradients_[I] = GradientRule::of<Rule>();
    return *this;
  }
  // What PyTorch calls the node of a result, where that is not the op's name in camel case (of a pointwise
  // op), or another than that of the last op that a composite calls.
  Row& node(const char* name) {
    node_ = name;
    return *this;
  }
  // Options that the generator reads from the text of the row:
  Row& inplace() { return *this; }           // a form that ends in _ (pointwise ops have one anyway)
  Row& alias(const char*) { return *this; }  // another name for the same op

  struct GradientRule {
    Tensor (*apply)(const Tensor& g, const PointwiseNode& node) = nullptr;
    uint8_t reads = 0;  // what to keep: bit i for operand i, kReadsOut for the result

    template <class Rule>
    static GradientRule of() {
      return from<Rule>(&Rule::operator());
    }

   private:
    template <class Rule, class... Reads>
    static GradientRule from(Tensor (Rule::*)(const Tensor&, Reads...) const);
  };

  const char* name() const { return name_; }
  // The op that users call: _add is the primitive under add.
  const char* public_name() const { return name_[0] == '_' ? name_ + 1 : name_; }
  const char* node() const { return node_; }
  Formula formula() const { return formula_; }
  Result result() const { return result_; }
  Promote promote() const { return promote_; }
  bool takes_bool() const { return takes_bool_; }
  bool rounds_numbers() const { return rounds_numbers_; }
  bool fits_numbers() const { return fits_numbers_; }
  const GradientRule& gradient_rule(size_t i) const { return gradients_[i]; }

 private:
  const char* name_;
  const char* node_ = nullptr;
  Formula formula_{};
  Result result_ = Result::Same;
  Promote promote_ = Promote::None;
  bool takes_bool_ = true;
  bool rounds_numbers_ = true;
  bool fits_numbers_ = false;
  GradientRule gradients_[kMaxOperands];
};

// The tape's node of a pointwise op.
class PointwiseNode : public Node {
 public:
  explicit PointwiseNode(const Row& row) : row_(row) {}
  std::string kind() const override;
  Grads backward(const Grads& grads) override;
  void release_saved() override;
  void keep(std::span<const Tensor* const> operands, std::span<const Scalar> params, const Tensor& out);

  template <int I>
  In<I> read(In<I>*) const {
    return In<I>(saved_[I].get(*this));
  }
  Out read(Out*) const { return Out(out_.get(*this)); }
  template <int I>
  Param<I> read(Param<I>*) const {
    return Param<I>(params_[I]);
  }

 private:
  const Row& row_;
  SmallVector<SavedTensor, 2> saved_;
  SavedTensor out_;
  SmallVector<Scalar, 2> params_;
  bool released_ = false;
};

template <class Rule, class... Reads>
Row::GradientRule Row::GradientRule::from(Tensor (Rule::*)(const Tensor&, Reads...) const) {
  GradientRule rule;
  rule.apply = [](const Tensor& g, const PointwiseNode& node) {
    return Rule{}(g, node.read(static_cast<std::decay_t<Reads>*>(nullptr))...);
  };
  rule.reads = (uint8_t{0} | ... | mlx::reads(static_cast<std::decay_t<Reads>*>(nullptr)));
  return rule;
}

#define MLX_JOIN_(a, b) a##b
#define MLX_JOIN(a, b) MLX_JOIN_(a, b)
// At namespace scope in a source file of this room. The schema's text is the key of the row.
#define OP(schema) \
  [[maybe_unused]] static const ::mlx::Row& MLX_JOIN(op_row_, __COUNTER__) = ::mlx::Row::of(schema)

}  // namespace mlx

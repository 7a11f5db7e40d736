// Pointwise programs that read what a product makes become the product's last part: a bias, an activation or
// a residual is applied to each element before it is written.

#include "jit/facts.h"
#include "jit/passes/fused_builder.h"
#include "jit/passes/passes.h"

namespace mlx::jit {
namespace {

bool is_product(const Operation& op) {
  if (op.outputs.empty() || !is_floating(op.outputs[0].dtype)) return false;
  const auto* convolution = op.as<Convolution>();
  return op.as<MatMul>() || (convolution && convolution->kind != Convolution::WeightGrad);
}

// The program of a chain, which is given another first input: the elements of a product.
class Ending {
 public:
  // `value` is what the product makes.
  Ending(const Operation& product, const Operation& chain)
      : value_(product.outputs[0]), chain_(chain), old_(*chain.fused) {
    const DType type = value_.dtype, sum = compute_type(type);
    const bool adds = product.inputs.size() > 2;
    add_input(View(), adds ? sum : type);
    if (adds) addend_ = add_input(addend_of(product), sum);
    take_inputs();
    // The old registers follow in their order, then those that are new.
    const size_t old_inputs = old_.inputs.size();
    shift_ = static_cast<int16_t>(program_.inputs.size()) - static_cast<int16_t>(old_inputs);
    program_.registers = static_cast<int16_t>(old_.registers + shift_);
    program_.constants = old_.constants;
    program_.elements = old_.elements;
    program_.shape = value_.shape;
    product_ = adds ? sum_with_addend(sum, type) : int16_t{0};
    take_steps();
  }

  // The operation in the place of both; with `keep`, the product's value is an output too.
  Operation finish(const Operation& product, bool keep) && {
    std::vector<View> outputs = chain_.outputs;
    if (keep) {
      program_.stores.push_back({product_, value_.dtype, static_cast<uint8_t>(outputs.size())});
      outputs.push_back(value_);
    }
    std::vector<View> inputs{product.inputs[0], product.inputs[1]};
    inputs.insert(inputs.end(), inputs_.begin() + 1, inputs_.end());
    auto p = std::make_shared<FusedProgram>(std::move(program_));
    const auto* convolution = product.as<Convolution>();
    Operation op = convolution ? make_operation(FusedConvolution{p.get(), *convolution}, outputs, inputs)
                               : make_operation(FusedMatMul{p.get()}, outputs, inputs);
    op.fused = std::move(p);
    return op;
  }

 private:
  // The third input of a product with the strides of its broadcast.
  static View addend_of(const Operation& product) {
    const View &addend = product.inputs[2], &out = product.outputs[0];
    if (product.as<MatMul>()) return broadcast(addend, out.shape);
    View bias = addend;  // a number a channel
    bias.shape = out.shape;
    bias.strides = Shape(out.shape.size(), 0);
    bias.strides[1] = addend.strides[0];
    return bias;
  }

  int16_t add_input(const View& v, DType as) {
    inputs_.push_back(v);
    program_.inputs.push_back(as);
    return static_cast<int16_t>(inputs_.size() - 1);
  }

  void take_inputs() {
    for (size_t i = 0; i < old_.inputs.size(); ++i)
      places_.push_back(chain_.inputs[i].buffer == value_.buffer
                            ? int16_t{-1}
                            : add_input(chain_.inputs[i], old_.inputs[i]));
  }

  int16_t add_step(FusedProgram::Step step) {
    step.result = program_.registers++;
    program_.steps.push_back(step);
    return step.result;
  }

  int16_t converted(int16_t from, DType type, DType to) {
    return type == to ? from : add_step({FusedProgram::Step::Convert, {}, type, to, {from}});
  }

  int16_t sum_with_addend(DType sum, DType type) {
    FusedProgram::Step add{FusedProgram::Step::Apply, Formula::add, sum, sum, {0, addend_}};
    add.argument_count = 2;
    return converted(add_step(add), sum, type);
  }

  // The steps of the old program, on the new registers.
  void take_steps() {
    for (size_t i = 0; i < places_.size(); ++i)
      if (places_[i] < 0) places_[i] = converted(product_, value_.dtype, old_.inputs[i]);
    auto moved = [&](int16_t r) {
      return static_cast<size_t>(r) < places_.size() ? places_[r] : static_cast<int16_t>(r + shift_);
    };
    for (FusedProgram::Step step : old_.steps) {
      for (int a = 0; a < step.argument_count; ++a) step.arguments[a] = moved(step.arguments[a]);
      step.result = moved(step.result);
      program_.steps.push_back(step);
    }
    for (FusedProgram::Store store : old_.stores) {
      store.from = moved(store.from);
      program_.stores.push_back(store);
    }
  }

  const View& value_;
  const Operation& chain_;
  const FusedProgram& old_;
  FusedProgram program_;
  std::vector<View> inputs_;     // of the program
  std::vector<int16_t> places_;  // the registers that hold the old inputs
  int16_t addend_ = -1, product_ = 0, shift_ = 0;
};

class Endings {
 public:
  explicit Endings(Graph& g) : g_(g), facts_(g), gone_(g.operations.size()) {}

  void run() {
    for (size_t i = 0; i < g_.operations.size(); ++i)
      if (const int product = product_before(i); product >= 0) join(product, static_cast<int>(i));
    drop_operations(g_, gone_);
  }

 private:
  bool is_chain(const Operation& op) const {
    const auto* k = op.as<Pointwise>();
    return op.as<Fused>() || (k && !is_integral(k->compute) && g_.is_whole(op.outputs[0]));
  }

  // The last product whose elements the chain reads, each where it is made; -1 if there is none that may run
  // as late as the chain.
  int product_before(size_t chain) const {
    const Operation& op = g_.operations[chain];
    if (!is_chain(op)) return -1;
    int last = -1;
    for (const View& v : op.inputs)
      if (const int writer = v.defined() ? facts_.writer(v.buffer) : -1;
          writer > last && !gone_[writer] && is_product(g_.operations[writer]))
        last = writer;
    if (last < 0) return -1;
    const View& made = g_.operations[last].outputs[0];
    for (const View& v : op.inputs)
      if (v.buffer == made.buffer && !reads_in_order(v, made)) return -1;
    if (numel(op.outputs[0].shape) != numel(made.shape) || numel(made.shape) == 0) return -1;
    if (!(g_.buffers[op.outputs[0].buffer].device == g_.buffers[made.buffer].device)) return -1;
    return can_wait(last, static_cast<int>(chain)) ? last : -1;
  }

  bool reads_in_order(const View& v, const View& made) const {
    return g_.is_whole(v) && v.dtype == made.dtype && numel(v.shape) == numel(made.shape);
  }

  // Whether nothing between the two needs the product's value, and neither that nor the chain changes what it
  // is made of.
  bool can_wait(int product, int chain) const {
    const Operation& op = g_.operations[product];
    bool can = true;
    for (int i = product + 1; i <= chain; ++i) {
      if (i < chain)
        for_reads(g_.operations[i], [&](const View& v) { can &= v.buffer != op.outputs[0].buffer; });
      for_writes(g_.operations[i], [&](const View& v) {
        for (const View& in : op.inputs) can &= v.buffer != in.buffer;
      });
    }
    return can;
  }

  void join(int product, int chain) {
    const Operation& op = g_.operations[product];
    const BufferId value = op.outputs[0].buffer;
    Operation& last = g_.operations[chain];
    if (!last.fused) {
      FusedBuilder builder(g_, facts_);
      builder.add(last);
      builder.store(last.outputs[0]);
      last = builder.finish();
    }
    int reads = 0;
    for (const View& v : last.inputs) reads += v.buffer == value;
    const bool keep = facts_.reads(value) > reads || facts_.is_result(value);
    last = Ending(op, last).finish(op, keep);
    gone_[product] = true;
  }

  Graph& g_;
  const Facts facts_;
  std::vector<bool> gone_;
};

}  // namespace

void fuse_products(Graph& g) { Endings(g).run(); }

}  // namespace mlx::jit

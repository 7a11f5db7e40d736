#include "jit/passes/fused_builder.h"

namespace mlx::jit {

View broadcast(View v, const Shape& shape) {
  Shape strides(shape.size());
  const size_t lead = shape.size() - v.shape.size();
  for (size_t d = 0; d < v.shape.size(); ++d) strides[lead + d] = v.shape[d] == 1 ? 0 : v.strides[d];
  v.shape = shape;
  v.strides = strides;
  return v;
}

FusedBuilder::Value FusedBuilder::read(const View& v, const Shape& shape, DType as) {
  if (auto made = made_.find(v.buffer); made != made_.end()) return converted(made->second, as);
  if (auto number = constant_number(g_, facts_, v)) return constant(*number, as);
  const View whole = broadcast(v, shape);
  for (size_t i = 0; i < inputs_.size(); ++i)
    if (inputs_[i] == whole && input_types_[i] == as) return {{Register::Input, static_cast<int>(i)}, as};
  inputs_.push_back(whole);
  input_types_.push_back(as);
  return {{Register::Input, static_cast<int>(inputs_.size()) - 1}, as};
}

FusedBuilder::Value FusedBuilder::constant(const Scalar& value, DType type) {
  constants_.push_back({value, type});
  return {{Register::Constant, static_cast<int>(constants_.size()) - 1}, type};
}

FusedBuilder::Value FusedBuilder::converted(Value v, DType to) {
  if (v.type == to) return v;
  auto [at, made] = conversions_.try_emplace({v.at, to});
  if (!made) return at->second;
  FusedProgram::Step step{FusedProgram::Step::Convert, {}, v.type, to};
  const Value out{{Register::Temporary, new_temporary()}, to};
  steps_.push_back({step, {v.at}, out.at.number});
  return at->second = out;
}

void FusedBuilder::add(const Operation& op) {
  const View& out = op.outputs[0];
  elements_ = numel(out.shape);
  const auto* k = op.as<Pointwise>();
  if (!k) {  // Copy
    made_[out.buffer] = read(op.inputs[0], out.shape, out.dtype);
    return;
  }
  const DType natural = result_type(k->result, k->compute);
  FusedProgram::Step step{FusedProgram::Step::Apply, k->formula, k->compute, natural};
  std::vector<Register> arguments;
  for (const View& v : op.inputs) arguments.push_back(read(v, out.shape, k->compute).at);
  for (int i = 0; i < k->param_count; ++i) arguments.push_back(constant(k->params[i], k->compute).at);
  step.argument_count = static_cast<uint8_t>(arguments.size());
  const Value result{{Register::Temporary, new_temporary()}, natural};
  steps_.push_back({step, std::move(arguments), result.at.number});
  made_[out.buffer] = converted(result, out.dtype);
}

void FusedBuilder::store(const View& out) {
  outputs_.push_back(out);
  stored_.push_back(made_.at(out.buffer));
}

// Gives temporaries registers, each free again after its last use, behind those of inputs and constants.
void FusedBuilder::number_registers(FusedProgram& p) {
  const int first = static_cast<int>(inputs_.size() + constants_.size());
  std::vector<int> last_use(static_cast<size_t>(temporaries_), -1);
  const int end = static_cast<int>(steps_.size());
  for (int s = 0; s < end; ++s)
    for (Register r : steps_[s].arguments)
      if (r.kind == Register::Temporary) last_use[r.number] = s;
  auto keep = [&](const Value& v) {
    if (v.at.kind == Register::Temporary) last_use[v.at.number] = end;
  };
  for (const Value& v : stored_) keep(v);
  if (value_) keep(*value_);

  std::vector<int16_t> place(static_cast<size_t>(temporaries_));
  std::vector<int16_t> free;
  int16_t count = static_cast<int16_t>(first);
  auto number = [&](Register r) -> int16_t {
    if (r.kind == Register::Input) return static_cast<int16_t>(r.number);
    if (r.kind == Register::Constant) return static_cast<int16_t>(inputs_.size() + r.number);
    return place[r.number];
  };
  for (int s = 0; s < end; ++s) {
    Step& step = steps_[s];
    for (size_t a = 0; a < step.arguments.size(); ++a) step.step.arguments[a] = number(step.arguments[a]);
    // The result's register is taken before those of the arguments are free: its elements may be wider.
    if (free.empty()) free.push_back(count++);
    place[step.result] = free.back();
    free.pop_back();
    for (size_t a = 0; a < step.arguments.size(); ++a) {
      const Register r = step.arguments[a];
      const bool again =
          std::find(step.arguments.begin(), step.arguments.begin() + a, r) != step.arguments.begin() + a;
      if (r.kind == Register::Temporary && last_use[r.number] == s && !again) free.push_back(place[r.number]);
    }
    if (last_use[step.result] < 0) free.push_back(place[step.result]);
    step.step.result = place[step.result];
    p.steps.push_back(step.step);
  }
  p.registers = count;
  for (size_t i = 0; i < stored_.size(); ++i)
    p.stores.push_back({number(stored_[i].at), stored_[i].type, static_cast<uint8_t>(first_output_ + i)});
  if (value_) p.value = number(value_->at);
}

std::shared_ptr<FusedProgram> FusedBuilder::program() {
  auto p = std::make_shared<FusedProgram>();
  p->inputs = input_types_;
  p->constants = constants_;
  p->elements = elements_;
  number_registers(*p);
  return p;
}

Operation FusedBuilder::finish() {
  auto p = program();
  Operation op = make_operation(Fused{p.get()}, outputs_, inputs_);
  op.fused = std::move(p);
  return op;
}

Chain FusedBuilder::finish(const View& value, DType type, size_t first_output) {
  value_ = converted(made_.at(value.buffer), type);
  first_output_ = first_output;
  auto p = program();
  p->shape = value.shape;
  return {std::move(p), outputs_, inputs_};
}

bool is_chain(const Operation& op) {
  if (op.as<Fused>()) return true;
  const auto* k = op.as<Pointwise>();
  return k && !is_integral(k->compute);
}

Chain chain_of(const Graph& g, const Facts& facts, const Operation& op, const View& value, DType type,
               bool keep, size_t first_output) {
  if (!op.as<Fused>()) {
    FusedBuilder builder(g, facts);
    builder.add(op);
    if (keep) builder.store(op.outputs[0]);
    return builder.finish(value, type, first_output);
  }
  Chain chain{std::make_shared<FusedProgram>(*op.fused), {}, op.inputs};
  FusedProgram& p = *chain.program;
  std::vector<FusedProgram::Store> stores;
  for (const FusedProgram::Store& s : p.stores) {
    const View& out = op.outputs[s.output];
    if (out.buffer == value.buffer) {
      p.value = s.from;
      if (!keep) continue;
    }
    stores.push_back({s.from, s.type, static_cast<uint8_t>(first_output + chain.outputs.size())});
    chain.outputs.push_back(out);
  }
  p.stores = std::move(stores);
  p.shape = value.shape;
  if (type == value.dtype) return chain;
  FusedProgram::Step step{FusedProgram::Step::Convert, {}, value.dtype, type, {p.value}};
  step.result = p.registers++;
  p.steps.push_back(step);
  p.value = step.result;
  return chain;
}

}  // namespace mlx::jit

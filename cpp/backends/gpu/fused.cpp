// Programs of the compiler: each becomes the text of one kernel.

#include "backends/fused.h"

#include <set>

#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

DType as_computed(DType t) { return t == DType::Bool ? DType::UInt8 : t; }

// The program as arithmetic; false if a formula has no text. `y`s are the program's stores in their order.
bool write_out(const FusedProgram& p, Arithmetic& out) {
  std::set<std::string> functions;
  std::vector<std::string> held(static_cast<size_t>(p.registers));
  for (size_t i = 0; i < p.inputs.size() + p.constants.size(); ++i) held[i] = str("x", i);
  int step = 0;
  for (const FusedProgram::Step& s : p.steps) {
    std::string value;
    if (s.kind == FusedProgram::Step::Convert) {
      value = str("convert<", type_text(s.to), ">(", held[s.arguments[0]], ")");
    } else {
      const FormulaText& formula = formula_text(s.formula, s.from);
      if (formula.text.empty()) return false;
      functions.insert(formula.text);
      for (int a = 0; a < s.argument_count; ++a)
        // A register of truth values is computed with as bytes.
        value +=
            str(a ? ", " : "", "convert<", type_text(as_computed(s.from)), ">(", held[s.arguments[a]], ")");
      value = str("formula_", name(s.formula), "(", value, ")");
    }
    out.statements +=
        str("    const ", type_text(s.to), " s", step, " = convert<", type_text(s.to), ">(", value, ");\n");
    held[s.result] = str("s", step++);
  }
  for (size_t i = 0; i < p.stores.size(); ++i)
    out.statements += str("    const auto y", i, " = ", held[p.stores[i].from], ";\n");
  if (p.value >= 0) out.statements += str("    const auto y", p.stores.size(), " = ", held[p.value], ";\n");
  for (const std::string& f : functions) out.functions += f;
  return true;
}

bool has_types(const FusedProgram& p) {
  for (const auto& s : p.steps)
    if (!has_type(s.from) || !has_type(s.to)) return false;
  return true;
}

// The name under which the arithmetic is known: everything about the program but the operands' layouts.
std::string name_of(const FusedProgram& p) {
  std::string name = str("fused ", p.inputs.size(), ' ', p.constants.size());
  for (const auto& s : p.steps) {
    name += str(';', int(s.kind), ' ', int(s.formula), ' ', int(s.from), ' ', int(s.to), ' ', s.result);
    for (int a = 0; a < s.argument_count; ++a) name += str(' ', s.arguments[a]);
  }
  for (const auto& s : p.stores) name += str('>', s.from, ' ', int(s.output));
  name += str('=', p.value);
  return name;
}

// Operands have the same elements, but maybe in different shapes: finds the first of these in which all can
// be seen, and their strides in it.
bool common_layout(const Launch& launch, const FusedProgram& p, Shape& shape, std::vector<Shape>& strides) {
  std::vector<const Tensor*> operands(launch.inputs.begin(), launch.inputs.begin() + p.inputs.size());
  for (const auto& s : p.stores) operands.push_back(&launch.out(s.output));
  if (operands.empty()) operands.push_back(&launch.out());
  strides.resize(operands.size());
  for (const Tensor* candidate : operands) {
    shape = candidate->shape();
    size_t seen = 0;
    while (seen < operands.size() &&
           view_strides(operands[seen]->shape(), operands[seen]->strides(), shape, strides[seen]))
      ++seen;
    if (seen == operands.size()) return true;
  }
  return false;
}

// Runs the program; `value`, if there is one, takes what a reduction will read.
bool run_program(const FusedProgram& p, const Launch& launch, const Tensor* value, DType value_type,
                 Runtime& runtime) {
  if (!has_types(p)) return false;
  Arithmetic arithmetic;
  if (!write_out(p, arithmetic)) return false;
  Shape shape;
  std::vector<Shape> strides;
  if (!common_layout(launch, p, shape, strides)) return false;
  Elementwise kernel(runtime, "fused", shape);
  size_t at = 0;
  for (size_t i = 0; i < p.inputs.size(); ++i) kernel.input(launch.in(i), strides[at++], p.inputs[i]);
  for (const auto& c : p.constants) kernel.value(c.value, c.type);
  for (const auto& s : p.stores) kernel.output(launch.out(s.output), strides[at++], s.type);
  if (value) kernel.output(*value, contiguous_strides(shape), value_type);
  return kernel.run(name_of(p), [&] { return arithmetic; });
}

bool fused(const Fused& k, const Launch& launch, Runtime& runtime) {
  return run_program(*k.program, launch, nullptr, {}, runtime);
}

// The type of the value that a reduction reads: that of the last step that wrote its register.
DType value_type(const FusedProgram& p) {
  DType type = DType::Float32;
  const size_t inputs = p.inputs.size(), at = static_cast<size_t>(p.value);
  if (at < inputs)
    type = p.inputs[at];
  else if (at < inputs + p.constants.size())
    type = p.constants[at - inputs].type;
  for (const auto& s : p.steps)
    if (s.result == p.value) type = s.to;
  return type;
}

// A program, then a reduction of what it computed.
bool fused_reduce(const FusedReduce& k, const Launch& launch, Runtime& runtime) {
  const FusedProgram& p = *k.program;
  const DType type = value_type(p);
  // Without operands there is no shape to run the program in.
  if (!has_type(type) || (p.inputs.empty() && p.stores.empty())) return false;
  const Tensor value = allocate(p.shape, type, launch.out().device());
  if (!run_program(p, launch, &value, type, runtime)) return false;
  const Tensor *outputs[] = {&launch.out()}, *inputs[] = {&value};
  backend(launch.out().device().type)
      .run({kernel_number<Reduce>(), &k.reduce, sizeof k.reduce, outputs, inputs});
  return true;
}

GPU_KERNEL(Fused, fused);
GPU_KERNEL(FusedReduce, fused_reduce);

}  // namespace
}  // namespace mlx::gpu

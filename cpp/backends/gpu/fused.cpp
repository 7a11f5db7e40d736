// Programs of the compiler: each becomes the text of one kernel.

#include "backends/fused.h"

#include <set>

#include "backends/gpu/elementwise.h"

namespace mlx::gpu {
namespace {

DType as_computed(DType t) { return t == DType::Bool ? DType::UInt8 : t; }

// The program as arithmetic. `y`s are the program's stores in their order.
Arithmetic arithmetic_of(const FusedProgram& p) {
  Arithmetic out;
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
  return out;
}

// Whether the language has the types and the formulas.
bool can_be_written(const FusedProgram& p) {
  for (const auto& s : p.steps) {
    if (!has_type(s.from) || !has_type(s.to)) return false;
    if (s.kind == FusedProgram::Step::Apply && formula_text(s.formula, s.from).text.empty()) return false;
  }
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

// The operand's elements, in the same order, as a tensor of another shape; a copy if no strides do that.
Tensor reshaped(const Tensor& t, const Shape& shape) {
  if (t.shape() == shape) return t;
  Shape strides;
  if (view_strides(t.shape(), t.strides(), shape, strides)) return view_of(t, shape, strides, t.offset());
  const Tensor copy = allocate(t.shape(), t.dtype(), t.device());
  const Tensor *outputs[] = {&copy}, *inputs[] = {&t};
  constexpr Copy kCopy;
  backend(t.device().type).run({kernel_number<Copy>(), &kCopy, sizeof kCopy, outputs, inputs});
  return view_of(copy, shape, contiguous_strides(shape), 0);
}

// Runs the program over elements of this shape; `value`, if there is one, takes what a reduction will read.
bool run_program(const FusedProgram& p, const Launch& launch, const Shape& shape, const Tensor* value,
                 DType value_type, Runtime& runtime) {
  if (!can_be_written(p)) return false;
  // The operations that were fused may have seen the elements in different shapes.
  std::vector<Tensor> operands;
  operands.reserve(p.inputs.size() + p.stores.size());
  Elementwise kernel(runtime, "fused", shape);
  for (size_t i = 0; i < p.inputs.size(); ++i) {
    operands.push_back(launch.in(i).device().type == DeviceType::CPU ? launch.in(i)
                                                                     : reshaped(launch.in(i), shape));
    kernel.input(operands.back(), operands.back().strides(), p.inputs[i]);
  }
  for (const auto& c : p.constants) kernel.value(c.value, c.type);
  for (const auto& s : p.stores) {
    operands.push_back(reshaped(launch.out(s.output), shape));
    kernel.output(operands.back(), operands.back().strides(), s.type);
  }
  if (value) kernel.output(*value, value->strides(), value_type);
  return kernel.run(name_of(p), [&] { return arithmetic_of(p); });
}

bool fused(const Fused& k, const Launch& launch, Runtime& runtime) {
  return run_program(*k.program, launch, launch.out().shape(), nullptr, {}, runtime);
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
  const Shape& shape = p.inputs.empty() ? p.shape : launch.in(0).shape();
  if (!has_type(type)) return false;
  const Tensor value = allocate(shape, type, launch.out().device());
  if (!run_program(p, launch, shape, &value, type, runtime)) return false;
  const Tensor seen = view_of(value, p.shape, contiguous_strides(p.shape), 0);
  const Tensor *outputs[] = {&launch.out()}, *inputs[] = {&seen};
  backend(launch.out().device().type)
      .run({kernel_number<Reduce>(), &k.reduce, sizeof k.reduce, outputs, inputs});
  return true;
}

GPU_KERNEL(Fused, fused);
GPU_KERNEL(FusedReduce, fused_reduce);

}  // namespace
}  // namespace mlx::gpu

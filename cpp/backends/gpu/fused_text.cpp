#include "backends/gpu/fused_text.h"

#include <set>

namespace mlx::gpu {
namespace {

DType as_computed(DType t) { return t == DType::Bool ? DType::UInt8 : t; }

}  // namespace

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

bool can_be_written(const FusedProgram& p) {
  for (const auto& s : p.steps) {
    if (!has_type(s.from) || !has_type(s.to)) return false;
    if (s.kind == FusedProgram::Step::Apply && formula_text(s.formula, s.from).text.empty()) return false;
  }
  return true;
}

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

}  // namespace mlx::gpu

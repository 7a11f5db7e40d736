#include "backends/gpu/formula_text.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <type_traits>
#include <utility>

#include "backends/fused.h"
#include "backends/gpu/expr.h"
#include "backends/gpu/kernel_text.h"
#include "base/error.h"
#include "formulas/activation.h"
#include "formulas/arithmetic.h"
#include "formulas/bitwise.h"
#include "formulas/comparison.h"
#include "formulas/complex.h"
#include "formulas/exponential.h"
#include "formulas/rounding.h"
#include "formulas/special.h"
#include "formulas/trigonometric.h"

namespace mlx::gpu {

thread_local Statements* Statements::current = nullptr;

const char* type_text(DType t) {
  constexpr const char* names[kDTypeCount] = {"bool", "uchar",  "char",  "short", "int",       "long",
                                              "half", "bfloat", "float", nullptr, "complex64", nullptr};
  return names[static_cast<int>(t)];
}

bool has_type(DType t) { return type_text(t) != nullptr; }

std::string literal(DType t, double value) {
  if (is_complex(t)) return "complex64(" + literal(DType::Float32, value) + ", 0.0f)";
  if (!is_floating(t)) return std::to_string(static_cast<int64_t>(value));
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value > 0 ? "INFINITY" : "-INFINITY";
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", static_cast<double>(static_cast<float>(value)));
  std::string number = text;
  if (number.find_first_of(".e") == std::string::npos) number += ".0";
  return number + "f";
}

namespace {

// The files of metal/ with the functions that formulas call, and where in them these are. All texts have the
// first one; the others are long and rarely wanted.
struct FunctionFile {
  const char *name, *scope;
};
constexpr FunctionFile kFunctionFiles[] = {{"functions", "mlx::"},
                                           {"special_functions", "mlx::special::"},
                                           {"complex_functions", "mlx::complexes::"}};

const FunctionFile* file_with(const std::string& declaration) {
  for (const FunctionFile& f : kFunctionFiles)
    if (kernel_text(f.name).find(declaration) != std::string::npos) return &f;
  return nullptr;
}

}  // namespace

int Statements::add(const char* type, const std::string& text) {
  text_ += str("  const ", type, " ", named(count_), " = ", text, ";\n");
  return count_++;
}

int Statements::call(const char* type, const char* function, DType of, std::initializer_list<int> arguments) {
  const FunctionFile* file = file_with(str(" ", function, "(", type_text(of), " "));
  complete_ &= file != nullptr;
  std::string list;
  for (int a : arguments) list += str(list.empty() ? "" : ", ", named(a));
  return add(type, str(file ? file->scope : "", function, "(", list, ")"));
}

std::string functions_for(const std::string& text) {
  std::string functions;
  for (const FunctionFile& f : kFunctionFiles)
    if (&f == kFunctionFiles || text.find(f.scope) != std::string::npos) functions += kernel_text(f.name);
  return functions;
}

namespace {

template <DType kCompute, class R>
constexpr Result kind_of() {
  if constexpr (std::is_same_v<R, Truth>)
    return Result::Bool;
  else if constexpr (std::is_same_v<R, Expr<kCompute>>)
    return Result::Same;
  else
    return mlx::is_complex(kCompute) ? Result::Real : Result::Complex;
}

template <DType kCompute, class F, int... kArgument>
FormulaText text_of(const char* name, F f, std::integer_sequence<int, kArgument...>) {
  using E = Expr<kCompute>;
  if constexpr (!std::is_invocable_v<F, decltype((void)kArgument, E{})...>) {
    return {};
  } else {
    using R = std::invoke_result_t<F, decltype((void)kArgument, E{})...>;
    Statements statements;
    Statements::current = &statements;
    const R value = f(E::of(str("x", kArgument))...);
    Statements::current = nullptr;
    if (!statements.complete()) return {"", true};
    const Result kind = kind_of<kCompute, R>();
    std::string parameters;
    for (size_t i = 0; i < sizeof...(kArgument); ++i)
      parameters += str(i ? ", " : "", type_text(kCompute), " x", i);
    return {str("inline ", type_text(result_type(kind, kCompute)), " formula_", name, "(", parameters,
                ") {\n", statements.text(), "  return ", named(value.value), ";\n}\n"),
            false, kind};
  }
}

template <DType kCompute>
FormulaText make_text(Formula formula) {
  switch (formula) {
#define MLX_FORMULA(name, arity)                                                                 \
  case Formula::name:                                                                            \
    return text_of<kCompute>(                                                                    \
        #name, [](auto... x) -> decltype(formulas::name(x...)) { return formulas::name(x...); }, \
        std::make_integer_sequence<int, arity>{});
#include "formulas.inc"
#undef MLX_FORMULA
  }
  return {};
}

FormulaText make_text(Formula formula, DType compute) {
  switch (compute) {
    case DType::Bool:
    case DType::UInt8:
      return make_text<DType::UInt8>(formula);
    case DType::Int32:
      return make_text<DType::Int32>(formula);
    case DType::Int64:
      return make_text<DType::Int64>(formula);
    case DType::Float32:
      return make_text<DType::Float32>(formula);
    case DType::Complex64:
      return make_text<DType::Complex64>(formula);
    default:
      return {};
  }
}

}  // namespace

const FormulaText& formula_text(Formula formula, DType compute) {
  static std::mutex mutex;
  static std::array<std::array<FormulaText, kDTypeCount>, kFormulaCount> texts;
  static std::array<std::array<bool, kDTypeCount>, kFormulaCount> made{};
  const std::lock_guard lock(mutex);
  const auto f = static_cast<size_t>(formula), t = static_cast<size_t>(compute);
  if (!made[f][t]) texts[f][t] = make_text(formula, compute);
  made[f][t] = true;
  return texts[f][t];
}

}  // namespace mlx::gpu

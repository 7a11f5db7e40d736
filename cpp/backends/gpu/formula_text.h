#pragma once
// The texts of formulas: the arithmetic of formulas/, as functions of the kernels' language.

#include <string>

#include "base/dtype.h"
#include "formulas/formula.h"

namespace mlx::gpu {

struct FormulaText {
  std::string text;      // a function `formula_<name>` of operands of the compute type; empty: there is none
  bool lacking = false;  // for want of a function that metal/functions.metal has not
  Result result = Result::Same;
};

const FormulaText& formula_text(Formula formula, DType compute);

// The functions that the text of formulas calls.
std::string functions_for(const std::string& text);

// What element types are called in the kernels' language; in memory a bool is a byte too.
const char* type_text(DType t);
// Whether the language has the type at all.
bool has_type(DType t);

}  // namespace mlx::gpu

#pragma once
// Arithmetic written down by symbolic numbers: rules and cells, as kernels over their elements.

#include <vector>

#include "backends/gpu/elementwise.h"
#include "backends/gpu/expr.h"

namespace mlx::gpu {

// What `compute` does: it takes x0, x1, ... one after the other from the function that it is given, and
// returns y0, y1, ...
template <class F>
Arithmetic written_down(F&& compute) {
  Statements statements;
  Statements::current = &statements;
  int x = 0;
  const std::vector<ExprFloat> y = compute([&] { return ExprFloat::of(str("x", x++)); });
  Statements::current = nullptr;
  std::string text = statements.text();
  for (size_t i = 0; i < y.size(); ++i) text += str("  const float y", i, " = ", named(y[i].value), ";\n");
  return {"", text};
}

}  // namespace mlx::gpu

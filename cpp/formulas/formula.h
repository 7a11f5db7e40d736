#pragma once
// The formulas as values: an enumerator, a name and an arity each. The list is derived at build time from
// the headers of this folder (cmake/generate_formulas.py).

#include <cstdint>

namespace mlx {

enum class Formula : uint16_t {
#define MLX_FORMULA(name, arity) name,
#include "formulas.inc"
#undef MLX_FORMULA
};

namespace formulas::detail {

inline constexpr const char* kNames[] = {
#define MLX_FORMULA(name, arity) #name,
#include "formulas.inc"
#undef MLX_FORMULA
};

inline constexpr uint8_t kArities[] = {
#define MLX_FORMULA(name, arity) arity,
#include "formulas.inc"
#undef MLX_FORMULA
};

}  // namespace formulas::detail

// What a formula makes of operands of one type: the same, truth values, the real type of a complex one, or
// the complex type of a real one.
enum class Result : uint8_t { Same, Bool, Real, Complex };

inline constexpr int kFormulaCount = sizeof(formulas::detail::kArities);

constexpr const char* name(Formula formula) { return formulas::detail::kNames[static_cast<int>(formula)]; }
constexpr int arity(Formula formula) { return formulas::detail::kArities[static_cast<int>(formula)]; }

}  // namespace mlx

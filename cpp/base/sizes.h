#pragma once
// Arithmetic of sizes, which are not negative.

#include <type_traits>

namespace mlx {

// a / b, rounded up.
template <class T>
constexpr T ceil_div(T a, std::type_identity_t<T> b) {
  return (a + b - 1) / b;
}

// The first multiple of b that is not below a.
template <class T>
constexpr T round_up(T a, std::type_identity_t<T> b) {
  return ceil_div(a, b) * b;
}

}  // namespace mlx

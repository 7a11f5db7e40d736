#pragma once
// Roundings to a whole number.

#include "formulas/concepts.h"

namespace mlx::formulas {

template <Real T>
T floor(T x) {
  return floor(x);
}

template <Real T>
T ceil(T x) {
  return ceil(x);
}

// Halves go to the even neighbour.
template <Real T>
T round(T x) {
  return round(x);
}

template <Real T>
T trunc(T x) {
  return trunc(x);
}

template <Floating T>
T frac(T x) {
  return x - trunc(x);
}

}  // namespace mlx::formulas

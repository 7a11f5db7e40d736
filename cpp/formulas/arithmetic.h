#pragma once
// Sums, products, quotients, powers and extrema.

#include "formulas/concepts.h"

namespace mlx::formulas {

template <Numeric T>
T add(T x, T y) {
  return x + y;
}

template <Numeric T>
T sub(T x, T y) {
  return x - y;
}

template <Numeric T>
T mul(T x, T y) {
  return x * y;
}

template <Inexact T>
T div(T x, T y) {
  return x / y;
}

template <Real T>
T div_trunc(T x, T y) {
  return trunc(x / y);
}

// Python's floor division. For floats the quotient is found from the exact remainder, as a rounded quotient
// can land on the wrong side of an integer.
template <Real T>
T div_floor(T x, T y) {
  const T rest = fmod(x, y);
  const auto crosses = (rest != T(0)) & ((rest < T(0)) ^ (y < T(0)));
  if constexpr (Floating<T>) {
    T quotient = (x - rest) / y;
    quotient = select(crosses, quotient - 1, quotient);
    const T low = floor(quotient);
    const T whole = select(quotient - low > T(0.5), low + 1, low);
    return select(y == T(0), x / y, select(quotient != T(0), whole, copysign(T(0), x / y)));
  } else {
    return select(crosses, x / y - 1, x / y);
  }
}

template <Real T>
T fmod(T x, T y) {
  return fmod(x, y);
}

// Python's remainder: it has the sign of the divisor.
template <Real T>
T remainder(T x, T y) {
  const T rest = fmod(x, y);
  return select((rest != T(0)) & ((rest < T(0)) ^ (y < T(0))), rest + y, rest);
}

template <Numeric T>
T neg(T x) {
  return -x;
}

template <Numeric T>
auto abs(T x) {
  return abs(x);
}

template <Real T>
T sign(T x) {
  return select(x > T(0), T(1), select(x < T(0), T(0) - T(1), T(0)));
}

template <Numeric T>
T square(T x) {
  return x * x;
}

template <Numeric T>
T cube(T x) {
  return x * x * x;
}

template <Inexact T>
T reciprocal(T x) {
  return T(1) / x;
}

template <Numeric T>
T pow(T x, T y) {
  return pow(x, y);
}

template <Floating T>
T hypot(T x, T y) {
  return hypot(x, y);
}

template <Floating T>
T copysign(T x, T y) {
  return copysign(x, y);
}

template <Floating T>
T nextafter(T x, T y) {
  return nextafter(x, y);
}

template <Integral T>
T gcd(T x, T y) {
  return gcd(x, y);
}

template <Integral T>
T lcm(T x, T y) {
  const T divisor = gcd(x, y);  // 0 where both are
  return abs(x / select(divisor == T(0), T(1), divisor) * y);
}

// NaN wins, whichever side it is on.
template <Real T>
T maximum(T x, T y) {
  return select((x != x) | (x > y), x, y);
}

template <Real T>
T minimum(T x, T y) {
  return select((x != x) | (x < y), x, y);
}

// The other side wins over NaN.
template <Real T>
T fmax(T x, T y) {
  return select((y != y) | (x > y), x, y);
}

template <Real T>
T fmin(T x, T y) {
  return select((y != y) | (x < y), x, y);
}

// NaN in any argument wins; where the bounds cross, the upper one holds.
template <Real T>
T clamp(T x, T low, T high) {
  return minimum(maximum(x, low), high);
}

template <Any T>
T where(T condition, T x, T y) {
  return select(condition != T(0), x, y);
}

template <Inexact T>
T lerp(T x, T end, T weight) {
  // From the nearer end, so that weight 1 gives exactly `end`.
  if constexpr (ComplexNumber<T>) {
    return select(abs(weight) < 0.5, x + weight * (end - x), end - (end - x) * (T(1) - weight));
  } else {
    return select(abs(weight) < T(0.5), x + weight * (end - x), end - (end - x) * (T(1) - weight));
  }
}

template <Numeric T>
T addcmul(T x, T a, T b, T value) {
  return x + value * a * b;
}

template <Inexact T>
T addcdiv(T x, T a, T b, T value) {
  return x + value * (a / b);
}

template <Numeric T>
T squared_difference(T x, T y) {
  return (x - y) * (x - y);
}

template <Real T>
T heaviside(T x, T at_zero) {
  return select(x == T(0), at_zero, select(x > T(0), T(1), T(0)));
}

template <Floating T>
T nan_to_num(T x, T nan, T positive_infinity, T negative_infinity) {
  const T infinity = T(__builtin_inf());
  const T finite = select(x == infinity, positive_infinity, select(x == -infinity, negative_infinity, x));
  return select(x != x, nan, finite);
}

template <Floating T>
T deg2rad(T x) {
  return x * T(0.017453292519943295);
}

template <Floating T>
T rad2deg(T x) {
  return x * T(57.29577951308232);
}

}  // namespace mlx::formulas

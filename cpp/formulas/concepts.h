#pragma once
// What a formula may ask of the type it computes with. A formula never names a concrete type: it is
// instantiated with a SIMD vector, a complex number or a symbolic expression, which say what they are by
// specialising `kNumberKind`, and which bring select(), comparisons and the elementary functions with them
// (found by argument-dependent lookup).

namespace mlx::formulas {

enum class NumberKind { None, Integer, Real, Complex };

template <class T>
inline constexpr NumberKind kNumberKind = NumberKind::None;

// Any element type, bool included (bool is computed as an unsigned byte).
template <class T>
concept Any = kNumberKind<T> != NumberKind::None;

template <class T>
concept Numeric = Any<T>;

template <class T>
concept Integral = kNumberKind<T> == NumberKind::Integer;

template <class T>
concept Floating = kNumberKind<T> == NumberKind::Real;

template <class T>
concept ComplexNumber = kNumberKind<T> == NumberKind::Complex;

// Ordered numbers.
template <class T>
concept Real = Integral<T> || Floating<T>;

// Numbers with a fraction: the domain of exp() and its kin.
template <class T>
concept Inexact = Floating<T> || ComplexNumber<T>;

}  // namespace mlx::formulas

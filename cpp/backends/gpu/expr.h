#pragma once
// A symbolic number. A formula instantiated with it leaves, instead of a value, the statements that compute
// the value in Metal's shading language (and, but for the names of a few functions, in CUDA's C++).

#include <complex>
#include <string>

#include "base/dtype.h"
#include "formulas/concepts.h"

namespace mlx::gpu {

// The statements of one function body so far. Values are named v0, v1, ...
class Statements {
 public:
  // "const <type> v<n> = <text>;" returns n.
  int add(const char* type, const std::string& text);
  // A call of a function of metal/functions.metal; notes it when that file has none for the type.
  int call(const char* type, const char* function, DType of, std::initializer_list<int> arguments);

  const std::string& text() const { return text_; }
  // Whether all functions that were called are there.
  bool complete() const { return complete_; }

  // Where the numbers of this thread write to.
  static thread_local Statements* current;

 private:
  std::string text_;
  int count_ = 0;
  bool complete_ = true;
};

// How the languages call an element type, and a number of it.
const char* type_text(DType t);
std::string literal(DType t, double value);

inline std::string named(int value) { return "v" + std::to_string(value); }

// A truth value.
struct Truth {
  int value;

  static Truth of(const std::string& text) { return {Statements::current->add("bool", text)}; }
  static Truth join(Truth a, const char* sign, Truth b) { return of(named(a.value) + sign + named(b.value)); }
  friend Truth operator&(Truth a, Truth b) { return join(a, " && ", b); }
  friend Truth operator|(Truth a, Truth b) { return join(a, " || ", b); }
  friend Truth operator^(Truth a, Truth b) { return join(a, " != ", b); }
  friend Truth operator!(Truth a) { return of("!" + named(a.value)); }
};

template <DType kType>
struct ElementOf;
template <>
struct ElementOf<DType::UInt8> {
  using type = uint8_t;
};
template <>
struct ElementOf<DType::Int32> {
  using type = int32_t;
};
template <>
struct ElementOf<DType::Int64> {
  using type = int64_t;
};
template <>
struct ElementOf<DType::Float32> {
  using type = float;
};
template <>
struct ElementOf<DType::Complex64> {
  using type = std::complex<float>;
};

template <DType kType>
struct Expr {
  using Element = typename ElementOf<kType>::type;

  int value = -1;

  Expr() = default;
  Expr(int v) : Expr(static_cast<double>(v)) {}
  Expr(double v) : value(Statements::current->add(type_text(kType), literal(kType, v))) {}
  template <DType kReal>
    requires(kType == DType::Complex64 && kReal == DType::Float32)
  explicit Expr(Expr<kReal> re)
      : value(Statements::current->add(type_text(kType), "complex64(" + named(re.value) + ", 0.0f)")) {}

  static Expr numbered(int value) {
    Expr e;
    e.value = value;
    return e;
  }
  static Expr of(const std::string& text) {
    return numbered(Statements::current->add(type_text(kType), text));
  }
  static Expr join(Expr a, const char* sign, Expr b) { return of(named(a.value) + sign + named(b.value)); }
  static Truth compare(Expr a, const char* sign, Expr b) {
    return Truth::of(named(a.value) + sign + named(b.value));
  }

  friend Expr operator+(Expr a, Expr b) { return join(a, " + ", b); }
  friend Expr operator-(Expr a, Expr b) { return join(a, " - ", b); }
  friend Expr operator*(Expr a, Expr b) { return join(a, " * ", b); }
  friend Expr operator/(Expr a, Expr b) { return join(a, " / ", b); }
  friend Expr operator&(Expr a, Expr b) { return join(a, " & ", b); }
  friend Expr operator|(Expr a, Expr b) { return join(a, " | ", b); }
  friend Expr operator^(Expr a, Expr b) { return join(a, " ^ ", b); }
  friend Expr operator<<(Expr a, Expr b) { return join(a, " << ", b); }
  friend Expr operator>>(Expr a, Expr b) { return join(a, " >> ", b); }
  friend Expr operator-(Expr a) { return of("-" + named(a.value)); }
  friend Expr operator~(Expr a) { return of("~" + named(a.value)); }
  friend Truth operator==(Expr a, Expr b) { return compare(a, " == ", b); }
  friend Truth operator!=(Expr a, Expr b) { return compare(a, " != ", b); }
  friend Truth operator<(Expr a, Expr b) { return compare(a, " < ", b); }
  friend Truth operator<=(Expr a, Expr b) { return compare(a, " <= ", b); }
  friend Truth operator>(Expr a, Expr b) { return compare(a, " > ", b); }
  friend Truth operator>=(Expr a, Expr b) { return compare(a, " >= ", b); }

  friend Expr select(Truth condition, Expr yes, Expr no) {
    return of(named(condition.value) + " ? " + named(yes.value) + " : " + named(no.value));
  }
};

template <DType kResult, DType kType, class... More>
Expr<kResult> call(const char* function, Expr<kType> first, More... more) {
  return Expr<kResult>::numbered(
      Statements::current->call(type_text(kResult), function, kType, {first.value, more.value...}));
}

// The functions that formulas call (see formulas/concepts.h).
#define MLX_EXPR_UNARY(name)        \
  template <DType kType>            \
  Expr<kType> name(Expr<kType> x) { \
    return call<kType>(#name, x);   \
  }
#define MLX_EXPR_BINARY(name)                      \
  template <DType kType>                           \
  Expr<kType> name(Expr<kType> x, Expr<kType> y) { \
    return call<kType>(#name, x, y);               \
  }
MLX_EXPR_UNARY(acos)
MLX_EXPR_UNARY(acosh)
MLX_EXPR_UNARY(airy_ai)
MLX_EXPR_UNARY(asin)
MLX_EXPR_UNARY(asinh)
MLX_EXPR_UNARY(atan)
MLX_EXPR_UNARY(atanh)
MLX_EXPR_UNARY(bessel_j0)
MLX_EXPR_UNARY(bessel_j1)
MLX_EXPR_UNARY(bessel_k0)
MLX_EXPR_UNARY(bessel_k1)
MLX_EXPR_UNARY(bessel_y0)
MLX_EXPR_UNARY(bessel_y1)
MLX_EXPR_UNARY(ceil)
MLX_EXPR_UNARY(conj)
MLX_EXPR_UNARY(cos)
MLX_EXPR_UNARY(cosh)
MLX_EXPR_UNARY(digamma)
MLX_EXPR_UNARY(erf)
MLX_EXPR_UNARY(erfc)
MLX_EXPR_UNARY(erfcx)
MLX_EXPR_UNARY(erfinv)
MLX_EXPR_UNARY(exp)
MLX_EXPR_UNARY(exp2)
MLX_EXPR_UNARY(expm1)
MLX_EXPR_UNARY(floor)
MLX_EXPR_UNARY(i0)
MLX_EXPR_UNARY(i0e)
MLX_EXPR_UNARY(i1)
MLX_EXPR_UNARY(i1e)
MLX_EXPR_UNARY(lgamma)
MLX_EXPR_UNARY(log)
MLX_EXPR_UNARY(log10)
MLX_EXPR_UNARY(log1p)
MLX_EXPR_UNARY(log2)
MLX_EXPR_UNARY(log_ndtr)
MLX_EXPR_UNARY(ndtr)
MLX_EXPR_UNARY(ndtri)
MLX_EXPR_UNARY(round)
MLX_EXPR_UNARY(rsqrt)
MLX_EXPR_UNARY(scaled_bessel_k0)
MLX_EXPR_UNARY(scaled_bessel_k1)
MLX_EXPR_UNARY(sin)
MLX_EXPR_UNARY(sinh)
MLX_EXPR_UNARY(sqrt)
MLX_EXPR_UNARY(tan)
MLX_EXPR_UNARY(tanh)
MLX_EXPR_UNARY(trigamma)
MLX_EXPR_UNARY(trunc)
MLX_EXPR_BINARY(atan2)
MLX_EXPR_BINARY(chebyshev_t)
MLX_EXPR_BINARY(chebyshev_u)
MLX_EXPR_BINARY(chebyshev_v)
MLX_EXPR_BINARY(chebyshev_w)
MLX_EXPR_BINARY(copysign)
MLX_EXPR_BINARY(fmod)
MLX_EXPR_BINARY(gcd)
MLX_EXPR_BINARY(hermite_h)
MLX_EXPR_BINARY(hermite_he)
MLX_EXPR_BINARY(hypot)
MLX_EXPR_BINARY(igamma)
MLX_EXPR_BINARY(igammac)
MLX_EXPR_BINARY(laguerre_l)
MLX_EXPR_BINARY(legendre_p)
MLX_EXPR_BINARY(nextafter)
MLX_EXPR_BINARY(polygamma)
MLX_EXPR_BINARY(pow)
MLX_EXPR_BINARY(zeta)
#undef MLX_EXPR_UNARY
#undef MLX_EXPR_BINARY

template <DType kType>
auto abs(Expr<kType> x) {
  return call<kType == DType::Complex64 ? DType::Float32 : kType>("abs", x);
}
template <DType kType>
Truth signbit(Expr<kType> x) {
  return {Statements::current->call("bool", "signbit", kType, {x.value})};
}

using ExprComplex = Expr<DType::Complex64>;
using ExprFloat = Expr<DType::Float32>;
inline ExprFloat real(ExprComplex z) { return ExprFloat::of(named(z.value) + ".re"); }
inline ExprFloat imag(ExprComplex z) { return ExprFloat::of(named(z.value) + ".im"); }
inline ExprFloat angle(ExprComplex z) { return call<DType::Float32>("angle", z); }
inline Truth isinf(ExprComplex z) {
  return {Statements::current->call("bool", "isinf", DType::Complex64, {z.value})};
}
inline Truth isnan(ExprComplex z) { return z != z; }
inline ExprComplex make_complex(ExprFloat re, ExprFloat im) {
  return ExprComplex::of("complex64(" + named(re.value) + ", " + named(im.value) + ")");
}

}  // namespace mlx::gpu

namespace mlx::formulas {

template <DType kType>
inline constexpr NumberKind kNumberKind<gpu::Expr<kType>> = mlx::is_complex(kType)    ? NumberKind::Complex
                                                            : mlx::is_floating(kType) ? NumberKind::Real
                                                                                      : NumberKind::Integer;

}  // namespace mlx::formulas

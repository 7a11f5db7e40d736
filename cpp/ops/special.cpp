// Special functions of mathematics; their definitions are those of the NIST Digital Library of
// Mathematical Functions.

#include <cmath>
#include <numbers>

#include "ops.h"
#include "ops/row.h"

namespace mlx {
namespace {

constexpr double kTwoOverSqrtPi = 2 * std::numbers::inv_sqrtpi;
constexpr double kSqrtTwoPi = 2.5066282746310002;

// [0, 1] as [-1, 1].
Tensor shifted(const Tensor& x) {
  return (x.is_inexact() ? x : to(x, default_dtype(), false, false)) * 2 - 1;
}

}  // namespace

// ---- error functions and the normal distribution

OP("erf(Tensor input) -> Tensor")
    .pointwise(Formula::erf)
    .to_float()
    .alias("special.erf")
    .gradient<0>([](const Tensor& g, In<0> x) { return g * (exp(-(x * x)) * kTwoOverSqrtPi); });

// 1 - erf(input), exact also where erf is close to 1.
OP("erfc(Tensor input) -> Tensor")
    .pointwise(Formula::erfc)
    .to_float()
    .alias("special.erfc")
    .gradient<0>([](const Tensor& g, In<0> x) { return g * (exp(-(x * x)) * -kTwoOverSqrtPi); });

// The y of which erf(y) is `input`.
OP("erfinv(Tensor input) -> Tensor")
    .pointwise(Formula::erfinv)
    .to_float()
    .alias("special.erfinv")
    .gradient<0>([](const Tensor& g, Out y) { return g * (exp(y * y) / kTwoOverSqrtPi); });

// exp(input ** 2) * erfc(input), without overflow.
OP("special.erfcx(Tensor input) -> Tensor")
    .pointwise(Formula::erfcx)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Out y) { return g * (x * y * 2 - kTwoOverSqrtPi); });

// The standard normal distribution function.
OP("special.ndtr(Tensor input) -> Tensor")
    .pointwise(Formula::ndtr)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x) { return g * (exp(x * x * -0.5) / kSqrtTwoPi); });

// The quantile of the standard normal distribution.
OP("special.ndtri(Tensor input) -> Tensor")
    .pointwise(Formula::ndtri)
    .to_float()
    .gradient<0>([](const Tensor& g, Out y) { return g * (exp(y * y * 0.5) * kSqrtTwoPi); });

// The logarithm of the standard normal distribution function, exact also far below zero.
OP("special.log_ndtr(Tensor input) -> Tensor")
    .pointwise(Formula::log_ndtr)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x) {
      return g / special::erfcx(x / -std::numbers::sqrt2) * (2 / kSqrtTwoPi);
    });

// ---- gamma functions

// log |Gamma(input)|.
OP("lgamma(Tensor input) -> Tensor")
    .pointwise(Formula::lgamma)
    .to_float()
    .alias("special.gammaln")
    .gradient<0>([](const Tensor& g, In<0> x) { return g * digamma(x); });

// The derivative of lgamma.
OP("digamma(Tensor input) -> Tensor")
    .pointwise(Formula::digamma)
    .to_float()
    .alias("special.digamma")
    .alias("special.psi")
    .gradient<0>([](const Tensor& g, In<0> x) { return g * polygamma(1, x); });

OP("_trigamma(Tensor input) -> Tensor")
    .pointwise(Formula::trigamma)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x) { return g * polygamma(2, x); });

OP("_polygamma(Tensor input, Scalar n) -> Tensor")
    .pointwise(Formula::polygamma)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> n) { return g * polygamma(n.to_int() + 1, x); });

// The n-th derivative of digamma.
OP("polygamma(int n, Tensor input) -> Tensor").alias("special.polygamma");
Tensor polygamma(int64_t n, const Tensor& input) {
  if (n < 0) throw RuntimeError("polygamma(n, x) does not support negative n, but got ", n);
  if (n == 0) return digamma(input);
  if (n == 1) return _trigamma(input);
  return _polygamma(input, n);
}
OP("_polygamma_method(Tensor input, int n) -> Tensor").alias("Tensor.polygamma").inplace();
Tensor _polygamma_method(const Tensor& input, int64_t n) { return polygamma(n, input); }

// log of the multivariate gamma function of dimension p.
OP("mvlgamma(Tensor input, int p) -> Tensor").alias("special.multigammaln").inplace();
Tensor mvlgamma(const Tensor& input, int64_t p) {
  if (p < 1) throw RuntimeError("mvlgamma(): p has to be greater than or equal to 1, not ", p);
  Tensor total = lgamma(input);
  for (int64_t j = 1; j < p; ++j) total = total + lgamma(input - 0.5 * static_cast<double>(j));
  return total + 0.25 * static_cast<double>(p * (p - 1)) * std::log(std::numbers::pi);
}

// The regularised lower incomplete gamma function of `input` at `other`.
OP("igamma(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::igamma)
    .to_float()
    .alias("special.gammainc")
    .gradient<1>([](const Tensor& g, In<0> a, In<1> x) { return g * exp((a - 1) * log(x) - x - lgamma(a)); });

// The regularised upper incomplete gamma function of `input` at `other`.
OP("igammac(Tensor input, Tensor other) -> Tensor")
    .pointwise(Formula::igammac)
    .to_float()
    .alias("special.gammaincc")
    .gradient<1>([](const Tensor& g, In<0> a, In<1> x) {
      return -g * exp((a - 1) * log(x) - x - lgamma(a));
    });

// The Hurwitz zeta function: the sum of (other + n) ** -input over n >= 0.
OP("special.zeta(Operand input, Operand other) -> Tensor")
    .pointwise(Formula::zeta)
    .to_float()
    .gradient<1>([](const Tensor& g, In<0> s, In<1> q) {
      Tensor order = to(s, g.dtype(), false, false);
      return -g * order * special::zeta(order + 1, q);
    });

// ---- modified Bessel functions of the first kind

OP("i0(Tensor input) -> Tensor")
    .pointwise(Formula::i0)
    .to_float()
    .alias("special.i0")
    .alias("special.modified_bessel_i0")
    .gradient<0>([](const Tensor& g, In<0> x) { return g * special::i1(x); });

// exp(-|input|) * i0(input).
OP("special.i0e(Tensor input) -> Tensor")
    .pointwise(Formula::i0e)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Out y) { return g * (special::i1e(x) - sign(x) * y); });

OP("special.i1(Tensor input) -> Tensor")
    .pointwise(Formula::i1)
    .to_float()
    .alias("special.modified_bessel_i1")
    .gradient<0>([](const Tensor& g, In<0> x, Out y) {
      Tensor zero = eq(x, 0);  // divided by one there, so that the gradient's own gradient is finite
      return g * where(zero, 0.5, i0(x) - y / where(zero, 1, x));
    });

// exp(-|input|) * i1(input).
OP("special.i1e(Tensor input) -> Tensor")
    .pointwise(Formula::i1e)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Out y) {
      Tensor zero = eq(x, 0);
      return g * where(zero, 0.5, special::i0e(x) - y * (sign(x) + 1 / where(zero, 1, x)));
    });

// The spherical Bessel function of order 0: sin(input) / input, which is 1 at 0.
OP("special.spherical_bessel_j0(Tensor input) -> Tensor");
Tensor special::spherical_bessel_j0(const Tensor& input) {
  Tensor quotient = sin(input) / input;
  return where(isinf(input), 0, where(eq(input, 0), ones_like(quotient), quotient));
}

// ---- Bessel functions of the first and second kind, and Airy's

OP("special.bessel_j0(Tensor input) -> Tensor")
    .pointwise(Formula::bessel_j0)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x) { return -g * special::bessel_j1(x); });

OP("special.bessel_j1(Tensor input) -> Tensor")
    .pointwise(Formula::bessel_j1)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Out y) {
      return g * where(eq(x, 0), 0.5, special::bessel_j0(x) - y / x);
    });

OP("special.bessel_y0(Tensor input) -> Tensor")
    .pointwise(Formula::bessel_y0)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x) { return -g * special::bessel_y1(x); });

OP("special.bessel_y1(Tensor input) -> Tensor")
    .pointwise(Formula::bessel_y1)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Out y) { return g * (special::bessel_y0(x) - y / x); });

OP("special.modified_bessel_k0(Tensor input) -> Tensor")
    .pointwise(Formula::bessel_k0)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x) { return -g * special::modified_bessel_k1(x); });

OP("special.modified_bessel_k1(Tensor input) -> Tensor")
    .pointwise(Formula::bessel_k1)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Out y) {
      return -g * (special::modified_bessel_k0(x) + y / x);
    });

// exp(x) * modified_bessel_k0(x).
OP("special.scaled_modified_bessel_k0(Tensor x) -> Tensor")
    .pointwise(Formula::scaled_bessel_k0)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Out y) {
      return g * (y - special::scaled_modified_bessel_k1(x));
    });

// exp(x) * modified_bessel_k1(x).
OP("special.scaled_modified_bessel_k1(Tensor x) -> Tensor")
    .pointwise(Formula::scaled_bessel_k1)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Out y) {
      return g * (y - special::scaled_modified_bessel_k0(x) - y / x);
    });

// Airy's function Ai.
OP("special.airy_ai(Tensor x) -> Tensor").pointwise(Formula::airy_ai).to_float();

// ---- orthogonal polynomials of degree n, an integer (fractions are cut off). No gradients, as in PyTorch.

OP("special.chebyshev_polynomial_t(Operand x, Operand n) -> Tensor")
    .pointwise(Formula::chebyshev_t)
    .to_float();
OP("special.chebyshev_polynomial_u(Operand x, Operand n) -> Tensor")
    .pointwise(Formula::chebyshev_u)
    .to_float();
OP("special.chebyshev_polynomial_v(Operand x, Operand n) -> Tensor")
    .pointwise(Formula::chebyshev_v)
    .to_float();
OP("special.chebyshev_polynomial_w(Operand x, Operand n) -> Tensor")
    .pointwise(Formula::chebyshev_w)
    .to_float();
OP("special.hermite_polynomial_h(Operand x, Operand n) -> Tensor").pointwise(Formula::hermite_h).to_float();
OP("special.hermite_polynomial_he(Operand x, Operand n) -> Tensor").pointwise(Formula::hermite_he).to_float();
OP("special.laguerre_polynomial_l(Operand x, Operand n) -> Tensor").pointwise(Formula::laguerre_l).to_float();
OP("special.legendre_polynomial_p(Operand x, Operand n) -> Tensor").pointwise(Formula::legendre_p).to_float();

OP("special.shifted_chebyshev_polynomial_t(Operand x, Operand n) -> Tensor");
Tensor special::shifted_chebyshev_polynomial_t(const Tensor& x, const Tensor& n) {
  return chebyshev_polynomial_t(shifted(x), n);
}
OP("special.shifted_chebyshev_polynomial_u(Operand x, Operand n) -> Tensor");
Tensor special::shifted_chebyshev_polynomial_u(const Tensor& x, const Tensor& n) {
  return chebyshev_polynomial_u(shifted(x), n);
}
OP("special.shifted_chebyshev_polynomial_v(Operand x, Operand n) -> Tensor");
Tensor special::shifted_chebyshev_polynomial_v(const Tensor& x, const Tensor& n) {
  return chebyshev_polynomial_v(shifted(x), n);
}
OP("special.shifted_chebyshev_polynomial_w(Operand x, Operand n) -> Tensor");
Tensor special::shifted_chebyshev_polynomial_w(const Tensor& x, const Tensor& n) {
  return chebyshev_polynomial_w(shifted(x), n);
}

// ---- logistic functions

OP("_sigmoid_backward(Tensor grad, Tensor result) -> Tensor")
    .pointwise(Formula::sigmoid_backward)
    .gradient<0>([](const Tensor& g, In<1> result) { return _sigmoid_backward(g, result); })
    .gradient<1>([](const Tensor& g, In<0> grad, In<1> result) { return g * grad * (1 - result * 2); });

// 1 / (1 + exp(-input)).
OP("sigmoid(Tensor input) -> Tensor")
    .pointwise(Formula::sigmoid)
    .to_float()
    .alias("special.expit")
    .alias("nn.functional.sigmoid")
    .gradient<0>([](const Tensor& g, Out out) {
      return out.is_complex() ? g * conj(out * (1 - out)) : _sigmoid_backward(g, out);
    });

OP("_logit(Tensor input, float eps) -> Tensor")
    .pointwise(Formula::logit)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> x, Param<0> eps) {
      const double low = eps.to_double() < 0 ? 0 : eps.to_double();
      const double outside = eps.to_double() < 0 ? std::numeric_limits<double>::quiet_NaN() : 0;
      return where(logical_and(ge(x, low), le(x, 1 - low)), g / (x * (1 - x)), full_like(g, outside));
    });

// log(input / (1 - input)), the inverse of sigmoid; the input is first clamped to [eps, 1 - eps].
OP("logit(Tensor input, float? eps=None) -> Tensor").alias("special.logit").inplace();
Tensor logit(const Tensor& input, std::optional<double> eps) { return _logit(input, eps.value_or(-1.0)); }

}  // namespace mlx

#pragma once
// Special functions of mathematics in double precision, one number at a time; compiled once for all
// instruction sets. Definitions follow Abramowitz & Stegun and the NIST Digital Library of Mathematical
// Functions (DLMF); the domain and limits are PyTorch's.

namespace mlx::cpu::special {

double erfinv(double x);               // the y with erf(y) = x
double lgamma(double x);               // log |Gamma(x)|
double digamma(double x);              // d/dx log Gamma(x)
double trigamma(double x);             // d/dx digamma(x)
double polygamma(double x, double n);  // the n-th derivative of digamma, n >= 1
double zeta(double x, double q);       // Hurwitz: the sum of (n + q)^-x over n >= 0
double erfcx(double x);                // exp(x^2) erfc(x)
double ndtri(double p);                // quantile of the normal distribution
double log_ndtr(double x);             // log of its distribution function
double i0(double x);                   // modified Bessel functions of the first kind, orders 0 and 1,
double i0e(double x);                  // and the same times exp(-|x|)
double i1(double x);
double i1e(double x);
double bessel_j0(double x);  // Bessel functions of the first and the second kind, orders 0 and 1
double bessel_j1(double x);
double bessel_y0(double x);
double bessel_y1(double x);
double bessel_k0(double x);  // modified Bessel functions of the second kind, orders 0 and 1,
double bessel_k1(double x);
double scaled_bessel_k0(double x);  // and the same times exp(x)
double scaled_bessel_k1(double x);
double airy_ai(double x);
// Orthogonal polynomials; the degree is cut to an integer, and negative ones give 0.
double chebyshev_t(double x, double n);
double chebyshev_u(double x, double n);
double chebyshev_v(double x, double n);
double chebyshev_w(double x, double n);
double hermite_h(double x, double n);   // the physicist's
double hermite_he(double x, double n);  // the probabilist's
double laguerre_l(double x, double n);
double legendre_p(double x, double n);
double igamma(double a, double x);   // regularised lower incomplete gamma function
double igammac(double a, double x);  // regularised upper incomplete gamma function

}  // namespace mlx::cpu::special

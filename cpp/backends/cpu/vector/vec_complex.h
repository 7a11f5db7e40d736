#pragma once
// Complex numbers as formulas see them: one at a time, with the names and operators of Vec.
//
// Elementary functions go through the C library's double-precision complex functions, called as compiler
// builtins: std::complex's templates could be merged by the linker across instruction sets.

#include <cmath>
#include <cstring>

#include "backends/cpu/vector/vec.h"

namespace mlx::cpu::MLX_ISA {

// The truth of a comparison of complex numbers.
struct ComplexMask {
  bool value;
  MLX_INLINE ComplexMask(bool v) : value(v) {}
  MLX_INLINE friend ComplexMask operator&(ComplexMask a, ComplexMask b) { return a.value && b.value; }
  MLX_INLINE friend ComplexMask operator|(ComplexMask a, ComplexMask b) { return a.value || b.value; }
  MLX_INLINE friend ComplexMask operator^(ComplexMask a, ComplexMask b) { return a.value != b.value; }
  MLX_INLINE friend ComplexMask operator!(ComplexMask a) { return !a.value; }
  MLX_INLINE void store_bools(void* out) const {
    const unsigned char byte = value;
    std::memcpy(out, &byte, 1);
  }
};

template <class R>
struct Complex {
  using Element = Complex;
  static constexpr int kLanes = 1;
  R re, im;

  Complex() = default;
  MLX_INLINE Complex(R real, R imaginary) : re(real), im(imaginary) {}
  template <class N>
    requires std::is_arithmetic_v<N>
  MLX_INLINE Complex(N number) : re(static_cast<R>(number)), im(0) {}

  MLX_INLINE static Complex load(const void* from) {
    Complex z;
    std::memcpy(&z, from, sizeof(z));
    return z;
  }
  MLX_INLINE void store(void* to) const { std::memcpy(to, this, sizeof(*this)); }

  MLX_INLINE friend Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
  MLX_INLINE friend Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
  MLX_INLINE friend Complex operator-(Complex a) { return {-a.re, -a.im}; }
  MLX_INLINE friend Complex operator*(Complex a, Complex b) {
    return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
  }
  // Smith's method: scales by the larger part of the divisor, so that nothing overflows needlessly.
  MLX_INLINE friend Complex operator/(Complex a, Complex b) {
    const R re = __builtin_fabs(b.re), im = __builtin_fabs(b.im);
    if (re >= im) {
      if (re == 0 && im == 0) return {a.re / re, a.im / im};
      const R ratio = b.im / b.re, scale = 1 / (b.re + b.im * ratio);
      return {(a.re + a.im * ratio) * scale, (a.im - a.re * ratio) * scale};
    }
    const R ratio = b.re / b.im, scale = 1 / (b.im + b.re * ratio);
    return {(a.re * ratio + a.im) * scale, (a.im * ratio - a.re) * scale};
  }
  MLX_INLINE friend ComplexMask operator==(Complex a, Complex b) { return a.re == b.re && a.im == b.im; }
  MLX_INLINE friend ComplexMask operator!=(Complex a, Complex b) { return a.re != b.re || a.im != b.im; }
  MLX_INLINE friend Complex select(ComplexMask condition, Complex a, Complex b) {
    return condition.value ? a : b;
  }
};

// Two registers of reals that are stored as complex numbers, interleaved.
template <class E>
struct ComplexPair {
  Vec<E> re, im;
  MLX_INLINE void store(void* out) const {
    E lanes[2 * Vec<E>::kLanes];
    for (int i = 0; i < Vec<E>::kLanes; ++i) {
      lanes[2 * i] = re.v[i];
      lanes[2 * i + 1] = im.v[i];
    }
    std::memcpy(out, lanes, sizeof(lanes));
  }
};
template <class E>
MLX_INLINE ComplexPair<E> make_complex(Vec<E> re, Vec<E> im) {
  return {re, im};
}

template <class R>
MLX_INLINE R real(Complex<R> z) {
  return z.re;
}
template <class R>
MLX_INLINE R imag(Complex<R> z) {
  return z.im;
}
template <class R>
MLX_INLINE Complex<R> conj(Complex<R> z) {
  return {z.re, -z.im};
}
template <class R>
MLX_INLINE R abs(Complex<R> z) {
  return static_cast<R>(::hypot(double{z.re}, double{z.im}));
}
template <class R>
MLX_INLINE R angle(Complex<R> z) {
  return static_cast<R>(::atan2(double{z.im}, double{z.re}));
}
template <class R>
MLX_INLINE ComplexMask isnan(Complex<R> z) {
  return z.re != z.re || z.im != z.im;
}
template <class R>
MLX_INLINE ComplexMask isinf(Complex<R> z) {
  return __builtin_isinf(z.re) || __builtin_isinf(z.im);
}
template <class R>
MLX_INLINE Complex<R> fma(Complex<R> a, Complex<R> b, Complex<R> c) {
  return a * b + c;
}

namespace detail {

using NativeComplex = __complex__ double;

template <class R>
MLX_INLINE NativeComplex to_native(Complex<R> z) {
  NativeComplex native;
  __real__ native = z.re;
  __imag__ native = z.im;
  return native;
}
template <class R>
MLX_INLINE Complex<R> from_native(NativeComplex z) {
  return {static_cast<R>(__real__ z), static_cast<R>(__imag__ z)};
}

}  // namespace detail

template <class R>
MLX_INLINE Complex<R> exp(Complex<R> z) {
  return detail::from_native<R>(__builtin_cexp(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> log(Complex<R> z) {
  return detail::from_native<R>(__builtin_clog(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> sqrt(Complex<R> z) {
  return detail::from_native<R>(__builtin_csqrt(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> sin(Complex<R> z) {
  return detail::from_native<R>(__builtin_csin(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> cos(Complex<R> z) {
  return detail::from_native<R>(__builtin_ccos(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> tan(Complex<R> z) {
  return detail::from_native<R>(__builtin_ctan(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> sinh(Complex<R> z) {
  return detail::from_native<R>(__builtin_csinh(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> cosh(Complex<R> z) {
  return detail::from_native<R>(__builtin_ccosh(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> tanh(Complex<R> z) {
  return detail::from_native<R>(__builtin_ctanh(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> asin(Complex<R> z) {
  return detail::from_native<R>(__builtin_casin(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> acos(Complex<R> z) {
  return detail::from_native<R>(__builtin_cacos(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> atan(Complex<R> z) {
  return detail::from_native<R>(__builtin_catan(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> asinh(Complex<R> z) {
  return detail::from_native<R>(__builtin_casinh(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> acosh(Complex<R> z) {
  return detail::from_native<R>(__builtin_cacosh(detail::to_native(z)));
}
template <class R>
MLX_INLINE Complex<R> atanh(Complex<R> z) {
  return detail::from_native<R>(__builtin_catanh(detail::to_native(z)));
}

template <class R>
MLX_INLINE Complex<R> pow(Complex<R> z, Complex<R> exponent) {
  if (exponent.re == 0 && exponent.im == 0) return Complex<R>(1);
  if (z.re == 0 && z.im == 0 && exponent.im == 0 && exponent.re > 0) return Complex<R>(0);
  return detail::from_native<R>(__builtin_cpow(detail::to_native(z), detail::to_native(exponent)));
}
template <class R>
MLX_INLINE Complex<R> exp2(Complex<R> z) {
  const Complex<double> scaled(z.re * 0x1.62e42fefa39efp-1, z.im * 0x1.62e42fefa39efp-1);
  return detail::from_native<R>(__builtin_cexp(detail::to_native(scaled)));
}
template <class R>
MLX_INLINE Complex<R> expm1(Complex<R> z) {
  const double x = z.re, y = z.im, half = ::sin(0.5 * y);
  return {static_cast<R>(::expm1(x) * ::cos(y) - 2 * half * half), static_cast<R>(::exp(x) * ::sin(y))};
}
template <class R>
MLX_INLINE Complex<R> scaled_log(Complex<R> z, double factor) {
  const detail::NativeComplex native = __builtin_clog(detail::to_native(z));
  return {static_cast<R>((__real__ native) * factor), static_cast<R>((__imag__ native) * factor)};
}
template <class R>
MLX_INLINE Complex<R> log2(Complex<R> z) {
  return scaled_log(z, 0x1.71547652b82fep+0);
}
template <class R>
MLX_INLINE Complex<R> log10(Complex<R> z) {
  return scaled_log(z, 0x1.bcb7b1526e50ep-2);
}
template <class R>
MLX_INLINE Complex<R> log1p(Complex<R> z) {
  const double x = z.re, y = z.im, size = x * (2 + x) + y * y;
  const double modulus = size > -0.5 && size < 1 ? 0.5 * ::log1p(size) : ::log(::hypot(1 + x, y));
  return {static_cast<R>(modulus), static_cast<R>(::atan2(y, 1 + x))};
}
template <class R>
MLX_INLINE Complex<R> rsqrt(Complex<R> z) {
  return Complex<R>(1) / sqrt(z);
}

}  // namespace mlx::cpu::MLX_ISA

namespace mlx::formulas {

template <class R>
inline constexpr NumberKind kNumberKind<cpu::MLX_ISA::Complex<R>> = NumberKind::Complex;

}  // namespace mlx::formulas

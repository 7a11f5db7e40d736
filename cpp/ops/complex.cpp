// Complex numbers: parts, conjugates, polar form.

#include "ops.h"
#include "ops/row.h"

namespace mlx {
namespace {

const Scalar kI{std::complex<double>(0, 1)};

void expect_same_floats(const Tensor& a, const Tensor& b, const char* op) {
  if (!a.is_floating() || a.dtype() != b.dtype())
    throw RuntimeError(op, "(): expected two tensors of one floating-point dtype, but got ", a.dtype(),
                       " and ", b.dtype());
}

}  // namespace

OP("_conj(Tensor input) -> Tensor").pointwise(Formula::conj).gradient<0>([](const Tensor& g) {
  return conj(g);
});

// The complex conjugate; a real tensor itself.
OP("conj(Tensor input) -> Tensor");
Tensor conj(const Tensor& input) { return input.is_complex() ? _conj(input) : input; }

OP("conj_physical(Tensor input) -> Tensor").inplace();
Tensor conj_physical(const Tensor& input) { return conj(input); }

// A tensor without a pending conjugation, which no tensor here has: the tensor itself.
OP("resolve_conj(Tensor input) -> Tensor");
Tensor resolve_conj(const Tensor& input) { return input; }

// A tensor without a pending negation, which no tensor here has: the tensor itself.
OP("resolve_neg(Tensor input) -> Tensor");
Tensor resolve_neg(const Tensor& input) { return input; }

// The argument of a complex number; 0 or pi for a real one.
OP("angle(Tensor input) -> Tensor")
    .pointwise(Formula::angle, Result::Real)
    .to_float()
    .gradient<0>([](const Tensor& g, In<0> z) {
      if (!z.is_complex()) return zeros_like(g);
      Tensor slope = g * z / square(abs(z)) * kI;
      return where(eq(z, 0), zeros_like(slope), slope);
    });

OP("_sgn(Tensor input) -> Tensor").pointwise(Formula::sgn).gradient<0>([](const Tensor& g, In<0> z, Out sgn) {
  // What is left of g without its radial part, which a change of modulus does not move.
  Tensor slope = (g - real(g * conj(sgn)) * sgn) / abs(z);
  return where(eq(z, 0), zeros_like(slope), slope);
});

// The number of modulus 1 with the same angle; the sign of a real number.
OP("sgn(Tensor input) -> Tensor").inplace();
Tensor sgn(const Tensor& input) { return input.is_complex() ? _sgn(input) : sign(input); }

OP("_complex(Tensor real, Tensor imag) -> Tensor")
    .pointwise(Formula::complex, Result::Complex)
    .gradient<0>([](const Tensor& g) { return real(g); })
    .gradient<1>([](const Tensor& g) { return imag(g); });

// real + imag * i.
//
// >>> mlx.complex(mlx.tensor([1.0]), mlx.tensor([2.0]))
// tensor([1.+2.j])
OP("complex(Tensor real, Tensor imag) -> Tensor");
Tensor complex(const Tensor& real, const Tensor& imag) {
  expect_same_floats(real, imag, "complex");
  return _complex(real, imag);
}

OP("_polar(Tensor abs, Tensor angle) -> Tensor")
    .pointwise(Formula::polar, Result::Complex)
    .gradient<0>([](const Tensor& g, In<1> angle) { return real(conj(g) * _polar(ones_like(angle), angle)); })
    .gradient<1>([](const Tensor& g, Out out) { return real(conj(g) * out * kI); });

// abs * exp(i * angle).
OP("polar(Tensor abs, Tensor angle) -> Tensor");
Tensor polar(const Tensor& abs, const Tensor& angle) {
  expect_same_floats(abs, angle, "polar");
  return _polar(abs, angle);
}

}  // namespace mlx

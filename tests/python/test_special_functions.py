"""The rarer special functions against SciPy."""

import math

import numpy as np
import pytest
import scipy.special as sp
from support import assert_close, from_numpy, sample, to_numpy

import mlx

gradcheck = mlx.autograd.gradcheck

FUNCTIONS = {
    "bessel_j0": (sp.j0, -30, 30),
    "bessel_j1": (sp.j1, -30, 30),
    "bessel_y0": (sp.y0, 0.1, 30),
    "bessel_y1": (sp.y1, 0.1, 30),
    "modified_bessel_k0": (sp.k0, 0.01, 30),
    "modified_bessel_k1": (sp.k1, 0.01, 30),
    "scaled_modified_bessel_k0": (sp.k0e, 0.01, 300),
    "scaled_modified_bessel_k1": (sp.k1e, 0.01, 300),
    "airy_ai": (lambda x: sp.airy(x)[0], -40, 40),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_values(function):
    exact, low, high = FUNCTIONS[function]
    x = np.linspace(low, high, 997)
    assert_close(getattr(mlx.special, function)(from_numpy(x)), exact(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("function", [f for f in FUNCTIONS if f != "airy_ai"])
def test_gradients(function):
    low = FUNCTIONS[function][1]
    x = from_numpy(np.linspace(max(low, 0.5), 8, 7), requires_grad=True)
    assert gradcheck(getattr(mlx.special, function), [x])


def test_limits():
    ends = mlx.tensor([0.0, float("inf"), -1.0])
    assert to_numpy(mlx.special.modified_bessel_k0(ends)).tolist()[:2] == [np.inf, 0]
    assert to_numpy(mlx.special.bessel_y0(ends)).tolist()[:2] == [-np.inf, 0]
    assert bool(mlx.special.bessel_y1(ends)[2].isnan()) and bool(
        mlx.special.modified_bessel_k1(ends)[2].isnan()
    )


POLYNOMIALS = {
    "chebyshev_polynomial_t": sp.eval_chebyt,
    "chebyshev_polynomial_u": sp.eval_chebyu,
    "shifted_chebyshev_polynomial_t": sp.eval_sh_chebyt,
    "shifted_chebyshev_polynomial_u": sp.eval_sh_chebyu,
    "hermite_polynomial_h": sp.eval_hermite,
    "hermite_polynomial_he": sp.eval_hermitenorm,
    "laguerre_polynomial_l": sp.eval_laguerre,
    "legendre_polynomial_p": sp.eval_legendre,
}


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
def test_polynomials(polynomial):
    x = np.append(np.linspace(-1.5, 1.5, 31), [-1.0, 0.0, 1.0])
    for n in (0, 1, 2, 5, 12):
        expected = POLYNOMIALS[polynomial](n, x)
        assert_close(getattr(mlx.special, polynomial)(from_numpy(x), n), expected, rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize(
    ("polynomial", "numerator", "denominator"),
    [("v", np.cos, np.cos), ("w", np.sin, np.sin)],
)
def test_chebyshev_polynomials_of_the_third_and_fourth_kind(polynomial, numerator, denominator):
    """V_n(cos t) = cos((n + 1/2) t) / cos(t / 2), W_n the same with sines (DLMF 18.5)."""
    angle = np.linspace(0.1, 3.0, 17)
    for n in (0, 1, 3, 20):
        expected = numerator((n + 0.5) * angle) / denominator(angle / 2)
        got = getattr(mlx.special, f"chebyshev_polynomial_{polynomial}")(from_numpy(np.cos(angle)), n)
        assert_close(got, expected, rtol=1e-9, atol=1e-9)


def test_degrees_may_be_a_tensor_and_broadcast():
    x, n = from_numpy(sample(3, 1)), mlx.tensor([0, 1, 2])
    got = mlx.special.legendre_polynomial_p(x, n)
    assert_close(got, sp.eval_legendre(np.arange(3), sample(3, 1)), rtol=1e-12)


def test_the_normal_distribution_keeps_its_accuracy_far_out():
    x = np.linspace(-14, 9, 2001).astype(np.float32)
    exact = sp.ndtr(x.astype(np.float64))
    got = to_numpy(mlx.special.ndtr(from_numpy(x))).astype(np.float64)
    normal = exact > 1e-37
    assert np.max(np.abs(got - exact)[normal] / exact[normal]) < 5 * 2.0**-23


def test_polygamma_of_half_types_is_rounded_once():
    x = mlx.tensor([0.3, 2.5], dtype=mlx.float16)
    exact = sp.polygamma(4, to_numpy(x).astype(np.float64))
    assert_close(mlx.polygamma(4, x), exact.astype(np.float16), rtol=1e-3)


@pytest.mark.parametrize("op", [mlx.special.i1, mlx.special.i1e])
def test_second_derivatives_of_i1_at_zero_are_finite(op):
    x = mlx.zeros(1, dtype=mlx.float64, requires_grad=True)
    (slope,) = mlx.autograd.grad(op(x), x, create_graph=True)
    (curve,) = mlx.autograd.grad(slope, x)
    assert slope.item() == 0.5 and math.isfinite(curve.item())

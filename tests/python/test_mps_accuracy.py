"""How exact the GPU's kernels are, which have no doubles: long sums, special functions, random numbers."""

import numpy as np
import pytest
import scipy.special as sp

import mlx

pytestmark = pytest.mark.skipif(not mlx._C._has_device("mps"), reason="there is no Metal device")

ULP = float(np.finfo(np.float32).eps)


def on_gpu(array):
    return mlx.tensor(array).to("mps")


def sample(n, seed=0):
    return np.random.default_rng(seed).normal(size=n).astype(np.float32)


# ---- sums of many elements


def test_sum_of_a_million_elements_is_exact_to_the_last_bits():
    x = sample(1_000_003) + np.float32(0.1)
    total = on_gpu(x).sum().item()
    assert total == pytest.approx(x.astype(np.float64).sum(), rel=ULP)


def test_sum_of_terms_that_cancel():
    x = np.concatenate([sample(50_000) * np.float32(1e6), np.float32([1, 2, 3])])
    x = np.concatenate([x, -x[:50_000]])
    assert on_gpu(x).sum().item() == 6


@pytest.mark.parametrize("dim", [0, 1])
def test_sum_over_a_dimension(dim):
    x = sample(600_000).reshape(3000, 200)
    want = x.astype(np.float64).sum(dim)
    np.testing.assert_allclose(on_gpu(x).sum(dim).cpu().numpy(), want, rtol=ULP, atol=1e-12)


def test_variance_of_a_large_mean():
    x = sample(100_000) * np.float32(0.5) + np.float32(1000)
    assert on_gpu(x).var().item() == pytest.approx(x.astype(np.float64).var(ddof=1), rel=4 * ULP)


@pytest.mark.parametrize("scale", [1e25, 1e-25])
def test_norm_of_elements_whose_squares_leave_the_range(scale):
    x = sample(1000) * np.float32(scale)
    want = np.linalg.norm(x.astype(np.float64))
    assert on_gpu(x).norm().item() == pytest.approx(want, rel=4 * ULP)


def test_product_whose_parts_leave_the_range():
    x = np.full(400, 0.1, np.float32)
    x[200:] = 10
    want = x.astype(np.float64).prod()
    assert on_gpu(x).prod().item() == pytest.approx(want, rel=4 * ULP)
    assert on_gpu(x).cumprod(0)[-1].item() == pytest.approx(want, rel=4 * ULP)


def test_running_sum_of_a_long_vector():
    x = sample(300_001)
    want = x.astype(np.float64).cumsum()
    np.testing.assert_allclose(on_gpu(x).cumsum(0).cpu().numpy(), want, rtol=ULP, atol=1e-6)


def test_running_logsumexp_of_a_long_vector():
    x = sample(30_000) * np.float32(20)
    want = np.logaddexp.accumulate(x.astype(np.float64))
    np.testing.assert_allclose(on_gpu(x).logcumsumexp(0).cpu().numpy(), want, rtol=4 * ULP)


# ---- order


def test_sort_in_parts_is_stable():
    x = np.random.default_rng(0).integers(-50, 50, size=(3, 5000))
    values, places = on_gpu(x).sort(1, stable=True)
    want = np.argsort(x, axis=1, kind="stable")
    np.testing.assert_array_equal(places.cpu().numpy(), want)
    np.testing.assert_array_equal(values.cpu().numpy(), np.take_along_axis(x, want, 1))


# ---- functions

SPREAD = np.linspace(-1, 1, 4001).astype(np.float32)
FUNCTIONS = {
    "erfinv": (mlx.special.erfinv, sp.erfinv, SPREAD, 6),
    "erfcx": (mlx.special.erfcx, sp.erfcx, 9 * SPREAD, 6),
    "ndtr": (mlx.special.ndtr, sp.ndtr, 12 * SPREAD, 8),
    "log_ndtr": (mlx.special.log_ndtr, sp.log_ndtr, 8 * SPREAD, 8),
    "ndtri": (mlx.special.ndtri, sp.ndtri, np.abs(SPREAD), 4),
    "gammaln": (mlx.special.gammaln, sp.gammaln, 20 * np.abs(SPREAD), 4),
    "digamma": (mlx.special.digamma, sp.digamma, 20 * np.abs(SPREAD[SPREAD != 0]), 5),
    "trigamma": (
        lambda x: mlx.special.polygamma(1, x),
        lambda x: sp.polygamma(1, x),
        20 * np.abs(SPREAD[SPREAD != 0]),
        6,
    ),
    "i0": (mlx.special.i0, sp.i0, 50 * SPREAD, 8),
    "i0e": (mlx.special.i0e, sp.i0e, 50 * SPREAD, 4),
    "i1": (mlx.special.i1, sp.i1, 50 * SPREAD, 8),
    "i1e": (mlx.special.i1e, sp.i1e, 50 * SPREAD, 4),
    "k0": (mlx.special.modified_bessel_k0, sp.k0, 50 * np.abs(SPREAD), 5),
    "k1": (mlx.special.modified_bessel_k1, sp.k1, 50 * np.abs(SPREAD), 5),
    "scaled k0": (mlx.special.scaled_modified_bessel_k0, sp.k0e, 50 * np.abs(SPREAD), 5),
    "scaled k1": (mlx.special.scaled_modified_bessel_k1, sp.k1e, 50 * np.abs(SPREAD), 5),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_special_function_within_a_few_ulp(name):
    function, reference, x, ulps = FUNCTIONS[name]
    want = reference(x.astype(np.float64))
    np.testing.assert_allclose(function(on_gpu(x)).cpu().numpy(), want, rtol=ulps * ULP, atol=1e-37)


# Near the zeros of an oscillation the argument's own rounding is worth more than an ulp of the result.
@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (mlx.special.bessel_j0, sp.j0),
        (mlx.special.bessel_j1, sp.j1),
        (mlx.special.bessel_y0, sp.y0),
        (mlx.special.bessel_y1, sp.y1),
    ],
)
def test_bessel_functions(function, reference):
    x = np.linspace(0.1, 60, 5000).astype(np.float32)
    want = reference(x.astype(np.float64))
    np.testing.assert_allclose(function(on_gpu(x)).cpu().numpy(), want, rtol=6 * ULP, atol=4e-7)


@pytest.mark.parametrize(
    ("function", "reference"),
    [
        (mlx.special.hermite_polynomial_h, sp.eval_hermite),
        (mlx.special.hermite_polynomial_he, sp.eval_hermitenorm),
        (mlx.special.laguerre_polynomial_l, sp.eval_laguerre),
        (mlx.special.legendre_polynomial_p, sp.eval_legendre),
    ],
)
def test_orthogonal_polynomials(function, reference):
    x = 2 * SPREAD[:4000]
    n = (np.arange(4000) % 30).astype(np.float32)
    want = reference(n.astype(np.int64), x.astype(np.float64))
    np.testing.assert_allclose(function(on_gpu(x), on_gpu(n)).cpu().numpy(), want, rtol=ULP, atol=1e-6)


COMPLEX_FUNCTIONS = {
    "powers": ["exp", "exp2", "expm1", "sqrt", "rsqrt"],
    "logarithms": ["log", "log2", "log10", "log1p"],
    "circular": ["sin", "cos", "tan", "asin", "acos", "atan"],
    "hyperbolic": ["sinh", "cosh", "tanh", "asinh", "acosh", "atanh"],
}


@pytest.mark.parametrize("name", [name for family in COMPLEX_FUNCTIONS.values() for name in family])
def test_complex_function_within_a_few_ulp(name):
    random = np.random.default_rng(0)
    z = random.normal(size=2000) + 1j * random.normal(size=2000)
    z = np.concatenate([z, 10 * z, 1e-3 * z, z / abs(z)]).astype(np.complex64)
    function = getattr(mlx, name)
    want = function(mlx.tensor(z.astype(np.complex128), device="cpu")).numpy()
    got = function(on_gpu(z)).cpu().numpy()
    assert (abs(got - want) / abs(want)).max() < 6 * ULP


# ---- random numbers: the CPU's


def draws(function, device):
    mlx.manual_seed(3)
    mlx.rand(5, device="cpu")
    return function(device).cpu()


@pytest.mark.parametrize("dtype", [mlx.float16, mlx.bfloat16, mlx.float32])
@pytest.mark.parametrize("n", [1, 63, 64, 1000])
def test_uniform_numbers_are_the_cpus(dtype, n):
    def function(device):
        return mlx.zeros(n, dtype=dtype, device=device).uniform_(-2, 5)

    assert mlx.equal(draws(function, "mps"), draws(function, "cpu"))


@pytest.mark.parametrize("high", [100, 2**50])
def test_random_integers_are_the_cpus(high):
    def function(device):
        return mlx.randint(-7, high, (1000,), device=device)

    assert mlx.equal(draws(function, "mps"), draws(function, "cpu"))


def test_normal_numbers_are_the_cpus_but_for_rounding():
    def function(device):
        return mlx.randn(5000, device=device)

    got, want = draws(function, "mps").numpy(), draws(function, "cpu").numpy()
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)


def test_dropout_keeps_the_same_elements():
    def function(device):
        return mlx.nn.functional.dropout(mlx.ones(3, 777, device=device), 0.3)

    assert mlx.equal(draws(function, "mps"), draws(function, "cpu"))


# ---- numbers that count


def test_steps_of_a_third_stay_exact():
    got = mlx.arange(1 / 3, 20000, 1 / 7, device="mps").cpu()
    want = mlx.arange(1 / 3, 20000, 1 / 7, device="cpu")
    np.testing.assert_array_equal(got.numpy(), want.numpy())

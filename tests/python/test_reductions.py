"""Reductions and scans."""

import math

import numpy as np
import pytest
import scipy.special as sp
from hypothesis import given
from hypothesis import strategies as st
from support import (
    ALL,
    FLOATS,
    HALVES,
    TOLERANCE,
    assert_close,
    assert_equal,
    double,
    from_numpy,
    name,
    sample,
    strided,
    to_numpy,
)

import mlx

gradcheck, gradgradcheck = mlx.autograd.gradcheck, mlx.autograd.gradgradcheck
DIMS = [None, 0, 1, -1, (0, 2), (0, 1, 2)]
X = sample(3, 4, 5)


def logsumexp(a, axis=None, keepdims=False):
    return sp.logsumexp(a, axis=axis, keepdims=keepdims)


# name -> (reference, takes a tuple of dims)
REDUCTIONS = {
    "sum": (np.sum, True),
    "mean": (np.mean, True),
    "prod": (np.prod, False),
    "amax": (np.max, True),
    "amin": (np.min, True),
    "var": (lambda a, axis=None, keepdims=False: np.var(a, axis=axis, keepdims=keepdims, ddof=1), True),
    "std": (lambda a, axis=None, keepdims=False: np.std(a, axis=axis, keepdims=keepdims, ddof=1), True),
    "all": (np.all, True),
    "any": (np.any, True),
    "logsumexp": (logsumexp, True),
    "nansum": (np.nansum, True),
    "nanmean": (np.nanmean, True),
    "count_nonzero": (np.count_nonzero, True),
    "argmax": (np.argmax, False),
    "argmin": (np.argmin, False),
}
GRADIENTS = ["sum", "mean", "prod", "amax", "amin", "var", "std", "logsumexp", "nansum", "nanmean"]


def reduce(case, t, dim, keepdim):
    f = getattr(mlx, case)
    if case == "count_nonzero":
        return f(t) if dim is None else f(t, dim)
    if dim is None:
        return f(t, tuple(range(t.dim()))) if case == "logsumexp" else f(t)
    return f(t, dim, keepdim=keepdim)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", DIMS, ids=str)
@pytest.mark.parametrize("case", REDUCTIONS)
def test_reduction(case, dim, keepdim):
    reference, tuples = REDUCTIONS[case]
    if isinstance(dim, tuple) and not tuples:
        pytest.skip("reduces one dimension or all")
    keepdim = keepdim and dim is not None and case != "count_nonzero"
    expected = reference(X, axis=dim, keepdims=keepdim)
    assert_close(reduce(case, mlx.tensor(X), dim, keepdim), expected, rtol=1e-13)


@pytest.mark.parametrize("case", REDUCTIONS)
def test_reduction_of_a_strided_tensor(case):
    reference, _ = REDUCTIONS[case]
    t = strided(from_numpy(X)).permute(2, 0, 1)
    assert_close(reduce(case, t, 1, False), reference(X.transpose(2, 0, 1), axis=1), rtol=1e-13)


@pytest.mark.parametrize("case", GRADIENTS)
@pytest.mark.parametrize("dim", [None, 1])
def test_gradient(case, dim):
    assert gradcheck(lambda x: reduce(case, x, dim, False), double(2, 3))


@pytest.mark.parametrize("case", GRADIENTS)
def test_second_gradient(case):
    assert gradgradcheck(lambda x: reduce(case, x, 1, True), double(2, 3))


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_sum_in_every_dtype(dtype):
    assert mlx.tensor([1, 1, 0, 1], dtype=dtype).sum().item() == 3


@pytest.mark.parametrize("dtype", HALVES, ids=name)
def test_half_sum_accumulates_in_float(dtype):
    assert mlx.ones(4096, dtype=dtype).sum().item() == 4096


def test_half_mean_does_not_overflow():
    assert mlx.full((100_000,), 2.0, dtype=mlx.float16).mean().item() == 2


def test_float32_sum_of_many_is_accurate():
    x = np.random.default_rng(0).uniform(0, 1, 10_000_000).astype(np.float32)
    exact = math.fsum(x.tolist()[:1_000_000])
    assert mlx.from_numpy(x[:1_000_000]).sum().item() == pytest.approx(exact, rel=1e-6)
    assert mlx.from_numpy(x).sum().item() == pytest.approx(x.astype(np.float64).sum(), rel=1e-6)


def test_sum_dtype_argument():
    assert mlx.ones(3, dtype=mlx.uint8).sum(dtype=mlx.float64).dtype == mlx.float64


def test_mean_of_integers_is_an_error():
    with pytest.raises(RuntimeError, match="(?i)float"):
        mlx.ones(3, dtype=mlx.int64).mean()


@pytest.mark.parametrize(("case", "expected"), [("sum", 0), ("prod", 1), ("all", True), ("any", False)])
def test_empty_reduction_has_an_identity(case, expected):
    assert getattr(mlx.zeros(0), case)().item() == expected


@pytest.mark.parametrize("case", ["amax", "amin", "argmax", "argmin"])
def test_empty_reduction_without_an_identity_is_an_error(case):
    with pytest.raises((RuntimeError, IndexError)):
        getattr(mlx.zeros(0), case)()


@pytest.mark.parametrize("case", ["max", "min", "median"])
def test_empty_dimension_without_an_identity_is_an_error(case):
    with pytest.raises((RuntimeError, IndexError)):
        getattr(mlx.zeros(2, 0), case)(1)


def test_mean_of_nothing_is_nan():
    assert mlx.zeros(0).mean().isnan().item()


@pytest.mark.parametrize("case", ["sum", "mean", "amax", "std", "logsumexp"])
def test_reduction_beside_an_empty_dimension(case):
    assert reduce(case, mlx.zeros(0, 3), 1, False).shape == (0,)


@pytest.mark.parametrize("case", ["sum", "mean", "prod", "amax", "argmax", "all"])
def test_zero_dimensional_input(case):
    assert getattr(mlx.tensor(3.0), case)().shape == ()


@pytest.mark.parametrize("case", ["amax", "amin", "max", "min", "sum", "mean", "std"])
def test_nan_is_kept(case):
    assert getattr(mlx.tensor([1.0, float("nan"), 3.0]), case)().isnan().item()


def test_argmax_finds_nan():
    assert mlx.tensor([1.0, float("nan"), 3.0]).argmax().item() == 1


@pytest.mark.parametrize("case", ["max", "min"])
def test_values_and_positions(case):
    result = getattr(mlx.tensor(X), case)(1)
    assert_equal(result.values, getattr(np, case)(X, axis=1))
    assert_equal(result.indices, getattr(np, f"arg{case}")(X, axis=1))


def test_amax_shares_the_gradient_among_ties():
    x = mlx.tensor([1.0, 3.0, 3.0], requires_grad=True)
    x.amax().backward()
    assert x.grad.tolist() == [0, 0.5, 0.5]


def test_max_along_a_dimension_gives_one_tie_the_gradient():
    x = mlx.tensor([1.0, 3.0, 3.0], requires_grad=True)
    x.max(0).values.backward()
    assert x.grad.tolist() == [0, 1, 0]


@pytest.mark.parametrize("zeros", [1, 2])
def test_prod_gradient_with_zeros(zeros):
    x = from_numpy(np.array([0.0] * zeros + [2.0, 3.0]), requires_grad=True)
    assert gradcheck(mlx.prod, x)


@pytest.mark.parametrize("correction", [0, 1, 2])
def test_var_correction(correction):
    assert_close(
        mlx.var(mlx.tensor(X), 1, correction=correction), np.var(X, axis=1, ddof=correction), rtol=1e-13
    )


def test_unbiased_is_a_correction_of_one():
    t = mlx.tensor(X)
    assert t.std(unbiased=False).equal(t.std(correction=0))


def test_var_of_a_large_mean_is_accurate():
    x = sample(1000) + 1e8
    assert mlx.tensor(x).var().item() == pytest.approx(np.var(x, ddof=1), rel=1e-6)


def test_var_mean_and_std_mean():
    for together, first in ((mlx.var_mean, mlx.var), (mlx.std_mean, mlx.std)):
        spread, mean = together(mlx.tensor(X), 1)
        assert spread.equal(first(mlx.tensor(X), 1))
        assert_close(mean, X.mean(1))


@pytest.mark.parametrize("p", [0, 1, 2, 3, 0.5, math.inf, -math.inf])
def test_norm(p):
    assert_close(mlx.norm(mlx.tensor(X), p, 1), np.linalg.norm(X, p, axis=1), rtol=1e-13)


def test_norm_of_a_matrix_is_frobenius():
    assert_close(mlx.norm(mlx.tensor(X[0])), np.linalg.norm(X[0]))


def test_norm_of_zero_has_zero_gradient():
    x = mlx.zeros(3, requires_grad=True)
    x.norm().backward()
    assert x.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("p", [1, 2, 3, math.inf])
def test_norm_gradient(p):
    assert gradcheck(lambda x: x.norm(p, 1), double(2, 3))


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax(dtype, dim):
    t = from_numpy(sample(4, 37), dtype)
    expected = sp.softmax(to_numpy(t).astype(np.float64), axis=dim)
    assert_close(t.softmax(dim), expected, rtol=8 * TOLERANCE[dtype], atol=TOLERANCE[dtype])


def test_log_softmax():
    assert_close(mlx.tensor(X).log_softmax(1), sp.log_softmax(X, axis=1), rtol=1e-13)


def test_softmax_of_large_values_does_not_overflow():
    assert mlx.tensor([1000.0, 1000.0]).softmax(0).tolist() == [0.5, 0.5]


def test_softmax_of_minus_infinity():
    assert mlx.tensor([-math.inf, 0.0]).softmax(0).tolist() == [0, 1]


def test_softmax_of_an_empty_dimension():
    assert mlx.zeros(2, 0).softmax(1).shape == (2, 0)


def test_softmax_in_a_wider_dtype():
    assert mlx.ones(2, dtype=mlx.float16).softmax(0, dtype=mlx.float32).dtype == mlx.float32


@pytest.mark.parametrize("case", ["softmax", "log_softmax", "logsumexp"])
def test_softmax_gradients(case):
    assert gradcheck(lambda x: getattr(mlx, case)(x, 1), double(3, 4))
    assert gradgradcheck(lambda x: getattr(mlx, case)(x, 1), double(2, 3))


@pytest.mark.parametrize(
    ("values", "expected"), [([-math.inf, -math.inf], -math.inf), ([math.inf, 1.0], math.inf)]
)
def test_logsumexp_of_infinities(values, expected):
    assert mlx.tensor(values).logsumexp(0).item() == expected


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("case", ["cumsum", "cumprod"])
def test_scan(case, dim):
    assert_close(
        getattr(mlx, case)(mlx.tensor(X), dim), getattr(np, case)(X, axis=dim), rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("case", ["cummax", "cummin"])
def test_running_extremes(case):
    accumulate = np.maximum if case == "cummax" else np.minimum
    assert_equal(getattr(mlx, case)(mlx.tensor(X), 1).values, accumulate.accumulate(X, axis=1))


@pytest.mark.parametrize("case", ["cumsum", "cumprod", "logcumsumexp"])
def test_scan_gradient(case):
    assert gradcheck(lambda x: getattr(mlx, case)(x, 1), double(2, 4))


def test_cumprod_gradient_with_a_zero():
    x = from_numpy(np.array([2.0, 0.0, 3.0]), requires_grad=True)
    assert gradcheck(lambda t: t.cumprod(0), x)


def test_scan_of_integers_is_int64():
    assert mlx.ones(3, dtype=mlx.int8).cumsum(0).dtype == mlx.int64


def test_scan_of_a_long_vector():
    x = sample(100_003)
    assert_close(mlx.tensor(x).cumsum(0), np.cumsum(x), rtol=1e-10, atol=1e-10)


def test_median_is_the_lower_middle():
    assert mlx.tensor([4.0, 1.0, 3.0, 2.0]).median().item() == 2


@pytest.mark.parametrize("dim", [3, -4])
def test_missing_dimension_is_an_index_error(dim):
    with pytest.raises(IndexError, match=str(dim)):
        mlx.tensor(X).sum(dim)


def test_repeated_dimension_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.tensor(X).sum((1, 1))


@given(st.lists(st.integers(-1000, 1000), max_size=200))
def test_integer_sum_is_pythons(values):
    assert mlx.tensor(values, dtype=mlx.int64).sum().item() == sum(values)


@given(st.lists(st.sampled_from([1, 2, 3, 17]), min_size=1, max_size=4), st.data())
def test_sum_over_any_dimensions_is_numpys(shape, data):
    dims = data.draw(st.sets(st.integers(0, len(shape) - 1), min_size=1))
    x = np.arange(np.prod(shape)).reshape(shape)
    assert_equal(mlx.tensor(x).sum(tuple(dims)), x.sum(tuple(dims)))


@pytest.mark.parametrize("shape", [(1_000_003,), (1003, 1009), (2, 300_007), (300_007, 2)])
@pytest.mark.parametrize("dim", [0, -1])
def test_large_sums_that_threads_share(shape, dim):
    x = np.random.default_rng(0).integers(-100, 100, shape)
    assert_equal(mlx.from_numpy(x).sum(dim), x.sum(dim))


@pytest.mark.parametrize("density", [False, True])
def test_histogram(density):
    x, weight = sample(50), np.abs(sample(50, seed=1))
    counts, edges = mlx.histogram(from_numpy(x), 7, weight=from_numpy(weight), density=density)
    expected = np.histogram(x, 7, weights=weight, density=density)
    assert_close(counts, expected[0], rtol=1e-12)
    assert_close(edges, expected[1], rtol=1e-12)
    assert_close(mlx.histogram(from_numpy(x), edges)[0], np.histogram(x, expected[1])[0])


def test_histogram_of_points():
    points = sample(60, 2)
    counts, edges = mlx.histogramdd(from_numpy(points), [3, 4], range=[-2, 2, -3, 3])
    expected = np.histogramdd(points, [3, 4], range=[(-2, 2), (-3, 3)])
    assert_close(counts, expected[0])
    for got, wanted in zip(edges, expected[1], strict=True):
        assert_close(got, wanted, rtol=1e-12)


def test_the_variance_of_nothing_is_nan():
    assert math.isnan(mlx.var(mlx.zeros(0), correction=-1).item())


COV = {
    "float_frequencies": ({"fweights": mlx.ones(3)}, "integral"),
    "too_few": ({"aweights": mlx.ones(1)}, "1 != 3"),
    "matrix": ({"aweights": mlx.ones(1, 3)}, "one or fewer"),
    "negative": ({"aweights": mlx.tensor([1.0, -1.0, 1.0])}, "negative"),
}


@pytest.mark.parametrize("weights, message", COV.values(), ids=COV)
def test_cov_checks_its_weights(weights, message):
    with pytest.raises(RuntimeError, match=message):
        mlx.cov(mlx.rand(2, 3), **weights)


def test_integrals_of_nothing():
    assert mlx.cumulative_trapezoid(mlx.zeros(2, 0)).shape == (2, 0)


def test_the_norm_of_one_element_does_not_overflow():
    x = mlx.tensor(-1e30, requires_grad=True)
    norm = mlx.linalg.vector_norm(x, 6)
    norm.backward()
    assert norm.item() == x.abs().item() and x.grad.item() == -1


def test_logcumsumexp_of_a_number_is_itself():
    x = mlx.tensor(1e30, requires_grad=True)
    (mlx.logcumsumexp(x, 0) * 0.25).backward()
    assert x.grad.item() == 0.25


@pytest.mark.parametrize("function", [mlx.softmax, mlx.log_softmax])
@pytest.mark.parametrize("shape", [(3, 70, 5), (2, 1, 33), (4, 300, 16), (2, 3, 65, 7)])
@pytest.mark.parametrize("dtype", [mlx.float32, mlx.float64, mlx.bfloat16], ids=name)
def test_softmax_goes_down_columns_as_along_rows(function, shape, dtype):
    x = from_numpy(sample(*shape)).to(dtype).requires_grad_()
    y = function(x, 1)
    along = function(x.detach().movedim(1, -1).contiguous().requires_grad_(), -1)
    assert y.dtype == dtype and (y.is_contiguous() or y.is_mps)
    assert_close(y.detach(), to_numpy(along.movedim(-1, 1)))
    g = from_numpy(sample(*shape, seed=1)).to(dtype)
    y.backward(g)
    s = sp.softmax(to_numpy(x).astype(np.float64), 1)
    g = to_numpy(g).astype(np.float64)
    expected = (
        g - s * g.sum(1, keepdims=True)
        if function is mlx.log_softmax
        else s * (g - (g * s).sum(1, keepdims=True))
    )
    assert_close(x.grad, expected, rtol=0, atol=8 * TOLERANCE[dtype] * np.abs(expected).max())


def test_the_gradient_of_logsumexp_beside_infinity():
    x = mlx.tensor([[1.0, math.inf, 2.0], [-math.inf] * 3, [-math.inf, 0.0, -math.inf]], requires_grad=True)
    mlx.logsumexp(x, 1).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [[0, math.nan, 0], [0, 0, 0], [0, 1, 0]])


@pytest.mark.parametrize("f", [mlx.linalg.vector_norm, lambda x: mlx.std(x, 0)], ids=["norm", "std"])
def test_the_gradient_at_zero_is_zero_for_every_cotangent(f):
    x, g = mlx.zeros(3, requires_grad=True), mlx.tensor(2.0, requires_grad=True)
    (first,) = mlx.autograd.grad(f(x), x, g, create_graph=True)
    assert first.tolist() == [0, 0, 0]
    for second in mlx.autograd.grad(first.sum(), [x, g]):
        assert not second.any()


@pytest.mark.parametrize("f", [mlx.trapezoid, mlx.cumulative_trapezoid])
@pytest.mark.parametrize("points", [(), (mlx.tensor(1.0),)], ids=["dx", "x"])
def test_an_integral_needs_a_dimension(f, points):
    with pytest.raises(IndexError, match="dimension"):
        f(mlx.tensor(1.0), *points)

"""Reductions that leave elements out, against NumPy's masked arrays."""

import numpy as np
import pytest
import scipy.special
from support import assert_close, from_numpy, sample, to_numpy

import mlx
from mlx import masked

gradcheck = mlx.autograd.gradcheck
gradgradcheck = mlx.autograd.gradgradcheck

X = sample(3, 4, 5)
MASK = np.random.default_rng(1).random((3, 4, 5)) < 0.6
MASK[0, 0] = False  # a row of which nothing is left
MASK[1, 1] = True

KEPT = np.ma.array(X, mask=~MASK)

# By name: the same of a masked array, and what stands where nothing is left.
REDUCTIONS = {
    "sum": (lambda a, axis: a.sum(axis), 0),
    "prod": (lambda a, axis: a.prod(axis), 1),
    "amax": (lambda a, axis: a.max(axis), -np.inf),
    "amin": (lambda a, axis: a.min(axis), np.inf),
    "mean": (lambda a, axis: a.mean(axis), np.nan),
    "var": (lambda a, axis: a.var(axis, ddof=1), np.nan),
    "std": (lambda a, axis: a.std(axis, ddof=1), np.nan),
    "norm": (lambda a, axis: np.ma.sqrt((a * a).sum(axis)), 0),
    "logsumexp": (lambda a, axis: np.ma.log(np.ma.exp(a).sum(axis)), -np.inf),
}


def reduced(name, axis):
    function, empty = REDUCTIONS[name]
    counts = MASK.sum(axis)
    result = np.ma.filled(np.ma.array(function(KEPT, axis), mask=counts == 0), empty)
    if name in ("var", "std"):
        result = np.where(counts < 2, np.nan, result)
    return result


@pytest.mark.parametrize("dim", [2, -2, (0, 2), (2, 1, 0), None])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction(name, dim):
    got = getattr(masked, name)(from_numpy(X), dim=dim, mask=from_numpy(MASK))
    assert_close(got, reduced(name, dim), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_reduction_of_a_strided_tensor(name):
    x, mask = from_numpy(np.repeat(X, 2, 2))[..., ::2], from_numpy(MASK.T.copy()).permute(2, 1, 0)
    assert not x.is_contiguous() and not mask.is_contiguous()
    got = getattr(masked, name)(x, dim=2, mask=mask)
    assert_close(got, reduced(name, 2), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_keepdim(name):
    shape = getattr(masked, name)(from_numpy(X), dim=(0, 2), keepdim=True, mask=from_numpy(MASK)).shape
    assert tuple(shape) == (1, 4, 1)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_without_a_mask_everything_takes_part(name):
    got = getattr(masked, name)(from_numpy(X), dim=1)
    assert_close(got, REDUCTIONS[name][0](np.ma.array(X), 1).filled(), rtol=1e-12)


@pytest.mark.parametrize("name", REDUCTIONS)
def test_of_a_number(name):
    left_out = getattr(masked, name)(mlx.tensor(2.0), mask=mlx.tensor(False))
    assert_close(left_out, np.float32(REDUCTIONS[name][1]))


@pytest.mark.parametrize("name", REDUCTIONS)
def test_gradients_of_reductions(name):
    x = from_numpy(X[1:], requires_grad=True)  # without the row that has no mean
    mask = from_numpy(MASK[1:])
    mask[..., :2] = True  # two at least, for a variance

    def function(t):
        return getattr(masked, name)(t, dim=2, mask=mask)

    assert gradcheck(function, [x])
    assert gradgradcheck(function, [x])


@pytest.mark.parametrize("name", ["sum", "mean", "var", "norm", "amax", "logsumexp"])
@pytest.mark.parametrize("junk", [np.nan, np.inf])
def test_what_is_left_out_has_no_influence(name, junk):
    x = mlx.tensor([1.0, junk, 3.0], requires_grad=True)
    result = getattr(masked, name)(x, dim=0, mask=mlx.tensor([True, False, True]))
    result.backward()
    assert_close(result.detach(), to_numpy(getattr(masked, name)(mlx.tensor([1.0, 3.0]), dim=0)))
    assert x.grad.isfinite().all() and x.grad[1] == 0


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_running_sums_and_products(dim):
    x, mask = from_numpy(X), from_numpy(MASK)
    assert_close(masked.cumsum(x, dim, mask=mask), np.where(MASK, X, 0).cumsum(dim), rtol=1e-12)
    assert_close(masked.cumprod(x, dim, mask=mask), np.where(MASK, X, 1).cumprod(dim), rtol=1e-12)


def test_running_sums_keep_the_dtype_of_integers():
    assert masked.cumsum(mlx.ones(2, dtype=mlx.int8), 0).dtype == mlx.int8


@pytest.mark.parametrize("dim", [1, None])
def test_places_of_extremes(dim):
    x, mask = from_numpy(X), from_numpy(MASK)
    largest = np.where(MASK, X, -np.inf).argmax(dim)
    least = np.where(MASK, X, np.inf).argmin(dim)
    assert_close(masked.argmax(x, dim, dtype=mlx.int64, mask=mask), largest)
    assert_close(masked.argmin(x, dim, dtype=mlx.int64, mask=mask), least)


def test_places_come_in_the_dtype_of_the_input():
    assert masked.argmax(mlx.zeros(3), 0).dtype == mlx.float32


def test_median_is_the_lower_of_the_middle_ones():
    got = masked.median(from_numpy(X), 2, mask=from_numpy(MASK))
    rows = [np.sort(row[keep]) for row, keep in zip(X.reshape(-1, 5), MASK.reshape(-1, 5), strict=True)]
    expected = [row[(len(row) - 1) // 2] if len(row) else np.nan for row in rows]
    assert_close(got, np.reshape(expected, (3, 4)))


def test_median_of_large_integers_is_exact():
    x = mlx.tensor([2**62 + 1, 5, 2**62 + 3])
    assert masked.median(x, 0, mask=mlx.tensor([True, False, True])).item() == 2**62 + 1


def test_median_of_no_integers_raises():
    with pytest.raises(ValueError, match="no fully masked out rows"):
        masked.median(mlx.tensor([1, 2]), 0, mask=mlx.tensor(False))


@pytest.mark.parametrize("ord", [0, 1, 2.5, np.inf, -np.inf])
def test_orders_of_norms(ord):
    got = masked.norm(from_numpy(X[1]), ord, 1, mask=from_numpy(MASK[1]))
    expected = [np.linalg.norm(row[keep], ord) for row, keep in zip(X[1], MASK[1], strict=True)]
    assert_close(got, np.array(expected), rtol=1e-12)


def test_the_least_magnitude_of_nothing_is_infinite():
    assert masked.norm(mlx.ones(2), -np.inf, mask=mlx.tensor(False)).item() == np.inf


@pytest.mark.parametrize("dim", [0, -1])
def test_softmaxes(dim):
    x, mask = from_numpy(X), from_numpy(MASK)
    with np.errstate(invalid="ignore"):
        down, up = np.where(MASK, X, -np.inf), np.where(MASK, -X, -np.inf)
        assert_close(masked.softmax(x, dim, mask=mask), scipy.special.softmax(down, dim), rtol=1e-12)
        assert_close(masked.softmin(x, dim, mask=mask), scipy.special.softmax(up, dim), rtol=1e-12)
        logarithms = np.log(scipy.special.softmax(down, dim), where=MASK | ~MASK.any(dim, keepdims=True),
                            out=np.full(X.shape, -np.inf))  # fmt: skip
    assert_close(masked.log_softmax(x, dim, mask=mask), logarithms, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin", "cumsum", "cumprod"])
def test_gradients_along_a_dimension(name):
    mask = from_numpy(MASK[1:])
    mask[..., 0] = True

    def function(t):
        return getattr(masked, name)(t, 2, mask=mask)[mask]

    assert gradcheck(function, [from_numpy(X[1:], requires_grad=True)])


def test_normalize():
    kept = np.where(MASK, X, 0)
    lengths = np.maximum(np.linalg.norm(kept, 2, 1, keepdims=True), 1e-12)
    assert_close(masked.normalize(from_numpy(X), 2, 1, mask=from_numpy(MASK)), kept / lengths, rtol=1e-12)


def test_logaddexp():
    a, b = sample(4, seed=2), sample(4, seed=3)
    of_a, of_b = np.array([True, True, False, False]), np.array([True, False, True, False])
    got = masked.logaddexp(
        from_numpy(a), from_numpy(b), input_mask=from_numpy(of_a), other_mask=from_numpy(of_b)
    )
    assert_close(got, np.logaddexp(np.where(of_a, a, -np.inf), np.where(of_b, b, -np.inf)), rtol=1e-12)


def test_a_mask_broadcasts():
    x = mlx.arange(6.0).reshape(2, 3)
    assert_close(masked.sum(x, 1, mask=mlx.tensor([True, False, True])), np.float32([2, 8]))
    assert_close(masked.sum(x, 1, mask=mlx.tensor([[True], [False]])), np.float32([3, 0]))


@pytest.mark.parametrize(("dtype", "function", "identity"), [
    (mlx.int64, "amax", -(2**63)), (mlx.int64, "amin", 2**63 - 1), (mlx.uint8, "amax", 0),
    (mlx.int8, "amin", 127), (mlx.bool, "amax", False), (mlx.bool, "amin", True),
])  # fmt: skip
def test_extremes_of_no_integers(dtype, function, identity):
    result = getattr(masked, function)(mlx.ones(2, dtype=dtype), mask=mlx.tensor(False))
    assert result.dtype == dtype and result.item() == identity


@pytest.mark.parametrize("name", ["sum", "prod"])
def test_integers_are_added_and_multiplied_in_int64(name):
    assert getattr(masked, name)(mlx.ones(2, dtype=mlx.uint8)).dtype == mlx.int64


@pytest.mark.parametrize("unbiased", [False, True])
def test_the_correction_of_variances(unbiased):
    x = sample(5) + 1j * sample(5, seed=4)
    got = masked.var(from_numpy(x), unbiased=unbiased, mask=mlx.tensor([True, True, True, False, True]))
    assert_close(got, np.delete(x, 3).var(ddof=int(unbiased)) + 0j, rtol=1e-12)


def test_two_corrections_raise():
    with pytest.raises(AssertionError, match="Only one"):
        masked.var(mlx.ones(3), unbiased=True, correction=2)


def test_mean_of_integers_needs_a_dtype():
    with pytest.raises(ValueError, match="could not infer the output dtype"):
        masked.mean(mlx.tensor([1, 2]))
    assert masked.mean(mlx.tensor([1, 2]), dtype=mlx.float64).item() == 1.5


def test_a_mask_of_more_dimensions_raises():
    with pytest.raises(IndexError, match="at most 1 dimensions"):
        masked.sum(mlx.ones(3), mask=mlx.ones(1, 3, dtype=mlx.bool))


def test_a_mask_of_another_shape_raises():
    with pytest.raises(RuntimeError):
        masked.sum(mlx.ones(3), mask=mlx.ones(2, dtype=mlx.bool))


def test_dimensions_are_checked():
    with pytest.raises(IndexError, match="Dimension out of range"):
        masked.sum(mlx.ones(3), 1)
    with pytest.raises(RuntimeError, match="multiple times"):
        masked.sum(mlx.ones(3, 3), (0, -2))

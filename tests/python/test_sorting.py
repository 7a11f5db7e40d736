"""Sorting, selecting the largest, and unique values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import FLOATS, INTEGERS, assert_close, assert_equal, double, name, sample, strided, to_numpy

import mlx

gradcheck = mlx.autograd.gradcheck
X = np.random.default_rng(0).permutation(120).reshape(4, 5, 6)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_sort(dim, descending):
    values, indices = mlx.tensor(X).sort(dim, descending=descending)
    expected = np.sort(X, axis=dim)
    assert_equal(values, np.flip(expected, dim) if descending else expected)
    assert_equal(indices, np.argsort(-X if descending else X, axis=dim))


@pytest.mark.parametrize("dtype", [mlx.bool, *INTEGERS, *FLOATS], ids=name)
def test_sort_in_every_dtype(dtype):
    t = mlx.tensor([1, 0, 1, 0, 0]).to(dtype)
    assert t.sort().values.tolist() == [0, 0, 0, 1, 1]


def test_sort_of_a_strided_tensor():
    assert_equal(strided(mlx.tensor(X)).transpose(0, 2).sort(1).values, np.sort(X.transpose(2, 1, 0), axis=1))


def test_sort_puts_nan_last():
    values = mlx.tensor([float("nan"), 1.0, float("inf"), -1.0]).sort().values.tolist()
    assert values[:3] == [-1, 1, float("inf")]
    assert np.isnan(values[3])


def test_descending_sort_puts_nan_first():
    assert mlx.tensor([1.0, float("nan")]).sort(descending=True).values.isnan().tolist() == [True, False]


@pytest.mark.parametrize("descending", [False, True])
def test_stable_sort_keeps_the_order_of_equals(descending):
    keys = np.random.default_rng(0).integers(0, 4, 5000)
    indices = mlx.tensor(keys).sort(stable=True, descending=descending).indices
    assert_equal(indices, np.argsort(-keys if descending else keys, kind="stable"))


def test_sort_of_a_long_vector():
    x = sample(200_003)
    assert_equal(mlx.tensor(x).sort().values, np.sort(x))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3)])
def test_sort_of_an_empty_tensor(shape):
    assert mlx.zeros(shape).sort().indices.shape == shape


def test_sort_of_a_scalar():
    values, indices = mlx.tensor(3.0).sort()
    assert (values.item(), indices.item()) == (3, 0)


def test_sort_gradient():
    assert gradcheck(lambda t: t.sort(1).values, double(2, 5))


def test_argsort():
    assert_equal(mlx.tensor(X).argsort(1), np.argsort(X, axis=1))


def test_msort():
    assert_equal(mlx.tensor(X).msort(), np.sort(X, axis=0))


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [0, 1, 3, 6])
def test_topk(k, largest):
    values, indices = mlx.tensor(X).topk(k, largest=largest)
    expected = np.sort(X, axis=-1)
    assert_equal(values, np.flip(expected, -1)[..., :k] if largest else expected[..., :k])
    assert_equal(mlx.tensor(X).gather(-1, indices), to_numpy(values))


def test_topk_along_another_dimension():
    assert_equal(mlx.tensor(X).topk(2, dim=0).values, np.flip(np.sort(X, axis=0), 0)[:2])


def test_topk_counts_nan_as_largest():
    assert mlx.tensor([1.0, float("nan"), 2.0]).topk(1).values.isnan().item()


@pytest.mark.parametrize("k", [7, -1])
def test_topk_out_of_range_is_an_error(k):
    with pytest.raises(RuntimeError, match="k"):
        mlx.tensor(X).topk(k)


def test_topk_gradient():
    assert gradcheck(lambda t: t.topk(2).values, double(2, 5))


@pytest.mark.parametrize("k", [1, 3, 5])
def test_kthvalue(k):
    values, indices = mlx.tensor(X).kthvalue(k, 1)
    assert_equal(values, np.sort(X, axis=1)[:, k - 1])
    assert_equal(indices, np.argsort(X, axis=1)[:, k - 1])


KEYS = np.random.default_rng(0).integers(0, 5, (4, 6))


def test_unique_is_sorted():
    assert_equal(mlx.tensor(KEYS).unique(), np.unique(KEYS))


def test_unique_inverse_and_counts():
    values, inverse, counts = mlx.unique(mlx.tensor(KEYS), return_inverse=True, return_counts=True)
    assert_equal(values[inverse], KEYS)
    assert_equal(counts, np.unique(KEYS, return_counts=True)[1])


def test_unique_rows():
    rows = np.array([[1, 2], [0, 5], [1, 2]])
    assert_equal(mlx.unique(mlx.tensor(rows), dim=0), np.unique(rows, axis=0))


def test_unique_of_nothing():
    assert mlx.zeros(0).unique().shape == (0,)


def test_unique_consecutive():
    values, counts = mlx.unique_consecutive(mlx.tensor([1, 1, 2, 2, 1]), return_counts=True)
    assert (values.tolist(), counts.tolist()) == ([1, 2, 1], [2, 2, 1])


@pytest.mark.parametrize("side", ["left", "right"])
def test_searchsorted(side):
    edges, x = np.sort(sample(20)), sample(50, seed=1)
    actual = mlx.searchsorted(mlx.tensor(edges), mlx.tensor(x), side=side)
    assert_equal(actual, np.searchsorted(edges, x, side=side))


def test_bincount():
    assert_equal(mlx.bincount(mlx.tensor([0, 2, 2]), minlength=5), np.bincount([0, 2, 2], minlength=5))


def test_bincount_with_weights():
    assert mlx.bincount(mlx.tensor([0, 2, 2]), mlx.tensor([1.0, 2.0, 3.0])).tolist() == [1, 0, 5]


@given(st.lists(st.integers(-100, 100), max_size=200))
def test_sort_is_pythons(values):
    assert mlx.tensor(values, dtype=mlx.int64).sort().values.tolist() == sorted(values)


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=100))
def test_sorted_values_are_where_the_positions_say(values):
    t = mlx.tensor(values)
    result = t.sort()
    assert t[result.indices].equal(result.values)


@given(st.lists(st.integers(0, 20), max_size=100))
def test_unique_is_pythons_set(values):
    assert mlx.tensor(values, dtype=mlx.int64).unique().tolist() == sorted(set(values))


@pytest.mark.parametrize("op", [mlx.median, mlx.nanmedian])
def test_equal_elements_share_the_gradient_of_the_median(op):
    x = mlx.tensor([1.0, 2.0, 2.0, 2.0, 5.0], requires_grad=True)
    op(x).backward()
    assert_close(x.grad, np.array([0, 1, 1, 1, 0]) / 3)
    empty = mlx.zeros(0, requires_grad=True)
    op(empty).backward()
    assert empty.grad.shape == (0,)


def test_nanmedian_sends_no_gradient_to_nan():
    x = mlx.tensor([np.nan, 1.0, 3.0], requires_grad=True)
    mlx.nanmedian(x).backward()
    assert x.grad.tolist() == [0, 1, 0]


def test_values_are_looked_up_among_boundaries_of_another_dtype():
    counts = mlx.tensor([1, 2, 3])
    for found in [
        mlx.searchsorted(counts, 2.5),
        mlx.searchsorted(counts, mlx.tensor(2.5)),
        mlx.bucketize(2.5, counts),
        mlx.bucketize(mlx.tensor(2.5, dtype=mlx.float64), counts),
    ]:
        assert found.item() == 2
    assert mlx.searchsorted(counts.float(), mlx.tensor([2])).tolist() == [1]
    for large in (300, mlx.tensor(300)):
        assert mlx.searchsorted(counts.to(mlx.uint8), large).item() == 3

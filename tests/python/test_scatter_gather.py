"""Gathering and scattering by index tensors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ALL, assert_close, assert_equal, double, name, sample, strided, to_numpy

import mlx
import mlx.nn.functional as F

gradcheck = mlx.autograd.gradcheck
X = np.arange(24.0).reshape(2, 3, 4)
INDEX = np.random.default_rng(0).integers(0, 2, (2, 3, 4))


def index_for(dim, shape=(2, 3, 4)):
    return np.random.default_rng(1).integers(0, X.shape[dim], shape)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_gather(dim):
    index = index_for(dim)
    assert_equal(mlx.tensor(X).gather(dim, mlx.tensor(index)), np.take_along_axis(X, index, dim))


def test_gather_with_a_smaller_index():
    assert mlx.tensor([[1, 2], [3, 4]]).gather(1, mlx.tensor([[1]])).tolist() == [[2]]


def test_gather_of_strided_tensors():
    index = index_for(1)
    actual = strided(mlx.tensor(X)).gather(1, strided(mlx.tensor(index)))
    assert_equal(actual, np.take_along_axis(X, index, 1))


def test_take_along_dim_broadcasts():
    t = mlx.tensor(X)
    positions = t.argmax(-1, keepdim=True)
    assert_equal(t.take_along_dim(positions, -1)[..., 0], X.max(-1))


def test_gather_gradient_adds_repeats():
    x = mlx.ones(3, requires_grad=True)
    x.gather(0, mlx.tensor([1, 1, 2])).sum().backward()
    assert x.grad.tolist() == [0, 2, 1]


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_scatter_add(dim):
    index = index_for(dim)
    expected = X.copy()
    places = list(np.indices(index.shape))
    places[dim] = index
    np.add.at(expected, tuple(places), -X)
    assert_equal(mlx.tensor(X).scatter_add(dim, mlx.tensor(index), mlx.tensor(-X)), expected)


def test_scatter():
    actual = mlx.zeros(3, 3).scatter(1, mlx.tensor([[0], [2], [1]]), mlx.tensor([[1.0], [2.0], [3.0]]))
    assert actual.tolist() == [[1, 0, 0], [0, 0, 2], [0, 3, 0]]


def test_scatter_a_number():
    assert mlx.zeros(2, 2).scatter(1, mlx.tensor([[1], [0]]), 5).tolist() == [[0, 5], [5, 0]]


def test_scatter_in_place_returns_itself():
    t = mlx.zeros(2)
    assert t.scatter_(0, mlx.tensor([1]), 5.0) is t
    assert t.tolist() == [0, 5]


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [
        ("sum", [1, 7, 10]),
        ("prod", [1, 16, 10]),
        ("amax", [1, 4, 10]),
        ("amin", [1, 1, 10]),
        ("mean", [1, 7 / 3, 10]),
    ],
)
def test_scatter_reduce(reduce, expected):
    start = mlx.tensor([1.0, 1.0, 10.0] if reduce != "prod" else [1.0, 4.0, 10.0], dtype=mlx.float64)
    values = mlx.tensor([4.0, 2.0] if reduce != "prod" else [4.0, 1.0], dtype=mlx.float64)
    assert_close(start.scatter_reduce(0, mlx.tensor([1, 1]), values, reduce), expected)


def test_scatter_reduce_without_the_start():
    actual = mlx.tensor([9.0, 9.0]).scatter_reduce(
        0, mlx.tensor([0, 0]), mlx.tensor([1.0, 2.0]), "sum", include_self=False
    )
    assert actual.tolist() == [3, 9]


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_scatter_add_in_every_dtype(dtype):
    actual = mlx.zeros(3, dtype=dtype).scatter_add(0, mlx.tensor([2, 0]), mlx.ones(2, dtype=dtype))
    assert actual.tolist() == [1, 0, 1]


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_index_select(dim):
    index = np.array([1, 0, 1])
    assert_equal(mlx.tensor(X).index_select(dim, mlx.tensor(index)), np.take(X, index, dim))


def test_index_select_of_nothing():
    assert mlx.tensor(X).index_select(1, mlx.zeros(0, dtype=mlx.int64)).shape == (2, 0, 4)


def test_index_add():
    actual = mlx.zeros(3, 2).index_add(0, mlx.tensor([0, 2, 0]), mlx.ones(3, 2), alpha=2)
    assert actual.tolist() == [[4, 4], [0, 0], [2, 2]]


def test_index_copy():
    assert mlx.zeros(3).index_copy(0, mlx.tensor([2, 0]), mlx.tensor([1.0, 2.0])).tolist() == [2, 0, 1]


def test_index_fill():
    assert mlx.zeros(3).index_fill(0, mlx.tensor([2, 0]), 7).tolist() == [7, 0, 7]


def test_masked_fill():
    t = mlx.zeros(2, 2).masked_fill(mlx.tensor([True, False]), 3)
    assert t.tolist() == [[3, 0], [3, 0]]


def test_masked_scatter():
    mask = mlx.tensor([True, False, True])
    assert mlx.zeros(3).masked_scatter(mask, mlx.tensor([1.0, 2.0, 3.0])).tolist() == [1, 0, 2]


def test_put_writes_the_flat_tensor():
    t = mlx.zeros(2, 2)
    t.put_(mlx.tensor([3, 0]), mlx.tensor([1.0, 2.0]))
    assert t.tolist() == [[2, 0], [0, 1]]


def test_embedding():
    weight = sample(5, 3)
    index = np.array([[0, 4], [4, 1]])
    assert_equal(F.embedding(mlx.tensor(index), mlx.tensor(weight)), weight[index])


def test_embedding_padding_gets_no_gradient():
    weight = mlx.ones(3, 2, requires_grad=True)
    F.embedding(mlx.tensor([0, 1, 1]), weight, padding_idx=0).sum().backward()
    assert weight.grad.tolist() == [[0, 0], [2, 2], [0, 0]]


def test_embedding_takes_int32():
    assert F.embedding(mlx.tensor([1], dtype=mlx.int32), mlx.eye(2)).tolist() == [[0, 1]]


GRADIENTS = {
    "gather": lambda x, y: x.gather(1, mlx.tensor(INDEX)),
    "scatter": lambda x, y: x.scatter(1, mlx.tensor([1, 2, 0]).reshape(1, 3, 1).expand(2, 3, 4), y),
    "scatter_add": lambda x, y: x.scatter_add(1, mlx.tensor(INDEX), y),
    "index_select": lambda x, y: x.index_select(1, mlx.tensor([2, 0, 2])),
    "index_add": lambda x, y: x.index_add(1, mlx.tensor([2, 0, 2]), y),
    "index_copy": lambda x, y: x.index_copy(1, mlx.tensor([2, 0, 1]), y),
    "index_fill": lambda x, y: x.index_fill(1, mlx.tensor([2]), 3.0),
    "masked_fill": lambda x, y: x.masked_fill(mlx.tensor(X > 7), 3.0),
    "masked_select": lambda x, y: x.masked_select(mlx.tensor(X > 7)),
    "masked_scatter": lambda x, y: x.masked_scatter(mlx.tensor(X > 7), y),
    "take": lambda x, y: x.take(mlx.tensor([3, 3, 5])),
    "index": lambda x, y: x[mlx.tensor([0, 1, 1]), :, mlx.tensor([1, 2, 2])],
    "mask": lambda x, y: x[mlx.tensor(X > 7)],
    "index_put": lambda x, y: x.index_put((mlx.tensor([0, 1]),), y),
    "index_put_accumulate": lambda x, y: x.index_put((mlx.tensor([1, 1]),), y, accumulate=True),
    "where": lambda x, y: mlx.where(mlx.tensor(X > 7), x, y),
}


@pytest.mark.parametrize("case", GRADIENTS)
def test_gradient(case):
    assert gradcheck(GRADIENTS[case], (double(2, 3, 4), double(2, 3, 4, seed=1)))


def test_embedding_gradient():
    assert gradcheck(lambda w: F.embedding(mlx.tensor([0, 2, 2]), w), double(3, 2))


OUT_OF_RANGE = {
    "gather": lambda i: mlx.zeros(3).gather(0, i),
    "scatter": lambda i: mlx.zeros(3).scatter(0, i, 1.0),
    "scatter_add": lambda i: mlx.zeros(3).scatter_add(0, i, mlx.ones(1)),
    "index_select": lambda i: mlx.zeros(3).index_select(0, i),
    "index_add": lambda i: mlx.zeros(3).index_add(0, i, mlx.ones(1)),
    "index_copy": lambda i: mlx.zeros(3).index_copy(0, i, mlx.ones(1)),
    "index_fill": lambda i: mlx.zeros(3).index_fill(0, i, 1.0),
    "take": lambda i: mlx.zeros(3).take(i),
    "put": lambda i: mlx.zeros(3).put(i, mlx.ones(1)),
    "embedding": lambda i: F.embedding(i, mlx.zeros(3, 2)),
}


@pytest.mark.parametrize("index", [3, 2**40, -4])
@pytest.mark.parametrize("case", OUT_OF_RANGE)
def test_index_out_of_range_is_an_error(case, index):
    with pytest.raises((IndexError, RuntimeError), match=r"(?i)out of (range|bounds)|index"):
        OUT_OF_RANGE[case](mlx.tensor([index]))


@pytest.mark.parametrize("case", ["gather", "scatter", "index_select", "index_add"])
def test_float_index_is_an_error(case):
    with pytest.raises((IndexError, RuntimeError, TypeError), match="(?i)int|long"):
        OUT_OF_RANGE[case](mlx.tensor([1.0]))


@given(st.lists(st.integers(0, 5), max_size=40))
def test_scatter_add_counts(values):
    index = mlx.tensor(values, dtype=mlx.int64)
    counts = mlx.zeros(6).scatter_add(0, index, mlx.ones(len(values)))
    assert to_numpy(counts).tolist() == np.bincount(np.array(values, int), minlength=6).tolist()


@given(st.permutations(range(8)))
def test_scatter_by_a_permutation_undoes_gather(order):
    x, index = mlx.arange(8), mlx.tensor(order)
    assert mlx.zeros(8, dtype=mlx.int64).scatter(0, index, x.gather(0, index)).equal(x)


@pytest.mark.parametrize("width", [1, 64, 100])
@pytest.mark.parametrize("places", [1, 7, 500])
def test_many_long_rows_are_added_in_their_order(places, width):
    rng = np.random.default_rng(0)
    index, rows = rng.integers(0, places, 3000), rng.standard_normal((3000, width)).astype(np.float32)
    expected = np.zeros((places, width), np.float32)
    np.add.at(expected, index, rows)
    actual = mlx.zeros(places, width).index_add(0, mlx.tensor(index), mlx.tensor(rows))
    assert_equal(actual, expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda x, i: x.gather(1, i),
        lambda x, i: x.scatter(1, i, x),
        lambda x, i: x.scatter_add(1, i, x),
        lambda x, i: x.index_select(0, i[0]),
        lambda x, i: x[i[0]],
    ],
)
def test_an_index_out_of_range_is_caught_as_either_error_of_pytorch(call):
    x, index = mlx.ones(2, 3), mlx.tensor([[7]])
    for kind in (IndexError, RuntimeError):
        with pytest.raises(kind, match="index 7 is out of bounds"):
            call(x, index)


def test_the_second_derivative_of_a_product_with_several_zeros_is_refused():
    start = mlx.ones(2, requires_grad=True)
    for zeros, fits in ((mlx.tensor([0.0, 2.0, 3.0]), True), (mlx.tensor([0.0, 0.0, 3.0]), False)):
        values = zeros.requires_grad_()
        out = start.scatter_reduce(0, mlx.tensor([1, 1, 1]), values, "prod")
        if fits:
            (g,) = mlx.autograd.grad(out[1], values, create_graph=True)
            assert_close(g.detach(), mlx.tensor([6.0, 0.0, 0.0]))
            (h,) = mlx.autograd.grad(g[0], values)
            assert_close(h, mlx.tensor([0.0, 3.0, 2.0]))
        else:
            (g,) = mlx.autograd.grad(out[1], values, retain_graph=True)
            assert_close(g, mlx.zeros(3))
            with pytest.raises(RuntimeError, match="several zeros"):
                mlx.autograd.grad(out[1], values, create_graph=True)


@pytest.mark.parametrize("scatter", ["scatter", "scatter_add", "scatter_"])
def test_a_source_without_dimensions_holds_one_element(scatter):
    index, source = mlx.tensor([0, 1, 2]), mlx.tensor(5.0)
    with pytest.raises(RuntimeError, match="no larger than src"):
        getattr(mlx.zeros(3), scatter)(0, index, source)
    assert getattr(mlx.zeros(3), scatter)(0, index[1], source).tolist() == [0, 5, 0]
    assert mlx.zeros(()).scatter_add(0, index[:1], mlx.ones(1)).item() == 1


WRITES = {
    "fill_": lambda x, v: x.clone().fill_(v),
    "full": lambda x, v: mlx.full((2,), v, dtype=x.dtype),
    "full_like": lambda x, v: mlx.full_like(x, v),
    "new_full": lambda x, v: x.new_full((2,), v),
    "masked_fill": lambda x, v: x.masked_fill(x > 1, v),
    "index_fill": lambda x, v: x.index_fill(0, mlx.tensor([1]), v),
    "index_fill_": lambda x, v: x.clone().index_fill_(0, mlx.tensor([1]), v),
    "scatter": lambda x, v: x.scatter(0, mlx.tensor([1]), v),
    "where": lambda x, v: mlx.where(x > 1, v, x),
    "clamp_max": lambda x, v: x.clamp(max=v),
    "clamp": lambda x, v: x.clamp(v, v),
    "pad": lambda x, v: F.pad(x, (1, 1), value=v),
    "setitem": lambda x, v: x.clone().__setitem__(0, v),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize(
    "dtype, value",
    [
        (mlx.uint8, 300),
        (mlx.int8, -129),
        (mlx.int32, 2**40),
        (mlx.float16, 1e6),
        (mlx.float32, 1e39),
    ],
)
def test_a_number_that_does_not_fit_is_refused(write, dtype, value):
    with pytest.raises(RuntimeError, match="without overflow"):
        write(mlx.tensor([1, 2], dtype=dtype), value)


def test_a_value_of_another_dtype_that_does_not_fit_is_refused():
    x = mlx.ones(2, dtype=mlx.uint8)
    assert x.masked_fill(x > 0, mlx.tensor(255)).tolist() == [255, 255]
    with pytest.raises(RuntimeError, match="without overflow"):
        x.masked_fill(x > 0, mlx.tensor(300))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2.0**63, 1 + 2j])
def test_a_fill_of_integers_by_what_is_none_is_refused(value):
    with pytest.raises(RuntimeError, match="without overflow"):
        mlx.zeros(2, dtype=mlx.int64).fill_(value)


def test_numbers_that_fit():
    assert mlx.full((1,), -1, dtype=mlx.uint8).item() == 255
    assert mlx.full((1,), 300, dtype=mlx.bool).item() is True
    assert mlx.full((1,), 65504.0, dtype=mlx.float16).item() == 65504
    assert mlx.zeros(1).masked_fill(mlx.tensor([True]), -float("inf")).item() == -float("inf")
    assert mlx.zeros(1, dtype=mlx.complex64).fill_(2j).item() == 2j


@pytest.mark.parametrize("order", [0.5, 1.0, 2.0, math.inf])
def test_embedding_shrinks_rows_to_a_norm_of_any_order(order):
    rows = np.array([[3.0, 4.0], [0.1, 0.2], [-6.0, 2.0]])
    weight = mlx.tensor(rows)
    F.embedding(mlx.tensor([0, 1]), weight, max_norm=2.0, norm_type=order)
    norms = np.linalg.norm(rows, order, axis=1, keepdims=True)
    expected = np.where((norms > 2) & (np.arange(3) < 2)[:, None], rows * 2 / (norms + 1e-7), rows)
    assert_close(weight, expected)

"""Operations that put tensors together, take them apart and move elements."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ALL, assert_close, assert_equal, double, from_numpy, name, strided

import mlx
import mlx.nn.functional as F

gradcheck = mlx.autograd.gradcheck
X = np.arange(24).reshape(2, 3, 4)

# name -> (mlx, NumPy), both on X.
CASES = {
    "cat": (lambda t: mlx.cat([t, t], 1), lambda a: np.concatenate([a, a], 1)),
    "cat_last": (lambda t: mlx.cat((t, t[..., :1]), -1), lambda a: np.concatenate([a, a[..., :1]], -1)),
    "cat_three": (lambda t: mlx.cat([t, t, t]), lambda a: np.concatenate([a, a, a])),
    "concat": (lambda t: mlx.concat([t, t]), lambda a: np.concatenate([a, a])),
    "stack": (lambda t: mlx.stack([t, t], 1), lambda a: np.stack([a, a], 1)),
    "stack_last": (lambda t: mlx.stack([t, t], -1), lambda a: np.stack([a, a], -1)),
    "hstack": (lambda t: mlx.hstack([t, t]), lambda a: np.hstack([a, a])),
    "vstack": (lambda t: mlx.vstack([t, t]), lambda a: np.vstack([a, a])),
    "dstack": (lambda t: mlx.dstack([t, t]), lambda a: np.dstack([a, a])),
    "flip": (lambda t: t.flip(0, 2), lambda a: np.flip(a, (0, 2))),
    "fliplr": (lambda t: t.fliplr(), lambda a: np.fliplr(a)),
    "flipud": (lambda t: t.flipud(), lambda a: np.flipud(a)),
    "roll": (lambda t: t.roll(2, 1), lambda a: np.roll(a, 2, 1)),
    "roll_flat": (lambda t: t.roll(-5), lambda a: np.roll(a, -5)),
    "roll_pairs": (lambda t: t.roll((1, -1), (0, 2)), lambda a: np.roll(a, (1, -1), (0, 2))),
    "rot90": (lambda t: t.rot90(1, (1, 2)), lambda a: np.rot90(a, 1, (1, 2))),
    "tril": (lambda t: t.tril(), np.tril),
    "tril_offset": (lambda t: t.tril(1), lambda a: np.tril(a, 1)),
    "triu": (lambda t: t.triu(), np.triu),
    "triu_offset": (lambda t: t.triu(-1), lambda a: np.triu(a, -1)),
    "repeat": (lambda t: t.repeat(2, 1, 3), lambda a: np.tile(a, (2, 1, 3))),
    "repeat_new_dim": (lambda t: t.repeat(2, 1, 1, 1), lambda a: np.tile(a, (2, 1, 1, 1))),
    "tile": (lambda t: t.tile(2), lambda a: np.tile(a, 2)),
    "repeat_interleave": (lambda t: t.repeat_interleave(2, 1), lambda a: np.repeat(a, 2, 1)),
    "repeat_interleave_flat": (lambda t: t.repeat_interleave(2), lambda a: np.repeat(a, 2)),
    "repeat_interleave_each": (
        lambda t: t.repeat_interleave(mlx.tensor([1, 0, 2]), 1),
        lambda a: np.repeat(a, [1, 0, 2], 1),
    ),
    "pad": (lambda t: F.pad(t, (1, 2)), lambda a: np.pad(a, ((0, 0), (0, 0), (1, 2)))),
    "pad_two": (
        lambda t: F.pad(t, (1, 0, 0, 2), value=7),
        lambda a: np.pad(a, ((0, 0), (0, 2), (1, 0)), constant_values=7),
    ),
    "pad_negative": (lambda t: F.pad(t, (-1, 1)), lambda a: np.pad(a[..., 1:], ((0, 0), (0, 0), (0, 1)))),
    "diag_embed": (lambda t: t.diag_embed(), lambda a: a[..., None] * np.eye(4, dtype=int)),
    "diff": (lambda t: t.diff(), np.diff),
    "diff_dim": (lambda t: t.diff(2, 1), lambda a: np.diff(a, 2, 1)),
    "ravel": (lambda t: t.ravel(), np.ravel),
}


@pytest.mark.parametrize("case", CASES)
def test_values(case):
    actual, expected = CASES[case]
    assert_equal(actual(mlx.tensor(X)), expected(X))


@pytest.mark.parametrize("case", CASES)
def test_values_of_a_strided_tensor(case):
    actual, expected = CASES[case]
    t = strided(mlx.tensor(X.transpose(0, 2, 1).copy())).mT
    assert_equal(actual(t), expected(X))


@pytest.mark.parametrize("case", CASES)
def test_gradient(case):
    assert gradcheck(CASES[case][0], double(2, 3, 4))


@pytest.mark.parametrize("dtype", ALL, ids=name)
@pytest.mark.parametrize("case", ["cat", "stack", "flip", "roll", "tril", "triu", "repeat", "pad"])
def test_every_dtype(case, dtype):
    actual, expected = CASES[case]
    bits = X % 2
    assert actual(mlx.tensor(bits).to(dtype)).tolist() == expected(bits).tolist()


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_pad_modes(mode):
    reference = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    x = np.arange(12.0).reshape(1, 3, 4)
    assert_equal(F.pad(mlx.tensor(x), (2, 1), mode=mode), np.pad(x, ((0, 0), (0, 0), (2, 1)), mode=reference))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_pad_mode_gradient(mode):
    assert gradcheck(lambda t: F.pad(t, (2, 1), mode=mode), double(1, 2, 4))


def test_cat_promotes():
    assert mlx.cat([mlx.ones(1), mlx.ones(1, dtype=mlx.int64)]).dtype == mlx.float32


def test_cat_skips_the_legacy_empty_tensor():
    assert mlx.cat([mlx.zeros(0), mlx.ones(2, 3)]).shape == (2, 3)


def test_cat_of_empty_tensors():
    assert mlx.cat([mlx.zeros(0, 3), mlx.zeros(0, 3)]).shape == (0, 3)


def test_cat_of_nothing_is_an_error():
    with pytest.raises((RuntimeError, ValueError)):
        mlx.cat([])


def test_cat_of_scalars_is_an_error():
    with pytest.raises(RuntimeError, match="zero-dim"):
        mlx.cat([mlx.tensor(1), mlx.tensor(2)])


def test_cat_of_other_sizes_is_an_error():
    with pytest.raises(RuntimeError, match=r"3.*4|4.*3"):
        mlx.cat([mlx.zeros(2, 3), mlx.zeros(2, 4)])


def test_stack_of_other_sizes_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.stack([mlx.zeros(2), mlx.zeros(3)])


def test_cat_gradient_of_several_dtypes():
    x = mlx.ones(2, dtype=mlx.float16, requires_grad=True)
    y = mlx.ones(2, dtype=mlx.float32, requires_grad=True)
    (mlx.cat([x, y]) * mlx.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
    assert (x.grad.dtype, x.grad.tolist(), y.grad.tolist()) == (mlx.float16, [1, 2], [3, 4])


def test_cat_of_many():
    parts = [mlx.full((i,), float(i)) for i in range(100)]
    assert mlx.cat(parts).sum().item() == sum(i * i for i in range(100))


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10])
def test_split_and_cat_are_inverse(size):
    t = mlx.arange(10)
    parts = t.split(size)
    assert all(len(p) == size for p in parts[:-1])
    assert mlx.cat(parts).equal(t)


@pytest.mark.parametrize("chunks", [1, 3, 4, 7, 20])
def test_chunk_sizes(chunks):
    step = -(-10 // chunks)
    expected = [min(step, 10 - i) for i in range(0, 10, step)]
    assert [len(p) for p in mlx.arange(10).chunk(chunks)] == expected


@pytest.mark.parametrize("sections", [3, [1, 4], [0, 10]])
def test_tensor_split_is_numpys_array_split(sections):
    expected = np.array_split(np.arange(10), sections)
    assert [p.tolist() for p in mlx.arange(10).tensor_split(sections)] == [p.tolist() for p in expected]


def test_split_gradient_of_one_part():
    x = mlx.ones(6, requires_grad=True)
    x.split(2)[1].sum().backward()
    assert x.grad.tolist() == [0, 0, 1, 1, 0, 0]


def test_unbind_gradient_of_one_part():
    x = mlx.ones(3, 2, requires_grad=True)
    (x.unbind()[2] * 2).sum().backward()
    assert x.grad.tolist() == [[0, 0], [0, 0], [2, 2]]


def test_one_hot():
    assert F.one_hot(mlx.tensor([0, 2]), 3).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_one_hot_infers_the_classes():
    assert F.one_hot(mlx.tensor([[1], [3]])).shape == (2, 1, 4)


@pytest.mark.parametrize("index", [3, -1])
def test_one_hot_out_of_range_is_an_error(index):
    with pytest.raises(RuntimeError):
        F.one_hot(mlx.tensor([index]), 3)


def test_diag_both_ways():
    assert mlx.diag(mlx.tensor([1, 2])).tolist() == [[1, 0], [0, 2]]
    assert mlx.diag(mlx.tensor([[1, 2], [3, 4]])).tolist() == [1, 4]


def test_trace():
    assert mlx.tensor([[1, 2], [3, 4]]).trace().item() == 5


def test_tril_indices():
    assert_equal(mlx.tril_indices(3, 4, 1), np.array(np.tril_indices(3, 1, 4)))


def test_cartesian_product():
    assert mlx.cartesian_prod(mlx.tensor([1, 2]), mlx.tensor([3, 4])).tolist() == [
        [1, 3],
        [1, 4],
        [2, 3],
        [2, 4],
    ]


@pytest.mark.parametrize("right", [False, True])
def test_bucketize(right):
    x, edges = np.array([0.0, 1.0, 2.5, 9.0]), np.array([1.0, 2.0, 3.0])
    expected = np.searchsorted(edges, x, side="right" if right else "left")
    assert_equal(mlx.bucketize(mlx.tensor(x), mlx.tensor(edges), right=right), expected)


@given(st.lists(st.integers(-4, 4), min_size=3, max_size=3))
def test_roll_is_numpys(shifts):
    assert_equal(mlx.tensor(X).roll(tuple(shifts), (0, 1, 2)), np.roll(X, shifts, (0, 1, 2)))


@given(st.sets(st.integers(0, 2)))
def test_flip_twice_is_the_identity(dims):
    assert_equal(mlx.tensor(X).flip(tuple(dims)).flip(tuple(dims)), X)


@given(st.integers(-5, 5), st.integers(0, 5), st.integers(0, 5))
def test_tril_and_triu_make_the_whole(diagonal, rows, columns):
    t = mlx.ones(rows, columns)
    assert_close(t.tril(diagonal) + t.triu(diagonal + 1), np.ones((rows, columns)))


def test_repeat_with_too_few_sizes_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.ones(2, 3).repeat(2)


def test_movement_of_a_large_tensor():
    x = np.arange(3_000_000).reshape(1000, 3000)
    assert_equal(from_numpy(x).t().contiguous(), x.T)


def test_tensor_split_reads_a_tensor_of_one_element_as_an_index():
    x = mlx.arange(6)
    assert [len(p) for p in mlx.tensor_split(x, mlx.tensor([2]))] == [2, 4]
    assert [len(p) for p in mlx.tensor_split(x, mlx.tensor(2))] == [3, 3]


REFUSED = {
    "narrow": (lambda: mlx.zeros(3).narrow(0, mlx.tensor(True), 1), RuntimeError),
    "roll": (lambda: mlx.roll(mlx.tensor(1.0), 0, 0), IndexError),
    "unbind": (lambda: mlx.tensor(1).unbind(), IndexError),
    "cat": (lambda: mlx.cat([]), ValueError),
    "gradient_dim": (lambda: mlx.gradient(mlx.zeros(3, 3), dim=3), IndexError),
    "gradient_twice": (lambda: mlx.gradient(mlx.zeros(3, 3), dim=(1, -1)), RuntimeError),
}


@pytest.mark.parametrize("call, error", REFUSED.values(), ids=REFUSED)
def test_errors_are_of_pytorchs_classes(call, error):
    with pytest.raises(error):
        call()


def test_slice_scatter_takes_out():
    out = mlx.zeros(0)
    assert mlx.slice_scatter(mlx.zeros(4), mlx.ones(2), 0, 1, 3, out=out) is out
    assert out.tolist() == [0, 1, 1, 0]

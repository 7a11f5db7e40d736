"""Matrix products."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import (
    FLOATS,
    INTEGERS,
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
import mlx.nn.functional as F

gradcheck, gradgradcheck = mlx.autograd.gradcheck, mlx.autograd.gradgradcheck

SHAPES = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
    ((5, 2, 3), (3, 4)),
    ((2, 3), (5, 3, 4)),
    ((5, 2, 3), (5, 3, 4)),
    ((5, 1, 2, 3), (6, 3, 4)),
    ((1, 2, 3), (5, 3, 4)),
    ((1, 1), (1, 1)),
]
EMPTY = [
    ((0, 3), (3, 4)),
    ((2, 0), (0, 4)),
    ((2, 3), (3, 0)),
    ((0,), (0,)),
    ((0, 2, 3), (3, 4)),
    ((5, 2, 0), (5, 0, 4)),
]
IDS = [f"{a}@{b}" for a, b in SHAPES]


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=IDS)
def test_every_rank(a, b):
    x, y = sample(*a), sample(*b, seed=1)
    assert_close(mlx.tensor(x) @ mlx.tensor(y), x @ y, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("a", "b"), EMPTY, ids=[f"{a}@{b}" for a, b in EMPTY])
def test_empty_operands(a, b):
    assert_equal(mlx.ones(a) @ mlx.ones(b), np.ones(a) @ np.ones(b))


@pytest.mark.parametrize(("a", "b"), SHAPES, ids=IDS)
def test_gradient_of_every_rank(a, b):
    assert gradcheck(mlx.matmul, (double(*a), double(*b, seed=1)))


def test_second_gradient():
    assert gradgradcheck(mlx.matmul, (double(2, 2, 3), double(3, 2, seed=1)))


@pytest.mark.parametrize("dtype", [*FLOATS, mlx.complex64, mlx.complex128], ids=name)
def test_every_floating_dtype(dtype):
    x, y = from_numpy(sample(17, 33), dtype), from_numpy(sample(33, 9, seed=1), dtype)
    expected = to_numpy(x).astype(np.complex128) @ to_numpy(y).astype(np.complex128)
    expected = expected if dtype.is_complex else expected.real
    assert_close(x @ y, expected, rtol=4 * TOLERANCE[dtype], atol=33 * TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", INTEGERS, ids=name)
def test_integers(dtype):
    x = mlx.tensor([[1, 2], [3, 4]], dtype=dtype)
    assert (x @ x).tolist() == [[7, 10], [15, 22]]


def test_integer_product_keeps_all_bits():
    x = mlx.tensor([[2**40 + 1]])
    assert (x @ mlx.tensor([[2**20 + 1]])).item() == (2**40 + 1) * (2**20 + 1)


@pytest.mark.parametrize("layout", ["transposed", "stepped", "row_stepped", "expanded", "offset"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_layouts(layout, side):
    x = from_numpy(sample(6, 6))
    t = {
        "transposed": lambda: x.t(),
        "stepped": lambda: strided(x),
        "row_stepped": lambda: mlx.cat([x, x])[::2],
        "expanded": lambda: x[:1].expand(6, 6),
        "offset": lambda: mlx.cat([x, x], 1)[:, 3:9],
    }[layout]()
    y = from_numpy(sample(6, 6, seed=1))
    actual, expected = (
        (t @ y, to_numpy(t) @ to_numpy(y)) if side == "left" else (y @ t, to_numpy(y) @ to_numpy(t))
    )
    assert_close(actual, expected, rtol=1e-13, atol=1e-13)


def test_batches_with_expanded_and_permuted_operands():
    x, y = sample(3, 4, 5), sample(5, 4, seed=1)
    actual = mlx.tensor(x).permute(1, 0, 2) @ mlx.tensor(y).expand(4, 5, 4)
    assert_close(actual, x.transpose(1, 0, 2) @ y, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("size", [1, 31, 64, 129, 500])
def test_sizes_around_the_blocks(size):
    x, y = sample(size, size + 1), sample(size + 1, size + 2, seed=1)
    assert_close(mlx.tensor(x) @ mlx.tensor(y), x @ y, rtol=1e-11, atol=1e-11)


def test_nan_is_not_hidden_by_a_zero():
    assert (mlx.zeros(1, 1) @ mlx.full((1, 1), float("nan"))).isnan().item()


def test_mm_bmm_mv_dot_outer():
    m, b, v = mlx.tensor(sample(2, 3)), mlx.tensor(sample(4, 3, 2)), mlx.tensor(sample(3))
    assert_close(mlx.mm(m, m.t()), to_numpy(m) @ to_numpy(m).T)
    assert_close(mlx.bmm(b, b.mT), to_numpy(b) @ to_numpy(b).transpose(0, 2, 1), atol=1e-13)
    assert_close(mlx.mv(m, v), to_numpy(m) @ to_numpy(v))
    assert_close(mlx.dot(v, v), to_numpy(v) @ to_numpy(v))
    assert_close(mlx.outer(v, v), np.outer(to_numpy(v), to_numpy(v)))


@pytest.mark.parametrize("bias", [(4,), (2, 4), (1, 4), (2, 1), ()])
def test_addmm_broadcasts_its_bias(bias):
    b, x, y = sample(*bias), sample(2, 3), sample(3, 4, seed=1)
    actual = mlx.addmm(mlx.tensor(b), mlx.tensor(x), mlx.tensor(y), beta=0.5, alpha=2)
    assert_close(actual, 0.5 * b + 2 * (x @ y), rtol=1e-13, atol=1e-13)


def test_addmm_with_beta_zero_ignores_nan():
    bias = mlx.full((1, 1), float("nan"))
    assert mlx.addmm(bias, mlx.ones(1, 1), mlx.ones(1, 1), beta=0).item() == 1


def test_addmm_gradient():
    assert gradcheck(mlx.addmm, (double(4), double(2, 3), double(3, 4, seed=1)))


def test_baddbmm():
    b, x, y = sample(5, 2, 4), sample(5, 2, 3), sample(5, 3, 4, seed=1)
    assert_close(mlx.baddbmm(*map(mlx.tensor, (b, x, y))), b + x @ y, rtol=1e-13, atol=1e-13)


EINSUM = [
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("bij,bjk->bik", (5, 2, 3), (5, 3, 4)),
    ("i,j->ij", (2,), (3,)),
    ("ij->ji", (2, 3)),
    ("ii->i", (3, 3)),
    ("ii", (3, 3)),
    ("ij->", (2, 3)),
    ("ij->j", (2, 3)),
    ("...ij,...jk->...ik", (5, 1, 2, 3), (6, 3, 4)),
    ("...i->...", (2, 3)),
    ("bhqd,bhkd->bhqk", (2, 3, 4, 5), (2, 3, 6, 5)),
    ("a,b,c->abc", (2,), (3,), (4,)),
    ("ij,ij->i", (2, 3), (2, 3)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
]


@pytest.mark.parametrize("case", EINSUM, ids=[c[0] for c in EINSUM])
def test_einsum(case):
    equation, *shapes = case
    arrays = [sample(*shape, seed=i) for i, shape in enumerate(shapes)]
    actual = mlx.einsum(equation, *map(mlx.tensor, arrays))
    assert_close(actual, np.einsum(equation, *arrays), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", EINSUM[:8], ids=[c[0] for c in EINSUM[:8]])
def test_einsum_gradient(case):
    equation, *shapes = case
    tensors = tuple(double(*shape, seed=i) for i, shape in enumerate(shapes))
    assert gradcheck(lambda *t: mlx.einsum(equation, *t), tensors)


@pytest.mark.parametrize(
    ("dims", "shapes"), [(1, ((2, 3), (3, 4))), (2, ((2, 3, 4), (3, 4, 5))), (0, ((2,), (3,)))]
)
def test_tensordot(dims, shapes):
    a, b = (sample(*shape, seed=i) for i, shape in enumerate(shapes))
    assert_close(
        mlx.tensordot(mlx.tensor(a), mlx.tensor(b), dims), np.tensordot(a, b, dims), rtol=1e-13, atol=1e-13
    )


@pytest.mark.parametrize("shape", [(3,), (2, 3), (5, 2, 3), (0, 3)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear(shape, bias):
    x, w, b = sample(*shape), sample(4, 3, seed=1), sample(4, seed=2)
    actual = F.linear(mlx.tensor(x), mlx.tensor(w), mlx.tensor(b) if bias else None)
    assert_close(actual, x @ w.T + (b if bias else 0), rtol=1e-13, atol=1e-13)


def test_linear_gradient():
    assert gradcheck(F.linear, (double(2, 2, 3), double(4, 3, seed=1), double(4, seed=2)))


@pytest.mark.parametrize(
    ("a", "b"), [((2, 3), (4, 5)), ((3,), (4,)), ((2, 3), (4,)), ((2, 2, 3), (3, 3, 4)), ((), (3,))]
)
def test_sizes_that_do_not_fit_are_an_error(a, b):
    with pytest.raises(RuntimeError):
        mlx.ones(a) @ mlx.ones(b)


def test_different_dtypes_are_an_error():
    with pytest.raises(RuntimeError, match=r"(?i)float|double|dtype"):
        mlx.ones(2, 2) @ mlx.ones(2, 2, dtype=mlx.float64)


sizes = st.integers(0, 5)


@given(sizes, sizes, sizes)
def test_transpose_of_a_product(n, k, m):
    x, y = from_numpy(sample(n, k)), from_numpy(sample(k, m, seed=1))
    assert_close((x @ y).t(), to_numpy(y.t() @ x.t()), rtol=1e-12, atol=1e-12)


@given(sizes, sizes, sizes)
def test_product_with_the_identity(n, k, m):
    x = from_numpy(sample(n, k, m))
    assert_equal(x @ mlx.eye(m, dtype=mlx.float64), to_numpy(x))


def test_einsum_of_a_lone_integer_operand_sums_like_sum():
    x = mlx.ones(2, 3, dtype=mlx.int32)
    assert mlx.einsum("ij->i", x).dtype == mlx.int64
    assert mlx.einsum("ij->ji", x).dtype == mlx.int32
    assert mlx.einsum("ij,kj->ik", x, x).dtype == mlx.int32


@pytest.mark.parametrize("dtype", [mlx.float16, mlx.bfloat16], ids=name)
def test_addmm_of_half_types_is_rounded_once(dtype):
    a, b, c = (from_numpy(sample(4, 4, seed=i)).to(dtype) for i in range(3))
    exact = (c.float() * 0.6 + (a.float() @ b.float()) * 0.2).to(dtype)
    assert_equal(mlx.addmm(c, a, b, beta=0.6, alpha=0.2), to_numpy(exact))


def test_addbmm_in_place_gives_a_broadcast_input_the_shape_of_the_result():
    x = mlx.ones(1)
    x.addbmm_(mlx.ones(2, 3, 4), mlx.ones(2, 4, 5))
    assert_equal(x, np.full((3, 5), 9.0))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("magnitude", [9, 2**25, 2**26, 2**62])
def test_integer_products_wrap(dtype, magnitude):
    """Whether their sums fit double or not, with sizes at which double is worthwhile."""
    limits = np.iinfo(dtype)
    low, high = max(limits.min, -magnitude), min(limits.max, magnitude)
    random = np.random.default_rng(magnitude)
    x, y, z = (random.integers(low, high, (33, 33), dtype, endpoint=True) for _ in range(3))
    assert mlx.matmul(from_numpy(x), from_numpy(y)).tolist() == (x @ y).tolist()
    assert mlx.matmul(from_numpy(x).mT, from_numpy(y)).tolist() == (x.T @ y).tolist()
    assert mlx.addmm(from_numpy(z), from_numpy(x), from_numpy(y)).tolist() == (z + x @ y).tolist()


def test_einsum_sums_integers_in_int64():
    a, b = mlx.ones(2, 3, dtype=mlx.uint8), mlx.full((3,), 200, dtype=mlx.uint8)
    out = mlx.einsum("ik,j->ij", a, b)
    assert out.dtype == mlx.int64 and out.tolist() == [[600] * 3] * 2
    assert mlx.einsum("ik,k->i", a, a[0]).dtype == mlx.uint8

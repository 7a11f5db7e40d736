"""The CPU's packed product: sizes around its tiles and blocks, all layouts, types and convolutions."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import HALVES, assert_close, assert_equal, from_numpy, name, to_numpy

import mlx
import mlx.nn.functional as F

TYPES = [mlx.float32, *HALVES]
# One less and one more than multiples of what a tile or a block of any instruction set holds.
EDGES = [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 33, 47, 48, 49, 95, 97, 144, 193]
DEPTHS = [*EDGES, 383, 384, 385, 767, 769, 1153]
LAYOUTS = ["rows", "columns", "steps", "backwards", "repeated"]


def whole_numbers(*shape, seed=0):
    """Numbers whose products' sums are exact in float32, whatever their order."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float64)


def laid_out(values, dtype, layout):
    """A tensor of the values in a certain layout, and the values that it has."""
    if layout == "repeated":
        values = np.broadcast_to(values[:1], values.shape)
        return from_numpy(values[:1]).to(dtype).expand(*values.shape), values
    if layout == "columns":
        return from_numpy(values.T.copy()).to(dtype).t(), values
    if layout == "steps":
        room = mlx.full((2 * values.shape[0], 3 * values.shape[1]), float("nan"), dtype=dtype)
        room[::2, ::3] = from_numpy(values).to(dtype)
        return room[::2, ::3], values
    if layout == "backwards":
        return from_numpy(values[::-1].copy()).to(dtype).flip(0), values
    return from_numpy(values).to(dtype), values


def rounded(values, dtype):
    return to_numpy(from_numpy(values).to(dtype).double())


@given(
    st.sampled_from(EDGES),
    st.sampled_from(EDGES),
    st.sampled_from(DEPTHS),
    st.sampled_from(LAYOUTS),
    st.sampled_from(LAYOUTS),
    st.sampled_from(TYPES),
)
@settings(max_examples=300, deadline=None)
def test_products_of_all_sizes_and_layouts(m, n, k, left, right, dtype):
    a, x = laid_out(whole_numbers(m, k), dtype, left)
    b, y = laid_out(whole_numbers(k, n, seed=1), dtype, right)
    assert_equal((a @ b).double(), rounded(x @ y, dtype))


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("shape", [(3, 5, 7), (40, 100, 900), (300, 200, 1000)])
def test_products_are_added_to_what_is_there(dtype, shape):
    m, n, k = shape
    a, b, c = whole_numbers(m, k), whole_numbers(k, n, seed=1), whole_numbers(m, n, seed=2)
    out = F.linear(from_numpy(a).to(dtype), from_numpy(b.T.copy()).to(dtype), from_numpy(c[0]).to(dtype))
    assert_equal(out.double(), rounded(a @ b + c[0], dtype))


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@np.errstate(invalid="ignore")
def test_what_is_not_finite_stays_in_its_row_and_column(dtype, value):
    """Tiles are filled up beyond the edges of a matrix; nothing of that may reach a result."""
    m, n, k = 13, 53, 129
    for row, depth in [(0, 0), (m - 1, k - 1)]:
        a, b = whole_numbers(m, k), np.ones((k, n))
        a[row, depth] = value
        assert_equal((from_numpy(a).to(dtype) @ from_numpy(b).to(dtype)).double(), rounded(a @ b, dtype))
    for depth, column in [(0, 0), (k - 1, n - 1)]:
        a, b = np.ones((m, k)), whole_numbers(k, n)
        b[depth, column] = value
        assert_equal((from_numpy(a).to(dtype) @ from_numpy(b).to(dtype)).double(), rounded(a @ b, dtype))


@pytest.mark.parametrize("dtype", HALVES, ids=name)
def test_half_products_are_summed_in_float32_and_rounded_once(dtype):
    # 4,096 + 1 has no room in either type, but 4,096 ones and a 4,096 have.
    a = mlx.ones(20, 8192, dtype=dtype)
    assert (a @ mlx.ones(8192, 20, dtype=dtype) == 8192).all().item()
    b = mlx.full((4097, 20), 1.0, dtype=dtype)
    b[0] = 4096
    assert (mlx.ones(20, 4097, dtype=dtype) @ b == 8192).all().item()


@pytest.mark.parametrize("dtype", TYPES, ids=name)
def test_results_do_not_depend_on_the_number_of_threads(dtype):
    mlx.manual_seed(0)
    a, b = mlx.randn(130, 900).to(dtype), mlx.randn(900, 210).to(dtype)
    x, w = (
        mlx.randn(5, 20, 15, 13).to(dtype).requires_grad_(),
        mlx.randn(24, 20, 3, 3).to(dtype).requires_grad_(),
    )

    def results():
        x.grad = w.grad = None
        y = F.conv2d(x, w, stride=2, padding=1)
        y.backward(mlx.ones_like(y))
        return [a @ b, y.detach(), x.grad, w.grad]

    threads = mlx.get_num_threads()
    try:
        mlx.set_num_threads(1)
        expected = results()
        for count in (2, 3, 7):
            mlx.set_num_threads(count)
            assert all(mlx.equal(p, q) for p, q in zip(results(), expected, strict=True))
    finally:
        mlx.set_num_threads(threads)


@st.composite
def convolutions(draw):
    """Shapes of a convolution in one to three dimensions: (x, w, options)."""
    dims, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
    batch = draw(st.integers(1, 5))
    cin, cout = (
        draw(st.sampled_from([1, 2, 3, 15, 16, 17, 33])),
        draw(st.sampled_from([1, 2, 6, 8, 9, 16, 50])),
    )
    one = st.integers(1, 3)
    kernel = [draw(st.sampled_from([1, 1, 2, 3, 3, 5])) for _ in range(dims)]
    stride, dilation = [draw(one) for _ in range(dims)], [draw(one) for _ in range(dims)]
    padding = [draw(st.integers(0, 4)) for _ in range(dims)]
    room = {1: 60, 2: 20, 3: 6}[dims]
    size = [
        max(1, dilation[i] * (kernel[i] - 1) + 1 - 2 * padding[i] + draw(st.integers(0, room)))
        for i in range(dims)
    ]
    options = {"stride": stride, "dilation": dilation, "padding": padding, "groups": groups}
    return (batch, cin * groups, *size), (cout * groups, cin, *kernel), options


@given(convolutions(), st.sampled_from(TYPES))
@settings(max_examples=150, deadline=None)
def test_convolutions_of_all_kinds(case, dtype):
    """Against float64, which BLAS multiplies; its convolutions are tested against loops elsewhere."""
    x_shape, w_shape, options = case
    conv = [F.conv1d, F.conv2d, F.conv3d][len(x_shape) - 3]
    x, w = whole_numbers(*x_shape), whole_numbers(*w_shape, seed=1)
    results = []
    for t in (dtype, mlx.float64):
        p, q = from_numpy(x).to(t).requires_grad_(), from_numpy(w).to(t).requires_grad_()
        y = conv(p, q, **options)
        y.backward(from_numpy(whole_numbers(*y.shape, seed=2)).to(t))
        results.append([r.to(dtype).double() for r in (y.detach(), p.grad, q.grad)])
    for got, expected in zip(*results, strict=True):
        assert_equal(got, expected.numpy())


@pytest.mark.parametrize("dtype", TYPES, ids=name)
def test_padding_of_an_image_hides_no_infinity(dtype):
    """An infinite weight makes NaN of every zero that it meets, those of the padding too."""
    x, w = mlx.ones(2, 8, 6, 6, dtype=dtype), mlx.ones(8, 8, 3, 3, dtype=dtype)
    w[3, 0, 0, 0] = float("inf")
    y = F.conv2d(x, w, padding=1)
    assert y[:, 3, 0].isnan().all().item() and y[:, 3, :, 0].isnan().all().item()
    assert y[:, 3, 1:, 1:].isinf().all().item()
    assert y[:, [0, 1, 2, 4, 5, 6, 7]].isfinite().all().item()


@pytest.mark.parametrize("places", [1, 16, 49, 3136])
def test_images_of_many_sizes_against_float64(places):
    """Few places share a tile with those of other images."""
    side = int(places**0.5)
    mlx.manual_seed(0)
    x, w = mlx.randn(9, 40, side, side), mlx.randn(30, 40, 3, 3)
    assert_close(
        F.conv2d(x, w, padding=1), F.conv2d(x.double(), w.double(), padding=1).numpy(), rtol=1e-4, atol=2e-4
    )


@pytest.mark.parametrize("isa", ["v2", "v3"])
def test_lesser_instruction_sets_agree(isa):
    """A process of its own, since the choice is made at the start."""
    program = """
import mlx, mlx.nn.functional as F
for dtype in (mlx.float32, mlx.float16, mlx.bfloat16):
    a = (mlx.arange(37 * 401) % 5 - 2).reshape(37, 401)
    b = (mlx.arange(401 * 59) % 7 - 3).reshape(401, 59)
    for x, y in [(a, b), (a.t().contiguous().t(), b), (a, b.t().contiguous().t())]:
        assert mlx.equal((x.to(dtype) @ y.to(dtype)).float(), (a.double() @ b.double()).to(dtype).float())
    x = (mlx.arange(3 * 17 * 11 * 9) % 5 - 2).reshape(3, 17, 11, 9)
    w = (mlx.arange(13 * 17 * 9) % 3 - 1).reshape(13, 17, 3, 3)
    results = []
    for t in (dtype, mlx.float64):
        p, q = x.to(t).requires_grad_(), w.to(t).requires_grad_()
        y = F.conv2d(p, q, stride=2, padding=1)
        y.backward(mlx.ones_like(y))
        results.append([r.to(dtype) for r in (y.detach(), p.grad, q.grad)])
    assert all(mlx.equal(p, q) for p, q in zip(*results))
"""
    subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "MLX_CPU_ISA": isa}, check=True, timeout=120
    )


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride", [1, 2, 5])
def test_a_bias_is_added_before_rounding(dtype, groups, stride):
    """Of a convolution and of its transpose, some of whose results are the bias alone."""
    x, b = whole_numbers(2, 16, 6, 7), whole_numbers(20, seed=2)
    for conv, w_shape in [
        (F.conv2d, (20, 16 // groups, 3, 3)),
        (F.conv_transpose2d, (16, 20 // groups, 3, 3)),
    ]:
        w = whole_numbers(*w_shape, seed=1)
        half, double = ([from_numpy(v).to(t) for v in (x, w, b)] for t in (dtype, mlx.float64))
        got, expected = (conv(*t, stride=stride, groups=groups) for t in (half, double))
        assert_equal(got.double(), expected.to(dtype).double().numpy())


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("addend", [(1, 1), (1, 210), (130, 1), (130, 210)])
def test_addends_of_every_shape(dtype, addend):
    a, b, c = whole_numbers(130, 900), whole_numbers(900, 210, seed=1), whole_numbers(*addend, seed=2)
    got = mlx.addmm(*(from_numpy(v).to(dtype) for v in (c, a, b)))
    assert_equal(got.double(), rounded(a @ b + c, dtype))

"""The CPU's convolutions by Winograd's method: kernels of 3 x 3 in float32, channels and tiles enough."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_close, assert_equal, from_numpy

import mlx
import mlx.nn.functional as F


def whole_numbers(*shape, seed=0):
    """Numbers of which all planes, products and sums are exact in float32."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float64)


def results(x, w, dtype, seed=2, **options):
    """A convolution of NumPy's arrays with the gradients of both, given whole numbers as the result's."""
    p, q = (from_numpy(t).to(dtype).requires_grad_() for t in (x, w))
    y = F.conv2d(p, q, **options)
    y.backward(from_numpy(whole_numbers(*y.shape, seed=seed)).to(dtype))
    return [t.double() for t in (y.detach(), p.grad, q.grad)]


@st.composite
def convolutions(draw):
    """Shapes of a convolution: (x, w, options). Sizes are odd and even, and narrower than a register."""
    groups = draw(st.sampled_from([1, 1, 2]))
    cin, cout = (draw(st.sampled_from([16, 17, 24, 49, 65])) for _ in range(2))
    padding = [draw(st.integers(0, 4)) for _ in range(2)]
    size = [max(3 - 2 * padding[i], draw(st.sampled_from([1, 2, 3, 4, 7, 8, 17, 36]))) for i in range(2)]
    tiles = np.prod([(size[i] + 2 * padding[i] - 1) // 2 for i in range(2)])
    batch = 1 + 32 // max(1, int(tiles)) + draw(st.integers(0, 2))
    return (batch, groups * cin, *size), (groups * cout, cin, 3, 3), {"padding": padding, "groups": groups}


@given(convolutions())
@settings(max_examples=60, deadline=None)
def test_whole_numbers_are_exact(case):
    x_shape, w_shape, options = case
    x, w = whole_numbers(*x_shape), whole_numbers(*w_shape, seed=1)
    for got, expected in zip(
        results(x, w, mlx.float32, **options), results(x, w, mlx.float64, **options), strict=True
    ):
        assert_equal(got, expected.numpy())


@pytest.mark.parametrize("shape", [(4, 16, 32, 40), (2, 64, 28, 28), (16, 128, 4, 4)])
def test_errors_are_those_of_float32(shape):
    """Of the largest result, no more than a few units in the last place."""
    random = np.random.default_rng(0)
    x, w = random.standard_normal(shape), random.standard_normal((48, shape[1], 3, 3))
    x, w = (t.astype(np.float32).astype(np.float64) for t in (x, w))
    for got, expected in zip(
        results(x, w, mlx.float32, padding=1), results(x, w, mlx.float64, padding=1), strict=True
    ):
        assert_close(got, expected.numpy(), rtol=0, atol=1e-6 * expected.abs().max().item())


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("operand", [0, 1])
def test_what_is_not_finite_stays_where_the_direct_convolution_leaves_it(value, operand):
    x, w = whole_numbers(2, 16, 12, 12), whole_numbers(16, 16, 3, 3, seed=1)
    (x, w)[operand][1, 3, 2, 1] = value
    got, expected = (results(x, w, dtype, padding=1) for dtype in (mlx.float32, mlx.float64))
    for i in range(3):
        # Whether the gradient of x holds products of such a weight and the padding depends on the method.
        edge = operand if i == 1 else 0
        inside = slice(edge, got[i].shape[2] - edge)
        assert_equal(got[i][:, :, inside, inside], expected[i][:, :, inside, inside].numpy())


def test_taps_that_are_zero_see_nothing():
    """What a masked kernel must not look at has no influence, not even by rounding."""
    mlx.manual_seed(0)
    x, w = mlx.randn(2, 16, 12, 12), mlx.randn(16, 16, 3, 3)
    w[:, :, 1, 2] = w[:, :, 2] = 0
    before = F.conv2d(x, w, padding=1)
    x[:, :, 6, 7:] += 1e4
    x[:, :, 7:] += 1e4
    after = F.conv2d(x, w, padding=1)
    assert mlx.equal(after[:, :, :6], before[:, :, :6]) and mlx.equal(after[:, :, 6, :7], before[:, :, 6, :7])


def test_planes_do_not_overflow_where_results_do_not():
    x, w = whole_numbers(2, 16, 12, 12) * 2.0**120, np.zeros((16, 16, 3, 3))
    w[:, :, 1, 1] = whole_numbers(16, 16, seed=1) / 16
    got, expected = (
        mlx.nn.functional.conv2d(*t, padding=1)
        for t in ([from_numpy(v).to(dtype) for v in (x, w)] for dtype in (mlx.float32, mlx.float64))
    )
    assert got.isfinite().all().item()
    assert_equal(got.double(), expected.numpy())


def test_results_do_not_depend_on_the_number_of_threads():
    random = np.random.default_rng(0)
    cases = [((1, 20, 15, 13), 24), ((3, 64, 20, 31), 70), ((8, 64, 32, 32), 64)]
    inputs = [
        (random.standard_normal(shape), random.standard_normal((cout, shape[1], 3, 3)))
        for shape, cout in cases
    ]
    threads = mlx.get_num_threads()

    def with_threads(count):
        mlx.set_num_threads(count)
        return [r for x, w in inputs for r in results(x, w, mlx.float32, padding=1)]

    try:
        expected = with_threads(1)
        for count in (2, 3, 7):
            for got, want in zip(with_threads(count), expected, strict=True):
                assert_equal(got, want.numpy())
    finally:
        mlx.set_num_threads(threads)


@pytest.mark.parametrize("size", [(4, 4), (17, 9), (40, 41)])
@pytest.mark.parametrize("groups", [1, 2])
def test_bias_activation_and_residual_follow_the_sums(size, groups):
    """Eagerly the bias alone; compiled all three, on what lies in the first-level cache."""
    x, w, b = whole_numbers(10, 32, *size), whole_numbers(32, 32 // groups, 3, 3, seed=1), whole_numbers(32)
    r = whole_numbers(10, 32, *size, seed=2)

    def layer(x, w, b, r):
        return F.relu(F.conv2d(x, w, b, padding=1, groups=groups) + r)

    single = [from_numpy(t).float() for t in (x, w, b, r)]
    expected = layer(*map(from_numpy, (x, w, b, r))).numpy()
    assert_equal(layer(*single).double(), expected)
    compiled = mlx.jit(layer)
    for _ in range(2):
        assert_equal(compiled(*single).double(), expected)
    assert "fused_convolution" in str(compiled.lower(*single))


@pytest.mark.parametrize("isa", ["v2", "v3"])
def test_lesser_instruction_sets_agree(isa):
    """A process of its own, since the choice is made at the start."""
    program = """
import mlx, mlx.nn.functional as F
for shape in [(3, 17, 11, 9), (9, 32, 4, 4), (1, 16, 40, 23)]:
    x = (mlx.arange(mlx.zeros(shape).numel()) % 5 - 2).reshape(shape)
    w = (mlx.arange(29 * shape[1] * 9) % 3 - 1).reshape(29, shape[1], 3, 3)
    results = []
    for t in (mlx.float32, mlx.float64):
        p, q = x.to(t).requires_grad_(), w.to(t).requires_grad_()
        y = F.conv2d(p, q, padding=1)
        y.backward((mlx.arange(y.numel()) % 7 - 3).reshape(y.shape).to(t))
        results.append([r.double() for r in (y.detach(), p.grad, q.grad)])
    assert all(mlx.equal(p, q) for p, q in zip(*results))
"""
    subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "MLX_CPU_ISA": isa}, check=True, timeout=120
    )

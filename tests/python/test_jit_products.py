"""Products and convolutions whose last part is the chain of pointwise operations that reads them."""

from __future__ import annotations

import pytest

import mlx
from mlx.nn import functional as F


def as_tuple(results):
    return results if isinstance(results, tuple) else (results,)


def check(f, *inputs, tolerance=1e-5, ends=1):
    """`f` gives the same compiled, twice, as eagerly, and that many of its products end in a chain."""
    expected = f(*inputs)
    compiled = mlx.jit(f)
    for _ in range(2):
        for a, b in zip(as_tuple(compiled(*inputs)), as_tuple(expected), strict=True):
            assert a.dtype == b.dtype and a.shape == b.shape
            assert mlx.allclose(a, b, rtol=tolerance, atol=tolerance)
    text = str(compiled.lower(*inputs))
    assert text.count("fused_matmul") + text.count("fused_convolution") == ends, text


@pytest.mark.parametrize("shape", [(7, 5), (1, 5), (2, 3, 5), (65, 5), (5,)])
def test_linear_with_activation_and_residual(shape):
    w, b = mlx.randn(9, 5), mlx.randn(9)
    x = mlx.randn(*shape)
    residual = mlx.randn(*shape[:-1], 9)
    check(lambda x, r: F.gelu(F.linear(x, w, b)) + r, x, residual)


def test_a_stack_of_products():
    x, y, mask = mlx.randn(2, 3, 9, 4), mlx.randn(2, 3, 4, 70), mlx.rand(9, 70)
    check(lambda x, y: (x @ y) * 0.5 + mask, x, y)


def test_factors_with_strides():
    x, y = mlx.randn(4, 66), mlx.randn(70, 8)[:, ::2]
    check(lambda x, y: (x.t() @ y.t()).tanh(), x, y)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"groups": 2}])
def test_convolution_with_activation_and_residual(options, bias):
    x, w = mlx.randn(2, 4, 8, 9), mlx.randn(10, 4 // options.get("groups", 1), 3, 3)
    b = mlx.randn(10) if bias else None
    shape = F.conv2d(x, w, **options).shape
    check(lambda x, r: F.relu(F.conv2d(x, w, b, **options) + r), x, mlx.randn(shape))


def test_transposed_convolution_with_activation():
    x, w, b = mlx.randn(2, 4, 7), mlx.randn(4, 3, 5), mlx.randn(3)
    check(lambda x: F.conv_transpose1d(x, w, b, stride=2).sigmoid(), x)


def test_the_product_is_wanted_too():
    w, b = mlx.randn(9, 5), mlx.randn(9)

    def f(x):
        h = F.linear(x, w, b)
        return h, h.relu(), h.t() @ h

    check(f, mlx.randn(30, 5))


def test_two_products_of_one_chain():
    w, v = mlx.randn(9, 5), mlx.randn(9, 5)
    check(lambda x: F.linear(x, w) * F.silu(F.linear(x, v)), mlx.randn(30, 5))


@pytest.mark.parametrize("dtype", [mlx.float16, mlx.bfloat16])
def test_half_types_are_rounded_where_eager_ones_are(dtype):
    w, b = mlx.randn(9, 5).to(dtype), mlx.randn(9).to(dtype)
    x = mlx.randn(30, 5).to(dtype)
    check(lambda x: F.relu(F.linear(x, w, b)) * 3, x, tolerance=0)
    check(lambda x: F.relu(F.linear(x, w)) * 3, x, tolerance=0)
    check(lambda x: F.linear(x, w, b).float() + 1, x, tolerance=0)


def test_a_factor_that_the_chain_overwrites():
    state = mlx.eye(6) * 0.5

    def f():
        state.copy_((state @ state).add(0.25).tanh())

    expected = state.clone()
    compiled = mlx.jit(f)
    for _ in range(3):
        expected = (expected @ expected).add(0.25).tanh()
        compiled()
        assert mlx.allclose(state, expected)


def test_a_chain_that_overwrites_what_it_adds():
    total, x, w = mlx.zeros(70, 66), mlx.randn(70, 5), mlx.randn(5, 66)

    def f():
        total.add_(x @ w)
        return total.exp()

    compiled = mlx.jit(f)
    for i in range(3):
        assert mlx.allclose(compiled(), ((i + 1) * (x @ w)).exp(), rtol=1e-4)
        assert mlx.allclose(total, (i + 1) * (x @ w), atol=1e-5)


def test_gradients():
    w, b = mlx.randn(9, 5, requires_grad=True), mlx.randn(9, requires_grad=True)
    x = mlx.randn(30, 5)

    def f(x):
        w.grad = b.grad = None
        (F.gelu(F.linear(x, w, b)) @ w).square().sum().backward()
        return w.grad, b.grad

    expected = [g.clone() for g in f(x)]
    compiled = mlx.jit(f)
    for _ in range(2):
        for a, e in zip(compiled(x), expected, strict=True):
            assert mlx.allclose(a, e, rtol=1e-4, atol=1e-4)
    assert "fused_matmul" in str(compiled.lower(x))


@pytest.mark.parametrize("sizes", [(200, 700, 120), (3, 900, 1100), (129, 70, 1300)])
@pytest.mark.parametrize("dtype", [mlx.float32, mlx.bfloat16, mlx.float16])
def test_large_products(sizes, dtype):
    m, k, n = sizes
    x, w, b = mlx.randn(m, k).to(dtype), (mlx.randn(n, k) / k**0.5).to(dtype), mlx.randn(n).to(dtype)
    residual = mlx.randn(m, n).to(dtype)

    def f(x, r):
        h = F.linear(x, w, b)
        return F.silu(h) + r, h

    check(f, x, residual, tolerance=1e-5 if dtype == mlx.float32 else 0)
    exact = (
        x.double() @ w.double().t() + b.double() if not x.is_mps else x.float() @ w.float().t() + b.float()
    )
    assert mlx.allclose(F.linear(x, w, b).to(exact.dtype), exact, **TOLERANCE[dtype])


TOLERANCE = {
    mlx.float32: {"rtol": 1e-5, "atol": 1e-4},
    mlx.bfloat16: {"rtol": 2**-8, "atol": 1e-3},
    mlx.float16: {"rtol": 2**-11, "atol": 1e-3},
}


@pytest.mark.parametrize("dtype", [mlx.float32, mlx.bfloat16])
@pytest.mark.parametrize(
    "options", [{"padding": 1}, {"stride": 2}, {"groups": 2, "padding": 2, "dilation": 2}]
)
def test_large_convolutions(options, dtype):
    x = mlx.randn(3, 16, 20, 21).to(dtype)
    w = (mlx.randn(24, 16 // options.get("groups", 1), 3, 3) / 12).to(dtype)
    b, r = mlx.randn(24).to(dtype), mlx.randn(F.conv2d(x, w, **options).shape).to(dtype)
    check(
        lambda x, r: F.relu(F.conv2d(x, w, b, **options) + r),
        x,
        r,
        tolerance=1e-5 if dtype == mlx.float32 else 0,
    )
    apart = F.conv2d(x.float(), w.float(), **options) + b.float().view(1, -1, 1, 1)
    assert mlx.allclose(F.conv2d(x, w, b, **options).float(), apart, **TOLERANCE[dtype])
    turned = F.conv_transpose2d(r, w, None if "groups" in options else mlx.ones(16).to(dtype), **options)
    wide = F.conv_transpose2d(r.float(), w.float(), **options)
    assert mlx.allclose(turned.float(), wide + (0 if "groups" in options else 1), **TOLERANCE[dtype])

"""Half types hold results, not what leads to them: sums are kept in float32 and rounded once."""

import numpy as np
import pytest
from support import HALVES, name

import mlx

F = mlx.nn.functional
MANY = 10_000  # bfloat16 cannot count beyond 256, float16 beyond 2048


def rounded(value, dtype):
    return mlx.tensor(np.float32(value)).to(dtype)


@pytest.fixture(params=HALVES, ids=name)
def dtype(request):
    return request.param


def adders():
    index = mlx.zeros(MANY, dtype=mlx.int64)
    return {
        "index_add": lambda x, ones: x.index_add(0, index, ones),
        "index_add_": lambda x, ones: x.index_add_(0, index, ones),
        "scatter_add": lambda x, ones: x.scatter_add(0, index, ones),
        "scatter_add_": lambda x, ones: x.scatter_add_(0, index, ones),
        "index_put": lambda x, ones: x.index_put((index,), ones, accumulate=True),
        "index_put_": lambda x, ones: x.index_put_((index,), ones, accumulate=True),
        "put": lambda x, ones: x.put(index, ones, accumulate=True),
        "scatter_reduce": lambda x, ones: x.scatter_reduce(0, index, ones, "sum"),
    }


@pytest.mark.parametrize("op", adders())
def test_many_elements_added_at_one_place(op, dtype):
    out = adders()[op](mlx.zeros(1, dtype=dtype), mlx.ones(MANY, dtype=dtype))
    assert out.dtype == dtype and out.item() == rounded(MANY, dtype).item()


def test_in_place_addition_on_a_strided_view(dtype):
    base = mlx.zeros(3, 2, dtype=dtype)
    base[:, 1].index_add_(0, mlx.ones(MANY, dtype=mlx.int64), mlx.ones(MANY, dtype=dtype))
    assert base.tolist() == [[0, 0], [0, rounded(MANY, dtype).item()], [0, 0]]


def test_mean_of_many_elements_at_one_place(dtype):
    values = mlx.full((MANY,), 3.0, dtype=dtype)
    index = mlx.zeros(MANY, dtype=mlx.int64)
    assert mlx.zeros(1, dtype=dtype).scatter_reduce(0, index, values, "mean", include_self=False).item() == 3


def users():
    index = mlx.zeros(MANY, dtype=mlx.int64)
    return {
        "index": lambda x: x[index],
        "index_select": lambda x: x.index_select(0, index),
        "gather": lambda x: x.gather(0, index),
        "embedding": lambda x: F.embedding(index, x.view(1, 1)),
        "as_strided": lambda x: x.as_strided((MANY,), (0,)),
        "replicate": lambda x: F.pad(x.view(1, 1), (MANY - 1, 0), mode="replicate"),
        "interpolate": lambda x: F.interpolate(x.view(1, 1, 1), MANY),
        "cummax": lambda x: mlx.cat([x, mlx.zeros(MANY - 1, dtype=x.dtype)]).cummax(0)[0],
        "matmul": lambda x: mlx.ones(MANY, 1, 1, dtype=x.dtype) @ x.view(1, 1, 1),
    }


@pytest.mark.parametrize("op", users())
def test_gradient_of_an_element_that_is_used_many_times(op, dtype):
    x = mlx.ones(1, dtype=dtype, requires_grad=True)
    users()[op](x).sum().backward()
    assert x.grad.dtype == dtype and x.grad.item() == rounded(MANY, dtype).item()


def test_second_derivative_through_an_index(dtype):
    x = mlx.ones(2, dtype=dtype, requires_grad=True)
    y = (x[mlx.zeros(8, dtype=mlx.int64)] ** 2).sum()
    (first,) = mlx.autograd.grad(y, x, create_graph=True)
    first.sum().backward()
    assert first.tolist() == [16, 0] and x.grad.tolist() == [16, 0]


def test_gradient_of_places_in_two_dimensions_is_rounded_once(dtype):
    x = mlx.zeros(1, 1, 3, 3, dtype=dtype, requires_grad=True)
    g = mlx.randn(1, 1, 7, 7, generator=mlx.Generator().manual_seed(0)).to(dtype)
    F.pad(x, (2, 2, 2, 2), mode="reflect").backward(g)
    wide = mlx.zeros(1, 1, 3, 3, requires_grad=True)
    F.pad(wide, (2, 2, 2, 2), mode="reflect").backward(g.float())
    assert x.grad.tolist() == wide.grad.to(dtype).tolist()


def test_samples_of_an_image_wider_than_the_type_can_count(dtype):
    size = 5001
    image = (mlx.arange(size) % 7).to(dtype).view(1, 1, 1, size)
    x = mlx.tensor([0.5, 0.75], dtype=dtype)  # at 3750 and 4375 with aligned corners
    grid = mlx.stack([x, mlx.zeros_like(x)], -1).view(1, 1, 2, 2)
    out = F.grid_sample(image, grid, align_corners=True)
    assert out.dtype == dtype and out.flatten().tolist() == [3750 % 7, 4375 % 7]


def test_covariance_with_weights_in_float32(dtype):
    x = mlx.tensor([[1.0, 2.0, 4.0], [3.0, 1.0, 0.0]], dtype=dtype)
    weights = mlx.tensor([0.1, 0.7, 0.3])
    expected = np.cov(x.float().numpy(), aweights=weights.numpy())
    np.testing.assert_allclose(mlx.cov(x, aweights=weights).numpy(), expected, rtol=1e-5)


def test_outer_product_sums_its_gradient_in_float32(dtype):
    vector = mlx.zeros(1, dtype=dtype, requires_grad=True)
    ones = mlx.ones(MANY, dtype=dtype)
    mlx.addr(mlx.zeros(1, MANY, dtype=dtype), vector, ones).sum().backward()
    assert vector.grad.item() == rounded(MANY, dtype).item()


def test_a_vector_of_zeros_is_normalised_to_zeros(dtype):
    zeros = mlx.zeros(2, 3, dtype=dtype, requires_grad=True)
    out = F.normalize(zeros)
    assert out.dtype == dtype and out.tolist() == [[0] * 3] * 2
    assert mlx.masked.normalize(zeros, 2, 1).tolist() == [[0] * 3] * 2


def test_gradients_of_bilinear_are_rounded_once(dtype):
    generator = mlx.Generator().manual_seed(1)
    shapes = [(40, 5), (40, 6), (4, 5, 6), (4,)]
    small = [mlx.randn(*s, generator=generator).to(dtype).requires_grad_() for s in shapes]
    wide = [t.detach().float().requires_grad_() for t in small]
    F.bilinear(*small).sum().backward()
    F.bilinear(*wide).sum().backward()
    for a, b in zip(small, wide, strict=True):
        np.testing.assert_allclose(
            a.grad.float().numpy(), b.grad.to(dtype).float().numpy(), rtol=2 * mlx.finfo(dtype).eps
        )


@pytest.mark.parametrize("dtype, unit", [(mlx.bfloat16, 2**-8), (mlx.float16, 2**-11)])
def test_the_gradient_of_a_loss_of_logits_loses_little(dtype, unit):
    """sigmoid(x) - y, of which the sigmoid and the difference are rounded."""
    x = mlx.linspace(-8, 8, 1001).to(dtype).requires_grad_()
    y = mlx.linspace(0, 1, 1001).to(dtype)
    F.binary_cross_entropy_with_logits(x, y, reduction="none").sum().backward()
    expected = x.detach().double().sigmoid() - y.double()
    assert (x.grad.double() - expected).abs().max() <= unit


def test_cross_entropy_with_probabilities_rounds_its_sum_once():
    logits = mlx.zeros(2, 2, dtype=mlx.bfloat16)
    target = mlx.tensor([[1, 2**-9], [-1, 0]], dtype=mlx.bfloat16)
    rounded = mlx.tensor(2.0).log().to(mlx.bfloat16).item()
    assert F.cross_entropy(logits, target, reduction="sum").item() == rounded * 2**-9

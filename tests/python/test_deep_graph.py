"""Graphs too deep for a recursive walk."""

import pytest

import mlx

pytestmark = pytest.mark.cpu  # a GPU's memory comes in pages: a million tensors of one element are too many

DEPTH = 1_000_000


def chain(x, depth):
    y = x
    for _ in range(depth):
        y = y + 1
    return y


def test_million_operations_go_backward():
    x = mlx.ones(1, requires_grad=True)
    chain(x, DEPTH).backward()
    assert x.grad.item() == 1


def test_million_operations_are_released():
    y = chain(mlx.ones(1, requires_grad=True), DEPTH)
    del y
    assert mlx.ones(1).item() == 1


def test_million_saved_tensors_are_released():
    x = mlx.ones(1, requires_grad=True)
    y = x
    for _ in range(DEPTH):
        y = y * x
    del y
    assert x.grad is None


def test_deep_graph_that_backward_frees():
    x = mlx.ones(1, requires_grad=True)
    y = x
    for _ in range(200_000):
        y = y * x
    y.backward()
    assert x.grad.item() == 200_001


def test_wide_graph():
    x = mlx.ones(1, dtype=mlx.float64, requires_grad=True)
    mlx.stack([x * i for i in range(20_000)]).sum().backward()
    assert x.grad.item() == sum(range(20_000))


def test_many_in_place_operations():
    x = mlx.ones(1, requires_grad=True)
    y = x * 1
    for _ in range(200_000):
        y.add_(1)
    y.backward()
    assert x.grad.item() == 1


def test_fibonacci_graph_visits_each_node_once():
    x = mlx.ones((), dtype=mlx.float64, requires_grad=True)
    a, b = x, x * 1
    for _ in range(500):
        a, b = b, (a + b) * 0.5
    b.backward()
    assert abs(x.grad.item() - 1) < 1e-12

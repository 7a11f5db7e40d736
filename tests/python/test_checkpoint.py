"""Checkpointed calls: the same gradients as ordinary ones, without their activations."""

import numpy as np
import pytest
from support import from_numpy, sample, to_numpy

import mlx
from mlx import nn
from mlx.utils.checkpoint import checkpoint, checkpoint_sequential


def block():
    mlx.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Tanh(), nn.Linear(8, 4))


def gradients(call):
    model = block()
    x = from_numpy(sample(3, 4), mlx.float32, requires_grad=True)
    mlx.manual_seed(1)
    out = call(model, x)
    out.square().sum().backward()
    return [to_numpy(t) for t in (out, x.grad, *(p.grad for p in model.parameters()))]


@pytest.mark.parametrize(
    "call",
    [
        lambda m, x: checkpoint(m, x, use_reentrant=False),
        lambda m, x: checkpoint(m, x, use_reentrant=True),
        lambda m, x: checkpoint(lambda d, k=0: m(d["x"]) * k, {"x": x}, k=1.0),
        lambda m, x: checkpoint_sequential(m, 2, x),
        lambda m, x: checkpoint(lambda: m(x)),
    ],
)
def test_gradients_and_random_numbers_are_those_of_a_call(call):
    for found, expected in zip(gradients(call), gradients(lambda m, x: m(x)), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_function_runs_again_in_the_backward_pass():
    runs = []

    def function(x):
        runs.append(mlx.is_grad_enabled())
        return x.sin()

    x = mlx.ones(2, requires_grad=True)
    out = checkpoint(function, x)
    assert len(runs) == 1
    out.sum().backward()
    assert len(runs) == 2


def test_parameters_get_gradients_when_the_input_needs_none():
    layer = nn.Linear(2, 2)
    checkpoint(layer, mlx.ones(3, 2)).sum().backward()
    np.testing.assert_array_equal(to_numpy(layer.weight.grad), np.full((2, 2), 3.0))


def test_what_was_computed_before_and_is_used_by_closure_gets_gradients():
    w = mlx.ones(2, requires_grad=True)
    scaled = w * 2
    checkpoint(lambda x: (x * scaled).sin(), mlx.ones(2)).sum().backward()
    np.testing.assert_allclose(to_numpy(w.grad), 2 * np.cos(2) * np.ones(2), rtol=1e-6)


def test_second_derivatives():
    x = mlx.tensor([0.5, 1.0], requires_grad=True)
    (first,) = mlx.autograd.grad(checkpoint(mlx.sin, x).sum(), x, create_graph=True)
    first.sum().backward()
    np.testing.assert_allclose(to_numpy(x.grad), -np.sin([0.5, 1.0]), rtol=1e-6)


def test_results_that_need_no_gradient_are_kept():
    x = mlx.tensor([3.0, 1.0], requires_grad=True)
    values, indices = checkpoint(lambda x: tuple((x * 2).sort()), x)
    assert indices.tolist() == [1, 0] and not indices.requires_grad
    values[0].backward()
    assert x.grad.tolist() == [0.0, 2.0]


def test_a_changed_parameter_is_noticed():
    weight = nn.Parameter(mlx.ones(2))
    out = checkpoint(lambda x: (x * weight).sin(), mlx.ones(2)).sum()
    with mlx.no_grad():
        weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_activations_are_not_kept():
    model = nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.Tanh()) for _ in range(16)])
    x = mlx.ones(4096, 64)
    device = mlx.get_default_device()

    def held(call):
        before = mlx.memory_stats(device)["allocated_bytes"]
        out = call()
        after = mlx.memory_stats(device)["allocated_bytes"]
        out.sum().backward()
        return after - before

    assert held(lambda: checkpoint_sequential(model, 4, x)) < 0.6 * held(lambda: model(x))


def test_within_a_compiled_step():
    x = from_numpy(sample(3, 4), mlx.float32)

    def trained(wrap):
        model = block().eval()
        optimizer = mlx.optim.SGD(model.parameters(), lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = checkpoint(model, x, use_reentrant=False).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(x).item() for _ in range(3)]

    np.testing.assert_allclose(trained(mlx.jit), trained(lambda f: f), rtol=1e-5)

"""What a compiled function holds at its worst moment, beside the same function run eagerly."""

from __future__ import annotations

import pytest

import mlx
from mlx import nn


def chain():
    x = mlx.rand(512, 1024)

    def run():
        return ((x * 2 + 1).tanh() * x - 0.5).sigmoid().mul(3).add(x)

    return run


def trainer(model, loss_of):
    optimizer = mlx.optim.Adam(model.parameters(), lr=1e-3)

    def run():
        optimizer.zero_grad()
        loss = loss_of(model)
        loss.backward()
        optimizer.step()
        return loss

    return run


def training_step():
    """Gradients weigh more here than what lies between the layers."""
    mlx.manual_seed(0)
    x = mlx.rand(4, 1024)
    model = nn.Sequential(nn.Linear(1024, 1024), nn.Tanh(), nn.Linear(1024, 1024))
    return trainer(model, lambda m: m(x).square().mean())


def wide_step():
    """What lies between the layers weighs as much as gradients."""
    mlx.manual_seed(0)
    x, y = mlx.rand(256, 512), mlx.randint(0, 10, (256,))
    model = nn.Sequential(nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return trainer(model, lambda m: nn.functional.cross_entropy(m(x), y))


def transformer_step():
    mlx.manual_seed(0)
    x = mlx.rand(16, 50, 64)
    model = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True, dropout=0.0)
    return trainer(model, lambda m: m(x).square().mean())


def cnn_step():
    mlx.manual_seed(0)
    x, y = mlx.rand(32, 1, 28, 28), mlx.randint(0, 10, (32,))
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * 14 * 14, 10),
    )
    return trainer(model, lambda m: nn.functional.cross_entropy(m(x), y))


def deep_step():
    """Activations of many layers live long, and gradients take their place one after the other."""
    mlx.manual_seed(0)
    x = mlx.rand(4, 64, 64)
    layers = [nn.TransformerEncoderLayer(64, 4, 256, batch_first=True, dropout=0.0) for _ in range(3)]
    return trainer(nn.Sequential(*layers), lambda m: m(x).square().mean())


def peak(run):
    """Bytes beyond what is alive before a call, at the worst moment of a later call."""
    for _ in range(3):
        run()
    device = mlx.get_default_device()
    before = mlx.memory_stats(device)["allocated_bytes"]
    mlx.reset_peak_memory_stats(device)
    run()
    return mlx.memory_stats(device)["peak_allocated_bytes"] - before


@pytest.mark.parametrize("make", [chain, training_step, wide_step, transformer_step, cnn_step, deep_step])
def test_the_peak_is_not_above_that_of_eager_calls(make):
    run = make()
    eager = peak(run)
    compiled = peak(mlx.jit(run))
    counted = 64 << 10  # small blocks are counted in such steps
    assert eager > 10 * counted
    assert compiled <= eager + counted

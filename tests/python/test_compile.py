"""mlx.compile: compiled where that can be, and right where it cannot."""

import copy

import numpy as np
import pytest
from support import from_numpy, sample, to_numpy

import mlx
from mlx import nn

X = from_numpy(sample(3, 4), mlx.float32)


def test_a_function_gives_the_same_result():
    found = mlx.compile(lambda x: (x * 2).tanh().sum())
    for _ in range(2):
        np.testing.assert_allclose(found(X).item(), np.tanh(2 * to_numpy(X)).sum(), rtol=1e-5)


def test_a_branch_on_a_value_runs_eagerly():
    @mlx.compile(dynamic=False)
    def halved(x):
        return x / 2 if x.sum() > 0 else x

    assert halved(mlx.ones(2)).tolist() == [0.5, 0.5]
    assert halved(-mlx.ones(2)).tolist() == [-1, -1]


def test_fullgraph_raises_on_a_branch():
    found = mlx.compile(lambda x: x if x.sum() > 0 else -x, fullgraph=True)
    with pytest.raises(mlx.jit.TraceError):
        found(X)


def test_side_effects_happen_at_every_call():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x * self.calls

    model = mlx.compile(Counter())
    assert [model(mlx.ones(())).item() for _ in range(4)] == [1, 2, 3, 4]


def test_shapes_that_keep_changing():
    found = mlx.compile(lambda x: x.sum())
    assert [found(mlx.ones(n)).item() for n in range(1, 30)] == list(range(1, 30))


def test_a_compiled_model_trains_like_the_model():
    def trained(wrap):
        mlx.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = mlx.optim.Adam(model.parameters(), lr=0.01)
        call = wrap(model)
        losses = []
        for _ in range(4):
            optimizer.zero_grad()
            loss = call(X).square().mean()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    np.testing.assert_allclose(trained(mlx.compile), trained(lambda m: m), rtol=1e-5)


def test_a_compiled_module_is_the_module():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout())
    compiled = mlx.compile(model, mode="reduce-overhead")
    assert isinstance(compiled, nn.Module) and compiled._orig_mod is model
    assert next(iter(compiled.parameters())) is model[0].weight
    assert list(compiled.state_dict()) == ["_orig_mod.0.weight", "_orig_mod.0.bias"]
    compiled.eval()
    assert not model.training and not model[1].training and not compiled.training
    np.testing.assert_allclose(to_numpy(compiled(X)), to_numpy(model(X)), rtol=1e-6)
    compiled.train()
    assert model[1].training and compiled.training


def test_attributes_of_the_module_are_seen_through():
    model = nn.Linear(4, 2)
    compiled = mlx.compile(model)
    assert compiled.in_features == 4
    compiled.note = "x"
    assert model.note == "x"


def test_the_ways_not_to_compile():
    function = lambda x: x
    assert mlx.compile(function, disable=True) is function
    assert mlx.compile(function, backend="eager") is function
    with pytest.raises(RuntimeError, match="mode or options"):
        mlx.compile(function, mode="default", options={})


def test_a_module_that_is_compiled_in_place():
    calls = []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 3)

        def forward(self, x):
            calls.append(mlx.compiler.is_compiling())
            return self.layer(x).tanh()

    net, x = Net(), mlx.rand(4, 2)
    want = net(x).detach()
    state = list(net.state_dict())
    net.compile(fullgraph=True)
    seen = []
    net.register_forward_hook(lambda module, args, out: seen.append(module))
    for _ in range(3):
        mlx.testing.assert_close(net(x).detach(), want)
    assert calls == [False, True] and seen == [net] * 3 and list(net.state_dict()) == state
    twin = copy.deepcopy(net)
    with mlx.no_grad():
        twin.layer.weight.zero_()
        twin.layer.bias.zero_()
    assert mlx.equal(twin(x), mlx.zeros(4, 3)) and calls[-1] is False
    mlx.testing.assert_close(net(x).detach(), want)

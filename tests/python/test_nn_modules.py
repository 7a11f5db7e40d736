"""Modules: attributes, state dicts, hooks, casts, printing, containers, initial values."""

import copy
import pickle

import pytest

import mlx
from mlx import nn
from mlx.testing import assert_close


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        self.register_buffer("count", mlx.zeros(1))
        self.register_buffer("scratch", mlx.zeros(1), persistent=False)

    def forward(self, x):
        return self.fc(x)


def test_linear_value_and_gradient():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({"weight": mlx.tensor([[2.0, 3.0]]), "bias": mlx.tensor([1.0])})
    out = layer(mlx.tensor([[1.0, 10.0]]))
    out.backward()
    assert out.tolist() == [[33.0]]
    assert layer.weight.grad.tolist() == [[1.0, 10.0]]


def test_state_dict_names_and_sharing():
    net = Net()
    state = net.state_dict()
    assert list(state) == ["count", "fc.weight", "fc.bias"]
    with mlx.no_grad():
        net.fc.bias.fill_(7.0)
    assert state["fc.bias"].tolist() == [7.0, 7.0]


def test_load_reports_every_key_and_shape():
    net = Net()
    state = net.state_dict()
    state["fc.weight"] = mlx.ones(2, 4)
    del state["count"]
    state["other"] = mlx.ones(1)
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(state)
    text = str(error.value)
    assert 'Missing key(s) in state_dict: "count"' in text
    assert 'Unexpected key(s) in state_dict: "other"' in text
    assert "size mismatch for fc.weight" in text
    state["fc.weight"] = mlx.ones(2, 3)
    report = net.load_state_dict(state, strict=False)
    assert report.missing_keys == ["count"] and report.unexpected_keys == ["other"]


def test_load_assign_takes_the_dtype():
    layer = nn.Linear(2, 1)
    layer.load_state_dict({k: v.double() for k, v in layer.state_dict().items()}, assign=True)
    assert layer.weight.dtype == mlx.float64
    assert isinstance(layer.weight, nn.Parameter) and layer.weight.requires_grad


def test_attribute_errors():
    layer = nn.Linear(2, 1)
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'nothing'"):
        _ = layer.nothing
    with pytest.raises(TypeError, match="as parameter 'weight'"):
        layer.weight = mlx.ones(1, 2)
    with pytest.raises(KeyError, match="already exists"):
        layer.register_buffer("weight", mlx.ones(1))
    del layer.bias
    assert not hasattr(layer, "bias")

    class Early(nn.Module):
        def __init__(self):
            self.fc = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match="before Module.__init__"):
        Early()


def test_a_shared_module_counts_once_and_is_saved_twice():
    layer = nn.Linear(2, 2)
    both = nn.Sequential(layer, layer)
    assert len(list(both.parameters())) == 2 and len(both.state_dict()) == 4
    both.load_state_dict(both.state_dict())


def test_hooks_change_arguments_and_output_until_removed():
    layer = nn.Identity()
    before = layer.register_forward_pre_hook(lambda module, args: (args[0] + 1,))
    after = layer.register_forward_hook(lambda module, args, out: out * 10)
    assert layer(mlx.ones(1)).item() == 20.0
    before.remove()
    assert layer(mlx.ones(1)).item() == 10.0
    after.remove()
    assert layer(mlx.ones(1)).item() == 1.0


def test_casts_and_modes():
    net = Net()
    net.register_buffer("steps", mlx.zeros(1, dtype=mlx.int64))
    net.fc(mlx.ones(3)).sum().backward()
    net.to(mlx.float64)
    assert net.fc.weight.dtype == net.fc.weight.grad.dtype == net.count.dtype == mlx.float64
    assert net.steps.dtype == mlx.int64
    assert net.half().fc.bias.dtype == mlx.float16
    assert net.to("cpu").fc.bias.dtype == mlx.float16
    with pytest.raises(TypeError, match="floating point"):
        net.to(mlx.int32)
    net.eval()
    assert not net.fc.training and net.train().fc.training
    net.zero_grad()
    assert net.fc.weight.grad is None
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())


def test_a_cast_keeps_the_gradients_objects():
    layer = nn.Linear(2, 3)
    layer(mlx.ones(1, 2)).sum().backward()
    grad = layer.weight.grad
    layer.half()
    assert layer.weight.grad is grad
    assert grad.dtype == mlx.float16
    assert grad.tolist() == [[1.0, 1.0]] * 3


@pytest.mark.parametrize("again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_are_equal_and_separate(again):
    net = Net()
    other = again(net)
    assert other(mlx.ones(3)).tolist() == net(mlx.ones(3)).tolist()
    with mlx.no_grad():
        other.fc.weight.zero_()
    assert net.fc.weight.abs().sum().item() > 0


def test_repr():
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.Flatten())) == (
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Flatten(start_dim=1, end_dim=-1)\n)"
    )
    assert repr(nn.Identity()) == "Identity()"


def test_containers():
    row = nn.Sequential(nn.Identity(), nn.Linear(2, 3), nn.Flatten())
    assert len(row[1:]) == 2 and isinstance(row[-1], nn.Flatten)
    del row[0]
    assert list(row.state_dict()) == ["0.weight", "0.bias"]
    items = nn.ModuleList([nn.Identity()])
    items.insert(0, nn.Flatten())
    assert [type(m) for m in items] == [nn.Flatten, nn.Identity]
    with pytest.raises(IndexError):
        _ = items[2]
    named = nn.ModuleDict({"a": nn.Linear(1, 1)})
    assert "a" in named and list(named.state_dict()) == ["a.weight", "a.bias"]
    assert list(nn.ParameterList([mlx.ones(1), mlx.ones(2)]).state_dict()) == ["0", "1"]
    assert list(nn.ParameterDict({"w": mlx.ones(1)}).state_dict()) == ["w"]


def test_unflatten_undoes_flatten():
    x = mlx.rand(2, 3, 4)
    assert nn.Unflatten(1, (3, 4))(nn.Flatten()(x)).tolist() == x.tolist()


def test_initial_distributions():
    mlx.manual_seed(0)
    weight = nn.Linear(400, 300).weight.detach()
    assert 0.0499 < weight.abs().max().item() <= 0.05
    assert abs(nn.init.kaiming_normal_(mlx.empty(300, 200), nonlinearity="relu").std().item() - 0.1) < 0.002
    assert abs(nn.init.xavier_normal_(mlx.empty(300, 200)).std().item() - (2 / 500) ** 0.5) < 0.002
    cut = nn.init.trunc_normal_(mlx.empty(10000), mean=1.0, std=1.0, a=0.0, b=2.0)
    assert cut.min().item() >= 0 and cut.max().item() <= 2 and abs(cut.mean().item() - 1) < 0.03
    assert nn.init.trunc_normal_(mlx.empty(100), mean=0.5, a=0.5, b=0.6).min().item() >= 0.5


def test_neighbours_that_look_alike_are_printed_once():
    layers = nn.ModuleList(
        [nn.Linear(1, 2), nn.Linear(1, 2), nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.Linear(1, 2)]
    )
    assert str(layers) == (
        "ModuleList(\n"
        "  (0-1): 2 x Linear(in_features=1, out_features=2, bias=True)\n"
        "  (2-4): 3 x ReLU()\n"
        "  (5): Linear(in_features=1, out_features=2, bias=True)\n"
        ")"
    )
    assert str(nn.ModuleList()) == "ModuleList()"


def test_data_parallel_calls_its_module():
    inner = nn.Linear(2, 1)
    model = nn.DataParallel(inner)
    x = mlx.ones(3, 2)
    assert mlx.equal(model(x), inner(x)) and list(model.state_dict()) == ["module.weight", "module.bias"]


def test_part_of_a_sequence_keeps_the_names():
    row = nn.Sequential(nn.Identity(), nn.Linear(2, 3), nn.Flatten())
    assert list(row[1:].state_dict()) == ["1.weight", "1.bias"]
    assert list(nn.ModuleList(row)[1:].state_dict()) == ["0.weight", "0.bias"]


def test_helpers_that_layers_of_ones_own_import():
    from mlx.nn.init import _calculate_fan_in_and_fan_out
    from mlx.nn.modules.utils import _pair, _triple

    assert _pair(3) == (3, 3) and _pair((1, 2)) == (1, 2) and _triple([4, 5, 6]) == (4, 5, 6)
    assert _calculate_fan_in_and_fan_out(mlx.empty(4, 3, 2, 2)) == (12, 16)
    assert mlx.nn.utils.__name__ == "mlx.nn.utils" and mlx.nn.modules.utils._pair is _pair


def test_sequentials_are_joined_and_repeated():
    a, b = nn.Sequential(nn.Identity(), nn.ReLU()), nn.Sequential(nn.Tanh())
    assert [*(a + b)] == [*a, *b] and list((a + b).state_dict()) == []
    assert [*(b * 3)] == [*(3 * b)] == [b[0]] * 3
    first, second, third = *a, *b
    a += b
    assert [*a] == [first, second, third]
    a *= 2
    assert [*a] == [first, second, third] * 2 and list(a._modules) == [*"012345"]
    for wrong, error in (
        (lambda: a + nn.ReLU(), ValueError),
        (lambda: b * 0, ValueError),
        (lambda: b * 1.0, TypeError),
    ):
        with pytest.raises(error):
            wrong()


def test_a_dictionary_of_parameters():
    params = nn.ParameterDict({"a": mlx.ones(1)})
    first = params["a"]
    assert params.get("a") is first and params.get("b") is None and params.get("b", 3) == 3
    assert params.setdefault("a", mlx.zeros(1)) is first
    second = params.setdefault("b", mlx.zeros(2))
    assert isinstance(second, nn.Parameter) and list(reversed(params)) == ["b", "a"]
    copied = params.copy()
    assert params.popitem() == ("b", second) and list(copied) == ["a", "b"] and copied["a"] is first
    assert list(params | copied) == ["a", "b"] and list(params) == ["a"]
    params |= copied
    assert params["b"] is second
    params.clear()
    assert len(params) == 0
    assert list(params.fromkeys(["x", "y"], mlx.ones(1))) == ["x", "y"]


def test_convolutions_of_ones_own_inherit_from_conv_nd():
    from mlx.nn.modules.conv import _ConvNd, _ConvTransposeNd

    class Scaled(_ConvNd):
        def __init__(self):
            super().__init__(2, 4, (3, 3), (1, 1), (1, 2), (1, 1), False, (0, 0), 2, False, "zeros")

        def forward(self, x):
            return nn.functional.conv2d(
                nn.functional.pad(x, self._reversed_padding_repeated_twice),
                2 * self.weight,
                groups=self.groups,
            )

    x = mlx.rand(1, 2, 5, 6)
    layer = Scaled()
    assert layer.weight.shape == (4, 1, 3, 3) and layer.bias is None
    assert layer.extra_repr().startswith("2, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 2)")
    same = nn.Conv2d(2, 4, 3, padding=(1, 2), groups=2, bias=False)
    same.load_state_dict(layer.state_dict())
    assert_close(layer(x), 2 * same(x))
    up = _ConvTransposeNd(2, 3, (3,), (2,), (1,), (1,), True, (0,), 1, True, "zeros")
    assert up.weight.shape == (2, 3, 3)
    assert up._output_padding(mlx.ones(1, 2, 4), [8], (2,), (1,), (3,), 1) == [1]
    assert tuple(up._output_padding(mlx.ones(1, 2, 4), None, (2,), (1,), (3,), 1)) == (0,)

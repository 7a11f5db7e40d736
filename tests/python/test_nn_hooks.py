"""Hooks of modules, and the state that they may change."""

import copy

import pytest

import mlx
from mlx import nn
from mlx.nn.modules import hooks


def test_keyword_arguments_reach_the_hooks_that_ask():
    class Scaled(nn.Module):
        def forward(self, x, by=1.0):
            return x * by

    layer = Scaled()
    layer.register_forward_pre_hook(lambda m, args, kwargs: (args, {"by": 3.0}), with_kwargs=True)
    layer.register_forward_hook(lambda m, args, kwargs, out: out + kwargs["by"], with_kwargs=True)
    assert layer(mlx.ones(1)).item() == 6.0


def test_prepended_hooks_run_first():
    seen, layer = [], nn.Identity()
    layer.register_forward_hook(lambda *a: seen.append("second"))
    layer.register_forward_hook(lambda *a: seen.append("first"), prepend=True)
    layer(mlx.ones(1))
    assert seen == ["first", "second"]


def test_always_called_hooks_see_a_failure():
    seen, layer = [], nn.Linear(2, 2)
    layer.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(RuntimeError):
        layer(mlx.ones(3))
    assert seen == [None]


def test_full_backward_hooks_see_and_replace_gradients():
    layer, seen = nn.Linear(2, 2), []

    def before(module, grad_output):
        return (grad_output[0] * 2,)

    def after(module, grad_input, grad_output):
        seen.append((grad_input[0].tolist(), grad_output[0].tolist()))
        return (grad_input[0] * 10,)

    layer.register_full_backward_pre_hook(before)
    layer.register_full_backward_hook(after)
    x = mlx.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    columns = layer.weight.detach().sum(0)
    assert seen == [([(2 * columns).tolist()], [[2.0, 2.0]])]
    assert x.grad.tolist() == [(20 * columns).tolist()]
    assert layer.bias.grad.tolist() == [2.0, 2.0]


def test_backward_hook_of_a_module_whose_input_needs_no_gradient():
    layer, seen = nn.Linear(2, 1), []
    layer.register_full_backward_hook(lambda m, i, o: seen.append((i, o[0].tolist())))
    layer(mlx.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[1.0]])]


def test_global_hooks_see_every_module():
    seen = []
    with hooks.register_module_forward_hook(lambda m, args, out: seen.append(type(m).__name__)):
        nn.Sequential(nn.ReLU(), nn.Tanh())(mlx.ones(1))
    nn.ReLU()(mlx.ones(1))
    assert seen == ["ReLU", "Tanh", "Sequential"]


def test_state_hooks():
    layer = nn.Linear(1, 1)
    layer.register_state_dict_post_hook(lambda m, state, prefix, meta: state.pop(prefix + "bias") and None)
    assert list(nn.Sequential(layer).state_dict()) == ["0.weight"]
    layer = nn.Linear(1, 1)

    def rename(module, state, prefix, *rest):
        state[prefix + "bias"] = state.pop(prefix + "old")

    layer.register_load_state_dict_pre_hook(rename)
    layer.load_state_dict({"weight": mlx.ones(1, 1), "old": mlx.full((1,), 5.0)})
    assert layer.bias.item() == 5.0
    layer.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    layer.load_state_dict({"old": mlx.ones(1)})


def test_extra_state_is_saved_and_required():
    class Counted(nn.Module):
        count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    a, b = Counted(), Counted()
    a.count = 3
    b.load_state_dict(a.state_dict())
    assert b.count == 3
    with pytest.raises(RuntimeError, match="_extra_state"):
        b.load_state_dict({})


def test_versions_are_in_the_metadata():
    state = nn.Sequential(nn.BatchNorm1d(2)).state_dict()
    assert state._metadata["0"] == {"version": 2} and state._metadata[""] == {"version": 1}


def test_an_old_single_number_fits_a_scalar_parameter():
    module = nn.Module()
    module.scale = nn.Parameter(mlx.tensor(1.0))
    module.load_state_dict({"scale": mlx.tensor([2.0])})
    assert module.scale.item() == 2.0


def test_values_that_are_not_tensors_are_reported():
    with pytest.raises(RuntimeError, match='named "weight", expected mlx.Tensor'):
        nn.Linear(1, 1).load_state_dict({"weight": 1.0, "bias": mlx.ones(1)})


def test_buffers_are_assigned_with_their_persistence():
    module = nn.Module()
    module.kept = nn.Buffer(mlx.ones(1))
    module.scratch = nn.Buffer(mlx.ones(1), persistent=False)
    assert list(module.state_dict()) == ["kept"] and len(list(module.buffers())) == 2


def test_copies_keep_their_hooks():
    layer = nn.Identity()
    layer.register_forward_hook(lambda m, args, out: out + 1)
    assert copy.deepcopy(layer)(mlx.zeros(1)).item() == 1.0


def test_set_submodule():
    net = nn.Sequential(nn.Sequential(nn.ReLU()))
    net.set_submodule("0.0", nn.Tanh())
    assert isinstance(net[0][0], nn.Tanh)
    with pytest.raises(AttributeError):
        net.set_submodule("0.7", nn.Tanh(), strict=True)


def test_a_hook_that_a_pre_hook_registers_sees_the_same_call():
    layer, seen = nn.Identity(), []

    def before(module, args):
        def after(*_):
            seen.append("after")
            handle.remove()

        handle = module.register_forward_hook(after)

    layer.register_forward_pre_hook(before)
    layer(mlx.ones(1))
    layer(mlx.ones(1))
    assert seen == ["after", "after"]

"""What a function that cannot be compiled is told, and that it leaves nothing behind."""

from __future__ import annotations

from collections import deque

import pytest

import mlx
from mlx import nn


def branches(x):
    if x.sum() > 0:
        return x
    return -x


@pytest.mark.parametrize(
    "function",
    [
        branches,
        lambda x: x * x.max().item(),
        lambda x: x + float(x[0]),
        lambda x: x.numpy(),
        lambda x: x.tolist(),
        lambda x: x[x > 0],
        lambda x: mlx.nonzero(x),
        lambda x: mlx.unique(x),
        lambda x: x.masked_select(x > 0),
        lambda x: int(x.argmax()),
    ],
)
def test_elements_are_out_of_reach(function):
    f = mlx.jit(function)
    with pytest.raises(mlx.jit.TraceError, match=r"(?s)where.*test_jit_errors\.py"):
        f(mlx.rand(3))
    with mlx.jit.disabled():
        f(mlx.rand(3))


def test_the_error_names_the_line_of_the_user():
    with pytest.raises(mlx.jit.TraceError, match=r"in branches\s+if x\.sum\(\) > 0:"):
        mlx.jit(branches)(mlx.rand(3))


def test_a_trace_error_is_a_runtime_error_outside_of_mlx_too():
    assert issubclass(mlx.jit.TraceError, RuntimeError)


def test_elements_of_state_are_out_of_reach_too():
    limit = mlx.tensor(1.0)
    with pytest.raises(mlx.jit.TraceError):
        mlx.jit(lambda x: x * limit.item())(mlx.ones(2))


@pytest.mark.cpu  # elsewhere a constant is copied to the device, as the program runs
def test_elements_of_constants_made_inside_are_known():
    f = mlx.jit(lambda x: x * mlx.tensor(3.0).item())
    assert f(mlx.ones(2)).tolist() == [3.0, 3.0]


def test_a_leaked_tensor_raises_when_it_is_used():
    kept = deque()  # a container that is not looked into

    @mlx.jit
    def f(x):
        y = x * 2
        kept.append(y)
        return y + 1

    f(mlx.ones(1))
    leaked = kept.pop()
    for use in (lambda: leaked + 1, lambda: leaked.item(), lambda: leaked.tolist(), lambda: leaked.numpy()):
        with pytest.raises(mlx.jit.TraceError, match="compiled function"):
            use()
    assert "tensor" in repr(leaked)


def test_a_failed_trace_leaves_everything_as_it_was():
    model = nn.Linear(2, 1)
    before = mlx.ones(1, 2)
    model.weight.grad = before
    model.cache = "old"
    state = {"x": mlx.zeros(2)}
    old = state["x"]

    @mlx.jit
    def step(x):
        model.zero_grad()
        model(x).sum().backward()
        state["x"] = x * 2
        state["new"] = x
        return x.sum().item()

    with pytest.raises(mlx.jit.TraceError):
        step(mlx.rand(3, 2))
    assert model.weight.grad is before and model.bias.grad is None
    assert state == {"x": old}
    x = mlx.rand(3, 2)
    assert (x + 1).shape == (3, 2)  # the thread is not tracing any more


def test_errors_of_the_function_pass_through():
    def f(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        mlx.jit(f)(mlx.ones(1))
    with pytest.raises(RuntimeError, match="inner sizes|shape"):
        mlx.jit(lambda x: x @ x)(mlx.ones(2, 3))
    assert mlx.jit(lambda x: x + 1)(mlx.ones(1)).item() == 2


def test_a_recorded_tensor_from_outside_has_to_be_an_argument():
    w = mlx.ones(2, requires_grad=True)
    z = w * 2
    with pytest.raises(mlx.jit.TraceError, match="argument"):
        mlx.jit(lambda x: (x * z).sum())(mlx.ones(2))
    out = mlx.jit(lambda x, z: (x * z).sum())(mlx.ones(2), z)
    out.backward()
    assert w.grad.tolist() == [2.0, 2.0]


def test_kept_tensors_with_a_history_are_refused():
    kept = {"h": mlx.zeros(2)}
    w = mlx.ones(2, requires_grad=True)

    def f(x):
        kept["h"] = x * w
        return x

    with pytest.raises(mlx.jit.TraceError, match="detach"):
        mlx.jit(f)(mlx.ones(2))
    assert kept["h"].tolist() == [0.0, 0.0]


def test_state_that_gets_a_history_in_place_is_refused():
    """In eager calls the sum would grow by a history with each."""
    total = mlx.zeros(2)
    w = mlx.ones(2, requires_grad=True)

    @mlx.jit
    def f(x):
        total.add_(x)
        return total.sum()

    with pytest.raises(mlx.jit.TraceError, match="'total'.*detach"):
        f(w)
    assert not total.requires_grad and total.tolist() == [0.0, 0.0]
    assert f(w.detach()).item() == 2 and f(w.detach()).item() == 4


def test_writing_to_an_argument_with_a_history_is_refused():
    w = mlx.ones(2, requires_grad=True)
    f = mlx.jit(lambda x: x.mul_(3).sum())
    with pytest.raises(mlx.jit.TraceError, match="clone"):
        f(w * 2)
    with pytest.raises(RuntimeError, match="a leaf Variable"):
        f(w)
    x = mlx.ones(2)
    assert f(x).item() == 6 and x.tolist() == [3.0, 3.0]


def test_what_cannot_be_compiled_at_all():
    with pytest.raises(TypeError):
        mlx.jit(3)


def test_a_gradient_from_outside_has_to_be_cloned():
    p, outside = mlx.zeros(2, requires_grad=True), mlx.ones(2)

    def shared(x):
        p.grad = outside
        return x + 1

    def cloned(x):
        p.grad = outside.clone()
        return x + 1

    with pytest.raises(mlx.jit.TraceError, match="clone"):
        mlx.jit(shared)(mlx.ones(1))
    assert p.grad is None
    f = mlx.jit(cloned)
    for _ in range(3):
        f(mlx.ones(1))
        assert p.grad.tolist() == [1.0, 1.0]


def test_a_tensor_that_an_earlier_trace_has_left_is_refused_by_a_later_one():
    kept = deque()  # a container that is not looked into

    def first(x):
        kept.append(x * 2)
        return x.sum()

    mlx.jit(first)(mlx.ones(3))
    with pytest.raises(mlx.jit.TraceError, match="earlier trace"):
        mlx.jit(lambda x: x + kept[0])(mlx.ones(3))


def test_a_constant_that_was_written_to_has_no_elements_to_look_at():
    def count(x):
        steps = mlx.tensor(0.0)
        steps += 1
        return x * int(steps)

    with pytest.raises(mlx.jit.TraceError, match="elements"):
        mlx.jit(count)(mlx.ones(2))


def test_a_constant_that_was_written_to_keeps_its_first_value():
    def count(x):
        steps = mlx.tensor([1.0, 2.0])
        steps += x
        return steps * 2

    program = mlx.jit(count)
    for _ in range(2):
        assert program(mlx.ones(2)).tolist() == [4, 6]


def test_assigning_data_inside_is_refused():
    layer = mlx.nn.Linear(2, 1)
    before = layer.weight.detach().clone()

    @mlx.jit
    def step(x):
        layer.weight.data = layer.weight.data - x

    with pytest.raises(mlx.jit.TraceError, match=r"\.data.*copy_"):
        step(mlx.ones(1, 2))
    assert mlx.equal(layer.weight, before) and layer.weight.requires_grad

    @mlx.jit
    def of_an_argument(x):
        x.data = x * 3

    with pytest.raises(mlx.jit.TraceError, match="copy_"):
        of_an_argument(mlx.ones(2))

    @mlx.jit
    def written(x):
        layer.weight.data.copy_(layer.weight.data - x)

    written(mlx.ones(1, 2))
    written(mlx.ones(1, 2))
    assert mlx.allclose(layer.weight, before - 2)

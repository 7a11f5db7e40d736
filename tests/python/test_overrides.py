"""Subclasses of Tensor, and classes that take over ops: __torch_function__ and mlx.overrides."""

import copy
import operator
from typing import ClassVar

import numpy as np
import pytest

import mlx
from mlx import nn


class Tagged(mlx.Tensor):
    """A subclass that defines nothing."""


class Logged(mlx.Tensor):
    """Writes down what is called."""

    calls: ClassVar[list] = []

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        cls.calls.append(func)
        return super().__torch_function__(func, types, args, kwargs)


class Foreign:
    """No tensor, but one for mlx's functions: answers with what it was asked."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return func, types, args, kwargs


class Refusing:
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return NotImplemented


@pytest.fixture
def tagged():
    return mlx.tensor([[1.0, 2.0], [3.0, 4.0]]).as_subclass(Tagged)


@pytest.fixture
def logged():
    t = mlx.tensor([1.0, 2.0]).as_subclass(Logged)
    Logged.calls.clear()
    return t


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t + 1,
        lambda t: 1 - t,
        lambda t: mlx.ones(2, 2) * t,
        lambda t: t @ mlx.ones(2, 2),
        lambda t: t == t,
        lambda t: -t,
        lambda t: t.sum(),
        lambda t: t.T,
        lambda t: t.data,
        lambda t: t[0],
        lambda t: t.to(mlx.float64),
        lambda t: t.long(),
        lambda t: t.detach().clone(),
        lambda t: mlx.exp(t),
        lambda t: mlx.cat([mlx.zeros(2, 2), t]),
        lambda t: mlx.zeros_like(t),
        lambda t: nn.functional.softmax(t, dim=-1),
        lambda t: nn.Linear(2, 3)(t),
        lambda t: mlx.einsum("ij,jk->ik", t, t),
        lambda t: t.max(0).values,
        lambda t: t.split(1)[0],
        lambda t: next(iter(t)),
        lambda t: t.add_(1),
        copy.copy,
        copy.deepcopy,
    ],
)
def test_a_subclass_is_kept(tagged, call):
    assert type(call(tagged)) is Tagged


def test_a_subclass_computes_what_its_tensor_does(tagged):
    expected = np.exp(np.array([[1.0, 2.0], [3.0, 4.0]]) * 2 - 1)
    np.testing.assert_allclose((tagged * 2 - 1).exp().numpy(), expected, rtol=1e-6)


def test_what_is_no_tensor_stays_what_it_is(tagged):
    assert tagged.shape == mlx.Size([2, 2])
    assert tagged.dim() == 2 and len(tagged) == 2
    assert float(tagged[0, 0]) == 1.0 and bool(tagged[0, 0]) and 4.0 in tagged
    assert tagged.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert repr(tagged[0]).startswith("Tagged([1., 2.]")


def test_gradients_flow_through_as_subclass():
    x = mlx.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).as_subclass(Tagged).square().sum().backward()
    assert x.grad.tolist() == [18.0, 36.0]
    assert type(x.grad) is mlx.Tensor


def test_a_leaf_of_a_subclass_collects_its_gradient():
    leaf = mlx.Tensor._make_subclass(Tagged, mlx.tensor([1.0, 2.0]), True)
    (leaf * leaf).sum().backward()
    assert leaf.is_leaf
    assert leaf.grad.tolist() == [2.0, 4.0]


def test_what_is_computed_from_parameters_is_plain():
    class Scale(nn.Parameter):
        pass

    assert type(nn.Parameter(mlx.ones(2)) + 1) is mlx.Tensor
    assert type(Scale(mlx.ones(2)) * Scale(mlx.ones(2))) is mlx.Tensor
    assert type(nn.Buffer(mlx.ones(2)).sum()) is mlx.Tensor


def test_a_subclass_of_a_subclass_wins(tagged):
    class Narrow(Tagged):
        pass

    narrow = mlx.ones(2).as_subclass(Narrow)
    assert type(tagged + narrow) is Narrow
    assert type(narrow + tagged) is Narrow


def test_unrelated_subclasses_do_not_mix(tagged):
    class Other(mlx.Tensor):
        pass

    with pytest.raises(TypeError, match="unsupported operand"):
        tagged + mlx.ones(2).as_subclass(Other)
    with pytest.raises(TypeError, match="add"):
        mlx.add(tagged, mlx.ones(2).as_subclass(Other))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda t: t + 1, "add"),
        (lambda t: 1 + t, "add"),
        (lambda t: 1 - t, "__rsub__"),
        (lambda t: t / 2, "div"),
        (lambda t: t**2, "pow"),
        (lambda t: t < 2, "lt"),
        (lambda t: t == 2, "__eq__"),
        (lambda t: -t, "neg"),
        (lambda t: t[0], "__getitem__"),
        (lambda t: operator.setitem(t, 0, 1.0), "__setitem__"),
        (lambda t: operator.iadd(t, 1), "add_"),
        (lambda t: t.size(), "size"),
        (lambda t: t.dim(), "dim"),
        (lambda t: t.double(), "double"),
        (lambda t: t.clamp(0, 1), "clamp"),
    ],
)
def test_an_override_is_told_the_method(logged, call, name):
    call(logged)
    assert Logged.calls == [getattr(mlx.Tensor, name)]


def test_an_override_is_told_the_function(logged):
    mlx.add(mlx.ones(2), logged)
    mlx.stack([mlx.ones(2), logged])
    assert Logged.calls == [mlx.add, mlx.stack]


def test_an_override_is_told_the_attribute(logged):
    assert logged.shape == (2,)
    assert Logged.calls == [mlx.Tensor.shape.__get__]


def test_an_override_may_change_the_result():
    class Clipped(mlx.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func is mlx.Tensor.add:
                return "taken over"
            return super().__torch_function__(func, types, args, kwargs)

    t = mlx.ones(2).as_subclass(Clipped)
    assert t + 1 == "taken over" and t.add(1) == "taken over"
    assert (t * 2).tolist() == [2.0, 2.0]


def test_objects_that_are_no_tensors_take_calls_over():
    f, t = Foreign(), mlx.ones(2)
    assert mlx.add(f, 1) == (mlx.add, (Foreign,), (f, 1), {})
    assert mlx.cat([t, f], dim=0)[0] is mlx.cat
    assert nn.functional.softmax(f, dim=0)[3] == {"dim": 0}
    assert t.add(f)[0] is mlx.Tensor.add
    assert (t + f)[0] is mlx.Tensor.add and (f + t)[0] is mlx.Tensor.add
    assert (t @ f)[0] is mlx.Tensor.matmul and (t < f)[0] is mlx.Tensor.lt
    assert t[f][0] is mlx.Tensor.__getitem__


def test_an_error_stays_the_error_when_nobody_takes_over():
    with pytest.raises(TypeError, match="add"):
        mlx.add(object(), 1)
    with pytest.raises(TypeError, match="NotImplemented"):
        mlx.add(Refusing(), 1)
    with pytest.raises(TypeError):
        mlx.ones(2) + Refusing()


def test_overrides_can_be_switched_off(logged):
    with mlx._C.DisableTorchFunctionSubclass():
        assert type(logged + 1) is mlx.Tensor
        assert not mlx.overrides.has_torch_function((logged,))
    assert Logged.calls == []
    assert type(logged + 1) is Logged


def test_attributes_of_ones_own():
    class Named(mlx.Tensor):
        @staticmethod
        def __new__(cls, data, name):
            return super().__new__(cls, data)

        def __init__(self, data, name):
            self.name = name

    t = Named([1.0, 2.0], "x")
    assert t.name == "x" and copy.deepcopy(t).name == "x"
    assert (t + 1).tolist() == [2.0, 3.0]


def test_tensor_like_and_has_torch_function(tagged):
    assert mlx.overrides.is_tensor_like(mlx.ones(1)) and mlx.overrides.is_tensor_like(Foreign())
    assert not mlx.overrides.is_tensor_like(1.0)
    assert mlx.overrides.has_torch_function((1, tagged)) and mlx.overrides.has_torch_function_unary(tagged)
    assert not mlx.overrides.has_torch_function_variadic(mlx.ones(1), nn.Parameter(mlx.ones(1)))


def test_plain_tensors_take_over_no_functions_of_other_libraries():
    """PyTorch finds the same method, and would ask it about each of its functions without end."""
    x = mlx.ones(1)
    assert mlx.Tensor.__torch_function__(abs, (mlx.Tensor,), (x,)) is NotImplemented


def test_a_function_that_can_be_overridden():
    def double(x):
        if mlx.overrides.has_torch_function_unary(x):
            return mlx.overrides.handle_torch_function(double, (x,), x)
        return x * 2

    assert double(3) == 6
    f = Foreign()
    assert double(f) == (double, (Foreign,), (f,), {})
    with pytest.raises(TypeError, match="no implementation found"):
        double(Refusing())


def test_wrap_torch_function():
    @mlx.overrides.wrap_torch_function(lambda x, y: (x,))
    def add(x, y):
        return x + y

    f = Foreign()
    assert add(1, 2) == 3
    assert add(f, 2) == (add, (Foreign,), (f, 2), {})

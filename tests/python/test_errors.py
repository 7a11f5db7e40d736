"""Errors: their class, that they name the op and the values, and that the process goes on.

Each message is checked for the op's name and for the values at fault, not for its wording.
"""

import re
from dataclasses import dataclass

import pytest

import mlx
import mlx.nn.functional as F


@dataclass(frozen=True)
class Case:
    """A call that must raise `error`, its message naming each of `mentions`."""

    call: object
    error: type
    mentions: tuple = ()


def leaf(*values):
    return mlx.tensor(values, requires_grad=True)


def backward_twice():
    y = leaf(2.0).exp()
    y.backward()
    y.backward()


def saved_tensor_changed():
    a = leaf(2.0) * 1
    y = a.exp() + a.square()
    a.add_(1)
    y.backward()


SHAPES = {
    "add": Case(lambda: mlx.zeros(2, 3) + mlx.zeros(2, 4), RuntimeError, ("add", "3", "4")),
    "mul": Case(lambda: mlx.zeros(2, 3) * mlx.zeros(5, 3), RuntimeError, ("mul", "2", "5")),
    "add_in_place": Case(lambda: mlx.zeros(3).add_(mlx.zeros(2, 3)), RuntimeError, ("add", "2", "3")),
    "matmul": Case(lambda: mlx.zeros(2, 3) @ mlx.zeros(4, 5), RuntimeError, ("matmul", "3", "4")),
    "matmul_batch": Case(lambda: mlx.zeros(2, 3, 3) @ mlx.zeros(4, 3, 3), RuntimeError, ("matmul", "2", "4")),
    "mm_rank": Case(lambda: mlx.mm(mlx.zeros(2), mlx.zeros(2, 2)), RuntimeError, ("mm", "1")),
    "bmm": Case(lambda: mlx.bmm(mlx.zeros(2, 3, 4), mlx.zeros(2, 5, 6)), RuntimeError, ("bmm", "4", "5")),
    "addmm": Case(
        lambda: mlx.addmm(mlx.zeros(7), mlx.zeros(2, 3), mlx.zeros(3, 4)), RuntimeError, ("addmm", "7", "4")
    ),
    "linear": Case(lambda: F.linear(mlx.zeros(2, 3), mlx.zeros(4, 5)), RuntimeError, ("linear", "3", "5")),
    "cat": Case(lambda: mlx.cat([mlx.zeros(2, 3), mlx.zeros(2, 4)]), RuntimeError, ("cat", "3", "4")),
    "cat_rank": Case(lambda: mlx.cat([mlx.zeros(2, 3), mlx.zeros(2)]), RuntimeError, ("cat", "2", "1")),
    "stack": Case(lambda: mlx.stack([mlx.zeros(2), mlx.zeros(3)]), RuntimeError, ("stack", "2", "3")),
    "where": Case(
        lambda: mlx.where(mlx.zeros(2, dtype=mlx.bool), mlx.zeros(3), mlx.zeros(3)),
        RuntimeError,
        ("where", "2", "3"),
    ),
    "view": Case(lambda: mlx.zeros(2, 3).t().view(6), RuntimeError, ("view", "reshape")),
    "view_size": Case(lambda: mlx.zeros(2, 3).view(7), RuntimeError, ("7", "6|2, 3")),
    "expand": Case(lambda: mlx.zeros(3).expand(4), RuntimeError, ("expand", "3", "4")),
    "layer_norm": Case(lambda: F.layer_norm(mlx.zeros(2, 3), (4,)), RuntimeError, ("3", "4")),
    "einsum": Case(
        lambda: mlx.einsum("ij,jk", mlx.zeros(2, 3), mlx.zeros(4, 5)), RuntimeError, ("einsum", "3", "4")
    ),
    "mse_loss": Case(lambda: F.mse_loss(mlx.zeros(2), mlx.zeros(3)), RuntimeError, ("2", "3")),
}

INDICES = {
    "int": Case(lambda: mlx.zeros(3)[3], IndexError, ("3",)),
    "negative": Case(lambda: mlx.zeros(3)[-4], IndexError, ("-4", "3")),
    "int_assignment": Case(lambda: mlx.zeros(3).__setitem__(5, 1), IndexError, ("5", "3")),
    "tensor": Case(lambda: mlx.zeros(3)[mlx.tensor([0, 9])], IndexError, ("9", "3")),
    "tensor_assignment": Case(lambda: mlx.zeros(3).__setitem__(mlx.tensor([9]), 1), IndexError, ("9", "3")),
    "mask": Case(lambda: mlx.zeros(3)[mlx.tensor([True, False])], IndexError, ("2", "3")),
    "too_many": Case(lambda: mlx.zeros(3)[0, 0], IndexError, ("1",)),
    "select": Case(lambda: mlx.zeros(3).select(0, 7), IndexError, ("select", "7", "3")),
    "dim": Case(lambda: mlx.zeros(3).sum(2), IndexError, ("2", r"-1")),
    "gather": Case(
        lambda: mlx.zeros(3).gather(0, mlx.tensor([9])), (IndexError, RuntimeError), ("gather", "9", "3")
    ),
    "scatter": Case(
        lambda: mlx.zeros(3).scatter(0, mlx.tensor([9]), 1.0),
        (IndexError, RuntimeError),
        ("scatter", "9", "3"),
    ),
    "index_select": Case(
        lambda: mlx.zeros(3).index_select(0, mlx.tensor([9])),
        (IndexError, RuntimeError),
        ("index_select", "9", "3"),
    ),
    "index_add": Case(
        lambda: mlx.zeros(3).index_add(0, mlx.tensor([9]), mlx.ones(1)),
        (IndexError, RuntimeError),
        ("index_add", "9", "3"),
    ),
    "embedding": Case(
        lambda: F.embedding(mlx.tensor([9]), mlx.zeros(3, 2)), IndexError, ("embedding", "9", "3")
    ),
    "nll_loss": Case(
        lambda: F.nll_loss(mlx.zeros(1, 3), mlx.tensor([9])),
        (IndexError, RuntimeError),
        ("nll_loss", "9", "3"),
    ),
    "float": Case(lambda: mlx.zeros(3)[mlx.tensor([1.0])], IndexError, ("float|int",)),
    "text": Case(lambda: mlx.zeros(2)["a"], TypeError, ("str",)),
}

DTYPES = {
    "negative_of_bool": Case(lambda: -mlx.tensor([True]), RuntimeError, ("neg", "bool")),
    "difference_of_bools": Case(
        lambda: mlx.tensor([True]) - mlx.tensor([True]), RuntimeError, ("sub", "bool")
    ),
    "bitwise_of_float": Case(lambda: mlx.ones(1) & mlx.ones(1), RuntimeError, ("and", "float")),
    "mean_of_integers": Case(
        lambda: mlx.ones(1, dtype=mlx.int64).mean(), RuntimeError, ("mean", "int64|Long")
    ),
    "matmul": Case(
        lambda: mlx.ones(1, 1) @ mlx.ones(1, 1, dtype=mlx.float64),
        RuntimeError,
        ("matmul", "float32", "float64"),
    ),
    "in_place_cast": Case(
        lambda: mlx.ones(1, dtype=mlx.int32).add_(1.5), RuntimeError, ("add", "float", "int32|Int")
    ),
    "embedding": Case(lambda: F.embedding(mlx.ones(1), mlx.ones(2, 2)), RuntimeError, ("embedding", "float")),
    "order_of_complex": Case(lambda: mlx.ones(1, dtype=mlx.complex64) < 1, RuntimeError, ("complex",)),
    "grad_of_integers": Case(lambda: mlx.ones(1, dtype=mlx.int64).requires_grad_(), RuntimeError, ("float",)),
    "alpha_of_integers": Case(
        lambda: mlx.ones(2, dtype=mlx.int64).add(1, alpha=1.5), RuntimeError, ("add", "alpha", "int64")
    ),
    "alpha_of_real": Case(
        lambda: mlx.sub(mlx.ones(2), 1, alpha=1j), RuntimeError, ("sub", "alpha", "float32")
    ),
    "tensor_of_none": Case(lambda: mlx.tensor([1, None]), RuntimeError, ("tensor", "NoneType")),
    "tensor_of_text": Case(lambda: mlx.tensor("a"), TypeError, ("tensor", "str")),
    "attention_mask": Case(
        lambda: F.scaled_dot_product_attention(*[mlx.ones(2, 2)] * 3, mlx.ones(2, 2, dtype=mlx.int64)),
        RuntimeError,
        ("attention", "int64"),
    ),
}

AUTOGRAD = {
    "backward_twice": Case(backward_twice, RuntimeError, ("retain_graph",)),
    "backward_without_grad": Case(lambda: mlx.ones(1).backward(), RuntimeError, ("require",)),
    "in_place_on_a_leaf": Case(lambda: leaf(1.0).add_(1), RuntimeError, ("add", "leaf", "no_grad|detach")),
    "saved_tensor_changed": Case(saved_tensor_changed, RuntimeError, ("in-?place", "version", "1", "0")),
    "numpy": Case(lambda: leaf(1.0).numpy(), RuntimeError, ("numpy", "detach")),
    "unused": Case(lambda: mlx.autograd.grad(leaf(1.0) * 2, leaf(1.0)), RuntimeError, ("allow_unused",)),
    "gradient_shape": Case(lambda: (leaf(1.0) * 2).backward(mlx.ones(3)), RuntimeError, ("3", "1")),
}

ARGUMENTS = {
    "negative_size": Case(lambda: mlx.zeros(2, -3), RuntimeError, ("zeros", "-3")),
    "memory": Case(lambda: mlx.empty(2**60, dtype=mlx.uint8), MemoryError, (str(2**60),)),
    "unknown_keyword": Case(lambda: mlx.sum(mlx.ones(1), axes=0), TypeError, ("sum", "axes")),
    "unknown_keyword_of_a_method": Case(lambda: mlx.ones(1).softmax(dims=0), TypeError, ("softmax", "dims")),
    "missing": Case(lambda: mlx.gather(mlx.ones(1), 0), TypeError, ("gather", "index")),
    "too_many": Case(lambda: mlx.ones(1).exp(1), TypeError, ("exp",)),
    "type": Case(lambda: mlx.exp("a"), TypeError, ("exp", "input", "str")),
    "type_of_a_dim": Case(lambda: mlx.softmax(mlx.ones(1), "a"), TypeError, ("softmax", "dim", "str")),
    "type_in_a_list": Case(lambda: mlx.cat([mlx.ones(1), 2]), TypeError, ("cat", "int")),
    "given_twice": Case(lambda: mlx.exp(mlx.ones(1), input=mlx.ones(1)), TypeError, ("exp", "input")),
    "dtype": Case(lambda: mlx.zeros(1, dtype="float32"), TypeError, ("zeros", "dtype", "str")),
    "rounding_mode": Case(
        lambda: mlx.div(mlx.ones(1), mlx.ones(1), rounding_mode="up"),
        RuntimeError,
        ("div", "up", "trunc", "floor"),
    ),
    "device": Case(lambda: mlx.device("nowhere"), RuntimeError, ("nowhere",)),
    "einsum_equation": Case(lambda: mlx.einsum("i->j", mlx.ones(2)), RuntimeError, ("einsum", "j")),
    "reduction": Case(lambda: F.mse_loss(mlx.ones(1), mlx.ones(1), reduction="most"), ValueError, ("most",)),
    "topk": Case(lambda: mlx.ones(3).topk(5), RuntimeError, ("k", "5", "3")),
    "integer_division_by_zero": Case(lambda: mlx.ones(1, dtype=mlx.int64) // 0, RuntimeError, ("(?i)zero",)),
    "item": Case(lambda: mlx.ones(2).item(), RuntimeError, ("item", "2")),
    "truth": Case(lambda: bool(mlx.ones(2)), (RuntimeError, ValueError), ("bool|truth", "2")),
    "window": Case(
        lambda: F.conv2d(mlx.ones(1, 1, 4, 4), mlx.ones(1, 1, 2, 2), stride=(1, 1, 1)),
        RuntimeError,
        ("conv2d", "stride", "2"),
    ),
    "probabilities": Case(
        lambda: F.binary_cross_entropy(mlx.ones(2) / 2, mlx.tensor([0.5, 1.5])),
        RuntimeError,
        ("binary_cross_entropy", "target", "0 and 1"),
    ),
    "states": Case(
        lambda: mlx.nn.LSTM(2, 3)(mlx.ones(4, 1, 2), mlx.ones(1, 1, 3)), RuntimeError, ("LSTM", "2", "1")
    ),
    "insert": Case(lambda: mlx.nn.Sequential().insert(2, mlx.nn.ReLU()), IndexError, ("2",)),
    "set_": Case(lambda: mlx.ones(2).set_("a"), TypeError, ("set_", "str")),
    "grad_of_nothing": Case(lambda: mlx.autograd.grad(leaf(1.0).sum(), []), RuntimeError, ("grad", "empty")),
    "grad_mode": Case(lambda: mlx.set_grad_enabled("a"), TypeError, ("set_grad_enabled", "str")),
}

ALL_CASES = {
    f"{group}-{key}": case
    for group, cases in {
        "shape": SHAPES,
        "index": INDICES,
        "dtype": DTYPES,
        "autograd": AUTOGRAD,
        "argument": ARGUMENTS,
    }.items()
    for key, case in cases.items()
}


@pytest.mark.parametrize("key", ALL_CASES)
def test_class(key):
    with pytest.raises(ALL_CASES[key].error):
        ALL_CASES[key].call()


@pytest.mark.parametrize("key", [k for k in ALL_CASES if ALL_CASES[k].mentions])
def test_message_names_the_op_and_the_values(key):
    with pytest.raises(ALL_CASES[key].error) as caught:
        ALL_CASES[key].call()
    message = str(caught.value)
    missing = [m for m in ALL_CASES[key].mentions if not re.search(m, message)]
    assert not missing, message


@pytest.mark.parametrize("key", ALL_CASES)
def test_process_goes_on(key):
    with pytest.raises(ALL_CASES[key].error):
        ALL_CASES[key].call()
    x = leaf(2.0, 3.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [4, 6]


@pytest.mark.parametrize("key", ALL_CASES)
def test_failure_leaks_no_memory(key):
    def fail():
        with pytest.raises(ALL_CASES[key].error):
            ALL_CASES[key].call()

    fail()
    before = mlx.memory_stats()["allocated_bytes"]
    for _ in range(3):
        fail()
    assert mlx.memory_stats()["allocated_bytes"] <= before


def test_error_leaves_its_operands_alone():
    t = mlx.zeros(3)
    with pytest.raises(RuntimeError):
        t.add_(mlx.ones(4))
    assert (t.tolist(), t._version) == ([0, 0, 0], 0)


def test_failed_backward_may_be_tried_again():
    x = leaf(2.0)
    y = x * x
    with pytest.raises(RuntimeError):
        y.backward(mlx.ones(3))
    y.backward()
    assert x.grad.item() == 4

"""Activations that draw random numbers, and the forms that write into their input."""

from __future__ import annotations

import mlx
from mlx._C import Tensor, _op_namespaces

__all__ = [
    "celu_",
    "elu_",
    "gumbel_softmax",
    "hardtanh_",
    "leaky_relu_",
    "relu_",
    "rrelu",
    "rrelu_",
    "selu_",
    "threshold_",
]

_ops = _op_namespaces["nn.functional"]


def relu_(input: Tensor) -> Tensor:
    """`relu` in place."""
    return _ops["relu"](input, True)


def selu_(input: Tensor) -> Tensor:
    """`selu` in place."""
    return _ops["selu"](input, True)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu` in place."""
    return _ops["elu"](input, alpha, True)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu` in place."""
    return _ops["celu"](input, alpha, True)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu` in place."""
    return _ops["leaky_relu"](input, negative_slope, True)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh` in place."""
    return _ops["hardtanh"](input, min_val, max_val, True)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold` in place."""
    return _ops["threshold"](input, threshold, value, True)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """A leaky ReLU with a slope drawn from [lower, upper) for each element (Xu et al., 2015); outside
    training with their mean.

    >>> import mlx
    >>> mlx.nn.functional.rrelu(mlx.tensor([-6.0, 2.0]), 0.25, 0.75)
    tensor([-3.,  2.])
    """
    if lower > upper:
        raise RuntimeError(f"rrelu(): lower bound {lower} is above the upper bound {upper}")
    if not training:
        return _ops["leaky_relu"](input, (lower + upper) / 2, inplace)
    slope = mlx.empty_like(input, requires_grad=False).uniform_(lower, upper)
    result = mlx.where(input <= 0, input * slope, input)
    return input.copy_(result) if inplace else result


def rrelu_(input: Tensor, lower: float = 1.0 / 8, upper: float = 1.0 / 3, training: bool = False) -> Tensor:
    """`rrelu` in place."""
    return rrelu(input, lower, upper, training, inplace=True)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Draws from the Gumbel-Softmax distribution (Jang, Gu & Poole, 2016; Maddison, Mnih & Teh, 2016).

    Args:
        logits: log probabilities, up to a constant.
        tau: the temperature.
        hard: whether to give one-hot vectors, with the gradient of the soft ones.
        eps: has no effect; PyTorch's legacy.
        dim: along which the probabilities add up to 1.
    """
    noise = -mlx.empty_like(logits, requires_grad=False).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.argmax(dim, keepdim=True)
    chosen = mlx.zeros_like(logits, requires_grad=False).scatter_(dim, index, 1.0)
    return chosen - soft.detach() + soft

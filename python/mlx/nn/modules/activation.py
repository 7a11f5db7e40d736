"""Activations as layers."""

from __future__ import annotations

import mlx
from mlx.nn import functional as F
from mlx.nn.modules.module import Module

__all__ = ["GELU", "ReLU", "SiLU", "Sigmoid", "Tanh"]


class _InPlace(Module):
    """An activation that may overwrite its input."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class ReLU(_InPlace):
    """max(0, x).

    >>> import mlx
    >>> mlx.nn.ReLU()(mlx.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, input: mlx.Tensor) -> mlx.Tensor:
        return F.relu(input, inplace=self.inplace)


class SiLU(_InPlace):
    """x * sigmoid(x)."""

    def forward(self, input: mlx.Tensor) -> mlx.Tensor:
        return F.silu(input, inplace=self.inplace)


class Sigmoid(Module):
    """1 / (1 + exp(-x))."""

    def forward(self, input: mlx.Tensor) -> mlx.Tensor:
        return mlx.sigmoid(input)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input: mlx.Tensor) -> mlx.Tensor:
        return mlx.tanh(input)


class GELU(Module):
    """x times the normal distribution function of x (Hendrycks and Gimpel, 2016).

    Args:
        approximate: "none", or "tanh" for the approximation with tanh.
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: mlx.Tensor) -> mlx.Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"

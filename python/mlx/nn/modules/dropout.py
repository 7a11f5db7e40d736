"""Layers that leave out part of their input in training."""

from __future__ import annotations

from typing import Any

from mlx._C import Tensor
from mlx.nn import functional as F
from mlx.nn.modules.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _DropoutNd(Module):
    _function: Any

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return type(self)._function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """In training, zeros for a random part `p` of the elements, and the others divided by 1 - p (Hinton et
    al., 2012).

    >>> import mlx
    >>> mlx.nn.Dropout(0.5).eval()(mlx.ones(3))
    tensor([1., 1., 1.])
    """

    _function: Any = staticmethod(F.dropout)


class Dropout1d(_DropoutNd):
    """Dropout of whole channels of signals (..., channels, length)."""

    _function: Any = staticmethod(F.dropout1d)


class Dropout2d(_DropoutNd):
    """Dropout of whole channels of images (..., channels, height, width)."""

    _function: Any = staticmethod(F.dropout2d)


class Dropout3d(_DropoutNd):
    """Dropout of whole channels of volumes (..., channels, depth, height, width)."""

    _function: Any = staticmethod(F.dropout3d)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps the mean 0 and variance 1 that SELU gives (Klambauer et al., 2017)."""

    # PyTorch ignores inplace here too.
    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """Alpha dropout of whole channels."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)

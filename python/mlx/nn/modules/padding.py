"""Layers that pad signals, images and volumes at their edges."""

from __future__ import annotations

from collections.abc import Sequence

from mlx._C import Tensor
from mlx.nn import functional as F
from mlx.nn.modules.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _PadNd(Module):
    """Args:
    padding: one number, or one for each end of each dimension, from the last dimension on.
    """

    _dims: int
    _mode = "constant"

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = tuple(padding) if isinstance(padding, Sequence) else (padding,) * (2 * self._dims)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPadNd(_ConstantPadNd):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _CircularPadNd(_PadNd):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (self._dims + 1, self._dims + 2):
            raise ValueError(
                f"expected {self._dims + 1}D or {self._dims + 2}D input (got {input.dim()}D input)"
            )
        return super().forward(input)


class ConstantPad1d(_ConstantPadNd):
    """Pads signals with a number.

    >>> import mlx
    >>> mlx.nn.ConstantPad1d((1, 2), 9)(mlx.zeros(1, 2))
    tensor([[9., 0., 0., 9., 9.]])
    """

    _dims = 1


class ConstantPad2d(_ConstantPadNd):
    """Pads images with a number."""

    _dims = 2


class ConstantPad3d(_ConstantPadNd):
    """Pads volumes with a number."""

    _dims = 3


class ZeroPad1d(_ZeroPadNd):
    """Pads signals with zeros."""

    _dims = 1


class ZeroPad2d(_ZeroPadNd):
    """Pads images with zeros."""

    _dims = 2


class ZeroPad3d(_ZeroPadNd):
    """Pads volumes with zeros."""

    _dims = 3


class ReflectionPad1d(_PadNd):
    """Pads signals with their mirror image, without the edge itself."""

    _dims = 1
    _mode = "reflect"


class ReflectionPad2d(_PadNd):
    """Pads images with their mirror image, without the edge itself."""

    _dims = 2
    _mode = "reflect"


class ReflectionPad3d(_PadNd):
    """Pads volumes with their mirror image, without the edge itself."""

    _dims = 3
    _mode = "reflect"


class ReplicationPad1d(_PadNd):
    """Pads signals with the element at the edge."""

    _dims = 1
    _mode = "replicate"


class ReplicationPad2d(_PadNd):
    """Pads images with the elements at the edge."""

    _dims = 2
    _mode = "replicate"


class ReplicationPad3d(_PadNd):
    """Pads volumes with the elements at the edge."""

    _dims = 3
    _mode = "replicate"


class CircularPad1d(_CircularPadNd):
    """Pads signals with what is at their other end."""

    _dims = 1


class CircularPad2d(_CircularPadNd):
    """Pads images with what is at their other end."""

    _dims = 2


class CircularPad3d(_CircularPadNd):
    """Pads volumes with what is at their other end."""

    _dims = 3

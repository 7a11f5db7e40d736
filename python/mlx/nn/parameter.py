"""Parameter: a tensor that a module trains."""

from __future__ import annotations

from typing import Any, SupportsIndex

from mlx import _C
from mlx._C import Tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that requires grad and that a module lists among its parameters.

    Args:
        data: the tensor whose memory it shares.
        requires_grad: whether it is trained.

    >>> import mlx
    >>> mlx.nn.Parameter(mlx.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        return _C._make_subclass(cls, _C.empty(0) if data is None else data.detach(), requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple:
        return _rebuild_parameter, (self.data, self.requires_grad)


def _rebuild_parameter(data: Tensor, requires_grad: bool) -> Parameter:
    return Parameter(data, requires_grad)

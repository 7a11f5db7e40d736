"""Variable: the old name of tensors that gradients are computed for."""

from __future__ import annotations

from typing import Any

from mlx import _C
from mlx._C import Tensor

__all__ = ["Variable"]


class _IsTensor(type):
    def __instancecheck__(cls, other: Any) -> bool:
        return isinstance(other, Tensor)


class Variable(metaclass=_IsTensor):
    """The same tensor without its history, as programs wrote it when only variables had gradients.

    Raises:
        TypeError: when `data` is no tensor.

    >>> import mlx
    >>> x = Variable(mlx.ones(2), requires_grad=True)
    >>> type(x), isinstance(x, Variable)
    (<class 'mlx.Tensor'>, True)
    """

    def __new__(  # type: ignore[misc]  # it makes tensors
        cls, data: Tensor | None = None, requires_grad: bool = False, volatile: Any = None
    ) -> Tensor:
        if data is not None and not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return (_C.empty(0) if data is None else data.detach()).requires_grad_(requires_grad)

"""Parameter: a tensor that a module trains."""

from __future__ import annotations

from typing import Any, SupportsIndex

import mlx
from mlx import _C
from mlx._C import Tensor

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


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

    # What is computed from one is a plain tensor.
    __torch_function__ = _C._disabled_torch_function_impl

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        return _C._make_subclass(cls, _C.empty(0) if data is None else data.detach(), requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.data.clone(), self.requires_grad)
        return memo[id(self)]

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple:
        return _rebuild_parameter, (self.data, self.requires_grad)


def clear_gradient(parameter: Tensor, set_to_none: bool) -> None:
    """Drop the gradient of a parameter, or fill it, wherever it is held, with zeros."""
    if parameter.grad is None:
        return
    if set_to_none:
        parameter.grad = None
    else:
        if parameter.grad.requires_grad:
            parameter.grad = parameter.grad.detach()
        parameter.grad.zero_()


def _rebuild_parameter(data: Tensor, requires_grad: bool) -> Parameter:
    return Parameter(data, requires_grad)


class Buffer(Tensor):
    """A tensor that is a module's state but not trained; assigned to an attribute it becomes a buffer.

    Args:
        data: the tensor whose memory it shares.
        persistent: whether it is part of the module's state dict.

    >>> import mlx
    >>> module = mlx.nn.Module()
    >>> module.count = mlx.nn.Buffer(mlx.zeros(1))
    >>> list(module.state_dict())
    ['count']
    """

    persistent: bool
    __torch_function__ = _C._disabled_torch_function_impl

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        data = _C.empty(0) if data is None else data
        made = _C._make_subclass(cls, data.detach(), data.requires_grad)
        made.persistent = persistent
        return made


class _Uninitialized:
    """A parameter or buffer whose shape is not known yet."""

    _becomes: type

    def materialize(self: Any, shape: Any, device: Any = None, dtype: Any = None) -> None:
        """Give it memory of a shape; from now on it is an ordinary parameter or buffer."""
        device = self.data.device if device is None else device
        dtype = self.data.dtype if dtype is None else dtype
        self.data = mlx.empty(shape, device=device, dtype=dtype)
        self.__class__ = self._becomes

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. Call forward of the module to "
            "initialize its parameters first."
        )

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Any:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        return memo[id(self)]

    def __reduce_ex__(self: Any, protocol: SupportsIndex) -> tuple:
        return type(self), (self.requires_grad, None, self.data.dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter of a lazy module, whose shape the first input will tell."""

    _becomes = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        return _C._make_subclass(cls, mlx.empty(0, device=device, dtype=dtype), requires_grad)


class UninitializedBuffer(_Uninitialized, Tensor):
    """A buffer of a lazy module, whose shape the first input will tell."""

    _becomes = Buffer
    __torch_function__ = _C._disabled_torch_function_impl

    def __new__(
        cls, requires_grad: bool = False, device: Any = None, dtype: Any = None
    ) -> UninitializedBuffer:
        return _C._make_subclass(cls, mlx.empty(0, device=device, dtype=dtype), requires_grad)


def is_lazy(tensor: Any) -> bool:
    """Whether it is a parameter or buffer that has no shape yet."""
    return isinstance(tensor, _Uninitialized)

"""The methods of Tensor that are written in Python: interchange, gradients, copying."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mlx import _C
from mlx._C import Tensor

__all__: list[str] = []


class RemovableHandle:
    """Takes a hook away again, by remove() or as a context manager."""

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove: Callable[[], None] | None = remove

    def remove(self) -> None:
        if self._remove is not None:
            self._remove()
            self._remove = None

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


def backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradients of this tensor to the `.grad` of the leaves it was made from; see
    `mlx.autograd.backward`. Without `gradient`, that of the sum of all elements."""
    from mlx import autograd

    grads = None if gradient is None else [gradient]
    autograd.backward(self, grads, retain_graph, create_graph, inputs=inputs)


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call `hook` with the gradient of this tensor whenever it is computed; a tensor that it returns
    takes the gradient's place."""
    hook_id = _C._register_hook(self, hook)
    return RemovableHandle(lambda: _C._remove_hook(self, hook_id))


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call `hook` with this leaf whenever its `.grad` was added to."""
    hook_id = _C._register_accumulate_hook(self, hook)
    return RemovableHandle(lambda: _C._remove_hook(self, hook_id))


def numpy(self: Tensor, *, force: bool = False) -> np.ndarray:
    """The elements as a NumPy array that shares this tensor's memory.

    Args:
        force: also for tensors that require grad or lie on a GPU (through `.detach().cpu()`).

    Raises:
        RuntimeError: for a tensor that requires grad. TypeError: for bfloat16, which NumPy lacks.
    """
    return _C._to_numpy(self.detach().cpu() if force else self, force)


def __array__(self: Tensor, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
    array = self.numpy()
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError(f"cannot see a tensor of {self.dtype} as {dtype} without copying")
        return array.astype(dtype)
    return array.copy() if copy else array


def __array_wrap__(self: Tensor, array: Any, context: Any = None, return_scalar: bool = False) -> Tensor:
    """What NumPy's functions of elements make of a tensor is a tensor: np.sqrt(x), x * np.ones(3). Truth
    values become bytes, as they do in PyTorch."""
    array = np.asarray(array)
    return _C.from_numpy(array.astype(np.uint8) if array.dtype == bool else array)


def _node_hook(self: _C.Node, fn: Callable) -> RemovableHandle:
    """Call `fn(grad_inputs, grad_outputs)` after this node has run; a tuple that it returns takes the
    place of the gradients of the node's inputs."""
    hook_id = self._register_hook(fn)
    return RemovableHandle(lambda: self._remove_hook(hook_id))


def _node_prehook(self: _C.Node, fn: Callable) -> RemovableHandle:
    """Call `fn(grad_outputs)` before this node runs; a tuple that it returns takes their place."""
    hook_id = self._register_prehook(fn)
    return RemovableHandle(lambda: self._remove_hook(hook_id))


_C.Node.register_hook = _node_hook  # type: ignore[method-assign]
_C.Node.register_prehook = _node_prehook  # type: ignore[method-assign]


def __complex__(self: Tensor) -> complex:
    return complex(self.item())


def __reversed__(self: Tensor) -> Tensor:
    """The rows in reverse order."""
    return self.flip(0) if self.dim() else self


def as_subclass(self: Tensor, cls: type) -> Tensor:
    """This tensor as one of the class `cls`: a view, through which gradients flow."""
    return _C._as_subclass(self, cls)


def _converted(result: Any, cls: type) -> Any:
    """What an op returned, its tensors as ones of the class `cls`."""
    if isinstance(result, Tensor):
        return result if isinstance(result, cls) else _C._as_subclass(result, cls)
    if isinstance(result, (tuple, list)):
        return type(result)([_converted(r, cls) for r in result])
    return result


def __torch_function__(
    cls: type, func: Callable, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
) -> Any:
    """What becomes of a call of `func` one of whose arguments is of the class `cls`: the call itself, its
    tensors made ones of that class. A class of one's own may override it.

    Args:
        types: the classes among the arguments that override.
        args, kwargs: the arguments of the call.

    Returns:
        The result, or NotImplemented for a call that is not this class's: one with arguments of a class that
        is not derived from it, or one of PyTorch's functions, which finds the same method.
    """
    is_foreign = cls is Tensor and types and all(t is Tensor for t in types)  # mlx asks derived classes only
    if is_foreign or not all(issubclass(cls, t) for t in types):
        return NotImplemented
    with _C.DisableTorchFunctionSubclass():
        result = func(*args, **(kwargs or {}))
        return result if func in _PLAIN or cls is Tensor else _converted(result, cls)


# Attributes that are no results of the tensor they belong to.
_PLAIN = {Tensor.__dict__[name].__get__ for name in ("grad", "_base")}
Tensor.__torch_function__ = classmethod(__torch_function__)  # type: ignore[attr-defined]


for _method in (
    backward,
    register_hook,
    register_post_accumulate_grad_hook,
    numpy,
    __array__,
    __array_wrap__,
    __complex__,
    __reversed__,
    as_subclass,
):
    setattr(Tensor, _method.__name__, _method)


def _make_subclass(cls: type, data: Tensor, require_grad: bool = False) -> Tensor:
    """A tensor of a class of one's own, with the memory of `data`."""
    return _C._make_subclass(cls, data.detach(), require_grad)


Tensor._make_subclass = staticmethod(_make_subclass)  # type: ignore[attr-defined]

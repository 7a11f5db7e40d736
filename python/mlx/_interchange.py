"""Tensors to and from other libraries, files and copies: DLPack, buffers, pickle, deepcopy."""

from __future__ import annotations

import copy
import os
import weakref
from typing import Any

import numpy as np

from mlx import _C
from mlx._C import Tensor

__all__ = ["asarray", "from_dlpack", "from_file", "frombuffer", "to_dlpack"]

CPU = (1, 0)  # DLPack's name of the CPU


# ---- DLPack


def __dlpack__(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """A DLPack capsule of this tensor's memory.

    Raises:
        BufferError: for a tensor that requires grad, or that does not lie in the CPU's memory.
    """
    if stream is not None:
        raise BufferError(f"__dlpack__(): the CPU has no streams, got stream={stream}")
    if dl_device is not None and tuple(dl_device) != CPU:
        raise BufferError(f"__dlpack__(): cannot export to device {tuple(dl_device)}")
    versioned = max_version is not None and max_version[0] >= 1
    return _C._to_dlpack(self.clone() if copy else self, versioned, bool(copy))


def __dlpack_device__(self: Tensor) -> tuple[int, int]:
    return CPU


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of an object with `__dlpack__`, or of a DLPack capsule.

    >>> import mlx, numpy
    >>> mlx.from_dlpack(numpy.arange(3))
    tensor([0, 1, 2])
    """
    if hasattr(ext_tensor, "__dlpack__"):
        try:
            capsule = ext_tensor.__dlpack__(max_version=(1, 0))
        except TypeError:  # written before versions
            capsule = ext_tensor.__dlpack__()
    else:
        capsule = ext_tensor
    result = _C._from_dlpack(capsule)
    if device is not None:
        result = result.to(device)
    return result.clone() if copy else result


# ---- arrays and buffers


def to_dlpack(ext_tensor: Tensor) -> Any:
    """A DLPack capsule of the tensor's memory, which another library can take once; its `from_dlpack` takes
    the tensor itself too."""
    return ext_tensor.__dlpack__()


def from_file(
    filename: str,
    shared: bool | None = None,
    size: int | None = 0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A vector over the bytes of a file, which are read when they are asked for.

    Args:
        filename: the file.
        shared: whether writes to the tensor go to the file, which is made, or made longer, when it is too
            short. Otherwise they stay in memory, and the file must be long enough.
        size: the number of elements.
        dtype: by default, the default dtype.

    >>> import mlx, tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     mlx.from_file(file.name, shared=True, size=2).copy_(mlx.tensor([1.0, 2.0]))
    ...     mlx.from_file(file.name, size=2)
    tensor([1., 2.])
    tensor([1., 2.])
    """
    if device is not None and _C.device(device).type != "cpu":
        raise RuntimeError(f"from_file(): tensors of a file lie on the CPU, not on {device}")
    count = size or 0
    dtype = _C.get_default_dtype() if dtype is None else dtype
    length = count * _C.empty(0, dtype=dtype).element_size()
    if shared:
        with open(filename, "ab") as file:
            if file.tell() < length:
                file.truncate(length)
    elif os.path.getsize(filename) < length:
        raise RuntimeError(f"from_file(): {filename} has {os.path.getsize(filename)} bytes, not {length}")
    if count == 0:
        return _C.empty(0, dtype=dtype, requires_grad=requires_grad)
    memory = np.memmap(filename, np.uint8, "r+" if shared else "c", shape=(length,))
    made = _C.from_numpy(memory).view(dtype)
    return made.requires_grad_() if requires_grad else made


def frombuffer(
    buffer: Any, *, dtype: _C.dtype, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A vector that shares the memory of a Python buffer.

    Args:
        count: elements to read, -1 for all. offset: bytes to skip.

    Raises:
        ValueError: when the buffer is empty, too short, or not a whole number of elements.
    """
    result = _C._from_buffer(buffer, dtype, count, offset)
    return result.requires_grad_() if requires_grad else result


def asarray(
    obj: Any,
    *,
    dtype: _C.dtype | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of a tensor, array, buffer, number or nested sequence; shares memory where it can,
    unless `copy`.

    Raises:
        ValueError: when `copy` is False and a copy cannot be avoided.
    """
    if isinstance(obj, Tensor):
        result = obj
    elif hasattr(obj, "__dlpack__") and not hasattr(obj, "__array_interface__"):
        result = from_dlpack(obj)
    elif isinstance(obj, (bytes, bytearray, memoryview)):
        result = frombuffer(obj, dtype=dtype or _C.get_default_dtype())
    else:
        shares = hasattr(obj, "__array_interface__") or hasattr(obj, "__array__")
        if copy is False and not shares:
            raise ValueError(f"asarray(): can't alias an object of type {type(obj).__name__}; use copy=None")
        result = _C.as_tensor(obj, dtype=None if shares else dtype)
    if dtype is not None and result.dtype != dtype:
        if copy is False:
            raise ValueError(f"asarray(): can't alias {result.dtype} as {dtype}; use copy=None")
        result = result.to(dtype)
    elif copy:
        result = result.clone()
    if device is not None:
        result = result.to(device)
    if requires_grad and not result.requires_grad:
        result = result.detach().requires_grad_()
    return result


def _array_interface(self: Tensor) -> dict[str, Any]:
    return self.numpy().__array_interface__


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A copy of `data` as a tensor of this one's dtype and device."""
    return _C.tensor(
        data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad
    )


# ---- pickle and copy


class _Storage:
    """The bytes of a storage: one object for each storage in use, so that a pickle holds them once."""

    def __init__(self, data: Tensor) -> None:
        self.data = data

    def __reduce__(self) -> tuple:
        held = bytes(memoryview(self.data.cpu()))
        return _storage_of_bytes, (held,) if self.data.is_cpu else (held, str(self.data.device))


_storages: weakref.WeakValueDictionary[int, _Storage] = weakref.WeakValueDictionary()


def _storage_of(t: Tensor) -> _Storage:
    address = _C._storage_address(t)
    storage = _storages.get(address)
    if storage is None:
        storage = _storages[address] = _Storage(_C._storage_bytes(t))
    return storage


def _storage_of_bytes(data: bytes, device: str = "cpu") -> _Storage:
    if not data:
        return _Storage(_C.empty(0, dtype=_C.uint8, device=device))
    return _Storage(_C._from_buffer(bytearray(data), _C.uint8, -1, 0).to(device))


def _rebuild(
    cls: type,
    storage: _Storage,
    dtype: _C.dtype,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int,
    requires_grad: bool,
) -> Tensor:
    t = _C._from_storage(storage.data, dtype, list(shape), list(strides), offset)
    if cls is not Tensor:
        return _C._make_subclass(cls, t, requires_grad)
    return t.requires_grad_() if requires_grad else t


def __reduce_ex__(self: Tensor, protocol: int) -> tuple:
    with _C.DisableTorchFunctionSubclass():
        layout = tuple(self.shape), tuple(self.stride()), self.storage_offset()
        arguments = type(self), _storage_of(self.detach()), self.dtype, *layout, self.requires_grad
    return _rebuild, arguments, getattr(self, "__dict__", None) or None


def __deepcopy__(self: Tensor, memo: dict[Any, Any]) -> Tensor:
    with _C.DisableTorchFunctionSubclass():
        return _deepcopied(self, memo)


def _deepcopied(self: Tensor, memo: dict[Any, Any]) -> Tensor:
    if not self.is_leaf:
        raise RuntimeError(
            "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the "
            "moment; use tensor.detach().clone()"
        )
    if id(self) in memo:
        return memo[id(self)]
    # Views of one storage are views of one storage again.
    key = ("mlx.storage", _C._storage_address(self))
    if key not in memo:
        memo[key] = _Storage(_C._storage_bytes(self.detach()).clone())
    layout = tuple(self.shape), tuple(self.stride()), self.storage_offset()
    result = _rebuild(type(self), memo[key], self.dtype, *layout, self.requires_grad)
    memo[id(self)] = result
    if self.grad is not None:
        result.grad = copy.deepcopy(self.grad, memo)
    for name, value in getattr(self, "__dict__", {}).items():
        setattr(result, name, copy.deepcopy(value, memo))
    return result


def __format__(self: Tensor, spec: str) -> str:
    """A zero-dimensional tensor formats as its number does; so `f"{loss}"` is shorter than `str(loss)`."""
    if self.dim() == 0 and (spec or type(self) is Tensor):
        return format(self.item(), spec)
    return object.__format__(self, spec)


for _method in (__dlpack__, __dlpack_device__, __reduce_ex__, __deepcopy__, __format__, new_tensor):
    setattr(Tensor, _method.__name__, _method)
Tensor.__array_interface__ = property(_array_interface)  # type: ignore[method-assign, assignment]

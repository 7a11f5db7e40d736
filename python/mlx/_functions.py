"""Functions of the top level that deal in Python objects."""

from __future__ import annotations

from typing import Any

from mlx._C import Tensor

__all__ = ["is_complex", "is_floating_point", "is_tensor", "numel", "typename"]


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floating-point numbers."""
    return input.dtype.is_floating_point


def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex numbers."""
    return input.dtype.is_complex


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


def typename(obj: Any) -> str:
    """The name of an object's type, as PyTorch spells it."""
    return f"{type(obj).__module__}.{type(obj).__qualname__}"

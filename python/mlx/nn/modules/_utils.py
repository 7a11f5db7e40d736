"""What several kinds of layers share: sizes that are one number or one a dimension."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlx.nn import functional as F


def per_dim(value: Any, dims: int) -> tuple[Any, ...]:
    """The value for each of `dims` dimensions: repeated, unless it comes as a sequence."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * dims


def function_of(kind: str, dims: int) -> Any:
    """The function of nn.functional for so many dimensions: ("conv", 2) is conv2d."""
    return getattr(F, f"{kind}{dims}d")

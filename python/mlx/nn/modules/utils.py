"""What several kinds of layers share: sizes that are one number or one a dimension."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mlx.nn import functional as F


def per_dim(value: Any, dims: int) -> tuple[Any, ...]:
    """The value for each of `dims` dimensions: repeated, unless it comes as a sequence."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * dims


def function_of(kind: str, dims: int) -> Any:
    """The function of nn.functional for so many dimensions: ("conv", 2) is conv2d."""
    return getattr(F, f"{kind}{dims}d")


# The names under which programs with layers of their own import such functions from PyTorch.


def _ntuple(n: int, name: str = "parse") -> Callable[[Any], tuple[Any, ...]]:
    """A function that makes a tuple of `n` elements of a value, as `per_dim` does."""

    def parse(x: Any) -> tuple[Any, ...]:
        return per_dim(x, n)

    parse.__name__ = name
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")

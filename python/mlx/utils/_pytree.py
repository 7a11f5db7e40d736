"""Nested lists, tuples and dicts, under PyTorch's names for what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx._nested import leaves as tree_leaves
from mlx._nested import mapped

__all__ = ["tree_leaves", "tree_map"]


def tree_map(func: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with `func` applied to all that is not a container.

    >>> tree_map(abs, {"a": [-1, (2, -3)]})
    {'a': [1, (2, 3)]}
    """
    return mapped(func, tree)

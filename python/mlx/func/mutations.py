"""Functions without writes in place."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

__all__ = ["functionalize"]


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """A function with the results of `func`, and with what it does to its arguments.

    PyTorch takes writes in place, and views, out of the ops that `func` is made of, for tools that look at
    these. `mlx.jit` needs no such help: it records what ops compute.

    Args:
        remove: "mutations" or "mutations_and_views"; RuntimeError for anything else.

    >>> import mlx
    >>> mlx.func.functionalize(lambda x: x.clone().add_(1))(mlx.tensor(1.0))
    tensor(2.)
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}. Valid "
            "options are: remove='mutations', remove='mutations_and_views'"
        )

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapped

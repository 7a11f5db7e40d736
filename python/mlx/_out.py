"""The out= argument of functions that are written in Python."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlx import _C


def takes_out(func: Callable) -> Callable:
    """Decorates a function so that its result is written to the tensor (or the tuple of them) given as out=.

    The tensors take the result's shape, as those of the core's ops do. RuntimeError where the result's dtype
    cannot be cast to theirs, or gradients are asked for.
    """

    @functools.wraps(func)
    def wrapped(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        result = func(*args, **kwargs)
        if out is None:
            return result
        if isinstance(result, tuple):
            for to, part in zip(out, result, strict=True):
                _C._write_out(to, part)
        else:
            _C._write_out(out, result)
        return out

    return wrapped

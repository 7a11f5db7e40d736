"""What Python's own functions do within automatic mixed precision; see `mlx.amp`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import mapped

__all__: list[str] = []

HALVES = (_C.bfloat16, _C.float16)


def widened(value: Any) -> Any:
    """A half-precision tensor in float32 within autocast; all else as it is."""
    if isinstance(value, Tensor) and value.dtype in HALVES and _C._autocast_setting(value.device.type)[0]:
        return value.float()
    return value


def in_float32(func: Callable) -> Callable:
    """Decorates a function of Python's that takes half-precision tensors in float32 within autocast."""

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if not _C._autocast_active():
            return func(*args, **kwargs)
        args, kwargs = mapped(widened, args), mapped(widened, kwargs)
        return func(*args, **kwargs)

    return wrapped

"""The decorators of TorchScript: what they mark is ordinary Python here, which `mlx.jit` can compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mlx import _C

__all__ = ["Final", "annotate", "export", "ignore", "is_scripting", "is_tracing", "script", "unused"]


def script(obj: Any, *args: Any, **kwargs: Any) -> Any:
    """The function or module itself: it runs as Python, or compiled within a function under `mlx.jit`."""
    return obj


def export(fn: Callable) -> Callable:
    """The function itself."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """The function itself; also `@ignore(drop=True)`."""
    return drop if callable(drop) else lambda fn: fn


def unused(fn: Callable) -> Callable:
    """The function itself."""
    return fn


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value itself."""
    return the_value


def is_scripting() -> bool:
    """Whether the code runs as TorchScript: no."""
    return False


def is_tracing() -> bool:
    """Whether the code is being traced by `mlx.jit`."""
    return _C._is_tracing()

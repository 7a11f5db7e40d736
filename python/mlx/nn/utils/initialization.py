"""Modules whose parameters are given their values later."""

from __future__ import annotations

import inspect
from typing import Any

from mlx.nn.modules.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """A module whose parameters hold nothing to rely on, until they are loaded or initialized.

    Here they hold what the constructor gives them: there is no device without memory to make them on.

    Raises:
        RuntimeError: for what is no module, or takes no `device`.

    >>> import mlx
    >>> mlx.nn.utils.skip_init(mlx.nn.Linear, 5, 1).weight.shape
    mlx.Size([1, 5])
    """
    if not issubclass(module_cls, Module):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    return module_cls(*args, **kwargs)

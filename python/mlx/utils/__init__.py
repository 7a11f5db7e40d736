"""What surrounds models: data and its loading, checkpointing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlx.utils import data as data

if TYPE_CHECKING:
    from mlx.utils import checkpoint as checkpoint


def __getattr__(name: str) -> Any:
    if name == "checkpoint":
        import importlib

        return importlib.import_module("mlx.utils.checkpoint")
    raise AttributeError(f"module 'mlx.utils' has no attribute {name!r}")

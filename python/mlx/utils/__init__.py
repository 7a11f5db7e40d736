"""What surrounds models: data and its loading, checkpointing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlx._modules import add_modules
from mlx.utils import data as data

if TYPE_CHECKING:
    from mlx.utils import benchmark as benchmark
    from mlx.utils import checkpoint as checkpoint
    from mlx.utils import model_zoo as model_zoo

add_modules(__name__, {"hooks": ["RemovableHandle"]}, source="mlx.nn.modules.hooks")
add_modules(__name__, {"dlpack": ["from_dlpack", "to_dlpack"]}, source="mlx._interchange")


def __getattr__(name: str) -> Any:
    if name in ("benchmark", "checkpoint", "model_zoo"):
        import importlib

        return importlib.import_module(f"mlx.utils.{name}")
    raise AttributeError(f"module 'mlx.utils' has no attribute {name!r}")

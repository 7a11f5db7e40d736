"""Where loaded tensors go: the `map_location` of `mlx.load`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx.serialization.errors import SerializationError

__all__ = ["locator"]


def locator(map_location: Any) -> Callable[[Tensor, str], Tensor]:
    """A function of a tensor and the device it was saved from that gives the tensor where it belongs.

    Args:
        map_location: None for the device it was saved from; a device, or its name, for all tensors; a dict
            from old names to new; or a function of tensor and old name, whose None means the old device.
    """
    if map_location is None:
        return _back
    if isinstance(map_location, dict):
        names = {str(_C.device(k)): _C.device(v) for k, v in map_location.items()}
        return lambda t, saved: t.to(names[saved]) if saved in names else _back(t, saved)
    if isinstance(map_location, (str, _C.device)):
        device = _C.device(map_location)
        return lambda t, saved: t.to(device)
    if not callable(map_location):
        raise TypeError(
            f"load(): map_location must be a device, a dict or a function, got {type(map_location).__name__}"
        )

    def ask(t: Tensor, saved: str) -> Tensor:
        moved = map_location(t, saved)
        return _back(t, saved) if moved is None else moved

    return ask


def _back(t: Tensor, saved: str) -> Tensor:
    device = _C.device(saved)
    if not _C._has_device(device.type):
        raise SerializationError(
            f"load(): a tensor was saved from {saved!r}, which this machine does not have; "
            "use mlx.load(..., map_location='cpu')"
        )
    return t.to(device)

"""The GPU of this machine, whichever it is, for programs that do not ask for one by name.

>>> import mlx
>>> device = mlx.accelerator.current_accelerator() if mlx.accelerator.is_available() else mlx.device("cpu")
>>> mlx.ones(2, device=device).sum().item()
2.0
"""

from __future__ import annotations

from typing import Any

from mlx import _C

__all__ = [
    "current_accelerator",
    "current_device_idx",
    "current_device_index",
    "device_count",
    "device_index",
    "empty_cache",
    "is_available",
    "memory_allocated",
    "set_device_idx",
    "set_device_index",
    "synchronize",
]


def is_available() -> bool:
    """Whether there is a GPU that mlx can use."""
    return device_count() > 0


def device_count() -> int:
    """The number of GPUs that mlx uses: one, or none."""
    return int(_C._has_device("mps"))


def current_accelerator(check_available: bool = False) -> Any:
    """The device that stands for the GPU, without an index; None where there is none."""
    return _C.device("mps") if is_available() else None


def _require() -> None:
    if not is_available():
        raise RuntimeError("Cannot access accelerator device when none is available.")


def current_device_index() -> int:
    """The number of the GPU in use: 0. RuntimeError where there is none."""
    _require()
    return 0


def set_device_index(device: Any) -> None:
    """Choose a GPU by number or name. There is one: RuntimeError for any but the first."""
    _require()
    index = device if isinstance(device, int) else _C.device(device).index or 0
    if index > 0:
        raise RuntimeError(f"set_device_index(): there is one accelerator; {device} is not among them")


class device_index:
    """A context in which a GPU is chosen by number; None chooses none."""

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            set_device_index(self.idx)

    def __exit__(self, *exc: object) -> None:
        pass


def synchronize(device: Any = None, /) -> None:
    """Wait until the GPU has done all that it was given. RuntimeError where there is none."""
    _require()
    _C.synchronize("mps")


def empty_cache() -> None:
    """Give cached memory back to the system."""
    _C.empty_cache()


def memory_allocated(device: Any = None, /) -> int:
    """The bytes that tensors on the GPU use; 0 where there is none."""
    return _C.memory_stats("mps")["allocated_bytes"] if is_available() else 0


current_device_idx, set_device_idx = current_device_index, set_device_index

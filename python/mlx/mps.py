"""The Metal device: waiting for it, its memory, and its random numbers. RuntimeError where there is none."""

from __future__ import annotations

from mlx import _C
from mlx import manual_seed as manual_seed


def device_count() -> int:
    """The number of Metal devices that mlx uses: one, or none.

    >>> import mlx
    >>> mlx.mps.device_count() in (0, 1)
    True
    """
    return int(_C._has_device("mps"))


def synchronize() -> None:
    """Wait until the device has done all that it was given. RuntimeError names the op if something failed."""
    _C.synchronize("mps")


def empty_cache() -> None:
    """Give cached memory back to the system."""
    _C.empty_cache()


def current_allocated_memory() -> int:
    """The bytes that tensors on the device use."""
    return _C.memory_stats("mps")["allocated_bytes"]


def driver_allocated_memory() -> int:
    """The bytes that the device has given out: used by tensors, or kept for the next."""
    stats = _C.memory_stats("mps")
    return stats["allocated_bytes"] + stats["cached_bytes"]

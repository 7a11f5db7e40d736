"""The default random generator: its seed and its state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from mlx._random import (
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
    thread_safe_generator,
)

__all__ = [
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "thread_safe_generator",
]


@contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None, enabled: bool = True, device_type: str = "cuda"
) -> Iterator[None]:
    """Put the generator back to where it was, at the end of the block.

    Args:
        devices, device_type: accepted for compatibility: one generator serves all devices.
        enabled: False does nothing.

    >>> import mlx
    >>> _ = mlx.manual_seed(0)
    >>> with mlx.random.fork_rng():
    ...     a = mlx.rand(2)
    >>> bool((mlx.rand(2) == a).all())
    True
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)

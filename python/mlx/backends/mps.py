"""Metal, the GPU of Apple silicon: the device ``"mps"``."""

from __future__ import annotations

from mlx import _C


def is_available() -> bool:
    """Whether this machine has a Metal device.

    >>> import mlx
    >>> device = "mps" if mlx.backends.mps.is_available() else "cpu"
    >>> mlx.ones(2, device=device).sum().item()
    2.0
    """
    return _C._has_device("mps")


def is_built() -> bool:
    """Whether this build could use one: the same, as builds for other machines have no runtime for it."""
    return is_available()

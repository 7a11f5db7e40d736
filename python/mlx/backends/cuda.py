"""CUDA: not there yet; for programs that ask."""

from __future__ import annotations

from mlx import _C


def is_available() -> bool:
    """Whether this machine has a CUDA device that this build can use.

    >>> import mlx
    >>> mlx.backends.cuda.is_available()
    False
    """
    return _C._has_device("cuda")


is_built = is_available

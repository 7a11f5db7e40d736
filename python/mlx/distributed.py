"""Training on several machines: not there; for programs that ask.

>>> import mlx
>>> mlx.distributed.is_available()
False
"""

from __future__ import annotations


def is_available() -> bool:
    """Whether processes can work together: no."""
    return False


def is_initialized() -> bool:
    """Whether this process is one of a group: no."""
    return False


def is_torchelastic_launched() -> bool:
    """Whether a launcher started this process as one of a group: no."""
    return False

"""cuDNN: not used; its settings are there for programs that make them."""

from __future__ import annotations

enabled = True
benchmark = False
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """Whether this build uses cuDNN: no.

    >>> import mlx
    >>> mlx.backends.cudnn.is_available()
    False
    """
    return False


def version() -> int | None:
    """The version of cuDNN: None, as there is none."""
    return None

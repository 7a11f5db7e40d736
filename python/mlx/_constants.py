"""Constants: numbers, and the values that PyTorch's signatures name but that mean little here."""

from __future__ import annotations

from math import e, inf, nan, pi

__all__ = [
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "e",
    "inf",
    "layout",
    "memory_format",
    "nan",
    "newaxis",
    "pi",
    "preserve_format",
    "strided",
]

newaxis = None


class _Named:
    """A value that is nothing but its name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"mlx.{self._name}"

    def __reduce__(self) -> str:
        return self._name


class layout(_Named):
    """How elements are stored. There is one layout: strided."""


class memory_format(_Named):
    """The order of dimensions in memory. Accepted everywhere; results are row-major."""


strided = layout("strided")
contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")

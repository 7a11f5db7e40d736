"""What can go wrong with a file."""

from __future__ import annotations

__all__ = ["CorruptFileError", "SerializationError", "UnknownClassError"]


class SerializationError(RuntimeError):
    """An object cannot be stored, or a file cannot be read."""


class CorruptFileError(SerializationError):
    """The file is cut, damaged, or not what it says it is."""


class UnknownClassError(SerializationError):
    """The file names a class or function that loading may not use."""

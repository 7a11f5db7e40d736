"""Bytes in and out: files mapped into memory, and files that are replaced whole or not at all."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TypeAlias

from mlx import _C
from mlx.serialization.errors import CorruptFileError, SerializationError

__all__ = ["FileLike", "Source", "open_source", "write_file"]

FileLike: TypeAlias = "str | os.PathLike[str] | IO[bytes]"

UNFIT = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class Source:
    """The bytes of a file, writable without an effect on the file.

    Args:
        buffer: a private (copy-on-write) map, or memory.
        name: what error messages call the file.
    """

    def __init__(self, buffer: mmap.mmap | memoryview | bytearray, name: str) -> None:
        self.buffer = buffer
        self.view = memoryview(buffer)
        self.name = name

    def __len__(self) -> int:
        return len(self.view)

    def starts_with(self, prefix: bytes, at: int = 0) -> bool:
        """Whether the bytes from `at` on begin with `prefix`."""
        return bytes(self.view[at : at + len(prefix)]) == prefix

    def corrupt(self, why: str) -> CorruptFileError:
        """The error that says what is wrong with this file."""
        return CorruptFileError(f"load(): {self.name}: {why}")

    @contextmanager
    def parsing(self, what: str) -> Iterator[None]:
        """Turn whatever comes of parts that do not fit together, in a forged file, into CorruptFileError."""
        try:
            yield
        except SerializationError:
            raise
        except UNFIT as error:
            raise self.corrupt(f"{what} is not sound: {type(error).__name__}: {error}") from error

    def refuse(self, why: str) -> SerializationError:
        """The error for a sound file that cannot be loaded."""
        return SerializationError(f"load(): {self.name}: {why}")


def open_source(f: FileLike, use_mmap: bool = True) -> Source:
    """Open a path or a binary file object for reading.

    Raises:
        OSError: when there is no such file. CorruptFileError: when it is empty.
    """
    if isinstance(f, (str, os.PathLike)):
        name = repr(os.fspath(f))
        with open(f, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size == 0:
                raise CorruptFileError(f"load(): {name}: the file is empty")
            if use_mmap:
                return Source(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), name)
            buffer = memoryview(_C.empty(size, dtype=_C.uint8))
            return Source(buffer[: file.readinto(buffer)], name)
    if not hasattr(f, "read"):
        raise TypeError(f"load(): expected a path or a binary file object, got {type(f).__name__}")
    name = f"the given {type(f).__name__}"
    data = f.read()
    if isinstance(data, str):
        raise TypeError(f"load(): {name} is open as text; open it with mode 'rb'")
    if not data:
        raise CorruptFileError(f"load(): {name}: nothing is left to read")
    return Source(bytearray(data), name)


def write_file(f: FileLike, parts: Iterable[Any]) -> None:
    """Write buffers one after the other to a path or a binary file object.

    A path gets its new content whole or keeps its old: the bytes go to a temporary file beside it, which
    takes its place when the disk has them.
    """
    if isinstance(f, (str, os.PathLike)):
        with _replacing(os.fspath(f)) as file:
            file.writelines(parts)
    elif hasattr(f, "write"):
        for part in parts:
            f.write(part)
    else:
        raise TypeError(f"save(): expected a path or a binary file object, got {type(f).__name__}")


@contextmanager
def _replacing(path: str) -> Iterator[IO[bytes]]:
    path = os.path.realpath(path)  # a link goes on pointing at the file
    mode = _mode_of(path)
    if mode is not None and not stat.S_ISREG(mode):  # a pipe or a device has no old content to keep
        with open(path, "wb") as file:
            yield file
        return
    import tempfile  # brings in much that `import mlx` does not need

    folder, name = os.path.split(path)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name}.", suffix=".tmp", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.chmod(temporary, _default_mode() if mode is None else stat.S_IMODE(mode))
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _mode_of(path: str) -> int | None:
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _default_mode() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: str) -> None:
    """Make the new name last; not every system can, and the content is safe either way."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

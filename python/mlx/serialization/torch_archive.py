"""PyTorch's files: a zip of a pickle and of the bytes of storages, which are used where they lie."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx.serialization.files import Source
from mlx.serialization.torch_pickle import StorageKey, read_torch_pickle

__all__ = ["open_zip", "read_torch_archive"]

LOCAL_HEADER = 30  # bytes, before the name and the extra field of an entry


class _Reader(io.RawIOBase):
    """A source as a file object, without a copy of it."""

    def __init__(self, source: Source) -> None:
        self._view = source.view
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._view)}[whence]
        if start + offset < 0:
            raise OSError("seek before the start")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        part = self._view[self._position : self._position + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)


# What zipfile raises for files that are not sound.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
    RuntimeError,
)


def open_zip(source: Source) -> zipfile.ZipFile:
    """The zip in a source. Raises CorruptFileError when it is not sound."""
    try:
        return zipfile.ZipFile(_Reader(source))
    except ZIP_ERRORS as error:
        raise source.corrupt(f"this is not a sound zip file: {error}") from None


class _Archive:
    """The entries of a PyTorch zip, by their names without the folder around them."""

    def __init__(self, source: Source, archive: zipfile.ZipFile) -> None:
        self._source = source
        self._entries = {info.filename.partition("/")[2]: info for info in archive.infolist()}
        self._storages: dict[str, Tensor] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def bytes_at(self, name: str) -> tuple[int, int]:
        """Where an entry's bytes begin and end in the file; their checksum holds."""
        if name not in self._entries:
            raise self._source.corrupt(f"the zip lacks the entry {name!r}")
        info = self._entries[name]
        if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
            raise self._source.refuse(
                f"the entry {name!r} is compressed or encrypted; PyTorch stores it plain"
            )
        view = self._source.view
        start = info.header_offset + LOCAL_HEADER
        fields = view[info.header_offset : start]
        start += int.from_bytes(fields[26:28], "little") + int.from_bytes(fields[28:30], "little")
        end = start + info.file_size
        if not self._source.starts_with(b"PK\x03\x04", info.header_offset) or end > len(view):
            raise self._source.corrupt(f"the zip's entry {name!r} is cut")
        if zlib.crc32(view[start:end]) != info.CRC:
            raise self._source.corrupt(
                f"the checksum of the entry {name!r} does not match: the file is damaged"
            )
        return start, end

    def read(self, name: str) -> bytes:
        start, end = self.bytes_at(name)
        return bytes(self._source.view[start:end])

    def storage(self, key: str, locate: Callable[[Tensor], Tensor]) -> Tensor:
        """The bytes of a storage; the same tensor for the same key, so that views share memory again."""
        if key not in self._storages:
            start, end = self.bytes_at(f"data/{key}")
            if start == end:
                data = _C.empty(0, dtype=_C.uint8)
            elif start % _C.complex128.itemsize:  # not aligned for every dtype
                data = _C._from_buffer(bytearray(self._source.view[start:end]), _C.uint8, -1, 0)
            else:
                data = _C._from_buffer(self._source.buffer, _C.uint8, end - start, start)
            self._storages[key] = locate(data)
        return self._storages[key]


def read_torch_archive(
    source: Source, archive: zipfile.ZipFile, locate: Callable[[Tensor, str], Tensor]
) -> Any:
    """The object that `torch.save` wrote: tensors, and containers of them.

    Raises:
        CorruptFileError: when the file is damaged. UnknownClassError: when it holds other objects.
    """
    entries = _Archive(source, archive)
    if "constants.pkl" in entries:
        raise source.refuse("this is a TorchScript program; in PyTorch, save its state_dict() instead")
    if "byteorder" in entries and entries.read("byteorder") != b"little":
        raise source.refuse("it was written on a big-endian machine")

    def storage(key: StorageKey) -> Tensor:
        return entries.storage(key.key, lambda data: locate(data, key.location))

    with source.parsing("its pickle"):
        return read_torch_pickle(entries.read("data.pkl"), storage)

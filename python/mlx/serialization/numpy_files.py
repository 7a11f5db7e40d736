"""NumPy's files: .npy and .npz, read by NumPy itself, without pickles."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Any

import numpy as np

from mlx import _C
from mlx._C import Tensor
from mlx.serialization.files import Source

__all__ = ["read_npy", "read_npz"]

ERRORS = (EOFError, KeyError, NotImplementedError, OSError, RuntimeError, SyntaxError, TypeError, ValueError)


def _tensor(source: Source, array: np.ndarray, what: str) -> Tensor:
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    try:
        return _C.from_numpy(array if array.flags.writeable else array.copy())
    except TypeError as error:
        raise source.refuse(f"{what}: {error}") from None


def read_npy(source: Source) -> Tensor:
    """The array of an .npy file, where it lies."""
    stream = io.BytesIO(source.view[: 1 << 16])  # more than NumPy accepts as a header
    try:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = read.get(version, read[2, 0])(stream)
        if dtype.hasobject:
            raise ValueError("it holds Python objects, whose pickle is not loaded")
        array = np.ndarray(shape, dtype, source.buffer, offset=stream.tell(), order="F" if fortran else "C")
    except (*ERRORS, zlib.error) as error:
        raise source.corrupt(f"this is not a sound .npy file: {error}") from None
    if stream.tell() + array.nbytes != len(source):
        raise source.corrupt(f"{len(source) - stream.tell() - array.nbytes} bytes follow the array")
    return _tensor(source, array, "the array")


def read_npz(source: Source, archive: zipfile.ZipFile) -> dict[str, Tensor]:
    """The arrays of an .npz file by name."""
    result = {}
    for info in archive.infolist():
        name = info.filename.removesuffix(".npy")
        try:
            with archive.open(info) as stream:
                array: Any = np.lib.format.read_array(stream, allow_pickle=False)
                if stream.read(1):
                    raise ValueError("bytes follow the array")
        except (*ERRORS, zlib.error, zipfile.BadZipFile, MemoryError) as error:
            raise source.corrupt(f"array {name!r} is not sound: {error}") from None
        result[name] = _tensor(source, array, f"array {name!r}")
    return result

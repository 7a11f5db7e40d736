"""Saving and loading: whole modules, state dicts, tensors and nests of plain Python values.

>>> import io, mlx
>>> model = mlx.nn.Sequential(mlx.nn.Linear(4, 2), mlx.nn.ReLU())
>>> file = io.BytesIO()
>>> mlx.save(model, file)
>>> _ = file.seek(0)
>>> mlx.load(file)
Sequential(
  (0): Linear(in_features=4, out_features=2, bias=True)
  (1): ReLU()
)
"""

from __future__ import annotations

from typing import Any

from mlx.serialization.archive import archive_parts, is_archive, read_archive
from mlx.serialization.errors import CorruptFileError, SerializationError, UnknownClassError
from mlx.serialization.files import FileLike, Source, open_source, write_file
from mlx.serialization.location import locator
from mlx.serialization.registry import add_safe_globals, register
from mlx.serialization.safetensors import (
    is_safetensors,
    load_safetensors,
    plain_dict,
    read_header,
    save_safetensors,
)

__all__ = [
    "CorruptFileError",
    "SerializationError",
    "UnknownClassError",
    "add_safe_globals",
    "load",
    "load_safetensors",
    "register",
    "save",
    "save_safetensors",
]


def save(obj: Any, f: FileLike) -> None:
    """Store an object in a file that `load` gives back.

    The file is a safetensors file: tensors by name, and the structure of the object in its metadata. It takes
    the place of an old one only when it is whole on the disk.

    Args:
        obj: a Module, an optimizer's or module's state dict, a tensor, or dicts, lists, tuples, numbers,
            strings and the like of them. Tensors that share memory share it again after loading.
        f: a path, or a binary file object.

    Raises:
        SerializationError: naming the part of the object that cannot be stored. OSError: from the disk.
    """
    try:
        parts = archive_parts(obj)
    except RecursionError:
        raise SerializationError("save(): the object is nested too deeply") from None
    write_file(f, parts)


def load(
    f: FileLike, map_location: Any = None, *, weights_only: bool | None = None, mmap: bool | None = None
) -> Any:
    """The object in a file: of `save`, PyTorch (tensors and containers of them), safetensors or NumPy.

    What a file is, its content tells. No code from the file runs, whatever its format. The file is mapped,
    not read; writing to a tensor does not change it.

    Args:
        f: a path, or a binary file object.
        map_location: where tensors go: a device or its name, a dict from old names to new, or a function of
            tensor and old name. None: where they were saved from.
        weights_only: accepted for PyTorch's sake; no file is ever loaded otherwise.
        mmap: False reads the file into memory.

    Raises:
        CorruptFileError: when the file is cut or damaged. UnknownClassError: when it needs a class that is
        not imported. SerializationError: the base of both, for all else that cannot be read.
    """
    source = open_source(f, mmap is not False)
    locate = locator(map_location)
    if is_safetensors(source):
        header = read_header(source)
        if is_archive(header):
            return read_archive(source, header, locate)
        return {name: locate(t, "cpu") for name, t in plain_dict(source, header).items()}
    # What other formats take is imported here, to keep `import mlx` quick.
    if source.starts_with(b"\x93NUMPY"):
        from mlx.serialization.numpy_files import read_npy

        return locate(read_npy(source), "cpu")
    if source.starts_with(b"PK"):
        from mlx.serialization.numpy_files import read_npz
        from mlx.serialization.torch_archive import open_zip, read_torch_archive

        with open_zip(source) as archive:
            names = archive.namelist()
            if any(name.endswith("/data.pkl") for name in names):
                return read_torch_archive(source, archive, locate)
            if all(name.endswith(".npy") for name in names):
                return {name: locate(t, "cpu") for name, t in read_npz(source, archive).items()}
    raise _unknown(source)


def _unknown(source: Source) -> SerializationError:
    if source.starts_with(b"\x80"):
        return source.refuse(
            "this is a pickle, perhaps of PyTorch before 1.6. Loading one can run any code; in PyTorch, load "
            "it and save its state_dict() again"
        )
    return source.corrupt("this is no file of mlx, safetensors, PyTorch or NumPy")

"""The safetensors format: a JSON header of names, dtypes, shapes and offsets, then the bytes.

The definition is at https://github.com/huggingface/safetensors. It lacks complex128; such a tensor is stored
as its real and imaginary parts in F64, and the metadata lists its name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from mlx import _C
from mlx._C import Tensor
from mlx.serialization.errors import SerializationError
from mlx.serialization.files import FileLike, Source, open_source, write_file

__all__ = ["Entry", "Header", "load_safetensors", "pack", "read_header", "save_safetensors", "tensors_of"]

DTYPES: dict[str, _C.dtype] = {
    "BOOL": _C.bool,
    "U8": _C.uint8,
    "I8": _C.int8,
    "I16": _C.int16,
    "I32": _C.int32,
    "I64": _C.int64,
    "F16": _C.float16,
    "BF16": _C.bfloat16,
    "F32": _C.float32,
    "F64": _C.float64,
    "C64": _C.complex64,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
METADATA = "__metadata__"
COMPLEX128 = "mlx.complex128"  # metadata: the names of such tensors, as a JSON list
MAX_HEADER = 100_000_000  # bytes; the format's own limit
ALIGNMENT = 64  # bytes; of the data in the file, and so in a map of it


class Entry(NamedTuple):
    """A tensor in a header: where its bytes lie, from the end of the header."""

    dtype: str
    shape: list[int]
    begin: int
    end: int


class Header(NamedTuple):
    """A checked header, and where the data begin in the file."""

    entries: dict[str, Entry]
    metadata: dict[str, str]
    data_start: int


# ---- writing


def bytes_of(t: Tensor) -> memoryview:
    """The elements of a contiguous tensor of the CPU, in place."""
    start = t.storage_offset() * t.itemsize
    return memoryview(_C._storage_bytes(t))[start : start + t.numel() * t.itemsize]


def stored_form(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors as they lie in the file (detached, on the CPU, row-major, of dtypes the format has), and the
    metadata that reading them back takes."""
    complex128 = [name for name, t in tensors.items() if t.dtype is _C.complex128]
    stored = {name: t.detach().cpu() for name, t in tensors.items()}
    stored |= {name: _C.view_as_real(stored[name]) for name in complex128}
    metadata = {COMPLEX128: json.dumps(complex128)} if complex128 else {}
    return {name: t.contiguous() for name, t in stored.items()}, metadata


def pack(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> list[Any]:
    """A file's parts: the header, then the bytes of tensors that are in their stored form."""
    # Large elements first, so that each tensor is aligned for its dtype without gaps, which are forbidden.
    order = sorted(tensors, key=lambda name: -tensors[name].itemsize)
    header: dict[str, Any] = {METADATA: dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        t = tensors[name]
        begin, end = end, end + t.numel() * t.itemsize
        header[name] = {"dtype": NAMES[t.dtype], "shape": list(t.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise SerializationError(
            f"save(): the names and structure take {len(text)} bytes; safetensors allows {MAX_HEADER}"
        )
    return [len(text).to_bytes(8, "little"), text, *(bytes_of(tensors[name]) for name in order)]


def save_safetensors(
    tensors: Mapping[str, Tensor], f: FileLike, metadata: Mapping[str, str] | None = None
) -> None:
    """Write a dict of tensors as a safetensors file. Tensors that share memory are written one by one.

    Args:
        tensors: tensors by name. f: a path or a binary file object. metadata: texts to put with them.

    >>> import io, mlx
    >>> file = io.BytesIO()
    >>> mlx.save_safetensors({"weight": mlx.arange(3.0)}, file)
    >>> _ = file.seek(0)
    >>> mlx.load_safetensors(file)
    {'weight': tensor([0., 1., 2.])}
    """
    for name, t in tensors.items():
        if not isinstance(name, str) or name == METADATA:
            raise SerializationError(f"save_safetensors(): {name!r} cannot be the name of a tensor")
        if not isinstance(t, Tensor):
            raise TypeError(
                f"save_safetensors(): expected a tensor as {name!r}, got {type(t).__name__}; "
                "mlx.save() stores other objects"
            )
    texts = dict(metadata or {})
    if not all(isinstance(text, str) for item in texts.items() for text in item):
        raise TypeError("save_safetensors(): metadata must be texts by texts")
    stored, more = stored_form(tensors)
    write_file(f, pack(stored, texts | more))


# ---- reading


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name appears twice")
    return result


def parse_json(text: bytes | str) -> Any:
    """JSON without repeated names. Raises ValueError for any fault, nesting that is too deep included."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_safetensors(source: Source) -> bool:
    """Whether a file looks like safetensors: a header's length (below 4 GB), then a brace."""
    return source.starts_with(b"\0\0\0\0{", at=4)


def read_header(source: Source) -> Header:
    """Read and check the header: offsets must cover the rest of the file without gap or overlap.

    Raises:
        CorruptFileError: for any fault.
    """
    length = int.from_bytes(source.view[:8], "little")
    start = 8 + length
    if length > MAX_HEADER or start > len(source):
        raise source.corrupt(f"the header takes {length} bytes; the file has {len(source)}")
    try:
        header = parse_json(bytes(source.view[8:start]))
    except ValueError as error:
        raise source.corrupt(f"the header is not sound JSON: {error}") from None
    if not isinstance(header, dict):
        raise source.corrupt("the header is not a JSON object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise source.corrupt("the metadata are not texts by texts")
    entries = {name: _entry(source, name, item) for name, item in header.items()}
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            raise source.corrupt(f"tensor {name!r} begins at byte {entry.begin} of the data, not {position}")
        position = entry.end
    if position != len(source) - start:
        raise source.corrupt(
            f"the tensors take {position} bytes; the file has {len(source) - start}: it is cut or too long"
        )
    return Header(entries, metadata, start)


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


def _entry(source: Source, name: str, item: Any) -> Entry:
    if not isinstance(item, dict) or item.keys() != {"dtype", "shape", "data_offsets"}:
        raise source.corrupt(f"tensor {name!r} is not described by a dtype, a shape and offsets")
    dtype, shape, offsets = item["dtype"], item["shape"], item["data_offsets"]
    if not isinstance(dtype, str) or not isinstance(shape, list) or not isinstance(offsets, list):
        raise source.corrupt(f"tensor {name!r} is not described by a dtype, a shape and offsets")
    if dtype not in DTYPES:
        raise source.refuse(f"tensor {name!r} has the dtype {dtype!r}, which mlx does not have")
    if len(offsets) != 2 or not all(_is_count(n) for n in (*shape, *offsets)):
        raise source.corrupt(f"tensor {name!r} has the shape {shape} at bytes {offsets}")
    size = DTYPES[dtype].itemsize * math.prod(shape)
    if offsets[1] - offsets[0] != size:
        raise source.corrupt(f"tensor {name!r} of {dtype} {shape} takes {size} bytes, not {offsets}")
    if max(shape, default=0) >= 1 << 63:  # beside a size of 0
        raise source.corrupt(f"tensor {name!r} has the shape {shape}")
    return Entry(dtype, shape, *offsets)


def tensor_at(source: Source, dtype: _C.dtype, shape: list[int], start: int) -> Tensor:
    """A tensor over bytes of the file; a copy where they are not aligned for the dtype."""
    count = math.prod(shape)
    if count == 0:
        return _C.empty(shape, dtype=dtype)
    if start % dtype.itemsize:
        data = bytearray(source.view[start : start + count * dtype.itemsize])
        return _C._from_buffer(data, dtype, count, 0).view(shape)
    return _C._from_buffer(source.buffer, dtype, count, start).view(shape)


def tensors_of(source: Source, header: Header) -> dict[str, Tensor]:
    """The tensors as they lie in the file, by name."""
    return {
        name: tensor_at(source, DTYPES[entry.dtype], entry.shape, header.data_start + entry.begin)
        for name, entry in header.entries.items()
    }


def plain_dict(source: Source, header: Header) -> dict[str, Tensor]:
    """The tensors of a file that has no structure of mlx."""
    tensors = tensors_of(source, header)
    try:
        complex128 = parse_json(header.metadata.get(COMPLEX128, "[]"))
        for name in complex128:
            tensors[name] = _C.view_as_complex(tensors[name])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        raise source.corrupt(f"{COMPLEX128} does not list complex tensors: {error}") from None
    return tensors


def load_safetensors(f: FileLike, device: Any = "cpu") -> dict[str, Tensor]:
    """The tensors of a safetensors file by name; also of a file of `mlx.save`.

    The file is mapped, not read: memory is used for what is looked at. Writing to a tensor does not change
    the file.

    Args:
        f: a path or a binary file object. device: where the tensors go.

    Raises:
        CorruptFileError: when the file is cut or damaged. SerializationError: for a dtype mlx does not have.
    """
    source = open_source(f)
    if not is_safetensors(source):
        raise source.corrupt("this is not a safetensors file")
    tensors = plain_dict(source, read_header(source))
    return {name: t.to(device) for name, t in tensors.items()}

"""Files of `mlx.save`: safetensors whose metadata hold the structure of the object and checksums.

docs/saving.md describes them.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

from mlx._C import Tensor
from mlx.serialization.checksums import Checked, checksums, first_damaged
from mlx.serialization.decode import Decoder
from mlx.serialization.errors import SerializationError
from mlx.serialization.files import Source
from mlx.serialization.safetensors import (
    COMPLEX128,
    NAMES,
    Header,
    bytes_of,
    pack,
    parse_json,
    plain_dict,
    stored_form,
)
from mlx.serialization.structure import Encoder

__all__ = ["archive_parts", "is_archive", "read_archive"]

VERSION = 1
# Keys of the metadata.
FORMAT = "format"
STRUCTURE = "mlx"
STRUCTURE_SUM = "mlx.crc32"


def archive_parts(obj: Any) -> list[Any]:
    """The buffers that make up the file of an object."""
    encoder = Encoder()
    root = encoder.encode(obj)
    stored, more = stored_form(encoder.table.stored())
    sums = checksums(Checked(k, NAMES[t.dtype], list(t.shape), bytes_of(t)) for k, t in stored.items())
    try:
        structure = json.dumps({"version": VERSION, "root": root, "tensors": sums}, separators=(",", ":"))
    except ValueError as error:  # an integer of more digits than Python writes
        raise SerializationError(f"save(): cannot store the object: {error}") from None
    metadata = {FORMAT: "mlx", STRUCTURE: structure} | more
    return pack(stored, metadata | {STRUCTURE_SUM: _sum(metadata)})


def _sum(metadata: dict[str, str]) -> str:
    """The checksum of what the metadata say of the object."""
    text = metadata.get(STRUCTURE, "") + metadata.get(COMPLEX128, "")
    return f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def is_archive(header: Header) -> bool:
    """Whether a file has a structure. Any one sign will do, lest damage turn a module into a dict."""
    signs = header.metadata.keys() & {STRUCTURE, STRUCTURE_SUM}
    return bool(signs) or header.metadata.get(FORMAT) == "mlx"


def read_archive(source: Source, header: Header, locate: Callable[[Tensor, str], Tensor]) -> Any:
    """The object of a file whose metadata say that it is of this format."""
    content = _structure(source, header)
    data = source.view[header.data_start :]
    entries = [Checked(k, e.dtype, e.shape, data[e.begin : e.end]) for k, e in header.entries.items()]
    if content["tensors"].keys() != header.entries.keys():
        raise source.corrupt("the tensors are not those of the structure")
    damaged = first_damaged(entries, content["tensors"])
    if damaged is not None:
        raise source.corrupt(f"the checksum of tensor {damaged!r} does not match: the file is damaged")
    tensors = plain_dict(source, header)
    with source.parsing("the structure"):
        return Decoder(tensors, locate).decode(content["root"])


def _structure(source: Source, header: Header) -> dict[str, Any]:
    if _sum(header.metadata) != header.metadata.get(STRUCTURE_SUM):
        raise source.corrupt("the checksum of the structure does not match: the file is damaged")
    try:
        content = parse_json(header.metadata[STRUCTURE])
    except (KeyError, ValueError) as error:
        raise source.corrupt(f"the structure is not sound JSON: {error}") from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise source.refuse("it was written by a later version of mlx; update mlx to read it")
    if "root" not in content or not isinstance(content.get("tensors"), dict):
        raise source.corrupt("the structure lacks a part")
    return content

"""CRC-32 of tensors' bytes, in pieces, so that several threads check a large file."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from mlx import _C

__all__ = ["Checked", "checksums", "first_damaged"]

PIECE = 1 << 24  # bytes
# Below this many bytes, starting threads takes longer than the sums.
WORTH_THREADS = 1 << 23


class Checked(NamedTuple):
    """A tensor's bytes with what describes them, which the sums cover too."""

    name: str
    dtype: str
    shape: list[int]
    data: memoryview


def _pieces(tensor: Checked) -> list[tuple[memoryview, int]]:
    """The pieces of the bytes (at least one), each with the number its sum starts from."""
    start = zlib.crc32(json.dumps([tensor.name, tensor.dtype, tensor.shape]).encode())
    # Not an empty memoryview: where its address is null, zlib starts anew.
    data = tensor.data or memoryview(b"")
    return [(data[i : i + PIECE], start) for i in range(0, max(len(data), 1), PIECE)]


def checksums(tensors: Iterable[Checked]) -> dict[str, list[int]]:
    """The sums of each tensor's pieces, by its name."""
    tensors = list(tensors)
    pieces = [(t.name, *piece) for t in tensors for piece in _pieces(t)]
    sums: dict[str, list[int]] = {t.name: [] for t in tensors}
    for (name, _, _), value in zip(pieces, _sums([p[1:] for p in pieces]), strict=True):
        sums[name].append(value)
    return sums


def _sums(pieces: list[tuple[memoryview, int]]) -> Iterable[int]:
    threads = min(_C.get_num_threads(), len(pieces))
    if threads < 2 or sum(len(data) for data, _ in pieces) < WORTH_THREADS:
        return [zlib.crc32(data, start) for data, start in pieces]
    from concurrent.futures import ThreadPoolExecutor  # brings in much that `import mlx` does not need

    with ThreadPoolExecutor(threads) as pool:  # crc32 lets go of Python's lock
        return list(pool.map(lambda piece: zlib.crc32(*piece), pieces))


def first_damaged(tensors: Iterable[Checked], expected: dict[str, list[int]]) -> str | None:
    """The name of the first tensor whose bytes, dtype or shape are not those that were summed."""
    return next((name for name, sums in checksums(tensors).items() if sums != expected.get(name)), None)

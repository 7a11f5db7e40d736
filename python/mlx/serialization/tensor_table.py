"""Which tensors of a file hold the tensors of an object, and how those are made of them again.

Most tensors lie in the file as they are, row-major, under their own names. Tensors that overlap in memory do
so again after loading: the file holds the stretch of memory once, and for each of them its place in it.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from mlx import _C
from mlx._C import Tensor
from mlx.serialization.safetensors import METADATA

__all__ = ["TensorTable", "place"]


class Member(NamedTuple):
    """A tensor of the object, and the node of the structure that stands for it."""

    tensor: Tensor
    name: str
    node: dict[str, Any]

    @property
    def layout(self) -> tuple[Any, ...]:
        t = self.tensor
        return t.dtype, tuple(t.shape), tuple(t.stride()), t.storage_offset()

    @property
    def span(self) -> tuple[int, int]:
        """The bytes of the storage from the first element to behind the last."""
        t = self.tensor
        begin = t.storage_offset()
        last = begin + sum((n - 1) * s for n, s in zip(t.shape, t.stride(), strict=True))
        return begin * t.itemsize, (last + 1) * t.itemsize


def _overlaps_itself(t: Tensor) -> bool:
    extent = 0
    for stride, n in sorted((s, n) for n, s in zip(t.shape, t.stride(), strict=True) if n > 1):
        if stride <= extent:
            return True
        extent += (n - 1) * stride
    return False


class TensorTable:
    """Collects the tensors of an object and decides what the file holds."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.names: set[str] = {METADATA}

    def add(self, t: Tensor, name: str, node: dict[str, Any]) -> None:
        """Note that `node` stands for `t`; `stored()` completes the node."""
        self.members.append(Member(t.detach(), name or "tensor", node))

    def stored(self) -> dict[str, Tensor]:
        """The tensors that the file holds, by name."""
        result: dict[str, Tensor] = {}
        for group in self._groups():
            name = self._unused(group[0].name)
            first = group[0].tensor
            if len({m.layout for m in group}) == 1 and not _overlaps_itself(first):
                held = first
            else:
                held = self._stretch(group)
            for member in group:
                member.node["tensor"] = name
            result[name] = held
        return result

    def _groups(self) -> list[list[Member]]:
        """The members, those together whose memory overlaps."""
        groups: list[list[Member]] = []
        by_storage: dict[int, list[Member]] = defaultdict(list)
        for member in self.members:
            if member.tensor.numel():
                by_storage[_C._storage_address(member.tensor)].append(member)
            else:
                groups.append([member])
        for members in by_storage.values():
            end = -1
            for member in sorted(members, key=lambda m: m.span):
                begin, last = member.span
                if begin >= end:
                    groups.append([])
                groups[-1].append(member)
                end = max(end, last)
        return groups

    def _unused(self, name: str) -> str:
        unused, i = name, 1
        while unused in self.names:
            unused, i = f"{name}#{i}", i + 1
        self.names.add(unused)
        return unused

    def _stretch(self, group: list[Member]) -> Tensor:
        """The memory that a group spans, as a vector; each member's node says where it lies there."""
        dtypes = {m.tensor.dtype for m in group}
        begin, end = min(m.span[0] for m in group), max(m.span[1] for m in group)
        if len(dtypes) > 1:
            begin -= begin % _C.complex128.itemsize  # a whole number of elements of every dtype
        for member in group:
            t = member.tensor
            member.node["view"] = {
                "dtype": str(t.dtype).removeprefix("mlx."),
                "shape": list(t.shape),
                "strides": list(t.stride()),
                "offset": t.storage_offset() - begin // t.itemsize,
            }
        stretch = _C._storage_bytes(group[0].tensor)[begin:end]
        return stretch.view(dtypes.pop()) if len(dtypes) == 1 else stretch


def place(stored: Tensor, view: dict[str, Any] | None) -> Tensor:
    """A new tensor on memory from the file: all of it, or the part that a node's `view` describes.

    Raises:
        ValueError: when the view does not fit the memory.
    """
    if view is None:
        return stored.detach()
    dtype, shape, strides, offset = (view[key] for key in ("dtype", "shape", "strides", "offset"))
    numbers = [*shape, *strides, offset]
    if len(shape) != len(strides) or not all(type(n) is int and 0 <= n < 1 << 62 for n in numbers):
        raise ValueError(f"a view of shape {shape}, strides {strides}, offset {offset}")
    kind = getattr(_C._dtypes, dtype)
    data = _C._storage_bytes(stored)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if 0 in shape or (last + 1) * kind.itemsize > data.numel():
        raise ValueError(f"a view of shape {shape}, strides {strides}, offset {offset} leaves its memory")
    return _C._from_storage(data, kind, shape, strides, offset)

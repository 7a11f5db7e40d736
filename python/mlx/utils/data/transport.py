"""Batches from a worker to the process that asked: small ones through the pipe, large ones by shared memory.

The elements of tensors and arrays are not part of the pickle (protocol 5). When they are many they are
written into an anonymous file in memory, whose descriptor goes through the socket. The receiver maps it, and
the tensors lie in the map. The file has no name, so nothing is left behind when a process is killed.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import resource
import sys
import tempfile
import weakref
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

from mlx import _C
from mlx._C import Tensor

__all__ = ["receive", "send"]

# Below this many bytes, copying through the pipe is quicker than making and mapping a file.
SHARED_BYTES = 1 << 16
ALIGNMENT = 64

# Maps that live: before Python 3.13 each holds a descriptor, of which a process may have only so many.
_maps: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
_MAPS_HOLD_DESCRIPTORS = sys.version_info < (3, 13)


class _Pickler(pickle.Pickler):
    """Takes the elements of tensors out of band."""

    def reducer_override(self, obj: Any) -> Any:
        if not isinstance(obj, Tensor):
            return NotImplemented
        t = obj.detach().cpu().contiguous()
        start = t.storage_offset() * t.itemsize
        data = memoryview(_C._storage_bytes(t))[start : start + t.numel() * t.itemsize]
        layout = type(obj), t.dtype, tuple(t.shape), obj.requires_grad
        return _rebuild, (pickle.PickleBuffer(data) if t.numel() else None, *layout)


def _rebuild(data: Any, cls: type, dtype: _C.dtype, shape: tuple[int, ...], requires_grad: bool) -> Tensor:
    t = _C.empty(shape, dtype=dtype) if data is None else _C._from_buffer(data, dtype, -1, 0).view(shape)
    if cls is not Tensor:
        return _C._make_subclass(cls, t, requires_grad)
    return t.requires_grad_() if requires_grad else t


def _anonymous_file(size: int) -> int:
    """The descriptor of a file in memory that nobody else can open."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("mlx-batch", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor


def send(connection: Connection, obj: Any) -> None:
    """Send an object through one end of a two-way pipe."""
    buffers: list[pickle.PickleBuffer] = []
    stream = io.BytesIO()
    _Pickler(stream, protocol=5, buffer_callback=buffers.append).dump(obj)
    views = [buffer.raw() for buffer in buffers]
    sizes = [len(view) for view in views]
    if sum(sizes) < SHARED_BYTES:
        connection.send_bytes(pickle.dumps((sizes, False)))
        connection.send_bytes(stream.getbuffer())
        for view in filter(len, views):
            connection.send_bytes(view)
        return
    descriptor = _shared(views, sizes)  # may fail; nothing has been sent
    try:
        connection.send_bytes(pickle.dumps((sizes, True)))
        connection.send_bytes(stream.getbuffer())
        reduction.send_handle(connection, descriptor, None)
    finally:
        os.close(descriptor)


def _shared(views: list[memoryview], sizes: list[int]) -> int:
    """The descriptor of a file in memory with the bytes of all views."""
    spans, total = _spans(sizes)
    descriptor = _anonymous_file(total)
    try:
        with mmap.mmap(descriptor, total) as area:
            for (begin, end), view in zip(spans, views, strict=True):
                area[begin:end] = view
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def receive(connection: Connection) -> Any:
    """The object that the other end sent. Raises EOFError or OSError when that process is gone."""
    sizes, shared = pickle.loads(connection.recv_bytes())
    message = connection.recv_bytes()
    buffers: list[Any]
    if shared:
        spans, total = _spans(sizes)
        area = memoryview(_mapped(reduction.recv_handle(connection), total))
        buffers = [area[begin:end] for begin, end in spans]
    else:
        buffers = [bytearray(connection.recv_bytes()) if size else b"" for size in sizes]
    return pickle.loads(message, buffers=buffers)


def _spans(sizes: list[int]) -> tuple[list[tuple[int, int]], int]:
    """Where each buffer lies in the shared memory, and how long that is."""
    spans, end = [], 0
    for size in sizes:
        begin = -(-end // ALIGNMENT) * ALIGNMENT
        end = begin + size
        spans.append((begin, end))
    return spans, end


def _mapped(descriptor: int, size: int) -> mmap.mmap | bytearray:
    try:
        if not _MAPS_HOLD_DESCRIPTORS:
            return mmap.mmap(descriptor, size, trackfd=False)  # type: ignore[call-arg]
        area = mmap.mmap(descriptor, size)
        if len(_maps) >= resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4:
            with area:
                return bytearray(area)  # many batches are kept; descriptors are left for others
        _maps.add(area)
        return area
    finally:
        os.close(descriptor)

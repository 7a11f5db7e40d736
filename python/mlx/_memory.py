"""The methods of Tensor that are about its memory: its storage, its size in place, where it is pinned."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from mlx import _C
from mlx._C import Tensor

__all__ = ["TypedStorage", "UntypedStorage"]


def _listed(elements: Tensor, kind: str) -> str:
    """The elements, one a line (the first and last of more than a thousand), and what they are."""
    n = len(elements)
    shown = elements.tolist() if n <= 1000 else [*elements[:3].tolist(), "...", *elements[-3:].tolist()]
    lines = "\n".join(f" {value}" for value in shown)
    return f"{lines}\n[{kind} of size {n}]"


class UntypedStorage:
    """The block of memory that a tensor and its views lie in."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._address, self._nbytes = _C._storage_extent(tensor)

    def data_ptr(self) -> int:
        """The address of the first byte."""
        return self._address

    def nbytes(self) -> int:
        """The number of bytes."""
        return self._nbytes

    def size(self) -> int:
        """The number of bytes."""
        return self._nbytes

    def __len__(self) -> int:
        return self._nbytes

    @property
    def device(self) -> Any:
        return self._tensor.device

    def _elements(self) -> Tensor:
        whole = self._tensor.detach().as_strided((self._nbytes // self._tensor.element_size(),), (1,), 0)
        return whole.view(_C.uint8)

    def __repr__(self) -> str:
        kind = f"mlx.storage.UntypedStorage(device={self.device})"
        return _listed(self._elements(), kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> int:
        return _C._storage_key(self._tensor)


class TypedStorage(UntypedStorage):
    """The block of memory that a tensor and its views lie in, as a row of elements of its dtype."""

    def _elements(self) -> Tensor:
        count = self._nbytes // self._tensor.element_size()
        return self._tensor.detach().as_strided((count,), (1,), 0)

    def __repr__(self) -> str:
        kind = f"mlx.storage.TypedStorage(dtype={self.dtype}, device={self.device})"
        return _listed(self._elements(), kind)

    @property
    def dtype(self) -> Any:
        return self._tensor.dtype

    def size(self) -> int:
        """The number of elements."""
        return len(self)

    def __len__(self) -> int:
        return self._nbytes // self._tensor.element_size()

    def __getitem__(self, index: int) -> Any:
        return self._elements()[index].item()

    def __setitem__(self, index: Any, value: Any) -> None:
        self._elements()[index] = value

    def tolist(self) -> list:
        """The elements as Python numbers."""
        return self._elements().tolist()

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage(self._tensor)


def storage(self: Tensor) -> TypedStorage:
    """The memory that this tensor is a view of, as elements."""
    return TypedStorage(self)


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory that this tensor is a view of."""
    return UntypedStorage(self)


def _contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    strides: list[int] = []
    run = 1
    for n in reversed(shape):
        strides.insert(0, run)
        run *= max(n, 1)
    return tuple(strides)


def _check_resizable(tensor: Tensor, op: str) -> None:
    if tensor.requires_grad:
        raise RuntimeError(f"{op}(): cannot resize variables that require grad")


def resize_(self: Tensor, *size: Any, memory_format: Any = None) -> Tensor:
    """Give the tensor another shape, in place; elements that its memory does not hold are undefined."""
    _check_resizable(self, "resize_")
    shape = tuple(size[0]) if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    count = 1
    for n in shape:
        count *= n
    held = _C._storage_extent(self)[1] // self.element_size() - self.storage_offset()
    source = self.detach()
    if count > held:
        source = _C.empty(count, dtype=self.dtype, device=self.device)
        source[:held] = self.detach().as_strided((held,), (1,), self.storage_offset())
        self.data = source.view(shape)
    else:
        self.data = source.as_strided(shape, _contiguous_strides(shape), self.storage_offset())
    return self


def resize_as_(self: Tensor, the_template: Tensor, *, memory_format: Any = None) -> Tensor:
    """Give the tensor the shape of another; see `resize_`."""
    return self.resize_(tuple(the_template.shape))  # type: ignore[attr-defined]


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Whether both are the same view of the same memory."""
    return (
        _C._storage_key(self) == _C._storage_key(tensor)
        and self.storage_offset() == tensor.storage_offset()
        and self.shape == tensor.shape
        and self.stride() == tensor.stride()
    )


def dim_order(self: Tensor, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The dimensions from the one that takes the largest steps in memory to the one that takes the smallest.

    Args:
        ambiguity_check: whether to raise a RuntimeError where there are several such orders: where a
            dimension has the size 1, or two have the same stride. A list of memory formats: the same, unless
            the tensor is laid out in exactly one of them.

    >>> import mlx
    >>> mlx.ones(2, 3, 4).transpose(1, 2).dim_order()
    (0, 2, 1)
    """
    if not isinstance(ambiguity_check, bool | list):
        raise TypeError("The ambiguity_check argument must be a bool or a list of memory formats.")
    strides, shape = self.stride(), self.shape
    if ambiguity_check is not False:
        equal = any(a == b for a, b in itertools.pairwise(strides))
        formats = ambiguity_check if isinstance(ambiguity_check, list) else []
        fitting = sum(self.is_contiguous(memory_format=f) for f in formats)
        if (equal or 1 in shape) and fitting != 1:
            raise RuntimeError(
                "The tensor does not have unique dim order, or cannot map to exact one of the given memory "
                "formats."
            )
    order: list[int] = []
    for d in range(len(shape)):
        at = len(order)
        for i, other in reversed(list(enumerate(order))):
            if strides[d] == 0 or strides[other] == 0:
                continue  # repeated elements stay where they are
            if (strides[d], shape[d]) <= (strides[other], shape[other]):
                break
            at = i
        order.insert(at, d)
    return tuple(order)


def dense_dim(self: Tensor) -> int:
    """The number of dimensions: all are dense."""
    return self.dim()


def record_stream(self: Tensor, stream: Any) -> None:
    """Does nothing: each device has one queue, which is ordered."""


def module_load(self: Tensor, other: Tensor, assign: bool = False) -> Tensor:
    """What takes this tensor's place when a state dict with `other` is loaded."""
    return other.detach() if assign else self.copy_(other).detach()


def set_(
    self: Tensor, source: Any = None, storage_offset: int = 0, size: Any = None, stride: Any = None
) -> Tensor:
    """Make the tensor a view of other memory.

    Args:
        source: a tensor, or the storage of one; without it, the tensor becomes empty.
        storage_offset, size, stride: which elements of that memory. By default those of the tensor `source`,
            or all elements of a storage; contiguous, unless `stride` is given.
    """
    _check_resizable(self, "set_")
    if source is None:
        self.data = _C.empty(0, dtype=self.dtype, device=self.device)
        return self
    if not isinstance(source, (Tensor, UntypedStorage)):
        raise TypeError(f"set_(): source must be a Tensor or a storage, not {type(source).__name__}")
    if isinstance(source, Tensor):
        if source.dtype != self.dtype:
            raise RuntimeError(
                f"set_(): Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}"
            )
        if size is None:
            self.data = source.detach()
            return self
        source = TypedStorage(source)
    elif isinstance(source, TypedStorage) and source.dtype != self.dtype:
        raise RuntimeError(f"set_(): Expected a Storage of type {self.dtype}, got one of {source.dtype}")
    elements = TypedStorage(source._tensor)._elements().view(self.dtype)
    shape = (len(elements),) if size is None else (size,) if isinstance(size, int) else tuple(size)
    steps = _contiguous_strides(shape) if stride is None else stride
    self.data = elements.as_strided(shape, steps, storage_offset)
    return self


def pin_memory(self: Tensor, device: Any = None) -> Tensor:
    """The tensor itself: no device that mlx has copies from memory faster when it is pinned."""
    return self


def is_pinned(self: Tensor, device: Any = None) -> bool:
    """Whether the memory is pinned: never."""
    return False


def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """A copy on a CUDA device. AssertionError, since this build has none."""
    import mlx

    mlx.cuda._refuse()


def fill_diagonal_(self: Tensor, fill_value: Any, wrap: bool = False) -> Tensor:
    """Fill the main diagonal, in place.

    Args:
        fill_value: with what.
        wrap: whether the diagonal of a tall matrix begins anew after each square, with a row between.
    """
    if self.dim() < 2:
        raise RuntimeError("fill_diagonal_(): dimensions must larger than 1")
    if self.dim() > 2:
        if len(set(self.shape)) > 1:
            raise RuntimeError("fill_diagonal_(): all dimensions of input must be of equal length")
        diagonal = self.as_strided((self.shape[0],), (sum(self.stride()),), self.storage_offset())
        diagonal.fill_(fill_value)
        return self
    rows, columns = self.shape
    self.diagonal().fill_(fill_value)
    if wrap:
        for start in range(columns + 1, rows, columns + 1):
            self[start:].diagonal().fill_(fill_value)
    return self


def adjoint(self: Tensor) -> Tensor:
    """The conjugate transpose of each matrix."""
    return self.mH


def to_dense(self: Tensor, dtype: Any = None, *, masked_grad: Any = None) -> Tensor:
    """The tensor itself, as all are dense."""
    return self if dtype is None else self.to(dtype)


def new(self: Tensor, *args: Any) -> Tensor:
    """A tensor of this one's dtype and device: from a sequence, or of sizes, whose elements are undefined."""
    if len(args) == 1 and not isinstance(args[0], (int, _C.Size)):
        return _C.tensor(args[0], dtype=self.dtype, device=self.device)
    size = args[0] if args and isinstance(args[0], _C.Size) else args or (0,)
    return _C.empty(size, dtype=self.dtype, device=self.device)


def apply_(self: Tensor, callable: Any) -> Tensor:
    """Replace each element by what a function of Python's makes of it; slow, and for CPU tensors alone."""
    if self.device.type != "cpu":
        raise TypeError(f"apply_ is only implemented on CPU tensors, not on {self.device}")
    values = [callable(v) for v in self.detach().flatten().tolist()]
    return self.copy_(_C.tensor(values, dtype=self.dtype).view(self.shape))


def map_(self: Tensor, tensor: Tensor, callable: Any) -> Tensor:
    """Replace each element by a function of it and of another tensor's; slow, and for CPU tensors alone."""
    if self.device.type != "cpu":
        raise TypeError(f"map_ is only implemented on CPU tensors, not on {self.device}")
    others = tensor.detach().expand(self.shape).flatten().tolist()
    values = [callable(a, b) for a, b in zip(self.detach().flatten().tolist(), others, strict=True)]
    return self.copy_(_C.tensor(values, dtype=self.dtype).view(self.shape))


def map2_(self: Tensor, x: Tensor, y: Tensor, callable: Any) -> Tensor:
    """Replace each element by a function of it and of two other tensors'; slow, for CPU tensors alone."""
    if self.device.type != "cpu":
        raise TypeError(f"map2_ is only implemented on CPU tensors, not on {self.device}")
    rows = [t.detach().expand(self.shape).flatten().tolist() for t in (self, x, y)]
    values = list(map(callable, *rows))
    return self.copy_(_C.tensor(values, dtype=self.dtype).view(self.shape))


def lu_solve(self: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """`mlx.lu_solve` of this right side."""
    return _C.lu_solve(self, LU_data, LU_pivots)


def triangular_solve(
    self: Tensor, A: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> Any:
    """`mlx.triangular_solve` of this right side."""
    return _C.triangular_solve(self, A, upper, transpose, unitriangular)


for _method in (
    storage,
    untyped_storage,
    resize_,
    resize_as_,
    set_,
    pin_memory,
    is_pinned,
    cuda,
    fill_diagonal_,
    adjoint,
    to_dense,
    new,
    apply_,
    map_,
    map2_,
    is_set_to,
    dim_order,
    dense_dim,
    record_stream,
    module_load,
    lu_solve,
    triangular_solve,
):
    setattr(Tensor, _method.__name__, _method)
Tensor.is_meta = property(lambda self: False)  # type: ignore[attr-defined]

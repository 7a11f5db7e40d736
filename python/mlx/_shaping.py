"""Functions of the top level that take any number of tensors, or return what depends on a flag."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from mlx import _C
from mlx._C import Size, Tensor
from mlx._out import takes_out

__all__ = [
    "as_strided_scatter",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "block_diag",
    "broadcast_shapes",
    "broadcast_tensors",
    "cartesian_prod",
    "combinations",
    "diagonal_scatter",
    "meshgrid",
    "nonzero",
    "nonzero_static",
    "select_scatter",
    "slice_scatter",
    "unravel_index",
]


def _list(tensors: tuple[Any, ...]) -> list[Tensor]:
    """The tensors of a call f(a, b) or f([a, b])."""
    if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)):
        return list(tensors[0])
    return list(tensors)


def nonzero(
    input: Tensor, *, as_tuple: bool = False, out: Tensor | None = None
) -> Tensor | tuple[Tensor, ...]:
    """The coordinates of the elements that are not zero, a row each; with `as_tuple`, a tensor a dimension.

    >>> import mlx
    >>> mlx.nonzero(mlx.tensor([0, 3, 0, 1]), as_tuple=True)
    (tensor([1, 3]),)
    """
    if as_tuple:
        return tuple(_C._nonzero_tuple(input))
    return _C.nonzero(input) if out is None else _C.nonzero(input, out=out)


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The coordinates of the first `size` elements that are not zero, a row each; rows that are left over are
    `fill_value`. The shape does not depend on the elements, so that a compiled function can use it.

    >>> import mlx
    >>> mlx.nonzero_static(mlx.tensor([0, 3, 1]), size=3)
    tensor([[ 1],
            [ 2],
            [-1]])
    """
    if size < 0:
        raise RuntimeError(f"nonzero_static: 'size' must be an non-negative integer, got {size}")
    hit = (input != 0).flatten()
    place = hit.cumsum(0) - 1
    place = _C.where(hit & (place < size), place, size)  # one row more, for what does not count
    rows = _C.full((size + 1,), input.numel(), dtype=_C.int64, device=input.device)
    rows = rows.scatter(0, place, _C.arange(input.numel(), device=input.device))[:size]
    if input.dim() == 0:
        return rows.new_empty((size, 0))
    found = rows < input.numel()
    columns = unravel_index(_C.where(found, rows, 0), input.shape) if input.numel() else [rows] * input.dim()
    return _C.stack([_C.where(found, c, fill_value) for c in columns], 1)


def _at_least(one: Any, tensors: tuple[Any, ...]) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return one(tensors[0])
    return tuple(one(_list(tensors)))


def atleast_1d(*tensors: Any) -> Any:
    """Each tensor with at least one dimension."""
    return _at_least(_C.atleast_1d, tensors)


def atleast_2d(*tensors: Any) -> Any:
    """Each tensor with at least two dimensions, new ones first."""
    return _at_least(_C.atleast_2d, tensors)


def atleast_3d(*tensors: Any) -> Any:
    """Each tensor with at least three dimensions."""
    return _at_least(_C.atleast_3d, tensors)


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """The tensors as views of the shape that they broadcast to together."""
    return tuple(_C._broadcast_tensors(_list(tensors)))


def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes broadcast to.

    >>> import mlx
    >>> mlx.broadcast_shapes((3, 1), (4,))
    mlx.Size([3, 4])
    """
    result: list[int] = []
    for shape in shapes:
        sizes = [shape] if isinstance(shape, int) else list(shape)
        width = max(len(result), len(sizes))
        a = [1] * (width - len(result)) + result
        b = [1] * (width - len(sizes)) + sizes
        if any(x < 0 for x in b):
            raise RuntimeError(f"broadcast_shapes(): sizes must not be negative, got {shape}")
        if any(x != y and 1 not in (x, y) for x, y in zip(a, b, strict=False)):
            raise RuntimeError(f"Shape mismatch: objects cannot be broadcast to a single shape: {shapes}")
        result = [y if x == 1 else x for x, y in zip(a, b, strict=False)]
    return Size(result)


def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Tensor, ...]:
    """The coordinates of a grid: each vector along a dimension of its own, repeated along the others.

    Args:
        indexing: "ij", the default (dimensions in the order of the vectors), or "xy" (the first two swapped).
    """
    return tuple(_C._meshgrid(_list(tensors), indexing or "ij"))


def cartesian_prod(*tensors: Any) -> Tensor:
    """Every combination of one element of each vector, a row each."""
    return _C._cartesian_prod(_list(tensors))


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """The combinations of `r` elements of a vector, a row each."""
    if input.dim() != 1:
        raise RuntimeError(f"combinations(): Expect a 1D vector, but got shape {tuple(input.shape)}")
    if r < 0:
        raise RuntimeError(f"combinations(): Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = [list(c) for c in choose(range(input.numel()), r)] if r else []
    if r == 0:
        return input.new_empty(0)
    return input[_C.tensor(rows, dtype=_C.int64).reshape(-1, r)]


def block_diag(*tensors: Any) -> Tensor:
    """The matrices along the diagonal of a larger one of zeros."""
    return _C._block_diag(_list(tensors))


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """The coordinates, in an array of this shape, of positions in its flattened form."""
    sizes = [shape] if isinstance(shape, int) else list(shape)
    return tuple(_C._unravel_index(indices, sizes))


# ---- copies with a part replaced


def _replaced(op: str, input: Tensor, src: Tensor, part: Callable[[Tensor], Tensor]) -> Tensor:
    out = input.clone()
    view = part(out)
    if view.shape != src.shape:
        raise RuntimeError(
            f"{op}(): expected src to have a size equal to the slice of self, {tuple(view.shape)}, but got "
            f"{tuple(src.shape)}"
        )
    view.copy_(src)
    return out


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy of `input` with `src` for select(dim, index).

    >>> import mlx
    >>> mlx.select_scatter(mlx.zeros(2, 2), mlx.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    return _replaced("select_scatter", input, src, lambda t: t.select(dim, index))


@takes_out
def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """A copy of `input` with `src` for the elements `start:end:step` of a dimension."""
    part = (*[slice(None)] * (dim % input.dim()), slice(start, end, step))
    return _replaced("slice_scatter", input, src, lambda t: t[part])


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy of `input` with `src` for a diagonal."""
    return _replaced("diagonal_scatter", input, src, lambda t: t.diagonal(offset, dim1, dim2))


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: int | None = None
) -> Tensor:
    """A copy of `input` with `src` for as_strided(size, stride, storage_offset)."""
    offset = input.storage_offset() if storage_offset is None else storage_offset
    return _replaced("as_strided_scatter", input, src, lambda t: t.as_strided(size, stride, offset))


for _function in (select_scatter, slice_scatter, diagonal_scatter, as_strided_scatter):
    setattr(Tensor, _function.__name__, _function)
Tensor.nonzero = nonzero  # type: ignore[method-assign, assignment]


Tensor.nonzero_static = nonzero_static  # type: ignore[attr-defined]

"""What `vmap` maps over: arguments with a dimension for the samples, and results with one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import leaves, rebuilt, spread


def _batch_size(tensors: list[Any], dims: list[Any]) -> int:
    sizes = set()
    for value, dim in zip(tensors, dims, strict=True):
        if dim is None:
            continue
        if not isinstance(dim, int):
            raise ValueError(f"vmap: in_dims must hold integers and None, not {dim!r}")
        if not isinstance(value, Tensor):
            raise ValueError(f"vmap: in_dims gives dimension {dim} of a {type(value).__name__}")
        if not -value.dim() <= dim < value.dim():
            raise ValueError(f"vmap: dimension {dim} is not one of an argument with {value.dim()} dimensions")
        sizes.add(value.shape[dim])
    if not sizes:
        raise ValueError("vmap: in_dims must name the dimension of one tensor at least")
    if len(sizes) > 1:
        raise ValueError(f"vmap: the mapped dimensions must have one size, not {sorted(sizes)}")
    return sizes.pop()


class Batch:
    """The arguments of a call: their leaves, the dimension of each along which samples lie (None: all samples
    share it), and how many samples there are.
    """

    def __init__(self, args: tuple, kwargs: dict[str, Any], in_dims: Any) -> None:
        if isinstance(in_dims, (list, tuple)) and len(in_dims) != len(args):
            raise ValueError(f"vmap: in_dims has {len(in_dims)} elements for {len(args)} arguments")
        named = leaves(kwargs)
        dims = spread(in_dims, args, "vmap: in_dims")
        dims += [0 if isinstance(v, Tensor) else None for v in named]
        self.nested: tuple[Any, Any] = args, kwargs
        self.values = leaves(args) + named
        self.size = _batch_size(self.values, dims)
        self.dims = [d if d is None else d % v.dim() for v, d in zip(self.values, dims, strict=True)]

    def call(self, func: Callable, change: Callable[[Any, int | None], Any]) -> Any:
        """What `func` returns for arguments whose leaves are change(leaf, dimension)."""
        changed = [change(v, d) for v, d in zip(self.values, self.dims, strict=True)]
        args, kwargs = rebuilt(self.nested, iter(changed))
        return func(*args, **kwargs)

    def chunks(self, size: int | None) -> Iterator[Batch]:
        """The batch in parts of `size` samples, the last one perhaps smaller."""
        if size is None or size >= self.size:
            yield self
            return
        for start in range(0, self.size, size):
            chunk = copy.copy(self)
            chunk.size = min(size, self.size - start)
            chunk.values = [
                v if d is None else v.narrow(d, start, chunk.size)
                for v, d in zip(self.values, self.dims, strict=True)
            ]
            yield chunk


class Results:
    """What a function returns for a batch: its structure, and each leaf, the samples along dimension 0."""

    def __init__(self, structure: Any, columns: list[Tensor]) -> None:
        self.structure, self.columns = structure, columns

    @staticmethod
    def tensors(result: Any) -> list[Tensor]:
        """The leaves of a function's result, which must be tensors."""
        found = leaves(result)
        for leaf in found:
            if not isinstance(leaf, Tensor):
                raise ValueError(f"vmap: the function must return tensors, not a {type(leaf).__name__}")
        return found

    @staticmethod
    def joined(parts: list[Results]) -> Results:
        """Those of chunks, one after the other."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*[p.columns for p in parts], strict=True)
        return Results(parts[0].structure, [_C.cat(c) for c in columns])

    def placed(self, out_dims: Any) -> Any:
        """The results with the samples along the dimension that `out_dims` says; None: those of the first."""
        dims = spread(out_dims, self.structure, "vmap: out_dims")
        placed = [c[0] if d is None else c.movedim(0, d) for c, d in zip(self.columns, dims, strict=True)]
        return rebuilt(self.structure, iter(placed))

"""Maps of a function over a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import leaves, rebuilt, spread

__all__ = ["vmap"]


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


def _stacked(results: list[Any], out_dims: Any) -> Any:
    """The results of all samples, each leaf with the dimension of the batch at its place."""
    first = results[0]
    columns = zip(*[leaves(r) for r in results], strict=True)
    made = []
    for column, dim in zip(columns, spread(out_dims, first, "vmap: out_dims"), strict=True):
        if not isinstance(column[0], Tensor):
            raise ValueError(f"vmap: the function must return tensors, not a {type(column[0]).__name__}")
        made.append(column[0] if dim is None else _C.stack(column, dim))
    return rebuilt(first, iter(made))


class _Draws:
    """Watches over random numbers in the calls for the samples."""

    def __init__(self, randomness: str) -> None:
        if randomness not in ("error", "different", "same"):
            raise RuntimeError(f"vmap: randomness must be 'error', 'different' or 'same', not {randomness!r}")
        self.randomness = randomness
        self.start = _C.default_generator._state()

    def before_sample(self) -> None:
        if self.randomness == "same":
            _C.default_generator._set_state(*self.start)

    def after_sample(self) -> None:
        if self.randomness == "error" and _C.default_generator._state() != self.start:
            raise RuntimeError(
                "vmap: the function drew random numbers; say randomness='different' for numbers of each "
                "sample's own, or randomness='same' for the same ones"
            )


def vmap(
    func: Callable,
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable:
    """A function that applies `func` to each sample of a batch, and stacks the results.

    The function runs once a sample, on views without the dimension of the batch. It may therefore do
    anything that it may do alone, branch on values too, and it takes as long as a loop over the samples.

    Args:
        func: takes samples and returns tensors, nested in lists, tuples and dicts as it likes.
        in_dims: which dimension of each argument is the batch; None for arguments that all samples share.
            One number for all arguments, or a tuple with one element an argument, nested like it.
        out_dims: where the batch goes in the results.
        randomness: whether random numbers are an "error", "different" for each sample, or the "same".
        chunk_size: accepted for compatibility.

    >>> import mlx
    >>> dot = mlx.func.vmap(mlx.dot)
    >>> dot(mlx.tensor([[1.0, 2.0], [3.0, 4.0]]), mlx.ones(2, 2))
    tensor([3., 7.])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size must be positive, not {chunk_size}")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_dims, (list, tuple)) and len(in_dims) != len(args):
            raise ValueError(f"vmap: in_dims has {len(in_dims)} elements for {len(args)} arguments")
        values, named = leaves(args), leaves(kwargs)
        dims = spread(in_dims, args, "vmap: in_dims")
        named_dims = [0 if isinstance(v, Tensor) else None for v in named]
        draws = _Draws(randomness)
        results = []
        for i in range(_batch_size(values + named, dims + named_dims)):
            draws.before_sample()
            sample = rebuilt(args, iter(_sample(values, dims, i)))
            results.append(func(*sample, **rebuilt(kwargs, iter(_sample(named, named_dims, i)))))
            draws.after_sample()
        if not results:
            raise RuntimeError("vmap: the batch is empty, so the shapes of the results are not known")
        return _stacked(results, out_dims)

    return mapped


def _sample(values: list[Any], dims: list[Any], i: int) -> list[Any]:
    return [v if d is None else v.select(d, i) for v, d in zip(values, dims, strict=True)]

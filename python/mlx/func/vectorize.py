"""Maps of a function over a batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx.func._at_once import all_at_once
from mlx.func._batch import Batch, Results

__all__ = ["vmap"]


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

    The function is called once, with tensors that stand for one sample, and what it launches is launched for
    the whole batch. Where that cannot be (the function looks at elements of its arguments, or draws random
    numbers), it is called once a sample.

    Args:
        func: takes samples and returns tensors, nested in lists, tuples and dicts as it likes.
        in_dims: which dimension of each argument is the batch; None for arguments that all samples share.
            One number for all arguments, or a tuple with one element an argument, nested like it.
        out_dims: where the batch goes in the results.
        randomness: whether random numbers are an "error", "different" for each sample, or the "same".
        chunk_size: how many samples to work on at a time, to save memory; all of them unless given.

    >>> import mlx
    >>> dot = mlx.func.vmap(mlx.dot)
    >>> dot(mlx.tensor([[1.0, 2.0], [3.0, 4.0]]), mlx.ones(2, 2))
    tensor([3., 7.])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size must be positive, not {chunk_size}")

    @functools.wraps(func)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        draws = _Draws(randomness)
        chunks = Batch(args, kwargs, in_dims).chunks(chunk_size)
        return Results.joined([_run(func, chunk, draws) for chunk in chunks]).placed(out_dims)

    return mapped


def _run(func: Callable, batch: Batch, draws: _Draws) -> Results:
    if draws.randomness == "error":
        try:
            results = all_at_once(func, batch, lambda func, batch: _run(func, batch, draws))
        except (_C._TraceError, IndexError):
            pass  # one by one: elements can be looked at then, and errors name a sample's dimensions
        else:
            draws.after_sample()
            return results
    return _one_by_one(func, batch, draws)


def _sample(i: int, value: Any, dim: int | None) -> Any:
    return value if dim is None else value.select(dim, i)


def _one_by_one(func: Callable, batch: Batch, draws: _Draws) -> Results:
    if batch.size == 0:
        raise RuntimeError("vmap: the batch is empty, so the shapes of the results are not known")
    results = []
    for i in range(batch.size):
        draws.before_sample()
        results.append(batch.call(func, functools.partial(_sample, i)))
        draws.after_sample()
    columns = zip(*[Results.tensors(r) for r in results], strict=True)
    return Results(results[0], [_C.stack(c) for c in columns])

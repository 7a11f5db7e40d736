"""Distinct elements: functions whose number of results depends on what is asked for."""

from __future__ import annotations

from mlx import _C
from mlx._C import Tensor

__all__ = ["unique", "unique_consecutive"]


def _asked(results: tuple, inverse: bool, counts: bool) -> Tensor | tuple[Tensor, ...]:
    chosen = (results[0], *([results[1]] if inverse else []), *([results[2]] if counts else []))
    return chosen if len(chosen) > 1 else chosen[0]


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """The distinct elements (or slices along `dim`), in rising order.

    Args:
        return_inverse: also where each element is among them.
        return_counts: also how many there are of each.

    >>> import mlx
    >>> mlx.unique(mlx.tensor([3, 1, 3]))
    tensor([1, 3])
    """
    results = _C._unique2(input) if dim is None else _C._unique_dim(input, dim)
    return _asked(results, return_inverse, return_counts)


def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Tensor | tuple[Tensor, ...]:
    """One of each run of equal neighbours (or equal slices along `dim`).

    Args:
        return_inverse: also the run that each element belongs to.
        return_counts: also how long each run is.

    >>> import mlx
    >>> mlx.unique_consecutive(mlx.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    return _asked(_C._unique_consecutive(input, dim=dim), return_inverse, return_counts)


for _function in (unique, unique_consecutive):
    setattr(Tensor, _function.__name__, _function)

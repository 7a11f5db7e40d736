"""How many elements, or points, fall into each bin."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mlx
from mlx._C import Tensor, _raise_if_any
from mlx._C import dtype as _dtype
from mlx._out import takes_out

__all__ = ["histogram", "histogramdd"]


def _edges(op: str, x: Tensor, bins: Any, low: float | None, high: float | None) -> Tensor:
    """The bounds of bins: given, or evenly spaced from `low` to `high` (the extremes of x)."""
    if isinstance(bins, Tensor):
        return bins
    if bins <= 0:
        raise RuntimeError(f"{op}(): bins must be > 0, but got {bins}")
    if low is None or high is None:
        return _edges_of_extremes(op, x, bins)
    if low == high:
        low, high = low - 0.5, high + 0.5
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"{op}(): range of [{low}, {high}] is not finite")
    if low > high:
        raise RuntimeError(f"{op}(): max ({high}) must not be less than min ({low})")
    return mlx.linspace(low, high, bins + 1, dtype=x.dtype, device=x.device)


def _edges_of_extremes(op: str, x: Tensor, bins: int) -> Tensor:
    if x.numel() == 0:
        return mlx.linspace(0.0, 1.0, bins + 1, dtype=x.dtype, device=x.device)
    low, high = x.aminmax()
    _raise_if_any(~(low.isfinite() & high.isfinite()), f"{op}(): the range of the elements is not finite")
    margin = (low == high) * 0.5
    return mlx.linspace(low - margin, high + margin, bins + 1, dtype=x.dtype, device=x.device)


def _counted(points: list[Tensor], edges: list[Tensor], weight: Tensor | None, density: bool) -> Tensor:
    """The sums of weights in the boxes of a grid; the last bin of a dimension includes its upper bound."""
    inside, flat = None, None
    for x, bounds in zip(points, edges, strict=True):
        bins = bounds.shape[0] - 1
        within = (x >= bounds[0]) & (x <= bounds[-1])
        inside = within if inside is None else inside & within
        at = (mlx.searchsorted(bounds.contiguous(), x.contiguous(), right=True) - 1).clamp(0, bins - 1)
        flat = at if flat is None else flat * bins + at
    assert inside is not None and flat is not None
    sizes = [bounds.shape[0] - 1 for bounds in edges]
    dtype = points[0].dtype
    values = mlx.ones_like(points[0]) if weight is None else weight.to(dtype).flatten()
    counts = mlx.zeros(math.prod(sizes), dtype=_widest(values), device=values.device)
    counts = counts.index_add(0, flat, mlx.where(inside, values, 0).to(counts.dtype)).to(dtype).view(sizes)
    if density:
        counts = counts / counts.sum()
        for d, bounds in enumerate(edges):
            shape = [1] * len(edges)
            shape[d] = -1
            counts = counts / (bounds[1:] - bounds[:-1]).view(shape)
    return counts


def _widest(t: Tensor) -> _dtype:
    return mlx.float32 if t.is_mps else mlx.float64


@takes_out
def histogram(
    input: Tensor,
    bins: int | Tensor,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> tuple[Tensor, Tensor]:
    """How many elements (or what weight of them) lie in each bin, and the bounds of the bins.

    Args:
        input: float32 or float64, of any shape.
        bins: how many, evenly spaced over `range` (or from the least to the largest element), or their
            bounds.
        weight: of each element.
        density: whether to give the density of a distribution instead, of integral 1.

    >>> import mlx
    >>> mlx.histogram(mlx.tensor([1.0, 2.0, 2.0]), 2, range=(0.0, 4.0))[0]
    tensor([1., 2.])
    """
    x = input.detach().flatten()
    low, high = (None, None) if range is None else (float(range[0]), float(range[1]))
    edges = _edges("histogram", x, bins, low, high)
    return _counted([x], [edges], weight, density), edges


def histogramdd(
    input: Tensor,
    bins: Any,
    *,
    range: Sequence[float] | None = None,
    weight: Tensor | None = None,
    density: bool = False,
) -> tuple[Tensor, list[Tensor]]:
    """The histogram of points (..., D) in a grid of D dimensions, and the bounds of the bins in each.

    `bins` is one number, one for each dimension or the bounds themselves; `range` holds the two ends of each
    dimension, one after the other.
    """
    dims = input.shape[-1]
    points = list(input.detach().reshape(-1, dims).unbind(1))
    each = list(bins) if isinstance(bins, (list, tuple)) else [bins] * dims
    if len(each) != dims:
        raise RuntimeError(
            f"histogramdd(): expected one number of bins for each of {dims} dimensions, but got {len(each)}"
        )
    ends: list[float | None] = [None] * (2 * dims) if range is None else [float(v) for v in range]
    if len(ends) != 2 * dims:
        raise RuntimeError(
            f"histogramdd(): for a {dims}-dimensional histogram range should have {2 * dims} elements"
        )
    edges = [
        _edges("histogramdd", x, b, ends[2 * d], ends[2 * d + 1])
        for d, (x, b) in enumerate(zip(points, each, strict=True))
    ]
    return _counted(points, edges, weight, density), edges


Tensor.histogram = histogram  # type: ignore[attr-defined]

"""Derivatives of sampled functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx
from mlx._C import Tensor

__all__ = ["gradient"]


def _derivative(y: Tensor, dim: int, spacing: Any, edge_order: int) -> Tensor:
    """By differences of the neighbours, of second order inside; at the ends of order `edge_order`."""
    n = y.shape[dim]
    if n < edge_order + 1:
        raise RuntimeError(
            f"torch.gradient expected each dimension size to be at least edge_order+1, got {n}"
        )

    def at(start: int, length: int) -> Tensor:
        return y.narrow(dim, start, length)

    if isinstance(spacing, Tensor):
        if spacing.dim() != 1 or spacing.shape[0] != n:
            raise RuntimeError(
                "torch.gradient expected each element of spacing to have the same number of points as the "
                f"dimension it is for ({n}), but got {list(spacing.shape)}"
            )
        shape = [1] * y.dim()
        shape[dim] = n - 1
        steps = (spacing[1:] - spacing[:-1]).view(shape)
        before, after = steps.narrow(dim, 0, n - 2), steps.narrow(dim, 1, n - 2)
        first, second = steps.narrow(dim, 0, 1), steps.narrow(dim, 1 if n > 2 else 0, 1)
        last, former = steps.narrow(dim, n - 2, 1), steps.narrow(dim, max(n - 3, 0), 1)
    else:
        before = after = first = second = last = former = spacing
    parts = []
    if edge_order == 1:
        parts.append((at(1, 1) - at(0, 1)) / first)
    else:
        # The slope at the end of the parabola through three points.
        parts.append(
            at(0, 1) * (-(2 * first + second) / (first * (first + second)))
            + at(1, 1) * ((first + second) / (first * second))
            - at(2, 1) * (first / (second * (first + second)))
        )
    if n > 2:
        inside = (
            at(2, n - 2) * (before / (after * (before + after)))
            + at(1, n - 2) * ((after - before) / (before * after))
            - at(0, n - 2) * (after / (before * (before + after)))
        )
        if not isinstance(before, Tensor):
            inside = (at(2, n - 2) - at(0, n - 2)) / (2 * before)
        parts.append(inside)
    if edge_order == 1:
        parts.append((at(n - 1, 1) - at(n - 2, 1)) / last)
    else:
        parts.append(
            at(n - 1, 1) * ((2 * last + former) / (last * (last + former)))
            - at(n - 2, 1) * ((last + former) / (last * former))
            + at(n - 3, 1) * (last / (former * (last + former)))
        )
    return mlx.cat(parts, dim)


def gradient(input: Tensor, *, spacing: Any = 1, dim: Any = None, edge_order: int = 1) -> list[Tensor]:
    """The partial derivatives of a function sampled on a grid, one tensor a dimension.

    Args:
        input: the values.
        spacing: the distance of samples (one, or one a dimension), or their coordinates in each dimension.
        dim: which dimensions; all unless given.
        edge_order: 1 or 2, the order of the differences at the ends.

    >>> import mlx
    >>> mlx.gradient(mlx.tensor([1.0, 4.0, 9.0]))
    [tensor([3., 4., 5.])]
    """
    if edge_order not in (1, 2):
        raise RuntimeError(f"torch.gradient only supports edge_order=1 and edge_order=2, got {edge_order}")
    dims = list(range(input.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    for d in dims:
        if not -input.dim() <= d < input.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-input.dim()}, {input.dim() - 1}], "
                f"but got {d})"
            )
    dims = [d % input.dim() for d in dims]
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"torch.gradient expected each dimension once, got {dims}")
    if spacing is None:
        spacing = 1
    elif isinstance(spacing, Tensor) and spacing.dim() == 0:
        spacing = spacing.item()
    each = list(spacing) if isinstance(spacing, Sequence) else [spacing] * len(dims)
    if len(each) != len(dims):
        raise RuntimeError(
            f"torch.gradient expected spacing to be a scalar or a list of length {len(dims)}, but "
            f"got a list of length {len(each)}"
        )
    return [_derivative(input, d, s, edge_order) for d, s in zip(dims, each, strict=True)]

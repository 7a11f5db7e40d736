"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import mlx
from mlx._C import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements in a row.

    >>> import mlx
    >>> parameters_to_vector([mlx.zeros(2), mlx.ones(1, 2)])
    tensor([0., 0., 1., 1.])
    """
    return mlx.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters the elements of a vector, in the same order; they share its memory."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected mlx.Tensor, but got: {mlx.typename(vec)}")
    start = 0
    for p in parameters:
        p.data = vec[start : start + p.numel()].view_as(p).data
        start += p.numel()

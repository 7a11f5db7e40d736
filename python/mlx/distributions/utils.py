"""What distributions share: parameters of one shape, probabilities and log-odds, triangles as vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mlx
import mlx.nn.functional as F
from mlx import _C
from mlx._C import Tensor

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]


def broadcast_all(*values: Any) -> list[Tensor]:
    """Numbers and tensors as tensors of one shape. Numbers take the dtype of the tensors beside them.

    Raises:
        ValueError: for what is neither a number nor a tensor.
    """
    if not all(isinstance(v, Tensor | float | int) for v in values):
        raise ValueError("Input arguments must all be instances of Number or Tensor.")
    tensors = [v for v in values if isinstance(v, Tensor)]
    dtype = tensors[0].dtype if tensors else mlx.get_default_dtype()
    if not (dtype.is_floating_point or dtype.is_complex):
        dtype = mlx.get_default_dtype()
    device = tensors[0].device if tensors else None
    made = [v if isinstance(v, Tensor) else mlx.tensor(v, dtype=dtype, device=device) for v in values]
    return list(mlx.broadcast_tensors(*made))


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last `dims` dimensions."""
    return value.sum(list(range(-dims, 0))) if dims else value


def by_size(
    x: Tensor, limit: float, small: Callable[[Tensor], Tensor], large: Callable[[Tensor], Tensor]
) -> Tensor:
    """One function where |x| is below the limit, another elsewhere. Neither computes, nor differentiates, the
    other's cases."""
    is_small = x.abs() < limit
    return mlx.where(is_small, small(mlx.where(is_small, x, 0.0)), large(mlx.where(is_small, limit, x)))


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities moved off 0 and 1, so that their logarithms are finite."""
    eps = mlx.finfo(probs.dtype).eps
    return probs.clamp(eps, 1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The logarithms of probabilities; with `is_binary`, of their odds.

    >>> import mlx
    >>> probs_to_logits(mlx.tensor([0.5]), is_binary=True)
    tensor([0.])
    """
    clamped = clamp_probs(probs)
    return clamped.logit() if is_binary else clamped.log()


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """The inverse of `probs_to_logits`: softmax over the last dimension; with `is_binary`, the sigmoid."""
    return logits.sigmoid() if is_binary else F.softmax(logits, -1)


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """The last dimension as the lower triangle of a matrix, row by row, up to the diagonal `diag` <= 0.

    >>> import mlx
    >>> vec_to_tril_matrix(mlx.tensor([1.0, 2.0, 3.0]))
    tensor([[1., 0.],
            [2., 3.]])
    """
    count = vec.shape[-1]
    n = (math.isqrt(1 + 8 * count) - 1) // 2 - diag
    rows, columns = mlx.tril_indices(n, n, diag, device=vec.device)
    if len(rows) != count:
        raise ValueError(
            f"The size of last dimension is {count} which is no lower triangular part of a matrix"
        )
    flat = vec.new_zeros((*vec.shape[:-1], n * n)).index_copy(-1, rows * n + columns, vec)
    return flat.reshape(*vec.shape[:-1], n, n)


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangle of square matrices, up to the diagonal `diag`, row by row: a vector."""
    n = mat.shape[-1]
    rows, columns = mlx.tril_indices(n, n, diag, device=mat.device)
    return mat.flatten(-2).index_select(-1, rows * n + columns)


class lazy_property:
    """A property that is computed when it is first read, and then is an attribute of the instance."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        with mlx.enable_grad():
            value = self.wrapped(instance)
        # What stands for the elements of every call of a compiled function is of no use after it.
        if not (isinstance(value, Tensor) and _C._is_traced(value)):
            instance.__dict__[self.name] = value
        return value

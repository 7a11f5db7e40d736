"""Decompositions that are made of others: LU by its older name, and approximations of low rank."""

from __future__ import annotations

from typing import Any

import mlx
from mlx._C import Tensor

__all__ = ["lu", "pca_lowrank", "svd_lowrank"]


def lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: Any = None) -> Any:
    """The packed LU decomposition of matrices and its pivots; with `get_infos`, LAPACK's verdicts too.

    See `mlx.linalg.lu_factor_ex`.
    """
    packed, pivots, infos = mlx.linalg.lu_factor_ex(A, pivot=pivot, check_errors=not get_infos)
    return (packed, pivots, infos) if get_infos else (packed, pivots)


def _range_basis(A: Tensor, q: int, niter: int) -> Tensor:
    """Orthonormal columns that span nearly what A's largest singular vectors do."""
    sketch = mlx.randn(*A.shape[:-2], A.shape[-1], q, dtype=A.dtype, device=A.device)
    Q = mlx.linalg.qr(A @ sketch)[0]
    for _ in range(niter):
        Q = mlx.linalg.qr(A.mH @ Q)[0]
        Q = mlx.linalg.qr(A @ Q)[0]
    return Q


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The `q` largest singular values of A - M and their vectors, approximately: A - M ~ U diag(S) V^H.

    By `niter` subspace iterations from a random start (Halko, Martinsson and Tropp, "Finding structure with
    randomness", 2011, algorithm 5.1).
    """
    rank = 6 if q is None else q
    if M is not None:
        A = A - M
    if not 0 <= rank <= min(A.shape[-2:]):
        raise ValueError(
            f"q(={rank}) must be non-negative integer and not greater than min(m, n)={min(A.shape[-2:])}"
        )
    wide = A.shape[-2] < A.shape[-1]
    tall = A.mH if wide else A
    Q = _range_basis(tall, rank, 2 if niter is None else niter)
    U, S, Vh = mlx.linalg.svd(Q.mH @ tall, full_matrices=False)
    U, V = Q @ U, Vh.mH
    return (V, S, U) if wide else (U, S, V)


def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """The principal components of the rows of A, approximately: svd_lowrank of A with its columns centred."""
    m, n = A.shape[-2:]
    rank = min(6, m, n) if q is None else q
    if not 0 <= rank <= min(m, n):
        raise ValueError(
            f"q(={rank}) must be non-negative integer and not greater than min(m, n)={min(m, n)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, rank, niter)


Tensor.lu = lu  # type: ignore[attr-defined]

"""Decompositions that are made of others: LU by its older name, and approximations of low rank."""

from __future__ import annotations

from typing import Any

import mlx
from mlx._C import Tensor

__all__ = ["lobpcg", "lu", "pca_lowrank", "svd_lowrank"]


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


def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Any = None,
    ortho_iparams: Any = None,
    ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> tuple[Tensor, Tensor]:
    """The k largest or smallest eigenvalues of A x = e B x, for symmetric A and positive definite B.

    All tensors being dense, they come from a complete decomposition: what steers iterations (n, iK, niter,
    tol, method, ortho_..., and X but for its number of columns) changes nothing, and results are as exact as
    those of `linalg.eigh`.

    Args:
        A, B: of shape (..., m, m), m at least 3 k; B is the identity by default.
        k: how many; by default the number of columns of X, or 1.
        largest: whether the largest (the default) or the smallest.

    Returns:
        The eigenvalues, of shape (..., k), best first, and the eigenvectors, of shape (..., m, k), which are
        orthonormal with regard to B.

    >>> import mlx
    >>> mlx.lobpcg(mlx.diag(mlx.tensor([1.0, 4.0, 3.0])))[0]
    tensor([4.])
    """
    if A.dim() < 2 or A.shape[-2] != A.shape[-1]:
        raise ValueError(f"lobpcg(): A must be square matrices, got the shape {tuple(A.shape)}")
    if tracker is not None:
        raise ValueError("lobpcg(): there are no iterations here that a tracker could follow")
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg(): method must be 'basic' or 'ortho', got {method!r}")
    m = A.shape[-1]
    if k is None:
        k = 1 if X is None else X.shape[-1]
    if m < 3 * k:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than 3 x the "
            f"number of requested eigenpairs (={k})"
        )
    A = (A + A.mT) / 2
    if B is not None:  # L^-1 A L^-T of B = L L^T has the same eigenvalues, and L^T times the eigenvectors
        factor = mlx.linalg.cholesky(B)
        left = mlx.linalg.solve_triangular(factor, A, upper=False)
        A = mlx.linalg.solve_triangular(factor, left.mT, upper=False)
        A = (A + A.mT) / 2
    values, vectors = mlx.linalg.eigh(A)
    if largest is None or largest:
        values, vectors = values.flip(-1), vectors.flip(-1)
    values, vectors = values[..., :k], vectors[..., :k]
    if B is not None:
        vectors = mlx.linalg.solve_triangular(factor.mT, vectors, upper=True)
    return values, vectors


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

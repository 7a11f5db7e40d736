"""Weights that stay orthogonal while they are trained."""

from __future__ import annotations

import mlx
from mlx._C import Tensor
from mlx.autograd.grad_mode import no_grad
from mlx.nn.modules.module import Module
from mlx.nn.utils.parametrize import register_parametrization

__all__ = ["orthogonal"]

_MAPS = ("matrix_exp", "cayley", "householder")


def _by_qr(matrix: Tensor) -> Tensor:
    """The orthogonal factor of the QR decomposition whose triangular factor has a positive diagonal."""
    q, r = mlx.linalg.qr(matrix)
    return q * r.diagonal(dim1=-2, dim2=-1).sgn().unsqueeze(-2)


def _is_orthogonal(matrix: Tensor) -> bool:
    columns = matrix.size(-1)
    identity = mlx.eye(columns, dtype=matrix.dtype, device=matrix.device)
    tolerance = 10 * columns * mlx.finfo(matrix.dtype).eps
    return mlx.allclose(matrix.mH @ matrix, identity, atol=tolerance)


def _tall(matrix: Tensor) -> Tensor:
    return matrix.mT if matrix.size(-2) < matrix.size(-1) else matrix


class _Orthogonal(Module):
    """A matrix of any values -> one with orthonormal columns (or rows, if it is wide).

    With a base, an orthogonal matrix that is multiplied from the left, the map need only reach what is near
    the identity: Lezcano-Casado, "Trivializations for Gradient-Based Optimization on Manifolds" (2019).
    """

    base: Tensor | None

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool) -> None:
        super().__init__()
        if weight.is_complex() and orthogonal_map == "householder":
            raise ValueError("The householder parametrization does not support complex tensors.")
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        self.use_trivialization = use_trivialization
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, X: Tensor) -> Tensor:
        free = _tall(X)
        q = self._reflections(free) if self.orthogonal_map == "householder" else self._rotation(free)
        if self.use_trivialization:
            assert self.base is not None
            q = self.base @ q
        return q.mT if X.size(-2) < X.size(-1) else q

    def _rotation(self, free: Tensor) -> Tensor:
        """Columns of the exponential, or its rational approximation, of a skew-symmetric matrix."""
        n, k = free.size(-2), free.size(-1)
        lower = mlx.nn.functional.pad(free.tril(), (0, n - k))
        skew = lower - lower.mH
        if self.orthogonal_map == "matrix_exp":
            rotation = mlx.linalg.matrix_exp(skew)
        else:
            identity = mlx.eye(n, dtype=skew.dtype, device=skew.device)
            rotation = mlx.linalg.solve(identity - skew / 2, identity + skew / 2)
        return rotation[..., :k]

    def _reflections(self, free: Tensor) -> Tensor:
        """A product of reflections whose vectors lie below the diagonal, which holds signs."""
        vectors = free.tril(-1)
        scales = 2 / (1 + vectors.square().sum(-2))
        signs = free.diagonal(dim1=-2, dim2=-1).detach().trunc()
        return mlx.linalg.householder_product(vectors, scales) * signs.unsqueeze(-2)

    @no_grad()
    def right_inverse(self, Q: Tensor) -> Tensor:
        """The values that give (the orthogonal matrix next to) Q."""
        if Q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. "
                f"Got a tensor of shape {Q.shape}."
            )
        tall = _tall(Q)
        if not self.use_trivialization:
            return self._reflectors(tall, Q)
        if tall.size(-1) == tall.size(-2):
            self.base = tall.clone() if _is_orthogonal(tall) else _by_qr(tall)
        else:
            others = mlx.randn(
                (*tall.shape[:-1], tall.size(-2) - tall.size(-1)), dtype=Q.dtype, device=Q.device
            )
            self.base = _by_qr(mlx.cat([tall, others], -1))
        start = mlx.zeros_like(Q)  # with these values the map gives the identity
        start.diagonal(dim1=-2, dim2=-1).fill_(-1)
        return start

    def _reflectors(self, tall: Tensor, given: Tensor) -> Tensor:
        if self.orthogonal_map != "householder":
            raise NotImplementedError(
                "It is not possible to assign to the matrix exponential or the Cayley parametrizations when "
                "use_trivialization=False."
            )
        vectors, scales = mlx.geqrf(tall)
        diagonal = vectors.diagonal(dim1=-2, dim2=-1)
        # Where LAPACK uses no reflection, this map has one, which turns the sign.
        diagonal.copy_(mlx.where(scales == 0, -diagonal.sign(), diagonal.sign()))
        return vectors.mT if given.size(-2) < given.size(-1) else vectors


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a weight orthogonal: orthonormal columns if it is square or tall, orthonormal rows if it is wide.

    Args:
        name: of the weight, a matrix or batch of matrices.
        orthogonal_map: "matrix_exp" (the default for square and complex matrices) or "cayley", of a
            skew-symmetric matrix, or "householder" (the default for others), a product of reflections.
        use_trivialization: whether the weight starts as the orthogonal matrix next to what it was.

    >>> import mlx
    >>> weight = orthogonal(mlx.nn.Linear(4, 3)).weight
    >>> mlx.allclose(weight @ weight.mT, mlx.eye(3), atol=1e-5)
    True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.dim() < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.dim()} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square or weight.is_complex() else "householder"
    if orthogonal_map not in _MAPS:
        raise ValueError(f'orthogonal_map has to be one of {_MAPS}. Got: "{orthogonal_map}"')
    parametrization = _Orthogonal(weight, orthogonal_map, use_trivialization)
    return register_parametrization(module, name, parametrization, unsafe=True)

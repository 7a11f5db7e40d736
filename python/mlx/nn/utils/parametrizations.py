"""Parametrizations of weights: by direction and length, by their largest singular value."""

from __future__ import annotations

from typing import Any

import mlx
from mlx._C import Tensor
from mlx.nn import functional as F
from mlx.nn.modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from mlx.nn.modules.module import Module
from mlx.nn.utils.orthogonal import orthogonal
from mlx.nn.utils.parametrize import register_parametrization

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """The norm over all dimensions but one, which keeps its place; None: over all."""
    if dim is None or v.dim() == 0:
        return v.norm()
    dim %= v.dim()
    return v.norm(dim=[d for d in range(v.dim()) if d != dim], keepdim=True) if v.dim() > 1 else v.abs()


class _WeightNorm(Module):
    """weight = g * v / |v|."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train the length and the direction of a weight: Salimans & Kingma, "Weight Normalization" (2016).

    Args:
        dim: along which the lengths are taken apart; None for one length of all.

    >>> import mlx
    >>> layer = weight_norm(mlx.nn.Linear(3, 2))
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class PowerMethod:
    """The largest singular value of a weight seen as a matrix, from vectors that each call brings nearer to
    its singular ones (Miyato et al., 2018)."""

    def __init__(self, dim: int, iterations: int, eps: float) -> None:
        if iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={iterations}"
            )
        self.dim = dim
        self.iterations = iterations
        self.eps = eps

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with `dim` in front and all other dimensions as one."""
        return weight.movedim(self.dim, 0).flatten(1) if weight.dim() > 1 else weight.unsqueeze(0)

    def first_vectors(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        u, v = (F.normalize(matrix.new_empty(n).normal_(), dim=0, eps=self.eps) for n in matrix.shape)
        return u, v

    @mlx.no_grad()
    def improve(self, matrix: Tensor, u: Tensor, v: Tensor, iterations: int) -> None:
        for _ in range(iterations):
            u.copy_(F.normalize(matrix @ v, dim=0, eps=self.eps))
            v.copy_(F.normalize(matrix.t() @ u, dim=0, eps=self.eps))

    def norm(self, matrix: Tensor, u: Tensor, v: Tensor, training: bool) -> Tensor:
        if training:
            self.improve(matrix, u, v, self.iterations)
        # Copies: the next call writes to the vectors, while this one's gradient still reads them.
        return u.clone() @ (matrix @ v.clone())


def default_dim(module: Module) -> int:
    """The dimension of a weight that holds the outputs."""
    return 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)) else 0


class _SpectralNorm(Module):
    """weight / its largest singular value."""

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12) -> None:
        super().__init__()
        if not -weight.dim() <= dim < weight.dim():
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{weight.dim()}, {weight.dim() - 1}] "
                f"but got {dim})"
            )
        self._method = PowerMethod(dim, n_power_iterations, eps)
        if weight.dim() > 1:
            matrix = self._method.matrix(weight.detach())
            u, v = self._method.first_vectors(matrix)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            self._method.improve(matrix, u, v, 15)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self._method.eps)
        return weight / self._method.norm(self._method.matrix(weight), self._u, self._v, self.training)

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value: Miyato et al., "Spectral Normalization for Generative
    Adversarial Networks" (2018).

    Args:
        n_power_iterations: how often each call in training brings the singular vectors nearer.
        eps: the smallest norm of a vector.
        dim: the dimension of the weight that holds the outputs.

    >>> import mlx
    >>> layer = spectral_norm(mlx.nn.Linear(4, 4), n_power_iterations=50)
    >>> mlx.allclose(layer.weight @ layer.weight.t(), mlx.eye(4), atol=10)
    True
    """
    weight: Any = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    dim = default_dim(module) if dim is None else dim
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))

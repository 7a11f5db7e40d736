"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.distribution import Shape
from mlx.distributions.location_scale import Centred

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Centred):
    """Vectors of normal variables that depend on each other.

    Args:
        loc: the mean, of shape (..., k). And one of these, of shape (..., k, k): covariance_matrix,
        precision_matrix (its inverse), scale_tril (its lower Cholesky factor).

    >>> import mlx
    >>> mlx.distributions.MultivariateNormal(mlx.zeros(2), scale_tril=mlx.eye(2)).entropy()
    tensor(2.8379)
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = {
            "covariance_matrix": covariance_matrix,
            "precision_matrix": precision_matrix,
            "scale_tril": scale_tril,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        if len(given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
            )
        ((self._given, matrix),) = given.items()
        if matrix is None or matrix.dim() < 2:
            raise ValueError(
                f"{self._given} must be at least two-dimensional, with optional leading batch dims"
            )
        batch = mlx.broadcast_shapes(tuple(loc.shape[:-1]), tuple(matrix.shape[:-2]))
        self.loc = loc.expand(*batch, loc.shape[-1])
        self.__dict__[self._given] = matrix.expand(*batch, *matrix.shape[-2:])
        super().__init__(batch, loc.shape[-1:], validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("loc", self._given)

    def __getattr__(self, name: str) -> Any:
        # The forms of the matrix that were not given; kept once they are computed.
        if name == "scale_tril" and "_given" in self.__dict__:
            value = mlx.linalg.cholesky(self.covariance_matrix)
        elif name == "covariance_matrix" and "scale_tril" in self.__dict__:
            value = self.scale_tril @ self.scale_tril.mT
        elif name == "covariance_matrix" and "precision_matrix" in self.__dict__:
            value = mlx.linalg.inv(self.precision_matrix)
        elif name == "precision_matrix" and "_given" in self.__dict__:
            value = mlx.linalg.inv(self.covariance_matrix)
        else:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if not _C._is_traced(value):  # what stands for the elements of every call is of no use afterwards
            self.__dict__[name] = value
        return value

    @property
    def variance(self) -> Tensor:
        return self.covariance_matrix.diagonal(dim1=-2, dim2=-1)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        z = mlx.randn(self._shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self.scale_tril @ z.unsqueeze(-1)).squeeze(-1)

    def _half_log_det(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        away = (value - self.loc).unsqueeze(-1)
        scale = self.scale_tril.expand(*away.shape[:-2], *self.scale_tril.shape[-2:])
        z = mlx.linalg.solve_triangular(scale, away, upper=False).squeeze(-1)
        k = self.event_shape[0]
        return -0.5 * (k * math.log(2 * math.pi) + (z**2).sum(-1)) - self._half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self._half_log_det()

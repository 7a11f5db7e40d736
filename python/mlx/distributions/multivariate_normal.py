"""The normal distribution of vectors, by a covariance matrix of any kind or by a thin one and a diagonal."""

from __future__ import annotations

import math

import mlx
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.distribution import Distribution, Shape
from mlx.distributions.location_scale import Centred
from mlx.distributions.utils import lazy_property

__all__ = ["ByMatrix", "LowRankMultivariateNormal", "MultivariateNormal"]


class ByMatrix(Distribution):
    """One that is given by a covariance matrix, by its inverse or by its lower Cholesky factor."""

    def _take(self, batch: Shape, **matrices: Tensor | None) -> mlx.Size:
        """Keep the matrix that was given, expanded to a batch shape; the common batch shape is returned."""
        given = {name: value for name, value in matrices.items() if value is not None}
        if len(given) != 1:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
            )
        ((self._given, matrix),) = given.items()
        if matrix.dim() < 2:
            raise ValueError(
                f"{self._given} must be at least two-dimensional, with optional leading batch dimensions"
            )
        batch = mlx.broadcast_shapes(tuple(batch), tuple(matrix.shape[:-2]))
        self.__dict__[self._given] = matrix.expand(*batch, *matrix.shape[-2:])
        return mlx.Size(batch)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The lower Cholesky factor of the covariance matrix."""
        return mlx.linalg.cholesky(self.covariance_matrix)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariances, of shape (..., k, k)."""
        if self._given == "scale_tril":
            return self.scale_tril @ self.scale_tril.mT
        return mlx.linalg.inv(self.precision_matrix)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance matrix."""
        return mlx.cholesky_inverse(self.scale_tril)

    def _half_log_det(self) -> Tensor:
        """Half the logarithm of the covariance's determinant."""
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def _whitened(self, columns: Tensor) -> Tensor:
        """Columns of shape (..., k, m) by the inverse of the Cholesky factor."""
        scale = self.scale_tril
        batch = mlx.broadcast_shapes(tuple(columns.shape[:-2]), tuple(scale.shape[:-2]))
        return mlx.linalg.solve_triangular(
            scale.expand(*batch, *scale.shape[-2:]), columns.expand(*batch, *columns.shape[-2:]), upper=False
        )


class MultivariateNormal(Centred, ByMatrix):
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
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        batch = self._take(
            loc.shape[:-1],
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
            scale_tril=scale_tril,
        )
        self.loc = loc.expand(*batch, loc.shape[-1])
        super().__init__(batch, loc.shape[-1:], validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("loc", self._given)

    @property
    def variance(self) -> Tensor:
        return (self.scale_tril**2).sum(-1)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        z = mlx.randn(self._shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self.scale_tril @ z.unsqueeze(-1)).squeeze(-1)

    def _squared_length(self, columns: Tensor) -> Tensor:
        """x^T C^-1 x of each column x, C being the covariance."""
        return (self._whitened(columns) ** 2).sum(-2)

    def _spread(self) -> tuple[Tensor, Tensor | None]:
        """A matrix W and a diagonal D such that the covariance is W W^T + D."""
        return self.scale_tril, None

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        square = self._squared_length((value - self.loc).unsqueeze(-1)).squeeze(-1)
        return -0.5 * (self.event_shape[0] * math.log(2 * math.pi) + square) - self._half_log_det()

    def entropy(self) -> Tensor:
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self._half_log_det()


class LowRankMultivariateNormal(Centred):
    """Vectors of normal variables whose covariance is W W^T + D, of a thin matrix W and a diagonal D.

    Densities and samples never make the k x k matrix: they take the inverse and the determinant from an
    m x m one, by the formulas of Woodbury and Sylvester.

    Args:
        loc: the mean, of shape (..., k). cov_factor: W, of shape (..., k, m). cov_diag: D, of shape (..., k),
            positive.

    >>> import mlx
    >>> from mlx.distributions import LowRankMultivariateNormal
    >>> LowRankMultivariateNormal(mlx.zeros(2), mlx.tensor([[1.0], [0.0]]), mlx.ones(2)).covariance_matrix
    tensor([[2., 0.],
            [0., 1.]])
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }
    support = constraints.real_vector
    has_rsample = True
    _parameters = ("loc", "cov_factor", "cov_diag")

    def __init__(
        self, loc: Tensor, cov_factor: Tensor, cov_diag: Tensor, validate_args: bool | None = None
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch dimensions"
            )
        if cov_factor.shape[-2:-1] != event:
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event[0]} x m")
        if cov_diag.shape[-1:] != event:
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event}")
        shapes = loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]
        try:
            batch = mlx.broadcast_shapes(*map(tuple, shapes))
        except RuntimeError:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from None
        self.loc = loc.expand(*batch, *event)
        self.cov_factor = cov_factor.expand(*batch, *cov_factor.shape[-2:])
        self.cov_diag = cov_diag.expand(*batch, *event)
        super().__init__(batch, event, validate_args)

    @lazy_property
    def _small(self) -> tuple[Tensor, Tensor]:
        """The Cholesky factor L of I + W^T D^-1 W, and L^-1 W^T D^-1: with the square S of the second,
        the inverse of the covariance is D^-1 - S."""
        weighed = self.cov_factor.mT / self.cov_diag.unsqueeze(-2)
        m = self.cov_factor.shape[-1]
        eye = mlx.eye(m, dtype=self.loc.dtype, device=self.loc.device)
        factor = mlx.linalg.cholesky(weighed @ self.cov_factor + eye)
        return factor, mlx.linalg.solve_triangular(factor, weighed, upper=False)

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariances, of shape (..., k, k)."""
        return self.cov_factor @ self.cov_factor.mT + mlx.diag_embed(self.cov_diag)

    @property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance matrix."""
        thin = self._small[1]
        return mlx.diag_embed(1 / self.cov_diag) - thin.mT @ thin

    @property
    def scale_tril(self) -> Tensor:
        """The lower Cholesky factor of the covariance matrix."""
        return mlx.linalg.cholesky(self.covariance_matrix)

    @property
    def variance(self) -> Tensor:
        return (self.cov_factor**2).sum(-1) + self.cov_diag

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        own = self.loc.new_empty(self._shape(sample_shape)).normal_()
        thin = self.loc.new_empty((*own.shape[:-1], self.cov_factor.shape[-1], 1)).normal_()
        return self.loc + (self.cov_factor @ thin).squeeze(-1) + self.cov_diag.sqrt() * own

    def _half_log_det(self) -> Tensor:
        factor = self._small[0]
        return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1) + 0.5 * self.cov_diag.log().sum(-1)

    def _squared_length(self, columns: Tensor) -> Tensor:
        """x^T C^-1 x of each column x, C being the covariance."""
        plain = (columns**2 / self.cov_diag.unsqueeze(-1)).sum(-2)
        return plain - ((self._small[1] @ columns) ** 2).sum(-2)

    def _spread(self) -> tuple[Tensor, Tensor | None]:
        """A matrix W and a diagonal D such that the covariance is W W^T + D."""
        return self.cov_factor, self.cov_diag

    log_prob = MultivariateNormal.log_prob
    entropy = MultivariateNormal.entropy

"""The distribution of sample covariances."""

from __future__ import annotations

import math
import warnings
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions._gamma_sampling import standard_gamma
from mlx.distributions.distribution import ExponentialFamily, Shape, satisfied
from mlx.distributions.multivariate_normal import ByMatrix

__all__ = ["Wishart"]


class Wishart(ByMatrix, ExponentialFamily):
    """Sums of x x^T over `df` normal vectors x of mean 0.

    Args:
        df: the degrees of freedom, a number or a tensor, above k - 1; need not be whole. And one of these, of
            shape (..., k, k): covariance_matrix (of x), precision_matrix (its inverse), scale_tril (its lower
            Cholesky factor).

    >>> import mlx
    >>> mlx.distributions.Wishart(3.0, scale_tril=mlx.eye(2)).mean
    tensor([[3., 0.],
            [0., 3.]])
    """

    support = constraints.positive_definite
    has_rsample = True

    @property
    def arg_constraints(self) -> Any:
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def __init__(
        self,
        df: Any,
        covariance_matrix: Tensor | None = None,
        precision_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        batch = self._take(
            getattr(df, "shape", ()),
            covariance_matrix=covariance_matrix,
            precision_matrix=precision_matrix,
            scale_tril=scale_tril,
        )
        matrix = self.__dict__[self._given]
        self.df = mlx.as_tensor(df, dtype=matrix.dtype, device=matrix.device).expand(batch)
        least = matrix.shape[-1] - 1
        if not satisfied(self.df > least, f"df of Wishart above {least}"):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {least}.")
        super().__init__(batch, matrix.shape[-2:], validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("df", self._given)

    @property
    def _size(self) -> int:
        return self.event_shape[-1]

    @property
    def mean(self) -> Tensor:
        return self.df[..., None, None] * self.covariance_matrix

    @property
    def mode(self) -> Tensor:
        """The likeliest value; NaN up to k + 1 degrees of freedom, where the density has no highest place."""
        factor = self.df - self._size - 1
        return mlx.where(factor > 0, factor, math.nan)[..., None, None] * self.covariance_matrix

    @property
    def variance(self) -> Tensor:
        own = self.covariance_matrix.diagonal(dim1=-2, dim2=-1)
        return self.df[..., None, None] * (self.covariance_matrix**2 + own[..., None] * own[..., None, :])

    def _bartlett(self, sample_shape: Shape) -> Tensor:
        """Samples by Bartlett's decomposition (1933): normal variables below a diagonal of chi variables."""
        lower = mlx.randn(self._shape(sample_shape), dtype=self.df.dtype, device=self.df.device).tril(-1)
        i = mlx.arange(self._size, dtype=self.df.dtype, device=self.df.device)
        halves = ((self.df[..., None] - i) / 2).expand(lower.shape[:-1])
        factor = self.scale_tril @ (lower + mlx.diag_embed((2 * standard_gamma(halves)).sqrt()))
        return factor @ factor.mT

    def rsample(self, sample_shape: Shape = (), max_try_correction: int | None = None) -> Tensor:
        """Random values that are a differentiable function of the parameters.

        Rounding can make a sample singular where there are hardly more than k - 1 degrees of freedom. Such
        samples are drawn again, up to `max_try_correction` times (by default 10, and never in a compiled
        function).
        """
        sample = self._bartlett(sample_shape)
        tries = 0 if _C._is_traced(sample) else 10 if max_try_correction is None else max_try_correction
        for _ in range(tries):
            good = self.support.check(sample)
            if bool(good.all()):
                return sample
            warnings.warn("Singular sample detected.", stacklevel=2)
            sample = mlx.where(good[..., None, None], sample, self._bartlett(sample_shape))
        return sample

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        factor = mlx.linalg.cholesky(value)
        p, half = self._size, self.df / 2
        log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        trace = (self._whitened(factor) ** 2).sum((-2, -1))
        return (
            0.5 * (self.df - p - 1) * log_det
            - 0.5 * trace
            - half * (p * math.log(2) + 2 * self._half_log_det())
            - mlx.mvlgamma(half, p)
        )

    def _mean_log_det(self) -> Tensor:
        """The expected logarithm of the determinant."""
        i = mlx.arange(self._size, dtype=self.df.dtype, device=self.df.device)
        digammas = ((self.df[..., None] - i) / 2).digamma().sum(-1)
        return digammas + self._size * math.log(2) + 2 * self._half_log_det()

    def entropy(self) -> Tensor:
        p, half = self._size, self.df / 2
        normalizer = half * (p * math.log(2) + 2 * self._half_log_det()) + mlx.mvlgamma(half, p)
        return normalizer - 0.5 * (self.df - p - 1) * self._mean_log_det() + half * p

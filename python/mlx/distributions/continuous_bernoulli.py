"""The Bernoulli distribution's density read as that of a number between 0 and 1."""

from __future__ import annotations

from typing import Any

import mlx
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.discrete import ByProbability
from mlx.distributions.distribution import ExponentialFamily, Shape, open_uniform
from mlx.distributions.utils import by_size

__all__ = ["ContinuousBernoulli"]

# Coefficients of log(sinh(x / 2) / (x / 2)) in x^2, x^4, ...: B(2n) / (2n (2n)!), of Bernoulli's numbers B.
_SERIES = (
    1 / 24,
    -1 / 2880,
    1 / 181440,
    -1 / 9676800,
    1 / 479001600,
    -691 / 15692092416000,
    1 / 1046139494400,
    -3617 / 170729965486080000,
)
_SMALL = 0.5  # below, series; their error is of the order of double precision


def _even_series(x: Tensor, coefficients: list[float]) -> Tensor:
    """sum of c_n x^(2n), n from 0."""
    square, total = x * x, mlx.zeros_like(x)
    for c in reversed(coefficients):
        total = total * square + c
    return total


def log_partition(x: Tensor) -> Tensor:
    """log((exp(x) - 1) / x): the logarithm of the integral of exp(x t) over t from 0 to 1."""
    return by_size(
        x,
        _SMALL,
        lambda s: s / 2 + s * s * _even_series(s, list(_SERIES)),
        lambda z: z.clamp(min=0) + (-(-z.abs()).expm1()).log() - z.abs().log(),
    )


class ContinuousBernoulli(ByProbability, ExponentialFamily):
    """A number x between 0 and 1 of a density that is proportional to probs^x (1 - probs)^(1 - x)
    (Loaiza-Ganem and Cunningham, 2019).

    Args:
        probs: between 0 and 1; not the mean. logits: instead, the logarithm of its odds.
        lims: taken for PyTorch's sake. Formulas that cancel around probs of 1/2 are replaced by series here
            wherever they lose digits, not only between these.

    >>> import mlx
    >>> mlx.distributions.ContinuousBernoulli(mlx.tensor([0.5, 0.9])).mean
    tensor([0.5000, 0.6699])
    """

    support = constraints.unit_interval
    has_rsample = True

    def __init__(
        self,
        probs: Any = None,
        logits: Any = None,
        lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:
        self._take(probs, logits)
        self._lims = lims
        super().__init__(self._param.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return by_size(
            self.logits,
            _SMALL,
            lambda s: 0.5 + s * _even_series(s, [2 * n * c for n, c in enumerate(_SERIES, 1)]),
            lambda z: -1 / (-z).expm1() - 1 / z,
        )

    @property
    def variance(self) -> Tensor:
        return by_size(
            self.logits,
            _SMALL,
            lambda s: _even_series(s, [2 * n * (2 * n - 1) * c for n, c in enumerate(_SERIES, 1)]),
            lambda z: 1 / z**2 - (-z.abs()).exp() / (-z.abs()).expm1() ** 2,
        )

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.icdf(open_uniform(self._shape(sample_shape), self._param))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self.logits * value - log_partition(self.logits)

    def _falling(self) -> tuple[Tensor, Tensor, Tensor]:
        """Where the density rises, the logits of the one or of its mirror image that falls, and where they
        are 0 or as good as it."""
        rises = self.logits > 0
        level = self.logits.abs() < 1e-5
        falling = mlx.where(rises, -self.logits, self.logits)
        return rises, mlx.where(level, -1.0, falling), level

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        rises, eta, level = self._falling()
        x = value.clamp(0, 1)
        steep = (eta * x).expm1() / eta.expm1() * mlx.where(rises, eta * (1 - x), 0.0).exp()
        return mlx.where(level, x + self.logits * x * (x - 1) / 2, steep)

    def icdf(self, value: Tensor) -> Tensor:
        rises, eta, level = self._falling()
        u = mlx.where(rises, 1 - value, value)
        falling = (u * eta.expm1()).log1p() / eta
        steep = mlx.where(rises, 1 - falling, falling)
        return mlx.where(level, value - self.logits * value * (value - 1) / 2, steep)

    def entropy(self) -> Tensor:
        return log_partition(self.logits) - self.logits * self.mean

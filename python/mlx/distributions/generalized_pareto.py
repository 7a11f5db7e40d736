"""What is left of values above a high limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.distribution import Distribution, Shape, open_uniform
from mlx.distributions.utils import broadcast_all, by_size

__all__ = ["GeneralizedPareto"]


_SMALL = 1e-2  # below, series of eight terms, whose error is beyond double precision


def _series(x: Tensor, coefficients: Sequence[float]) -> Tensor:
    total = mlx.zeros_like(x)
    for c in reversed(coefficients):
        total = total * x + c
    return total


def _log1p_ratio(x: Tensor) -> Tensor:
    """log(1 + x) / x."""
    terms = [(-1) ** n / (n + 1) for n in range(8)]
    return by_size(x, _SMALL, lambda s: _series(s, terms), lambda z: z.log1p() / z)


def _expm1_ratio(x: Tensor) -> Tensor:
    """(exp(x) - 1) / x."""
    terms = [1 / math.factorial(n + 1) for n in range(8)]
    return by_size(x, _SMALL, lambda s: _series(s, terms), lambda z: z.expm1() / z)


class GeneralizedPareto(Distribution):
    """Values above `loc` whose tail falls as a power, exponentially, or ends.

    Args:
        loc: the least value. scale: positive. concentration: above 0 for a tail that falls as a power; 0 for
            an exponential one; below 0 for values up to loc - scale / concentration (Pickands, 1975).

    >>> import mlx
    >>> mlx.distributions.GeneralizedPareto(0.0, 1.0, 0.5).cdf(mlx.tensor(2.0))
    tensor(0.7500)
    """

    arg_constraints = {
        "loc": constraints.real,
        "scale": constraints.positive,
        "concentration": constraints.real,
    }
    has_rsample = True
    _parameters = ("loc", "scale", "concentration")

    def __init__(self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        super().__init__(self.loc.shape, (), validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        ends = self.concentration < 0
        upper = self.loc - self.scale / mlx.where(ends, self.concentration, -1.0)
        return constraints.interval(self.loc, mlx.where(ends, upper, math.inf))

    def _standard(self, value: Tensor) -> Tensor:
        return (value - self.loc) / self.scale

    def log_survival_function(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of more than this."""
        z = self._standard(value)
        # Beyond the end of a bounded tail, and before loc, the probability is 0 and 1.
        return (-z * _log1p_ratio((self.concentration * z).clamp(min=-1))).clamp(max=0)

    def log_cdf(self, value: Tensor) -> Tensor:
        """The logarithm of the probability of at most this."""
        return mlx.log(-self.log_survival_function(value).expm1())

    def cdf(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return -self.log_survival_function(value).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        log_survival = (-value).log1p()
        return self.loc - self.scale * log_survival * _expm1_ratio(-self.concentration * log_survival)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.icdf(open_uniform(self._shape(sample_shape), self.loc))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        z = self._standard(value)
        inside = (z >= 0) & (self.concentration * z > -1)
        z = mlx.where(inside, z, 0.0)
        x = self.concentration * z
        density = -z * _log1p_ratio(x) - x.log1p() - self.scale.log()
        return mlx.where(inside, density, -math.inf)

    @property
    def mean(self) -> Tensor:
        finite = self.concentration < 1
        mean = self.loc + self.scale / (1 - mlx.where(finite, self.concentration, 0.5))
        return mlx.where(finite, mean, math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        finite = self.concentration < 0.5
        k = mlx.where(finite, self.concentration, 0.25)
        return mlx.where(finite, self.scale**2 / ((1 - k) ** 2 * (1 - 2 * k)), math.nan)

    def entropy(self) -> Tensor:
        return self.scale.log() + self.concentration + 1

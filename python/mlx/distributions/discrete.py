"""Distributions of counts: Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson."""

from __future__ import annotations

import math
from typing import Any

import mlx
import mlx.nn.functional as F
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions._gamma_sampling import standard_gamma
from mlx.distributions.distribution import (
    Distribution,
    ExponentialFamily,
    Shape,
    probability_or_logit,
    satisfied,
)
from mlx.distributions.utils import broadcast_all

__all__ = ["Bernoulli", "Binomial", "Geometric", "NegativeBinomial", "Poisson"]


class ByProbability(Distribution):
    """One that is given by a probability, or by the logarithm of its odds."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}

    def _take(self, probs: Any, logits: Any, *others: Any) -> list[Tensor]:
        """Keep what was given, broadcast with other parameters, which are returned."""
        self._given, value = probability_or_logit(self, probs, logits)
        value, *rest = broadcast_all(value, *others)
        self.__dict__[self._given] = value
        return rest

    @property
    def _param(self) -> Tensor:
        return self.__dict__[self._given]

    def __getattr__(self, name: str) -> Any:
        given = self.__dict__.get("_given")
        if name == "logits" and given == "probs":
            limits = mlx.finfo(self.probs.dtype)
            return self.probs.clamp(limits.eps, 1 - limits.eps).logit()
        if name == "probs" and given == "logits":
            return self.logits.sigmoid()
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self._given,)

    @property
    def param_shape(self) -> mlx.Size:
        """The shape of the probabilities."""
        return self._param.shape


class Bernoulli(ByProbability, ExponentialFamily):
    """1 with a probability, else 0.

    Args:
        probs: the probability of 1. logits: instead, the logarithm of its odds.

    >>> import mlx
    >>> mlx.distributions.Bernoulli(0.25).log_prob(mlx.tensor(1.0)).exp()
    tensor(0.2500)
    """

    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._take(probs, logits)
        super().__init__(self._param.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        mode = (self.probs >= 0.5).to(self.probs.dtype)
        return mlx.where(self.probs == 0.5, math.nan, mode)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with mlx.no_grad():
            return mlx.bernoulli(self.probs.expand(self._shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -F.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._enumerated(2, self._param.dtype, expand)


class Geometric(ByProbability):
    """How often a trial of this probability fails before it succeeds."""

    support = constraints.nonnegative_integer

    def __init__(self, probs: Any = None, logits: Any = None, validate_args: bool | None = None) -> None:
        self._take(probs, logits)
        super().__init__(self._param.shape, (), validate_args)
        if self._validate_args and self._given == "probs" and not satisfied(self.probs > 0, "positive probs"):
            raise ValueError(f"Expected parameter probs of Geometric to be positive, got {self.probs}")

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        return mlx.zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with mlx.no_grad():
            u = 1 - mlx.rand(self._shape(sample_shape), dtype=self._param.dtype)  # in (0, 1]
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return mlx.special.xlog1py(value, -self.probs) + self.probs.log()

    def entropy(self) -> Tensor:
        return F.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs


class Binomial(ByProbability):
    """How often `total_count` trials of this probability succeed."""

    arg_constraints = {"total_count": constraints.nonnegative_integer, **ByProbability.arg_constraints}
    has_enumerate_support = True

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        (self.total_count,) = self._take(probs, logits, total_count)
        self.total_count = self.total_count.to(self._param.dtype)
        super().__init__(self._param.shape, (), validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("total_count", self._given)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        return mlx.minimum(((self.total_count + 1) * self.probs).floor(), self.total_count)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._shape(sample_shape)
        with mlx.no_grad():
            return mlx.binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self.total_count
        log_choose = (n + 1).lgamma() - (value + 1).lgamma() - (n - value + 1).lgamma()
        return log_choose + value * F.logsigmoid(self.logits) + (n - value) * F.logsigmoid(-self.logits)

    def entropy(self) -> Tensor:
        log_prob = self.log_prob(self.enumerate_support(expand=False))
        return -(log_prob.exp() * log_prob).sum(0)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        total = int(self.total_count.max().item())
        if int(self.total_count.min().item()) != total:
            raise NotImplementedError("Inhomogeneous total count not supported by `enumerate_support`.")
        return self._enumerated(1 + total, self._param.dtype, expand)


class NegativeBinomial(ByProbability):
    """How often trials of this probability succeed before `total_count` of them have failed."""

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        (self.total_count,) = self._take(probs, logits, total_count)
        self.total_count = self.total_count.to(self._param.dtype)
        super().__init__(self._param.shape, (), validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("total_count", self._given)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.logits.exp()

    @property
    def mode(self) -> Tensor:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0)

    @property
    def variance(self) -> Tensor:
        return self.mean / (-self.logits).sigmoid()

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with mlx.no_grad():
            rate = standard_gamma(self.total_count.expand(self._shape(sample_shape))) * self.logits.exp()
            return mlx.poisson(rate)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        n = self.total_count
        log_choose = (n + value).lgamma() - (1 + value).lgamma() - n.lgamma()
        choose = mlx.where(n + value == 0, 0.0, log_choose)
        return choose + n * F.logsigmoid(-self.logits) + value * F.logsigmoid(self.logits)


class Poisson(ExponentialFamily):
    """How many events come in a time in which `rate` are expected."""

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer
    _parameters = ("rate",)

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(self.rate.shape, (), validate_args)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return self.rate.floor()

    @property
    def variance(self) -> Tensor:
        return self.rate

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with mlx.no_grad():
            return mlx.poisson(self.rate.expand(self._shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return mlx.xlogy(value, self.rate) - self.rate - (value + 1).lgamma()

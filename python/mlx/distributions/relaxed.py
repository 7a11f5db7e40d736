"""Categories made continuous, so that gradients pass through samples (Maddison, Mnih and Teh, 2017)."""

from __future__ import annotations

import math
from typing import Any

import mlx
import mlx.nn.functional as F
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.categorical import Categorical, _OfCategories
from mlx.distributions.derived import Derived
from mlx.distributions.discrete import ByProbability
from mlx.distributions.distribution import Shape, open_uniform
from mlx.distributions.transforms import ExpTransform, SigmoidTransform

__all__ = [
    "ExpRelaxedCategorical",
    "LogitRelaxedBernoulli",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
]


class LogitRelaxedBernoulli(ByProbability):
    """The log-odds of a RelaxedBernoulli variable."""

    support = constraints.real
    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self.temperature = temperature
        self._take(probs, logits)
        super().__init__(self._param.shape, (), validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("temperature", self._given)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        u = open_uniform(self._shape(sample_shape), self._param)
        return (u.log() - (-u).log1p() + self.logits) / self.temperature

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        away = self.logits - value * self.temperature
        return mlx.as_tensor(self.temperature).log() + away - 2 * F.softplus(away)


class RelaxedBernoulli(Derived):
    """A number between 0 and 1 that comes the closer to either the lower the temperature is."""

    arg_constraints = ByProbability.arg_constraints
    support = constraints.unit_interval

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits, validate_args)
        self._given = base._given
        super().__init__(base, SigmoidTransform(), validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("temperature", self._given)

    @property
    def temperature(self) -> Any:
        """How far samples are from 0 and 1."""
        return self.base_dist.temperature

    @property
    def probs(self) -> Tensor:
        """The probability of being above a half."""
        return self.base_dist.probs

    @property
    def logits(self) -> Tensor:
        """The logarithm of the odds of being above a half."""
        return self.base_dist.logits


class ExpRelaxedCategorical(_OfCategories):
    """The logarithms of a RelaxedOneHotCategorical variable."""

    arg_constraints = Categorical.arg_constraints
    support = constraints.real_vector
    has_rsample = True

    def __init__(
        self,
        temperature: Any,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        super().__init__(probs, logits, validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("temperature", *self._categorical._parameters)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        categorical = self._categorical.expand(batch_shape)  # the temperature is one for all
        given = {categorical._given: getattr(categorical, categorical._given)}
        return self._expanded(type(self)(self.temperature, **given, validate_args=False))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        u = open_uniform(self._shape(sample_shape), self.logits)
        gumbel = -(-u.log()).log()
        return ((self.logits + gumbel) / self.temperature).log_softmax(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        k = self.event_shape[0]
        scores = (self.logits - value * self.temperature).log_softmax(-1)
        scale = math.lgamma(k) + (k - 1) * mlx.as_tensor(self.temperature).log()
        return scores.sum(-1) + scale


class RelaxedOneHotCategorical(Derived):
    """Numbers that sum to 1, the closer to a one among zeros the lower the temperature is."""

    arg_constraints = Categorical.arg_constraints
    support = constraints.simplex

    def __init__(
        self,
        temperature: Any,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args)
        super().__init__(base, ExpTransform(), validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.base_dist._parameters

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        return ExpRelaxedCategorical.expand(self, batch_shape)  # type: ignore[arg-type]

    @property
    def _categorical(self) -> Categorical:
        return self.base_dist._categorical

    @property
    def temperature(self) -> Any:
        """How far samples are from a one among zeros."""
        return self.base_dist.temperature

    @property
    def probs(self) -> Tensor:
        """The probability of each category to be the largest."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return self._categorical.logits

"""Distributions over categories: Categorical, OneHotCategorical, Multinomial, and mixtures by category."""

from __future__ import annotations

import math
from typing import Any

import mlx
import mlx.nn.functional as F
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.discrete import Binomial
from mlx.distributions.distribution import Distribution, Shape, probability_or_logit, satisfied
from mlx.distributions.utils import broadcast_all

__all__ = [
    "Categorical",
    "MixtureSameFamily",
    "Multinomial",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
]


class Categorical(Distribution):
    """The number of a category, from 0.

    Args:
        probs: of shape (..., k), at least 0; scaled to sum to 1. logits: instead, their logarithms, up to a
            constant.

    >>> import mlx
    >>> mlx.distributions.Categorical(mlx.tensor([1.0, 3.0])).log_prob(mlx.tensor(1)).exp()
    tensor(0.7500)
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        self._given, value = probability_or_logit(self, probs, logits, vector=True)
        if self._given == "probs":
            if validate_args is not False and not satisfied(value >= 0, "probs of at least 0"):
                raise ValueError(f"Expected parameter probs of Categorical to be at least 0, got {value}")
            self.probs = value / value.sum(-1, keepdim=True)
            limits = mlx.finfo(value.dtype)
            self.logits = self.probs.clamp(limits.eps, 1 - limits.eps).log()
        else:
            self.logits = value - value.logsumexp(-1, keepdim=True)
            self.probs = self.logits.exp()
        self._num_events = value.shape[-1]
        super().__init__(value.shape[:-1], (), validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return (self._given,)

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def param_shape(self) -> mlx.Size:
        """The shape of the probabilities."""
        return self.probs.shape

    @property
    def mean(self) -> Tensor:
        return self.probs.new_full(self._shape(), mlx.nan)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)

    @property
    def variance(self) -> Tensor:
        return self.mean

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        n = mlx.Size(sample_shape).numel()
        with mlx.no_grad():
            rows = self.probs.reshape(-1, self._num_events)
            drawn = mlx.multinomial(rows, n, True) if n else rows.new_empty((len(rows), 0), dtype=mlx.int64)
            return drawn.t().reshape(self._shape(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        index = value.long().unsqueeze(-1)
        shape = mlx.broadcast_shapes(tuple(index.shape[:-1]), tuple(self._batch_shape))
        logits = self.logits.expand(*shape, self._num_events)
        return logits.gather(-1, index.expand(*shape, 1)).squeeze(-1)

    def entropy(self) -> Tensor:
        return -(self.probs * self.logits.clamp(min=mlx.finfo(self.logits.dtype).min)).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        return self._enumerated(self._num_events, mlx.int64, expand)


class _OfCategories(Distribution):
    """One whose values have an entry for each category of a Categorical."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, probs: Tensor | None, logits: Tensor | None, validate_args: bool | None) -> None:
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    @property
    def probs(self) -> Tensor:
        """The probability of each category."""
        return self._categorical.probs

    @property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return self._categorical.logits

    @property
    def param_shape(self) -> mlx.Size:
        """The shape of the probabilities."""
        return self._categorical.param_shape


class OneHotCategorical(_OfCategories):
    """A category as a vector of zeros with a one in its place."""

    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(
        self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(probs, logits, validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return self._categorical._parameters

    @property
    def mean(self) -> Tensor:
        return self.probs

    def _one_hot(self, index: Tensor) -> Tensor:
        return F.one_hot(index, self.event_shape[0]).to(self.probs.dtype)

    @property
    def mode(self) -> Tensor:
        return self._one_hot(self._categorical.mode)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        return self._one_hot(self._categorical.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        n = self.event_shape[0]
        values = mlx.eye(n, dtype=self.probs.dtype, device=self.probs.device).reshape(
            n, *([1] * len(self._batch_shape)), n
        )
        return values.expand(n, *self._batch_shape, n) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """One whose samples pass gradients to the probabilities as if they were them (Bengio et al., 2013)."""

    has_rsample = True

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())


class Multinomial(_OfCategories):
    """How often each category comes in `total_count` draws."""

    def __init__(
        self,
        total_count: int = 1,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        super().__init__(probs, logits, validate_args)

    @property
    def _parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("total_count", *self._categorical._parameters)

    @constraints.dependent_property(is_discrete=True, event_dim=1)
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)

    def entropy(self) -> Tensor:
        n = self.total_count
        # log n! - sum of log x! is the part of log_prob that is not n times that of one draw; each count x is
        # a binomial variable.
        each = Binomial(n, self.probs, validate_args=False)
        counts = each.enumerate_support(expand=False)
        log_factorials = (each.log_prob(counts).exp() * (counts + 1).lgamma()).sum((0, -1))
        return n * self._categorical.entropy() - math.lgamma(n + 1) + log_factorials

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        drawn = self._categorical.sample([self.total_count, *sample_shape])
        return F.one_hot(drawn, self.event_shape[0]).sum(0).to(self.probs.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        logits = mlx.where((value == 0) & (logits == -mlx.inf), 0.0, logits)
        return (value.sum(-1) + 1).lgamma() - (value + 1).lgamma().sum(-1) + (logits * value).sum(-1)


class MixtureSameFamily(Distribution):
    """A variable of one of several distributions of a kind, drawn by category.

    Args:
        mixture_distribution: a Categorical over the components.
        component_distribution: its last batch dimension counts the components.
    """

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Any,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError("The Mixture distribution needs to be an instance of Categorical")
        if not isinstance(component_distribution, Distribution):
            raise ValueError("The Component distribution need to be an instance of Distribution")
        *batch, k = component_distribution.batch_shape or [0]
        if k != mixture_distribution._num_events:
            raise ValueError(
                f"`mixture_distribution component` ({mixture_distribution._num_events}) does not equal "
                f"`component_distribution.batch_shape[-1]` ({k})"
            )
        self.mixture_distribution = mixture_distribution
        self.component_distribution = component_distribution
        super().__init__(batch, component_distribution.event_shape, validate_args)

    @constraints.dependent_property
    def support(self) -> Any:
        return constraints.MixtureSameFamilyConstraint(self.component_distribution.support)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        k = self.mixture_distribution._num_events
        return MixtureSameFamily(
            self.mixture_distribution.expand(batch_shape),
            self.component_distribution.expand([*batch_shape, k]),
            validate_args=False,
        )

    def _weights(self) -> Tensor:
        """The probabilities of the components, with ones for the dimensions of an event."""
        probs = self.mixture_distribution.probs
        return probs.reshape(*probs.shape, *([1] * len(self.event_shape)))

    @property
    def _component_dim(self) -> int:
        return -1 - len(self.event_shape)

    @property
    def mean(self) -> Tensor:
        return (self._weights() * self.component_distribution.mean).sum(self._component_dim)

    @property
    def variance(self) -> Tensor:
        dim = self._component_dim
        inside = (self._weights() * self.component_distribution.variance).sum(dim)
        away = self.component_distribution.mean - self.mean.unsqueeze(dim)
        return inside + (self._weights() * away**2).sum(dim)

    def cdf(self, value: Tensor) -> Tensor:
        inner = self.component_distribution.cdf(value.unsqueeze(self._component_dim))
        return (self.mixture_distribution.probs * inner).sum(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        inner = self.component_distribution.log_prob(value.unsqueeze(self._component_dim))
        return (inner + self.mixture_distribution.logits).logsumexp(-1)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with mlx.no_grad():
            which = self.mixture_distribution.expand(self._batch_shape).sample(sample_shape)
            drawn = self.component_distribution.sample(sample_shape)
            event = [1] * len(self.event_shape)
            index = which.reshape(*which.shape, 1, *event).expand(*which.shape, 1, *self.event_shape)
            return drawn.gather(self._component_dim, index).squeeze(self._component_dim)

    def __repr__(self) -> str:
        return f"MixtureSameFamily({self.mixture_distribution}, {self.component_distribution})"

"""What becomes of a random variable under a transform."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.distribution import Distribution, Shape
from mlx.distributions.independent import Independent
from mlx.distributions.transforms import ComposeTransform, Transform
from mlx.distributions.utils import sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of t(x) for x of a base distribution.

    Args:
        transforms: one, or several of which the first comes first.

    >>> import mlx
    >>> from mlx.distributions import ExpTransform, Normal, TransformedDistribution
    >>> TransformedDistribution(Normal(0.0, 1.0), ExpTransform()).log_prob(mlx.tensor(1.0))
    tensor(-0.9189)
    """

    def __init__(
        self,
        base_distribution: Any,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(transforms, Transform | list | tuple):
            raise ValueError(f"transforms must be a Transform or list, but was {transforms}")
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if not all(isinstance(t, Transform) for t in self.transforms):
            raise ValueError("transforms must be a Transform or a list of Transforms")
        together = ComposeTransform(self.transforms)
        base_shape = base_distribution._shape()
        least = together.domain.event_dim
        if len(base_shape) < least:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {least}, but got {base_shape}."
            )
        shape = together.forward_shape(base_shape)
        expanded = together.inverse_shape(shape)
        if tuple(expanded) != tuple(base_shape):
            event = len(base_distribution.event_shape)
            base_distribution = base_distribution.expand(expanded[: len(expanded) - event])
        extra = together._event_dims()[0] - len(base_distribution.event_shape)
        self.base_dist: Any = Independent(base_distribution, extra) if extra > 0 else base_distribution
        before, after = together._event_dims()
        event_dim = max(after, len(self.base_dist.event_shape) + after - before)
        cut = len(shape) - event_dim
        super().__init__(shape[:cut], shape[cut:], validate_args)

    @constraints.dependent_property
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        support = self.transforms[-1].codomain
        extra = len(self.event_shape) - support.event_dim
        return constraints.independent(support, extra) if extra > 0 else support

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        base = self.base_dist.expand(batch_shape)
        return self._expanded(TransformedDistribution(base, self.transforms, validate_args=False))

    def _forward(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with mlx.no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self._forward(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        event = len(self.event_shape)
        total: Any = 0
        y = value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            event += transform.domain.event_dim - transform.codomain.event_dim
            own = transform.log_abs_det_jacobian(x, y)
            total = total - sum_rightmost(own, event - transform.domain.event_dim)
            y = x
        return self.base_dist.log_prob(y) + total

    def _sign(self) -> Any:
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign

    def cdf(self, value: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        return self._turned(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._forward(self.base_dist.icdf(self._turned(value)))

    def _turned(self, probability: Tensor) -> Tensor:
        """1 - p where the transforms turn the order of the values round."""
        sign = self._sign()
        if isinstance(sign, int) and sign == 1:
            return probability
        return sign * (probability - 0.5) + 0.5

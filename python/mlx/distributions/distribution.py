"""Distribution: the base class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.constraints import Constraint

__all__ = [
    "Distribution",
    "ExponentialFamily",
    "open_uniform",
    "probability_or_logit",
    "satisfied",
]

Shape = Sequence[int]


def satisfied(ok: Tensor, what: str) -> bool:
    """Whether a condition holds for all elements. In a compiled function each call of it checks that, and
    raises a ValueError that says what should hold."""
    if _C._is_traced(ok):
        _C._raise_if_any(~ok, f"Expected {what}", is_value=True)
        return True
    return bool(ok.all())


def open_uniform(shape: Shape, like: Tensor) -> Tensor:
    """Uniform numbers in (0, 1), neither end included, of the dtype and on the device of a tensor."""
    limits = mlx.finfo(like.dtype)
    u = mlx.rand(shape, dtype=like.dtype, device=like.device)
    return u.clamp(min=limits.tiny, max=1 - limits.eps / 2)


class Distribution:
    """A family of random variables: `batch_shape` independent ones, each with values of `event_shape`.

    Args:
        validate_args: whether parameters and values are checked; by default they are.
    """

    has_rsample = False  # whether rsample() carries gradients to the parameters
    has_enumerate_support = False
    arg_constraints: Any = {}
    _validate_args = __debug__
    # The names of the constructor's arguments that hold the parameters.
    _parameters: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, batch_shape: Shape = (), event_shape: Shape = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape = mlx.Size(batch_shape)
        self._event_shape = mlx.Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()
        super().__init__()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether distributions made from now on check their parameters and values."""
        if value not in (True, False):
            raise ValueError(f"expected True or False, got {value}")
        Distribution._validate_args = value

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            value = self.__dict__.get(name)
            if value is None or constraints.is_dependent(constraint) or not isinstance(value, Tensor):
                continue
            what = f"parameter {name} of {type(self).__name__} to satisfy the constraint {constraint}"
            if not satisfied(constraint.check(value), what):
                raise ValueError(
                    f"Expected parameter {name} ({type(value).__name__} of shape {tuple(value.shape)}) of "
                    f"distribution {self!r} to satisfy the constraint {constraint}, but found invalid values:"
                    f"\n{value}"
                )

    def _validate_sample(self, value: Any) -> None:
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        n = len(self.event_shape)
        if tuple(value.shape[value.dim() - n :]) != tuple(self.event_shape):
            raise ValueError(
                f"The right-most size of value must match event_shape: {value.shape} vs {self.event_shape}."
            )
        try:
            mlx.broadcast_shapes(tuple(value.shape), tuple(self.batch_shape + self.event_shape))
        except RuntimeError as error:
            raise ValueError(f"Value is not broadcastable with batch_shape+event_shape: {error}") from None
        try:
            support: Constraint = self.support
        except NotImplementedError:
            warnings.warn(
                f"{type(self)} does not define `support` to enable sample validation. Please initialize the "
                "distribution with `validate_args=False` to turn off validation.",
                stacklevel=3,
            )
            return
        if constraints.is_dependent(support):
            return
        if not satisfied(
            support.check(value), f"values within the support ({support}) of {type(self).__name__}"
        ):
            raise ValueError(
                f"Expected value argument ({type(value).__name__} of shape {tuple(value.shape)}) to be "
                f"within the support ({support}) of the distribution {self!r}, but found invalid values:\n"
                f"{value}"
            )

    @property
    def support(self) -> Any:
        """The constraint that values meet."""
        raise NotImplementedError(f"{type(self).__name__} does not define support")

    @property
    def batch_shape(self) -> mlx.Size:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> mlx.Size:
        """The shape of one value."""
        return self._event_shape

    def _shape(self, sample_shape: Shape = ()) -> mlx.Size:
        return mlx.Size([*sample_shape, *self._batch_shape, *self._event_shape])

    _extended_shape = _shape  # what subclasses written for PyTorch call it

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError(f"{type(self).__name__} has no mean in closed form")

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        raise NotImplementedError(f"{type(self).__name__} does not implement mode")

    @property
    def variance(self) -> Tensor:
        """The expected square of the distance from the mean."""
        raise NotImplementedError(f"{type(self).__name__} has no variance in closed form")

    @property
    def stddev(self) -> Tensor:
        """The square root of the variance."""
        return self.variance.sqrt()

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Random values of shape `sample_shape + batch_shape + event_shape`, without gradients."""
        with mlx.no_grad():
            return self.rsample(sample_shape)

    def sample_n(self, n: int) -> Tensor:
        """`sample((n,))`, which is to be used instead."""
        warnings.warn("sample_n will be deprecated. Use .sample((n,)) instead", stacklevel=2)
        return self.sample((n,))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        """Random values that are a differentiable function of the parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no differentiable samples; use sample()")

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density, or of the probability, of each value."""
        raise NotImplementedError(f"{type(self).__name__} does not implement log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of a value at most this."""
        raise NotImplementedError(f"{type(self).__name__} does not implement cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """The value at which cdf() has this probability."""
        raise NotImplementedError(f"{type(self).__name__} does not implement icdf")

    def entropy(self) -> Tensor:
        """The expected negative log_prob, in nats."""
        raise NotImplementedError(f"{type(self).__name__} has no entropy in closed form")

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return self.entropy().exp()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, along a new first dimension; `expand` repeats them over the batch."""
        raise NotImplementedError(f"{type(self).__name__} cannot list its values")

    def _enumerated(self, n: int, dtype: Any, expand: bool) -> Tensor:
        """0 to n - 1 as enumerate_support() gives them."""
        values = mlx.arange(n, dtype=dtype).reshape(n, *([1] * len(self._batch_shape)))
        return values.expand(n, *self._batch_shape) if expand else values

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The same distribution with its parameters expanded to a larger batch."""
        arguments = {}
        for name in self._parameters:
            value = getattr(self, name)
            if isinstance(value, Tensor):
                event = len(value.shape) - len(self._batch_shape)
                value = value.expand(*batch_shape, *value.shape[value.dim() - event :])
            arguments[name] = value
        return self._expanded(type(self)(**arguments, validate_args=False))

    def _expanded(self, other: Any) -> Any:
        """What expand() made of parameters that are checked already; it checks values as this one does."""
        other._validate_args = self._validate_args
        return other

    def __repr__(self) -> str:
        shown = []
        for name in self._parameters or self.arg_constraints:
            value = self.__dict__.get(name)
            if isinstance(value, Tensor):
                text = f"{value.item()}" if value.numel() == 1 else f"mlx.Size({list(value.shape)})"
                shown.append(f"{name}: {text}")
        return f"{type(self).__name__}({', '.join(shown)})"


class ExponentialFamily(Distribution):
    """A distribution whose density is h(x) exp(eta . T(x) - A(eta)).

    A subclass that defines `_natural_params`, a tuple of eta, `_log_normalizer`, the function A of them, and
    `_mean_carrier_measure`, the expected log h(x), needs to define neither entropy() nor divergences: they
    follow from the gradient of A (Nielsen and Nock, 2010).
    """

    @property
    def _natural_params(self) -> tuple[Tensor, ...]:
        raise NotImplementedError(f"{type(self).__name__} does not define _natural_params")

    def _log_normalizer(self, *natural_params: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define _log_normalizer")

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no entropy in closed form")

    def _normalizer_and_means(self) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """The natural parameters, A, and its gradient: the expected T(x)."""
        with mlx.enable_grad():
            eta = [
                p.clone() if p.requires_grad else p.detach().requires_grad_() for p in self._natural_params
            ]
            log_normalizer = self._log_normalizer(*eta)
            means = mlx.autograd.grad(log_normalizer.sum(), eta, create_graph=True)
        return eta, log_normalizer, list(means)

    def entropy(self) -> Tensor:
        carrier = self._mean_carrier_measure
        eta, log_normalizer, means = self._normalizer_and_means()
        result = log_normalizer - carrier
        for parameter, mean in zip(eta, means, strict=True):
            result = result - (parameter * mean).reshape(*self._batch_shape, -1).sum(-1)
        return result if any(p.requires_grad for p in self._natural_params) else result.detach()


def probability_or_logit(
    self: Distribution, probs: Any, logits: Any, vector: bool = False
) -> tuple[str, Tensor]:
    """The one of the two arguments that was given, as `(name, tensor)`.

    Raises:
        ValueError: when both or neither were given, or, for a vector of them, a number.
    """
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    name, value = ("probs", probs) if logits is None else ("logits", logits)
    if vector and (not isinstance(value, Tensor) or value.dim() < 1):
        raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
    return name, value

"""Divergences between distributions of different classes: -entropy(p) - E_p log q(x).

The expectation of log q needs E x, E x^2, E log x or E exp(-x / s) under p; where p has values that q has
not, the divergence is infinite.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.distributions.continuous_bernoulli import ContinuousBernoulli, log_partition
from mlx.distributions.derived import Pareto
from mlx.distributions.discrete import Bernoulli, Binomial, Poisson
from mlx.distributions.gamma import Beta, Exponential, Gamma
from mlx.distributions.kl import register_kl
from mlx.distributions.location_scale import EULER, Gumbel, Laplace, Normal, Uniform

Rule = Callable[[Any], Tensor]


def _mean_log_of_uniform(p: Uniform) -> Tensor:
    """E log x, for values of at least 0."""
    return (mlx.xlogy(p.high, p.high) - mlx.xlogy(p.low, p.low)) / (p.high - p.low) - 1


_MEAN_LOG: dict[type, Rule] = {
    Beta: lambda p: p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma(),
    Exponential: lambda p: -p.rate.log() - EULER,
    Gamma: lambda p: p.concentration.digamma() - p.rate.log(),
    Pareto: lambda p: p.scale.log() + 1 / p.alpha,
    Uniform: _mean_log_of_uniform,
}
# E exp(-x / s), s being the scale of a Gumbel distribution.
_MEAN_EXP: dict[type, Callable[[Any, Tensor], Tensor]] = {
    Exponential: lambda p, s: p.rate / (p.rate + 1 / s),
    Gamma: lambda p, s: (1 + 1 / (s * p.rate)) ** -p.concentration,
    Normal: lambda p, s: (0.5 * (p.scale / s) ** 2 - p.loc / s).exp(),
    Uniform: lambda p, s: ((-p.low / s).exp() - (-p.high / s).exp()) * s / (p.high - p.low),
}
# The bounds that no value of q is beyond, and those between which the values of p lie, where there are any.
_BOUNDS: dict[type, Callable[[Any], tuple[Any, Any]]] = {
    Beta: lambda d: (0.0, 1.0),
    ContinuousBernoulli: lambda d: (0.0, 1.0),
    Exponential: lambda d: (0.0, math.inf),
    Gamma: lambda d: (0.0, math.inf),
    Gumbel: lambda d: (-math.inf, math.inf),
    Laplace: lambda d: (-math.inf, math.inf),
    Normal: lambda d: (-math.inf, math.inf),
    Pareto: lambda d: (d.scale, math.inf),
    Uniform: lambda d: (d.low, d.high),
}


def _divergence(p: Any, q: Any, p_type: type, q_type: type, mean_log_q: Tensor) -> Tensor:
    """-entropy(p) - E_p log q(x), or infinity where p has values that q has not."""
    low, high = _BOUNDS[p_type](p)
    least, most = _BOUNDS[q_type](q)
    outside = mlx.as_tensor(least > low) | mlx.as_tensor(most < high)
    value = -p.entropy() - mean_log_q
    return mlx.where(outside.to(value.device), math.inf, value)


def _register(q_type: type, mean_log: Callable[[Any, Any, type], Tensor], *p_types: type) -> None:
    """`mean_log(p, q, class of p)` is E_p log q(x)."""
    for p_type in p_types:

        @register_kl(p_type, q_type)
        def rule(p: Any, q: Any, p_type: type = p_type) -> Tensor:
            return _divergence(p, q, p_type, q_type, mean_log(p, q, p_type))


def _of_normal(p: Any, q: Normal, _: type) -> Tensor:
    spread = p.variance + (p.mean - q.loc) ** 2
    return -q.scale.log() - 0.5 * math.log(2 * math.pi) - spread / (2 * q.scale**2)


def _of_laplace(p: Normal, q: Laplace, _: type) -> Tensor:
    away = (p.loc - q.loc) / p.scale  # and E |x - loc| is the mean of a folded normal variable
    folded = math.sqrt(2 / math.pi) * (-0.5 * away**2).exp() + away * (away / math.sqrt(2)).erf()
    return -(2 * q.scale).log() - p.scale * folded / q.scale


def _of_exponential(p: Any, q: Exponential, _: type) -> Tensor:
    return q.rate.log() - q.rate * p.mean


def _of_gamma(p: Any, q: Gamma, p_type: type) -> Tensor:
    a = q.concentration
    return a * q.rate.log() - a.lgamma() + (a - 1) * _MEAN_LOG[p_type](p) - q.rate * p.mean


def _of_gumbel(p: Any, q: Gumbel, p_type: type) -> Tensor:
    mean = p.loc if p_type is Normal else p.mean
    spread = (q.loc / q.scale).exp() * _MEAN_EXP[p_type](p, q.scale)
    return -q.scale.log() - (mean - q.loc) / q.scale - spread


def _of_beta(p: Uniform, q: Beta, _: type) -> Tensor:
    a, b = q.concentration1, q.concentration0
    log_beta = a.lgamma() + b.lgamma() - (a + b).lgamma()
    mirrored = Uniform(1 - p.high, 1 - p.low, validate_args=False)
    return (a - 1) * _mean_log_of_uniform(p) + (b - 1) * _mean_log_of_uniform(mirrored) - log_beta


def _of_continuous_bernoulli(p: Any, q: ContinuousBernoulli, _: type) -> Tensor:
    return q.logits * p.mean - log_partition(q.logits)


def _of_pareto(p: Any, q: Pareto, p_type: type) -> Tensor:
    return q.alpha * q.scale.log() + q.alpha.log() - (q.alpha + 1) * _MEAN_LOG[p_type](p)


def _of_uniform(p: Any, q: Uniform, _: type) -> Tensor:
    return -(q.high - q.low).log()


_register(Normal, _of_normal, Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Pareto, Uniform)
_register(Laplace, _of_laplace, Normal)
_register(Exponential, _of_exponential, Beta, ContinuousBernoulli, Gamma, Pareto, Uniform)
_register(Gamma, _of_gamma, Beta, Exponential, Pareto, Uniform)
_register(Gumbel, _of_gumbel, Exponential, Gamma, Normal, Uniform)
_register(Beta, _of_beta, Uniform)
_register(ContinuousBernoulli, _of_continuous_bernoulli, Beta, Uniform)
_register(Pareto, _of_pareto, Uniform)
_register(Uniform, _of_uniform, Beta, ContinuousBernoulli)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Tensor:
    return -p.entropy() - mlx.xlogy(p.probs, q.rate) + q.rate


def _infinite(p: Any, q: Any) -> Tensor:
    """p has values that q never has."""
    p_like, q_like = (
        next(v for v in (getattr(d, n) for n in d._parameters) if isinstance(v, Tensor)) for d in (p, q)
    )
    like = p_like + q_like
    shape = mlx.broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape))
    return mlx.full(shape, math.inf, dtype=like.dtype, device=like.device)


_UNIT = (Beta, ContinuousBernoulli)
_POSITIVE = (Exponential, Gamma, Pareto)
_REAL = (Gumbel, Laplace, Normal)
for _p, _q in [
    *itertools.product(_UNIT, [Pareto]),
    *itertools.product(_POSITIVE, [*_UNIT, Uniform]),
    *itertools.product((Exponential, Gamma), [Pareto]),
    *itertools.product(_REAL, [*_UNIT, Exponential, Gamma, Pareto, Uniform]),
    (Poisson, Bernoulli),
    (Poisson, Binomial),
]:
    register_kl(_p, _q)(_infinite)

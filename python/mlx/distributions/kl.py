"""Kullback-Leibler divergences in closed form, by the classes of the two distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import mlx
from mlx._C import Tensor
from mlx.distributions.categorical import Categorical, OneHotCategorical
from mlx.distributions.continuous_bernoulli import ContinuousBernoulli, log_partition
from mlx.distributions.derived import HalfCauchy, HalfNormal, Pareto
from mlx.distributions.discrete import Bernoulli, Binomial, Geometric, Poisson
from mlx.distributions.distribution import Distribution, ExponentialFamily
from mlx.distributions.gamma import Beta, Dirichlet, Exponential, Gamma
from mlx.distributions.independent import Independent
from mlx.distributions.location_scale import EULER, Cauchy, Gumbel, Laplace, Normal, Uniform
from mlx.distributions.multivariate_normal import LowRankMultivariateNormal, MultivariateNormal
from mlx.distributions.transformed_distribution import TransformedDistribution
from mlx.distributions.utils import sum_rightmost
from mlx.distributions.wishart import Wishart

__all__ = ["kl_divergence", "register_kl"]

Rule = Callable[[Any, Any], Tensor]
R = TypeVar("R", bound=Rule)

_rules: dict[tuple[type, type], Rule] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[R], R]:
    """Make a function of p and q the divergence of these classes and of their subclasses."""

    def note(rule: R) -> R:
        _rules[type_p, type_q] = rule
        return rule

    return note


def _distance(cls: type, base: type) -> int:
    return cls.__mro__.index(base)


def _unknown(p: Distribution, q: Distribution) -> NotImplementedError:
    return NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type {type(q).__name__}; "
        "estimate it by (p.log_prob(x) - q.log_prob(x)).mean() over samples x of p"
    )


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The expectation under p of log p(x) - log q(x), in nats, of shape `batch_shape`.

    Raises:
        NotImplementedError: when no closed form is known here for the two classes.

    >>> import mlx
    >>> from mlx.distributions import Normal, kl_divergence
    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5000)
    """
    found = [
        (_distance(type(p), a) + _distance(type(q), b), _distance(type(p), a), rule)
        for (a, b), rule in _rules.items()
        if isinstance(p, a) and isinstance(q, b)
    ]
    if not found:
        raise _unknown(p, q)
    return min(found, key=lambda item: item[:2])[2](p, q)


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    """A one-to-one transform that both share changes nothing."""
    if p.transforms != q.transforms or not all(t.bijective for t in p.transforms):
        raise NotImplementedError(
            "KL between transformed variables is implemented for one and the same invertible transform"
        )
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(HalfNormal, HalfNormal)
@register_kl(HalfCauchy, HalfCauchy)
def _half(p: Any, q: Any) -> Tensor:
    """Folding two variables that are symmetric around the same point changes nothing."""
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    value = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return mlx.where(p.scale < q.scale, math.inf, value)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    away = (p.loc - q.loc).abs()
    return (q.scale / p.scale).log() + (p.scale * (-away / p.scale).exp() + away) / q.scale - 1


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    # Chyzak and Nielsen (2019).
    return (((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2) / (4 * p.scale * q.scale)).log()


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio = p.scale / q.scale
    away = (p.loc - q.loc) / q.scale
    return -ratio.log() - 1 + EULER * (ratio - 1) + (-away + (1 + ratio).lgamma()).exp() + away


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    value = ((q.high - q.low) / (p.high - p.low)).log()
    return mlx.where((q.low > p.low) | (q.high < p.high), math.inf, value)


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log()
        + b.lgamma()
        - a.lgamma()
        + (a - b) * a.digamma()
        + (q.rate - p.rate) * (a / p.rate)
    )


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    return (
        total.lgamma()
        - b.sum(-1).lgamma()
        - (a.lgamma() - b.lgamma()).sum(-1)
        + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)
    )


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    def term(a: Tensor, b: Tensor) -> Tensor:
        return mlx.where(a == 0, 0.0, mlx.where(b == 0, math.inf, mlx.xlogy(a, a) - mlx.xlogy(a, b)))

    return term(p.probs, q.probs) + term(1 - p.probs, 1 - q.probs)


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError(
            "KL between Binomials where q.total_count > p.total_count is not implemented"
        )
    value = p.total_count * (
        mlx.xlogy(p.probs, p.probs)
        - mlx.xlogy(p.probs, q.probs)
        + mlx.xlogy(1 - p.probs, 1 - p.probs)
        - mlx.xlogy(1 - p.probs, 1 - q.probs)
    )
    return mlx.where(p.total_count > q.total_count, math.inf, value)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return mlx.xlogy(p.rate, p.rate) - mlx.xlogy(p.rate, q.rate) - (p.rate - q.rate)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = mlx.where(q.probs == 0, math.inf, p.probs * (p.logits - q.logits))
    return mlx.where(p.probs == 0, 0.0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(MultivariateNormal, MultivariateNormal)
@register_kl(MultivariateNormal, LowRankMultivariateNormal)
@register_kl(LowRankMultivariateNormal, MultivariateNormal)
@register_kl(LowRankMultivariateNormal, LowRankMultivariateNormal)
def _multivariate_normal(p: Any, q: Any) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between two {'Low Rank ' * isinstance(q, LowRankMultivariateNormal)}Multivariate "
            "Normals with different event shapes cannot be computed"
        )
    factor, diagonal = p._spread()
    square = q._squared_length((q.loc - p.loc).unsqueeze(-1)).squeeze(-1)
    trace = q._squared_length(factor).sum(-1)
    if diagonal is not None:
        trace = trace + q._squared_length(mlx.diag_embed(diagonal.sqrt())).sum(-1)
    return q._half_log_det() - p._half_log_det() + 0.5 * (trace + square - p.event_shape[0])


@register_kl(Wishart, Wishart)
def _wishart(p: Wishart, q: Wishart) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError("KL-divergence between two Wisharts with different event shapes cannot be computed")
    k = p.event_shape[0]
    # -entropy - E log q, where E trace(V^-1 x) = df_p trace(V_q^-1 V_p).
    normalizer = q.df / 2 * (k * math.log(2) + 2 * q._half_log_det()) + mlx.mvlgamma(q.df / 2, k)
    trace = p.df * (q._whitened(p.scale_tril) ** 2).sum((-2, -1))
    return normalizer + 0.5 * trace - 0.5 * (q.df - k - 1) * p._mean_log_det() - p.entropy()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _continuous_bernoulli(p: ContinuousBernoulli, q: ContinuousBernoulli) -> Tensor:
    return p.mean * (p.logits - q.logits) - log_partition(p.logits) + log_partition(q.logits)


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_family(p: ExponentialFamily, q: ExponentialFamily) -> Tensor:
    """The Bregman divergence of the log-normalizer (Nielsen and Nock, 2010)."""
    if type(p) is not type(q):
        raise _unknown(p, q)
    eta, log_normalizer, means = p._normalizer_and_means()
    result = q._log_normalizer(*q._natural_params) - log_normalizer
    for own, other, mean in zip(eta, q._natural_params, means, strict=True):
        result = result - sum_rightmost((other - own) * mean, len(q.event_shape))
    attached = any(t.requires_grad for t in (*p._natural_params, *q._natural_params))
    return result if attached else result.detach()


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("KL between Independents of different numbers of event dimensions")
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)

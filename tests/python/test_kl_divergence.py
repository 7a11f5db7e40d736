"""Divergences between distributions of different classes, against the integral that defines them."""

import math
import warnings

import numpy as np
import pytest
from scipy import integrate
from support import assert_close, from_numpy

import mlx
from mlx import distributions as D
from mlx.distributions import kl_divergence

pytestmark = pytest.mark.cpu  # the integrals need double precision


def make(cls, *parameters):
    return cls(*(from_numpy(np.asarray(p, dtype=np.float64)) for p in parameters))


# Distributions p, and where their values lie.
UNIT = {
    "Beta": (make(D.Beta, 2.0, 3.0), (0, 1)),
    "ContinuousBernoulli": (make(D.ContinuousBernoulli, 0.2), (0, 1)),
    "Uniform": (make(D.Uniform, 0.25, 0.75), (0.25, 0.75)),
}
POSITIVE = {
    "Exponential": (make(D.Exponential, 1.5), (0, math.inf)),
    "Gamma": (make(D.Gamma, 2.5, 2.0), (0, math.inf)),
    "Pareto": (make(D.Pareto, 0.1, 6.0), (0.1, math.inf)),
}
REAL = {
    "Gumbel": (make(D.Gumbel, 0.3, 1.5), (-math.inf, math.inf)),
    "Laplace": (make(D.Laplace, 0.3, 1.5), (-math.inf, math.inf)),
    "Normal": (make(D.Normal, 0.3, 1.5), (-math.inf, math.inf)),
}
ALL = UNIT | POSITIVE | REAL
Q = {
    "Normal": make(D.Normal, -0.2, 1.2),
    "Laplace": make(D.Laplace, -0.2, 1.2),
    "Gumbel": make(D.Gumbel, -0.2, 2.2),
    "Exponential": make(D.Exponential, 0.7),
    "Gamma": make(D.Gamma, 1.5, 0.7),
    "Beta": make(D.Beta, 1.5, 2.5),
    "ContinuousBernoulli": make(D.ContinuousBernoulli, 0.7),
    "Pareto": make(D.Pareto, 0.05, 2.0),
    "Uniform": make(D.Uniform, 0.0, 1.0),
}
FINITE = [
    *((p, "Normal") for p in ALL if p != "Normal"),
    ("Normal", "Laplace"),
    *((p, "Gumbel") for p in ("Exponential", "Gamma", "Normal", "Uniform")),
    *((p, "Exponential") for p in ("Beta", "ContinuousBernoulli", "Gamma", "Pareto", "Uniform")),
    *((p, "Gamma") for p in ("Beta", "Exponential", "Pareto", "Uniform")),
    ("Uniform", "Beta"),
    *((p, "ContinuousBernoulli") for p in ("Beta", "Uniform")),
    ("Uniform", "Pareto"),
    *((p, "Uniform") for p in ("Beta", "ContinuousBernoulli")),
]
INFINITE = [
    *((p, "Pareto") for p in ("Beta", "ContinuousBernoulli", "Exponential", "Gamma")),
    *((p, q) for p in POSITIVE for q in ("Beta", "ContinuousBernoulli", "Uniform")),
    *(
        (p, q)
        for p in REAL
        for q in ("Beta", "ContinuousBernoulli", "Exponential", "Gamma", "Pareto", "Uniform")
    ),
]


@pytest.mark.parametrize(("p", "q"), FINITE)
def test_it_is_the_integral_of_the_difference_of_logarithms(p, q):
    p, bounds = ALL[p]
    q = Q[q]

    def integrand(x):
        x = mlx.tensor(x, dtype=mlx.float64)
        log_p = p.log_prob(x)
        return 0.0 if log_p < -500 else float(log_p.exp() * (log_p - q.log_prob(x)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", integrate.IntegrationWarning)
        expected = integrate.quad(integrand, *bounds, epsabs=1e-10, limit=200)[0]
    assert_close(kl_divergence(p, q), expected, rtol=1e-7)


@pytest.mark.parametrize(("p", "q"), INFINITE)
def test_it_is_infinite_where_p_has_values_that_q_has_not(p, q):
    value = kl_divergence(ALL[p][0].expand([2]), Q[q])
    assert value.tolist() == [math.inf, math.inf]
    assert value.dtype == mlx.float64


def test_bounds_decide_for_each_element():
    p = make(D.Uniform, [-0.5, 0.5], [0.5, 0.75])
    for q in ("Exponential", "Gamma", "Beta", "ContinuousBernoulli", "Pareto"):
        assert kl_divergence(p, Q[q]).isinf().tolist() == [True, False], q
    heavy = make(D.Pareto, 0.1, [1.5, 2.5])  # the first has no variance
    assert kl_divergence(heavy, Q["Normal"]).isinf().tolist() == [True, False]


def test_counts():
    p, q = make(D.Bernoulli, [0.0, 0.3, 1.0]), make(D.Poisson, 1.7)
    values = p.enumerate_support()
    terms = p.log_prob(values).exp() * (p.log_prob(values) - q.log_prob(values))
    assert_close(kl_divergence(p, q), terms.nan_to_num(0.0).sum(0), atol=1e-12)
    for finite in (D.Bernoulli(0.5), D.Binomial(4, 0.5)):
        assert kl_divergence(D.Poisson(1.0), finite) == math.inf


def test_gradients_reach_the_parameters_of_both():
    rate, low = (mlx.tensor(v, dtype=mlx.float64, requires_grad=True) for v in (0.7, 0.25))

    def value(rate, low):
        return kl_divergence(D.Uniform(low, 0.75), D.Exponential(rate))

    assert mlx.autograd.gradcheck(value, (rate, low))


class Bernoullis(D.ExponentialFamily):
    """Written as PyTorch's documentation asks: by natural parameters and a normalizer alone."""

    _mean_carrier_measure = 0

    def __init__(self, logits):
        self.logits = logits
        super().__init__(logits.shape, validate_args=False)

    @property
    def _natural_params(self):
        return (self.logits,)

    def _log_normalizer(self, x):
        return x.exp().log1p()


def test_an_exponential_family_is_known_by_its_normalizer():
    a, b = (mlx.tensor(v, dtype=mlx.float64) for v in ([-0.5, 2.0], [1.0, 0.25]))
    p, q = Bernoullis(a), Bernoullis(b)
    assert_close(p.entropy(), D.Bernoulli(logits=a).entropy(), rtol=1e-12)
    expected = kl_divergence(D.Bernoulli(logits=a), D.Bernoulli(logits=b))
    assert_close(kl_divergence(p, q), expected, rtol=1e-12)
    assert not kl_divergence(p, q).requires_grad
    assert mlx.autograd.gradcheck(lambda x: Bernoullis(x).entropy(), a.clone().requires_grad_())
    with pytest.raises(NotImplementedError, match="Bernoullis and q type Normal"):
        kl_divergence(p, D.Normal(0.0, 1.0))

"""Probability distributions: densities, samples, moments, divergences.

>>> import mlx
>>> from mlx.distributions import Normal
>>> loc = mlx.tensor(1.0, requires_grad=True)
>>> Normal(loc, 1.0).rsample([8]).sum().backward()    # gradients pass through samples
>>> loc.grad
tensor(8.)
"""

from __future__ import annotations

import importlib
from typing import Any

from mlx._modules import importable
from mlx.distributions import constraints as constraints
from mlx.distributions import kl_mixed as kl_mixed
from mlx.distributions import transforms as transforms
from mlx.distributions.categorical import (
    Categorical,
    MixtureSameFamily,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from mlx.distributions.constraint_registry import biject_to, transform_to
from mlx.distributions.continuous_bernoulli import ContinuousBernoulli
from mlx.distributions.derived import (
    HalfCauchy,
    HalfNormal,
    InverseGamma,
    Kumaraswamy,
    LogisticNormal,
    LogNormal,
    Pareto,
    Weibull,
)
from mlx.distributions.discrete import Bernoulli, Binomial, Geometric, NegativeBinomial, Poisson
from mlx.distributions.distribution import Distribution, ExponentialFamily
from mlx.distributions.gamma import Beta, Chi2, Dirichlet, Exponential, FisherSnedecor, Gamma
from mlx.distributions.generalized_pareto import GeneralizedPareto
from mlx.distributions.independent import Independent
from mlx.distributions.kl import kl_divergence, register_kl
from mlx.distributions.lkj_cholesky import LKJCholesky
from mlx.distributions.location_scale import Cauchy, Gumbel, Laplace, Normal, StudentT, Uniform
from mlx.distributions.multivariate_normal import LowRankMultivariateNormal, MultivariateNormal
from mlx.distributions.relaxed import RelaxedBernoulli, RelaxedOneHotCategorical
from mlx.distributions.transformed_distribution import TransformedDistribution
from mlx.distributions.transforms import *
from mlx.distributions.von_mises import VonMises
from mlx.distributions.wishart import Wishart

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ContinuousBernoulli",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "ExponentialFamily",
    "FisherSnedecor",
    "Gamma",
    "GeneralizedPareto",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "InverseGamma",
    "Kumaraswamy",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "LogisticNormal",
    "LowRankMultivariateNormal",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Pareto",
    "Poisson",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
    "VonMises",
    "Weibull",
    "Wishart",
    "biject_to",
    "constraints",
    "kl_divergence",
    "register_kl",
    "transform_to",
    "transforms",
    *transforms.__all__,
]

# PyTorch has a module for each class: `distributions.normal.Normal`. Which of the modules here stands for it:
_MODULES = {
    "categorical": ("mixture_same_family", "multinomial", "one_hot_categorical"),
    "derived": (
        "half_cauchy",
        "half_normal",
        "inverse_gamma",
        "kumaraswamy",
        "log_normal",
        "logistic_normal",
        "pareto",
        "weibull",
    ),
    "discrete": ("bernoulli", "binomial", "geometric", "negative_binomial", "poisson"),
    "distribution": ("exp_family",),
    "gamma": ("beta", "chi2", "dirichlet", "exponential", "fishersnedecor"),
    "location_scale": ("cauchy", "gumbel", "laplace", "normal", "studentT", "uniform"),
    "multivariate_normal": ("lowrank_multivariate_normal",),
    "relaxed": ("relaxed_bernoulli", "relaxed_categorical"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}
for _name in _MODULE_OF:
    importable(f"{__name__}.{_name}")


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return importlib.import_module(f"mlx.distributions.{_MODULE_OF[name]}")
    raise AttributeError(f"module 'mlx.distributions' has no attribute {name!r}")

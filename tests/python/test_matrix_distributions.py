"""Distributions of vectors and matrices with a structure: LowRankMultivariateNormal, Wishart, LKJCholesky."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, stats
from support import assert_close, from_numpy

import mlx
from mlx import distributions as D
from mlx.distributions import kl_divergence

LOC = np.array([-1.0, 0.5, 3.0])
FACTOR = np.array([[1.0, 0.2], [0.5, 2.0], [-0.3, 0.4]])
DIAGONAL = np.array([0.7, 1.5, 2.5])
COVARIANCE = FACTOR @ FACTOR.T + np.diag(DIAGONAL)
VALUES = np.array([[0.0, 0.0, 0.0], [1.0, -2.0, 4.0]])


def t(x):
    return from_numpy(np.asarray(x, dtype=np.float64))


def low_rank():
    return D.LowRankMultivariateNormal(t(LOC), t(FACTOR), t(DIAGONAL))


# ---- LowRankMultivariateNormal


@pytest.mark.cpu  # to more digits than float32 has
def test_low_rank_is_the_normal_distribution_of_its_covariance():
    ours, full = low_rank(), stats.multivariate_normal(LOC, COVARIANCE)
    assert_close(ours.log_prob(t(VALUES)), full.logpdf(VALUES), rtol=1e-10)
    assert_close(ours.entropy(), full.entropy(), rtol=1e-10)
    assert_close(ours.mean, LOC)
    assert_close(ours.mode, LOC)
    assert_close(ours.variance, COVARIANCE.diagonal(), rtol=1e-12)
    assert_close(ours.covariance_matrix, COVARIANCE, rtol=1e-12)
    assert_close(ours.precision_matrix, np.linalg.inv(COVARIANCE), rtol=1e-10)
    assert_close(ours.scale_tril, np.linalg.cholesky(COVARIANCE), rtol=1e-10)


def test_low_rank_samples():
    mlx.manual_seed(0)
    samples = low_rank().sample([50_000]).numpy()
    assert samples.shape == (50_000, 3)
    assert abs(samples.mean(0) - LOC).max() < 0.05
    assert abs(np.cov(samples.T) - COVARIANCE).max() < 0.15


def test_low_rank_expands_and_differentiates():
    ours = low_rank().expand([2])
    assert type(ours) is D.LowRankMultivariateNormal
    assert ours.batch_shape == (2,)
    assert ours.rsample([4]).shape == (4, 2, 3)
    parameters = [t(p).requires_grad_() for p in (LOC, FACTOR, DIAGONAL)]
    D.LowRankMultivariateNormal(*parameters).rsample([5]).sum().backward()
    assert all(p.grad.isfinite().all() for p in parameters)
    if parameters[0].dtype == mlx.float64:
        assert mlx.autograd.gradcheck(
            lambda *p: D.LowRankMultivariateNormal(*p).log_prob(t(VALUES)),
            [p.detach().requires_grad_() for p in parameters],
        )


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((), (3, 2), (3,)), "loc must be at least one-dimensional"),
        (((3,), (3,), (3,)), "cov_factor must be at least two-dimensional"),
        (((3,), (2, 2), (3,)), "3 x m"),
        (((3,), (3, 2), (2,)), "cov_diag must be a batch of vectors"),
        (((2, 3), (4, 3, 2), (3,)), "Incompatible batch shapes"),
    ],
)
def test_low_rank_arguments_that_do_not_fit(shapes, message):
    with pytest.raises(ValueError, match=message):
        D.LowRankMultivariateNormal(*map(mlx.ones, shapes))


@pytest.mark.cpu  # to more digits than float32 has
def test_divergences_of_normal_vectors_by_any_parametrization():
    other = FACTOR[::-1].copy() * 0.5
    p = [low_rank(), D.MultivariateNormal(t(LOC), t(COVARIANCE))]
    q = [
        D.LowRankMultivariateNormal(t(-LOC), t(other), t(DIAGONAL + 1)),
        D.MultivariateNormal(t(-LOC), t(other @ other.T + np.diag(DIAGONAL + 1))),
    ]
    inverse = np.linalg.inv(other @ other.T + np.diag(DIAGONAL + 1))
    log_dets = np.linalg.slogdet(COVARIANCE)[1] + np.linalg.slogdet(inverse)[1]
    expected = 0.5 * (np.trace(inverse @ COVARIANCE) + 4 * LOC @ inverse @ LOC - 3 - log_dets)
    for a, b in itertools.product(p, q):
        assert_close(kl_divergence(a, b), expected, rtol=1e-9)
    with pytest.raises(ValueError, match="different event shapes"):
        kl_divergence(p[0], D.LowRankMultivariateNormal(mlx.zeros(2), mlx.ones(2, 1), mlx.ones(2)))


@pytest.mark.cpu  # to more digits than float32 has
def test_a_normal_vector_by_its_precision():
    ours = D.MultivariateNormal(t(LOC), precision_matrix=t(np.linalg.inv(COVARIANCE)))
    full = stats.multivariate_normal(LOC, COVARIANCE)
    assert_close(ours.log_prob(t(VALUES)), full.logpdf(VALUES), rtol=1e-9)
    assert_close(ours.covariance_matrix, COVARIANCE, rtol=1e-9)


# ---- Wishart


@pytest.mark.cpu  # to more digits than float32 has
@pytest.mark.parametrize("given", ["covariance_matrix", "precision_matrix", "scale_tril"])
def test_wishart(given):
    matrix = {
        "covariance_matrix": COVARIANCE,
        "precision_matrix": np.linalg.inv(COVARIANCE),
        "scale_tril": np.linalg.cholesky(COVARIANCE),
    }[given]
    df = np.array([3.5, 6.0])
    ours = D.Wishart(t(df), **{given: t(matrix)})
    theirs = [stats.wishart(n, COVARIANCE) for n in df]
    values = np.stack([COVARIANCE + np.eye(3), 4 * COVARIANCE])
    assert ours.batch_shape == (2,)
    assert ours.event_shape == (3, 3)
    expected = [w.logpdf(v) for w, v in zip(theirs, values, strict=True)]
    assert_close(ours.log_prob(t(values)), expected, rtol=1e-9)
    assert_close(ours.mean, [w.mean() for w in theirs], rtol=1e-9)
    assert_close(ours.variance, [w.var() for w in theirs], rtol=1e-9)
    assert_close(ours.entropy(), [w.entropy() for w in theirs], rtol=1e-9)
    assert ours.mode[0].isnan().all()
    assert_close(ours.mode[1], theirs[1].mode(), rtol=1e-9)


def test_wishart_samples_and_divergence():
    mlx.manual_seed(0)
    p = D.Wishart(t([3.5, 6.0]), t(COVARIANCE))
    q = D.Wishart(t([5.0, 4.0]), t(COVARIANCE + 1))
    samples = p.sample([20_000])
    error = (p.variance / 20_000).sqrt()
    assert ((samples.mean(0) - p.mean).abs() < 5 * error).all()
    differences = p.log_prob(samples) - q.log_prob(samples)
    error = differences.std(0) / math.sqrt(20_000)
    assert ((differences.mean(0) - kl_divergence(p, q)).abs() < 5 * error).all()
    assert (kl_divergence(p, p).abs() < 1e-4).all()


def test_wishart_gradients_and_arguments():
    scale = t(np.linalg.cholesky(COVARIANCE)).requires_grad_()
    df = t([3.5, 6.0]).requires_grad_()
    D.Wishart(df, scale_tril=scale).rsample([3]).sum().backward()
    assert scale.grad.isfinite().all()
    assert df.grad.isfinite().all()
    assert D.Wishart(4.0, mlx.eye(3)).expand([2]).sample().shape == (2, 3, 3)
    with pytest.raises(ValueError, match="expected to be greater than ndim - 1 = 2"):
        D.Wishart(2.0, mlx.eye(3))
    with pytest.raises(ValueError, match="Exactly one"):
        D.Wishart(4.0)
    with pytest.raises(ValueError, match="within the support"):
        D.Wishart(4.0, mlx.eye(2)).log_prob(-mlx.eye(2))


# ---- LKJCholesky


@pytest.mark.cpu  # the integral needs double precision
@pytest.mark.parametrize("concentration", [0.7, 1.0, 3.0])
def test_lkj_density_integrates_to_one(concentration):
    """Over the entries below the diagonal: of 2 x 2 matrices, and of 3 x 3 ones."""
    two = D.LKJCholesky(2, t(concentration), validate_args=False)

    def density2(x):
        w = t([[1.0, 0.0], [x, math.sqrt(1 - x * x)]])
        return float(two.log_prob(w).exp())

    assert integrate.quad(density2, -1, 1)[0] == pytest.approx(1, rel=1e-6)

    three = D.LKJCholesky(3, t(concentration), validate_args=False)
    # In polar coordinates the last row's density depends on its radius alone.
    first = t([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])

    def radial(r):
        last = first.clone()
        last[2] = t([r, 0.0, math.sqrt(1 - r * r)])
        return 2 * math.pi * r * float(three.log_prob(last).exp())

    def middle(x):
        rows = first.clone()
        rows[1] = t([x, math.sqrt(1 - x * x), 0.0])
        return float((three.log_prob(rows) - three.log_prob(first)).exp())

    total = integrate.quad(radial, 0, 1)[0] * integrate.quad(middle, -1, 1)[0]
    assert total == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("dim", [2, 3, 5])
def test_lkj_correlations_are_beta_variables(dim):
    """All alike, on (-1, 1), with both parameters concentration - 1 + dim / 2 (Lewandowski et al., 2009)."""
    mlx.manual_seed(1)
    factors = D.LKJCholesky(dim, t([0.6, 2.0])).sample([5000])
    assert factors.shape == (5000, 2, dim, dim)
    assert D.constraints.corr_cholesky.check(factors).all()
    correlations = (factors @ factors.mT).numpy()
    for k, concentration in enumerate((0.6, 2.0)):
        a = concentration - 1 + dim / 2
        for i, j in itertools.combinations(range(dim), 2):
            found = stats.kstest((correlations[:, k, i, j] + 1) / 2, stats.beta(a, a).cdf)
            assert found.pvalue > 1e-4, (i, j)


def test_lkj_arguments():
    with pytest.raises(ValueError, match="greater than or equal to 2. Found dim=1"):
        D.LKJCholesky(1)
    with pytest.raises(ValueError, match="within the support"):
        D.LKJCholesky(2).log_prob(mlx.ones(2, 2))
    wide = D.LKJCholesky(3, 1.5).expand([4])
    assert wide.batch_shape == (4,)
    assert wide.event_shape == (3, 3)
    assert wide.log_prob(mlx.eye(3)).shape == (4,)

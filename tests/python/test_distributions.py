"""Distributions against scipy.stats; samples against moments; gradients of samples against quantiles."""

import math

import numpy as np
import pytest
from scipy import special, stats
from support import assert_close, from_numpy

import mlx
from mlx import distributions as D
from mlx.distributions import constraints, kl_divergence

A = np.array([0.7, 1.5, 2.5])
B = np.array([0.3, 2.2, 5.1])
PROBS = np.array([0.2, 0.5, 0.8])
REAL = np.array([-1.0, 0.5, 3.0])
POSITIVE = np.array([0.2, 1.0, 4.0])
UNIT = np.array([0.1, 0.5, 0.9])
COUNTS = np.array([0.0, 2.0, 4.0])
TAIL = np.array([-0.4, 0.0, 0.3])
FALLING = np.array([0.01, 0.3, 0.4])
ODDS = -np.log(FALLING / (1 - FALLING))


def t(x):
    return from_numpy(np.asarray(x, dtype=np.float64))


# name: (ours, scipy's, values)
CONTINUOUS = {
    "Normal": (D.Normal(t(B), t(A)), stats.norm(B, A), REAL),
    "Laplace": (D.Laplace(t(B), t(A)), stats.laplace(B, A), REAL),
    "Cauchy": (D.Cauchy(t(B), t(A)), stats.cauchy(B, A), REAL),
    "Gumbel": (D.Gumbel(t(B), t(A)), stats.gumbel_r(B, A), REAL),
    "StudentT": (D.StudentT(t(A + 2), t(B), t(A)), stats.t(A + 2, B, A), REAL),
    "Uniform": (D.Uniform(t(-B - 1), t(A + 3)), stats.uniform(-B - 1, A + B + 4), REAL),
    "Exponential": (D.Exponential(t(A)), stats.expon(0, 1 / A), POSITIVE),
    "Gamma": (D.Gamma(t(A), t(B)), stats.gamma(A, 0, 1 / B), POSITIVE),
    "Chi2": (D.Chi2(t(A)), stats.chi2(A), POSITIVE),
    "FisherSnedecor": (D.FisherSnedecor(t(A), t(B + 5)), stats.f(A, B + 5), POSITIVE),
    "Beta": (D.Beta(t(A), t(B)), stats.beta(A, B), UNIT),
    "LogNormal": (D.LogNormal(t(B), t(A)), stats.lognorm(A, 0, np.exp(B)), POSITIVE),
    "HalfNormal": (D.HalfNormal(t(A)), stats.halfnorm(0, A), POSITIVE),
    "HalfCauchy": (D.HalfCauchy(t(A)), stats.halfcauchy(0, A), POSITIVE),
    "InverseGamma": (D.InverseGamma(t(A + 2), t(B)), stats.invgamma(A + 2, 0, B), POSITIVE),
    "Pareto": (D.Pareto(t(A), t(B + 2)), stats.pareto(B + 2, 0, A), A + POSITIVE),
    "Weibull": (D.Weibull(t(A), t(B)), stats.weibull_min(B, 0, A), POSITIVE),
    "GeneralizedPareto": (D.GeneralizedPareto(t(B), t(A), t(TAIL)), stats.genpareto(TAIL, B, A), B + UNIT),
    # A falling one is an exponential variable, cut off at 1.
    "ContinuousBernoulli": (D.ContinuousBernoulli(t(FALLING)), stats.truncexpon(ODDS, 0, 1 / ODDS), UNIT),
}
DISCRETE = {
    "Bernoulli": (D.Bernoulli(t(PROBS)), stats.bernoulli(PROBS), np.array([0.0, 1.0, 1.0])),
    "Binomial": (D.Binomial(5, t(PROBS)), stats.binom(5, PROBS), COUNTS),
    "Geometric": (D.Geometric(t(PROBS)), stats.geom(PROBS, loc=-1), COUNTS),
    "NegativeBinomial": (D.NegativeBinomial(t(A), t(PROBS)), stats.nbinom(A, 1 - PROBS), COUNTS),
    "Poisson": (D.Poisson(t(B)), stats.poisson(B), COUNTS),
}
ALL = CONTINUOUS | DISCRETE


def has(distribution, what, *args):
    try:
        value = getattr(distribution, what)
        return value(*args) if callable(value) else value
    except NotImplementedError:
        pytest.skip(f"{type(distribution).__name__} has no {what}")


@pytest.mark.parametrize("name", ALL)
def test_log_prob(name):
    ours, theirs, values = ALL[name]
    log = theirs.logpdf if name in CONTINUOUS else theirs.logpmf
    assert_close(ours.log_prob(t(values)), log(values), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_cdf(name):
    ours, theirs, values = ALL[name]
    assert_close(has(ours, "cdf", t(values)), theirs.cdf(values), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_icdf(name):
    ours, theirs, _ = ALL[name]
    assert_close(has(ours, "icdf", t(UNIT)), theirs.ppf(UNIT), rtol=1e-8)


@pytest.mark.parametrize("name", ALL)
def test_moments(name):
    ours, theirs, _ = ALL[name]
    mean, variance = theirs.stats("mv")
    if name != "Cauchy" and name != "HalfCauchy":  # SciPy and PyTorch disagree on what they do not have
        assert_close(ours.mean, mean, rtol=1e-9)
        assert_close(ours.variance, variance, rtol=1e-9)
        assert_close(ours.stddev, np.sqrt(variance), rtol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_entropy(name):
    ours, theirs, _ = ALL[name]
    assert_close(has(ours, "entropy"), theirs.entropy(), rtol=1e-6)


@pytest.mark.cpu  # float32 rounds a mode to where the density is zero
@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_mode_is_where_the_density_is_highest(name):
    ours, theirs, _ = ALL[name]
    mode = has(ours, "mode").numpy()
    inside = ~np.isnan(mode)
    for step in (-1e-3, 1e-3):
        with np.errstate(divide="ignore"):
            there, beside = theirs.pdf(mode), theirs.pdf(mode + step)
        assert (there[inside] >= beside[inside] * (1 - 1e-9)).all()


@pytest.mark.parametrize("name", CONTINUOUS)
def test_samples_are_distributed_as_they_should(name):
    ours, theirs, _ = ALL[name]
    samples = ours.sample([4000]).numpy()
    assert samples.shape == (4000, 3)
    for i in range(3):
        uniform = theirs.cdf(samples)[:, i]
        assert stats.kstest(uniform, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("name", DISCRETE)
def test_samples_have_the_right_frequencies(name):
    ours, theirs, _ = ALL[name]
    samples = ours.sample([4000]).numpy()
    for k in range(4):
        expected = theirs.pmf(k)
        error = np.sqrt(expected * (1 - expected) / 4000)
        assert (abs((samples == k).mean(0) - expected) <= 4.5 * error).all()


@pytest.mark.parametrize("name", ALL)
def test_expand_and_repr(name):
    ours, _, values = ALL[name]
    wide = ours.expand([2, 3])
    assert type(wide) is type(ours)
    assert wide.batch_shape == (2, 3)
    assert wide.sample().shape == (2, 3)
    assert wide.log_prob(t(values))[1].equal(ours.log_prob(t(values)))
    assert repr(ours).startswith(name)


@pytest.mark.parametrize("name", [n for n in ALL if ALL[n][0].has_rsample])
def test_gradients_pass_through_samples(name):
    ours, _, _ = ALL[name]
    parameters = [getattr(ours, p).detach().clone().requires_grad_() for p in ours._parameters]
    mlx.manual_seed(0)
    type(ours)(*parameters).rsample([10]).sum().backward()
    for p in parameters:
        assert p.grad.isfinite().all()
        assert (p.grad != 0).any()


@pytest.mark.parametrize("a", [0.05, 0.5, 1.0, 3.0, 50.0, 900.0, 1100.0, 1e5])
def test_the_gradient_of_a_gamma_sample_keeps_its_quantile(a):
    """d sample / d concentration = -(dP/da) / density, by central differences of SciPy's P."""
    concentration = mlx.full((20,), a, dtype=mlx.float64, requires_grad=True)
    samples = D.Gamma(concentration, 1.0).rsample()
    samples.sum().backward()
    x, h = samples.detach().numpy(), 1e-5 * a
    change = (special.gammainc(a + h, x) - special.gammainc(a - h, x)) / (2 * h)
    keep = stats.gamma(a).pdf(x) > 1e-10 / max(a, 1)
    expected = -change / stats.gamma(a).pdf(x)
    np.testing.assert_allclose(concentration.grad.numpy()[keep], expected[keep], rtol=2e-5)


# ---- vectors and categories


def test_dirichlet():
    ours, theirs = D.Dirichlet(t(B)), stats.dirichlet(B)
    value = np.array([0.2, 0.3, 0.5])
    assert_close(ours.log_prob(t(value)), theirs.logpdf(value), rtol=1e-10)
    assert_close(ours.mean, theirs.mean(), rtol=1e-10)
    assert_close(ours.variance, theirs.var(), rtol=1e-10)
    assert_close(ours.entropy(), theirs.entropy(), rtol=1e-10)
    samples = ours.sample([20000]).numpy()
    np.testing.assert_allclose(samples.sum(-1), 1, rtol=1e-12)
    np.testing.assert_allclose(samples.mean(0), theirs.mean(), atol=4.5 * np.sqrt(theirs.var().max() / 20000))


@pytest.mark.skipif(not hasattr(mlx.linalg, "cholesky"), reason="needs linear algebra")
@pytest.mark.parametrize("form", ["covariance_matrix", "precision_matrix", "scale_tril"])
def test_multivariate_normal(form):
    root = np.array([[1.0, 0, 0], [0.5, 2.0, 0], [-0.3, 0.1, 0.7]])
    covariance = root @ root.T
    matrix = {
        "scale_tril": root,
        "covariance_matrix": covariance,
        "precision_matrix": np.linalg.inv(covariance),
    }
    ours, theirs = (
        D.MultivariateNormal(t(B), **{form: t(matrix[form])}),
        stats.multivariate_normal(B, covariance),
    )
    values = np.stack([REAL, POSITIVE])
    assert_close(ours.log_prob(t(values)), theirs.logpdf(values), rtol=1e-9)
    assert_close(ours.entropy(), theirs.entropy(), rtol=1e-9)
    for name in matrix:
        assert_close(getattr(ours, name), matrix[name], rtol=1e-8, atol=1e-10)
    samples = ours.sample([20000]).numpy()
    np.testing.assert_allclose(np.cov(samples.T), covariance, atol=0.2)
    assert_close(kl_divergence(ours, ours), 0.0, atol=1e-12)


def test_categorical():
    ours = D.Categorical(t([1.0, 3.0, 4.0]))
    assert_close(ours.log_prob(mlx.tensor([0, 2])).exp(), [0.125, 0.5])
    assert_close(ours.entropy(), stats.entropy([1, 3, 4]), rtol=1e-12)
    counts = np.bincount(ours.sample([8000]).numpy(), minlength=3) / 8000
    np.testing.assert_allclose(counts, [0.125, 0.375, 0.5], atol=0.025)
    assert ours.enumerate_support().tolist() == [0, 1, 2]
    logits = D.Categorical(logits=t([0.0, math.log(3), math.log(4)]))
    assert_close(logits.probs, ours.probs)


def test_categorical_batches():
    ours = D.Categorical(t([[1.0, 0.0], [0.0, 1.0]]))
    assert ours.sample([5]).tolist() == [[0, 1]] * 5
    assert ours.log_prob(mlx.tensor(1)).exp().tolist()[1] == pytest.approx(1)


def test_one_hot_categorical():
    ours = D.OneHotCategorical(t(PROBS))
    samples = ours.sample([100])
    assert samples.shape == (100, 3)
    assert samples.sum(-1).eq(1).all()
    assert_close(ours.log_prob(mlx.eye(3, dtype=mlx.float64)).exp(), PROBS / PROBS.sum())


def test_straight_through_gradients():
    probs = t(PROBS).requires_grad_()
    (D.OneHotCategoricalStraightThrough(probs).rsample() * t([1.0, 0, 0])).sum().backward()
    assert probs.grad[0] > 0


def test_relaxed_bernoulli():
    ours = D.RelaxedBernoulli(t(0.5), t(PROBS))
    assert_close(ours.sample([4000]).gt(0.5).double().mean(0), PROBS, rtol=0, atol=0.03)
    grid = np.linspace(0, 1, 200_001)[1:-1]
    density = ours.log_prob(t(grid[:, None])).exp().numpy()
    np.testing.assert_allclose(np.trapezoid(density, grid, axis=0), 1, rtol=2e-2)  # it has poles at both ends
    assert ours.expand([2, 3]).rsample().shape == (2, 3)


def test_relaxed_one_hot_categorical():
    ours = D.RelaxedOneHotCategorical(t(0.7), t(PROBS))
    samples = ours.sample([4000])
    assert constraints.simplex.check(samples).all()
    largest = np.bincount(samples.argmax(-1).numpy(), minlength=3) / 4000
    np.testing.assert_allclose(largest, PROBS / PROBS.sum(), atol=0.035)
    # Of two categories it is a relaxed Bernoulli variable.
    two = D.RelaxedOneHotCategorical(t(0.7), t([0.3, 0.7]))
    one = D.RelaxedBernoulli(t(0.7), t(0.3))
    assert_close(two.log_prob(t([0.2, 0.8])), one.log_prob(t(0.2)).item(), rtol=1e-9)


def test_von_mises():
    ours, theirs = D.VonMises(t(B), t(A)), stats.vonmises(A, B)
    assert_close(ours.log_prob(t(REAL)), theirs.logpdf(REAL), rtol=1e-10)
    samples = ours.sample([4000]).numpy()
    assert (abs(samples) <= np.pi).all()
    for i in range(3):
        wrapped = (samples[:, i] - B[i] + np.pi) % (2 * np.pi) - np.pi
        assert stats.kstest(wrapped, stats.vonmises(A[i]).cdf).pvalue > 1e-4
    assert D.VonMises(t(0.0), t(1e-6)).sample([100]).std() > 1.4
    assert D.VonMises(0.0, 1e4).log_prob(mlx.tensor(0.0)).isfinite()


def test_multinomial():
    ours, theirs = D.Multinomial(4, t(PROBS)), stats.multinomial(4, PROBS / PROBS.sum())
    value = np.array([1.0, 1.0, 2.0])
    assert_close(ours.log_prob(t(value)), theirs.logpmf(value), rtol=1e-10)
    samples = ours.sample([4000])
    assert samples.sum(-1).eq(4).all()
    np.testing.assert_allclose(samples.numpy().mean(0), 4 * PROBS / PROBS.sum(), atol=0.07)


def test_mixture():
    weights = np.array([0.3, 0.7])
    mixture = D.MixtureSameFamily(D.Categorical(t(weights)), D.Normal(t([-2.0, 1.0]), t([0.5, 1.0])))
    density = 0.3 * stats.norm(-2, 0.5).pdf(REAL) + 0.7 * stats.norm(1, 1).pdf(REAL)
    assert_close(mixture.log_prob(t(REAL)), np.log(density), rtol=1e-10)
    assert_close(mixture.mean, 0.1, rtol=1e-10)
    samples = mixture.sample([20000]).numpy()
    assert abs(samples.mean() - 0.1) < 0.06
    assert abs(samples.var() - mixture.variance.item()) < 0.1


def test_independent():
    base = D.Normal(t(np.zeros((2, 3))), 1.0)
    ours = D.Independent(base, 1)
    assert (ours.batch_shape, ours.event_shape) == ((2,), (3,))
    value = t(np.ones((2, 3)))
    assert_close(ours.log_prob(value), base.log_prob(value).sum(-1).numpy())
    assert_close(ours.entropy(), base.entropy().sum(-1).numpy())
    assert ours.expand([4, 2]).sample().shape == (4, 2, 3)


# ---- transforms

TRANSFORMS = {
    "exp": (D.ExpTransform(), REAL),
    "power": (D.PowerTransform(-1.5), POSITIVE),
    "affine": (D.AffineTransform(2.0, -3.0), REAL),
    "sigmoid": (D.SigmoidTransform(), REAL),
    "tanh": (D.TanhTransform(), REAL),
    "softplus": (D.SoftplusTransform(), REAL),
    "composed": (D.ComposeTransform([D.AffineTransform(1.0, 0.5), D.ExpTransform()]), REAL),
}


def test_repr_of_composed_transforms():
    composed = D.ComposeTransform([D.AffineTransform(1.0, 0.5), D.ExpTransform()])
    assert repr(composed) == "ComposeTransform(\n    AffineTransform(),\n    ExpTransform()\n)"


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_numbers(name):
    transform, x = TRANSFORMS[name]
    x = t(x).requires_grad_()
    y = transform(x)
    assert_close(transform.inv(y), x.detach().numpy(), rtol=1e-9)
    (slope,) = mlx.autograd.grad(y.sum(), x)
    assert_close(transform.log_abs_det_jacobian(x, y), np.log(abs(slope.numpy())), rtol=1e-9, atol=1e-12)
    assert_close(transform.inv.log_abs_det_jacobian(y, x), -np.log(abs(slope.numpy())), rtol=1e-9, atol=1e-12)
    assert (mlx.as_tensor(transform.sign) == slope.sign()).all()


def test_stick_breaking():
    transform = D.StickBreakingTransform()
    x = t(REAL)
    y = transform(x)
    assert constraints.simplex.check(y)
    assert_close(transform.inv(y), REAL, rtol=1e-9)
    assert_close(transform(mlx.zeros(3)), np.full(4, 0.25), rtol=1e-6)
    columns = [(transform(x + h) - transform(x - h)) / 2e-6 for h in 1e-6 * mlx.eye(3, dtype=mlx.float64)]
    jacobian = mlx.stack(columns)[:, :3].numpy()
    assert_close(transform.log_abs_det_jacobian(x, y), np.linalg.slogdet(jacobian)[1], rtol=1e-7)


def test_transformed_distribution_with_a_falling_transform():
    ours = D.TransformedDistribution(D.Normal(t(0.0), 1.0), D.AffineTransform(1.0, -2.0))
    theirs = stats.norm(1, 2)
    assert_close(ours.cdf(t(REAL)), theirs.cdf(REAL), rtol=1e-10)
    assert_close(ours.icdf(t(UNIT)), theirs.ppf(UNIT), rtol=1e-9)
    assert_close(ours.log_prob(t(REAL)), theirs.logpdf(REAL), rtol=1e-10)


def test_logistic_normal():
    ours = D.LogisticNormal(t(B), t(A))
    assert (ours.batch_shape, ours.event_shape) == ((), (4,))
    assert constraints.simplex.check(ours.sample([10])).all()
    assert ours.log_prob(t([0.1, 0.2, 0.3, 0.4])).isfinite()


@pytest.mark.parametrize(
    "constraint",
    [
        constraints.real,
        constraints.positive,
        constraints.greater_than(2.0),
        constraints.less_than(-1.0),
        constraints.interval(-2.0, 5.0),
        constraints.unit_interval,
        constraints.simplex,
    ],
    ids=repr,
)
@pytest.mark.parametrize("registry", [D.transform_to, D.biject_to])
def test_transforms_to_constraints(constraint, registry):
    assert constraint.check(registry(constraint)(t(REAL))).all()


# ---- divergences

PAIRS = {
    "Normal": (D.Normal(t(B), t(A)), D.Normal(t(A), t(B))),
    "LogNormal": (D.LogNormal(t(B), t(A)), D.LogNormal(t(A), t(B + 1))),
    "HalfNormal": (D.HalfNormal(t(A)), D.HalfNormal(t(B + 1))),
    "Laplace": (D.Laplace(t(B), t(A)), D.Laplace(t(A), t(B))),
    "Gumbel": (D.Gumbel(t(B), t(A)), D.Gumbel(t(A), t(B + 2))),
    "Uniform": (D.Uniform(t(A), t(A + 1)), D.Uniform(t(A - 1), t(A + 2))),
    "Uniform, Normal": (D.Uniform(t(A), t(A + 1)), D.Normal(t(A), t(B))),
    "Exponential": (D.Exponential(t(A)), D.Exponential(t(B))),
    "Gamma": (D.Gamma(t(A), t(B)), D.Gamma(t(B), t(A))),
    "Beta": (D.Beta(t(A), t(B)), D.Beta(t(B), t(A))),
    "InverseGamma": (D.InverseGamma(t(A + 2), t(B)), D.InverseGamma(t(B + 2), t(A))),
    "Pareto": (D.Pareto(t(A), t(B + 2)), D.Pareto(t(A / 2), t(A + 2))),
}


@pytest.mark.parametrize("name", PAIRS)
def test_divergence_is_the_mean_difference_of_log_prob(name):
    """Over samples of p."""
    p, q = PAIRS[name]
    samples = p.sample([100_000])
    differences = (p.log_prob(samples) - q.log_prob(samples)).numpy()
    rounding = max(10 * np.finfo(differences.dtype).eps, 1e-9)
    differences = differences.astype(np.float64)
    error = differences.std(0) / np.sqrt(len(differences))
    value = kl_divergence(p, q).numpy()
    assert (abs(differences.mean(0) - value) <= 4.5 * error + rounding * (1 + abs(value))).all()
    assert_close(kl_divergence(p, p) if "," not in name else t(np.zeros(3)), np.zeros(3), atol=1e-12)


FINITE = {
    "Bernoulli": (D.Bernoulli(t(PROBS)), D.Bernoulli(t(1 - PROBS / 2))),
    "Binomial": (D.Binomial(5, t(PROBS)), D.Binomial(5, t(1 - PROBS / 2))),
    "Categorical": (D.Categorical(t(A)), D.Categorical(t(B))),
}


@pytest.mark.parametrize("name", FINITE)
def test_divergence_over_finitely_many_values(name):
    p, q = FINITE[name]
    values = p.enumerate_support()
    terms = p.log_prob(values).exp() * (p.log_prob(values) - q.log_prob(values))
    assert_close(kl_divergence(p, q), terms.sum(0).numpy(), rtol=1e-9)


@pytest.mark.parametrize(
    ("p", "q"), [(D.Poisson(t(A)), D.Poisson(t(B))), (D.Geometric(t(PROBS)), D.Geometric(t(1 - PROBS / 2)))]
)
def test_divergence_over_counts(p, q):
    values = t(np.arange(300.0)[:, None])
    terms = p.log_prob(values).exp() * (p.log_prob(values) - q.log_prob(values))
    assert_close(kl_divergence(p, q), terms.sum(0).numpy(), rtol=1e-9)


def test_divergence_from_what_q_cannot_give_is_infinite():
    assert kl_divergence(D.Uniform(0.0, 2.0), D.Uniform(0.0, 1.0)) == math.inf
    assert kl_divergence(D.Bernoulli(0.5), D.Bernoulli(0.0)) == math.inf


def test_an_unknown_divergence_says_what_to_do():
    with pytest.raises(NotImplementedError, match="Normal and q type Poisson.*samples"):
        kl_divergence(D.Normal(0.0, 1.0), D.Poisson(1.0))


def test_a_registered_divergence_comes_first_for_its_class():
    class Mine(D.Normal):
        pass

    D.register_kl(Mine, D.Normal)(lambda p, q: mlx.tensor(7.0))
    assert kl_divergence(Mine(0.0, 1.0), D.Normal(0.0, 1.0)) == 7
    assert kl_divergence(D.Normal(0.0, 1.0), Mine(0.0, 1.0)) == 0


# ---- arguments


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: D.Normal(0.0, -1.0), r"scale.*Normal.*GreaterThan\(lower_bound=0.0\)"),
        (lambda: D.Normal(math.nan, 1.0), r"loc.*Real\(\)"),
        (lambda: D.Uniform(1.0, 0.0), "low.*Uniform"),
        (lambda: D.Bernoulli(1.5), "probs.*Interval"),
        (lambda: D.Bernoulli(), "Either `probs` or `logits`"),
        (lambda: D.Bernoulli(0.5, 0.5), "Either `probs` or `logits`"),
        (lambda: D.Categorical(t(0.5)), "one-dimensional"),
        (lambda: D.Categorical(t([-1.0, 2.0])), "at least 0"),
        (lambda: D.Geometric(0.0), "positive"),
        (lambda: D.Binomial(1.5, 0.5), "total_count"),
    ],
)
def test_parameters_out_of_range(make, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        make()


@pytest.mark.parametrize(
    ("distribution", "value"),
    [
        (D.Exponential(1.0), -1.0),
        (D.Beta(1.0, 1.0), 1.5),
        (D.Poisson(1.0), 0.5),
        (D.Bernoulli(0.5), 2.0),
        (D.Categorical(t([0.5, 0.5])), 2.0),
    ],
)
def test_values_outside_the_support(distribution, value):
    with pytest.raises(ValueError, match="within the support"):
        distribution.log_prob(mlx.tensor(value))


def test_values_of_a_shape_that_does_not_fit():
    with pytest.raises(ValueError, match="broadcast"):
        D.Normal(mlx.zeros(3), 1.0).log_prob(mlx.zeros(4))


def test_checks_can_be_turned_off():
    assert D.Normal(0.0, -1.0, validate_args=False).scale == -1
    D.Distribution.set_default_validate_args(False)
    try:
        assert D.Normal(0.0, -1.0).scale == -1
    finally:
        D.Distribution.set_default_validate_args(True)


def test_what_is_not_there_says_so():
    with pytest.raises(NotImplementedError, match="Bernoulli.*sample"):
        D.Bernoulli(0.5).rsample()
    with pytest.raises(NotImplementedError, match="Poisson"):
        D.Poisson(1.0).cdf(mlx.tensor(1.0))


def test_samples_carry_no_gradient():
    loc = mlx.zeros(2, requires_grad=True)
    assert not D.Normal(loc, 1.0).sample().requires_grad
    assert D.Normal(loc, 1.0).rsample().requires_grad


def test_default_dtype_and_shapes():
    ours = D.Normal(0, 1)
    assert ours.sample().dtype == mlx.float32
    assert ours.sample().shape == ()
    assert D.Normal(mlx.zeros(2, 1), mlx.ones(3)).batch_shape == (2, 3)

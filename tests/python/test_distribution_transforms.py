"""Transforms of random variables, and the constraints that they map between."""

import math

import numpy as np
import pytest
from support import assert_close

import mlx
from mlx import distributions as D
from mlx.distributions import constraints
from mlx.distributions.utils import lazy_property, probs_to_logits, tril_matrix_to_vec, vec_to_tril_matrix


class Cube(D.Transform):
    """Written as for PyTorch: by `_call`, `_inverse` and the logarithm of the derivative."""

    domain = constraints.real
    codomain = constraints.real
    bijective = True

    def _call(self, x):
        return x**3

    def _inverse(self, y):
        return y.sign() * y.abs() ** (1 / 3)

    def log_abs_det_jacobian(self, x, y):
        return (3 * x**2).log()


class Falling(Cube):
    sign = -1

    def _call(self, x):
        return -(x**3)

    def _inverse(self, y):
        return super()._inverse(-y)


def test_a_transform_of_ones_own():
    ours = D.TransformedDistribution(D.Normal(0.0, 1.0), [Cube()])
    y = mlx.tensor(8.0)
    expected = -2.0 - 0.5 * math.log(2 * math.pi) - math.log(12)
    assert_close(ours.log_prob(y), expected, rtol=1e-5)
    assert ours.sample([3]).shape == (3,)
    with pytest.raises(NotImplementedError, match="Cube has no sign"):
        ours.cdf(y)  # it might be falling
    falling = D.TransformedDistribution(D.Normal(0.0, 1.0), [Falling()])
    assert_close(falling.cdf(y), mlx.special.ndtr(mlx.tensor(2.0)), rtol=1e-5)
    with pytest.raises(NotImplementedError, match="_call"):
        D.Transform()(y)


def test_a_cache_gives_back_the_very_argument():
    t = D.TanhTransform(cache_size=1)
    x = mlx.tensor([20.0, -1.0])  # tanh(20) rounds to 1
    y = t(x)
    assert t.inv(y) is x
    assert t(x) is y
    assert not D.TanhTransform().inv(y).equal(x)
    for make in (
        lambda: D.ComposeTransform([D.TanhTransform(), D.AffineTransform(1.0, 2.0)]),
        lambda: D.IndependentTransform(D.TanhTransform(), 1),
        lambda: D.CatTransform([D.TanhTransform(), D.ExpTransform()]),
        lambda: D.StackTransform([D.TanhTransform(), D.ExpTransform()]),
    ):
        plain = make()
        cached = plain.with_cache()
        assert cached == plain
        assert cached.inv(cached(x)) is x
        assert plain.with_cache(0) is plain
        assert cached.with_cache(0).inv(cached(x)) is not x


def test_cached_samples_have_finite_densities():
    policy = D.TransformedDistribution(D.Normal(mlx.tensor([20.0]), 1.0), [D.TanhTransform(cache_size=1)])
    assert policy.log_prob(policy.rsample()).isfinite().all()


@pytest.mark.parametrize(
    "t",
    [
        D.AbsTransform(),
        D.AffineTransform(1.0, 2.0, event_dim=1),
        D.ReshapeTransform((2,), (2, 1)),
        D.IndependentTransform(D.ExpTransform(), 1),
        D.ComposeTransform([D.ExpTransform(), D.PowerTransform(2.0)]),
        D.CorrCholeskyTransform(),
    ],
)
def test_equality_is_that_of_the_settings(t):
    assert t == t.with_cache()
    assert t != D.SigmoidTransform()
    assert t.inv.inv is t
    assert t.inv.bijective == t.bijective
    assert repr(t.inv.domain) == repr(t.codomain)


def test_dimensions_of_an_event():
    assert D.AffineTransform(0.0, 1.0, event_dim=2).event_dim == 2
    assert D.ExpTransform().event_dim == 0
    with pytest.raises(ValueError, match="domain.event_dim"):
        _ = D.CorrCholeskyTransform().event_dim


# ---- correlation matrices


def test_numbers_become_factors_of_correlations_and_back():
    t = D.CorrCholeskyTransform()
    x = mlx.tensor([[0.3, -0.7, 1.2], [0.0, 2.0, -0.1]], dtype=mlx.float64)
    y = t(x)
    assert y.shape == (2, 3, 3)
    assert constraints.corr_cholesky.check(y).all()
    assert_close(t.inv(y), x, rtol=1e-9, atol=1e-12)
    # The first two entries are tanh(x), and tanh(x) times what the row's length has left.
    a, b, c = np.tanh([0.3, -0.7, 1.2])
    expected = [[1, 0, 0], [a, math.sqrt(1 - a * a), 0]]
    rest = math.sqrt(1 - b * b)
    expected.append([b, c * rest, rest * math.sqrt(1 - c * c)])
    assert_close(y[0], expected, rtol=1e-12)
    assert t.forward_shape([5, 6]) == (5, 4, 4)
    assert t.inverse_shape([5, 4, 4]) == (5, 6)
    with pytest.raises(ValueError, match="flattened lower"):
        t.forward_shape([4])
    with pytest.raises(ValueError, match="not square"):
        t.inverse_shape([4, 3])


def test_the_determinant_for_correlations_is_that_of_the_derivative():
    t = D.CorrCholeskyTransform()
    x = mlx.tensor([0.3, -0.7, 1.2, 0.1, 0.9, -2.0], dtype=mlx.float64)
    jacobian = mlx.autograd.functional.jacobian(lambda v: tril_matrix_to_vec(t(v), diag=-1), x)
    expected = mlx.linalg.slogdet(jacobian).logabsdet
    assert_close(t.log_abs_det_jacobian(x, t(x)), expected, rtol=1e-9)


def test_a_correlation_can_be_learned():
    with_prior = D.LKJCholesky(3, 2.0)
    free = mlx.zeros(3, requires_grad=True)
    factor = D.transform_to(constraints.corr_cholesky)(free)
    with_prior.log_prob(factor).backward()
    assert free.grad.isfinite().all()


# ---- constraints


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        (constraints.square, mlx.zeros(2, 2), mlx.zeros(2, 3)),
        (constraints.symmetric, mlx.tensor([[1.0, 2], [2, 1]]), mlx.tensor([[1.0, 2], [3, 1]])),
        (constraints.positive_semidefinite, mlx.diag(mlx.tensor([1.0, 0])), mlx.diag(mlx.tensor([1.0, -1]))),
        (constraints.corr_cholesky, mlx.tensor([[1.0, 0], [0.6, 0.8]]), mlx.tensor([[1.0, 0], [0.6, 0.7]])),
        (constraints.positive_definite, mlx.eye(2), mlx.ones(2, 3)),
    ],
)
def test_constraints_of_matrices(constraint, good, bad):
    assert constraint.check(good).tolist() is True
    assert constraint.check(bad).tolist() is False
    assert constraint.check(bad.expand(4, *bad.shape)).shape == (4,)
    assert constraint.event_dim == 2


def test_constraints_part_by_part():
    cat = constraints.cat([constraints.positive, constraints.real], dim=-1, lengths=[1, 2])
    assert cat.check(mlx.tensor([[1.0, -1, -1], [-1, 1, 1]])).tolist() == [
        [True, True, True],
        [False, True, True],
    ]
    stack = constraints.stack([constraints.positive, constraints.boolean])
    assert stack.check(mlx.tensor([[2.0], [2.0]])).tolist() == [[True], [False]]
    assert stack.is_discrete
    assert not cat.is_discrete
    for registry in (D.biject_to, D.transform_to):
        x = mlx.tensor([[0.5, -0.5, 2.0]])
        y = registry(cat)(x)
        assert cat.check(y).all()
        assert_close(registry(cat).inv(y), x, rtol=1e-6)
    with pytest.raises(ValueError, match="2 constraints, but 1 lengths"):
        constraints.cat([constraints.positive, constraints.real], lengths=[3])


def test_constraints_are_written_as_in_pytorch():
    assert repr(constraints.positive) == "GreaterThan(lower_bound=0.0)"
    assert repr(constraints.unit_interval) == "Interval(lower_bound=0.0, upper_bound=1.0)"
    assert repr(constraints.real_vector) == "IndependentConstraint(Real(), 1)"
    assert repr(constraints.nonnegative_integer) == "IntegerGreaterThan(lower_bound=0)"


# ---- what distributions share


def test_triangles_as_vectors():
    vec = mlx.arange(1.0, 7.0)
    full = vec_to_tril_matrix(vec)
    assert full.tolist() == [[1, 0, 0], [2, 3, 0], [4, 5, 6]]
    assert tril_matrix_to_vec(full).equal(vec)
    assert vec_to_tril_matrix(vec, diag=-1).shape == (4, 4)
    with pytest.raises(ValueError, match="last dimension is 5"):
        vec_to_tril_matrix(mlx.ones(5))


def test_probabilities_and_logits():
    probs = mlx.tensor([0.0, 0.25, 1.0])
    assert probs_to_logits(probs).isfinite().all()
    assert_close(probs_to_logits(probs, is_binary=True)[1], -math.log(3), rtol=1e-6)


def test_a_lazy_property_is_computed_once():
    class Squares:
        calls = 0

        @lazy_property
        def value(self):
            """Its square."""
            self.calls += 1
            return mlx.ones(2)

    s = Squares()
    assert s.value is s.value
    assert s.calls == 1
    assert Squares.value.__doc__ == "Its square."


# ---- what is checked and what is kept


def test_expanding_keeps_the_checks():
    for made in (
        D.Exponential(1.0),
        D.Independent(D.Exponential(mlx.ones(2)), 1),
        D.LogNormal(0.0, 1.0),
        D.TransformedDistribution(D.Normal(0.0, 1.0), D.ExpTransform()),
    ):
        with pytest.raises(ValueError, match="within the support"):
            made.expand([3, *made.batch_shape]).log_prob(mlx.full(made.event_shape, -1.0))
    unchecked = D.Exponential(1.0, validate_args=False).expand([2])
    assert unchecked.log_prob(mlx.tensor(-1.0)).shape == (2,)


def test_what_cannot_be_transformed():
    for base, transforms, message in (
        (D.Normal(0.0, 1.0), D.StickBreakingTransform(), "size at least 1"),
        (D.Normal(0.0, 1.0), [mlx.exp], "list of Transforms"),
        (D.Normal(0.0, 1.0), mlx.exp, "Transform or list"),
    ):
        with pytest.raises(ValueError, match=message):
            D.TransformedDistribution(base, transforms)


def test_expanding_keeps_the_class_and_its_parameters():
    assert type(D.LogisticNormal(mlx.zeros(2), mlx.ones(2)).expand([3])) is D.LogisticNormal
    relaxed = D.RelaxedOneHotCategorical(mlx.tensor(0.7), mlx.tensor([0.2, 0.3, 0.5]))
    value = mlx.tensor([0.1, 0.3, 0.6])
    assert relaxed.expand([2]).log_prob(value).tolist() == [relaxed.log_prob(value).item()] * 2


def test_modules_have_the_names_of_pytorch():
    assert D.normal.Normal is D.Normal
    assert D.relaxed_categorical.ExpRelaxedCategorical(0.5, mlx.ones(3)).expand([2]).param_shape == (2, 3)
    logit = D.relaxed_bernoulli.LogitRelaxedBernoulli(0.5, mlx.tensor([0.2, 0.7]))
    assert logit.expand([4, 2]).rsample().shape == (4, 2)
    for name in D._MODULE_OF:
        assert getattr(D, name).__all__
    with pytest.raises(AttributeError, match="no attribute 'gaussian'"):
        _ = D.gaussian


def test_a_distribution_without_support_warns():
    class Mine(D.Distribution):
        def log_prob(self, value):
            self._validate_sample(value)
            return value

    with pytest.warns(UserWarning, match="does not define `support`"):
        Mine().log_prob(mlx.tensor(1.0))


def test_entropy_of_a_multinomial_is_the_expected_surprise():
    probs = mlx.tensor([0.2, 0.3, 0.5], dtype=mlx.float64)
    ours = D.Multinomial(4, probs)
    values = [(a, b, 4 - a - b) for a in range(5) for b in range(5 - a)]
    log_prob = ours.log_prob(mlx.tensor(values, dtype=mlx.float64))
    assert_close(ours.entropy(), -(log_prob.exp() * log_prob).sum(), rtol=1e-12)


def test_values_of_independent_variables_can_be_listed_one_at_a_time():
    single = D.Independent(D.Bernoulli(mlx.tensor([0.1, 0.2])), 0)
    assert single.has_enumerate_support
    assert single.enumerate_support().shape == (2, 2)
    with pytest.raises(NotImplementedError, match="cartesian product"):
        D.Independent(D.Bernoulli(mlx.tensor([0.1, 0.2])), 1).enumerate_support()


def test_mixtures_check_their_values():
    mixture = D.MixtureSameFamily(D.Categorical(mlx.ones(2)), D.Exponential(mlx.tensor([1.0, 2.0])))
    assert repr(mixture.support) == "MixtureSameFamilyConstraint(GreaterThanEq(lower_bound=0.0))"
    assert mixture.log_prob(mlx.tensor([0.5, 1.0])).shape == (2,)
    with pytest.raises(ValueError, match="within the support"):
        mixture.log_prob(mlx.tensor([-0.5, 1.0]))


def test_continuous_bernoulli_keeps_its_digits_around_a_half():
    """The variance by a series in the logits, where the closed formula cancels."""
    probs = mlx.tensor([0.5, 0.5002, 0.49, 0.47, 0.6], dtype=mlx.float32)
    eta = np.log(probs.numpy().astype(np.float64)) - np.log1p(-probs.numpy().astype(np.float64))
    series = 1 / 12 - eta**2 / 240 + eta**4 / 6048 - eta**6 / 172800
    assert_close(D.ContinuousBernoulli(probs).variance, series, rtol=1e-6)


@pytest.mark.cpu  # gradcheck needs double precision
@pytest.mark.parametrize("concentration", [0.0, 1e-9, -1e-4, 0.3, -0.4])
def test_gradients_of_a_tail_that_is_nearly_exponential(concentration):
    parameters = [mlx.tensor(p, dtype=mlx.float64, requires_grad=True) for p in (0.5, 1.5, concentration)]
    value = mlx.tensor([0.6, 1.0, 2.0], dtype=mlx.float64)
    for function in ("log_prob", "cdf"):
        assert mlx.autograd.gradcheck(
            lambda *p: getattr(D.GeneralizedPareto(*p), function)(value), parameters
        )
    u = mlx.tensor([0.1, 0.5, 0.9], dtype=mlx.float64)
    assert mlx.autograd.gradcheck(lambda *p: D.GeneralizedPareto(*p).icdf(u), parameters)


@pytest.mark.cpu  # gradcheck needs double precision
@pytest.mark.parametrize("logits", [0.0, 1e-7, 0.4, -3.0, 40.0])
def test_gradients_of_a_continuous_bernoulli(logits):
    x = mlx.tensor(logits, dtype=mlx.float64, requires_grad=True)
    value = mlx.tensor([0.1, 0.5, 0.9], dtype=mlx.float64)
    for function in ("log_prob", "cdf", "icdf"):
        call = lambda x: getattr(D.ContinuousBernoulli(logits=x), function)(value)
        assert mlx.autograd.gradcheck(call, x)
    assert mlx.autograd.gradcheck(lambda x: D.ContinuousBernoulli(logits=x).entropy(), x)
    assert mlx.autograd.gradcheck(lambda x: D.ContinuousBernoulli(logits=x).variance, x)


# ---- part by part


def test_transforms_of_the_parts_of_a_dimension():
    x = mlx.tensor([[0.5, 1.0, 2.0], [-0.5, 3.0, 4.0]])
    parts = [D.ExpTransform(), D.AffineTransform(1.0, 3.0)]
    cat = D.CatTransform(parts, dim=1, lengths=[1, 2])
    y = cat(x)
    np.testing.assert_allclose(y.tolist(), [[math.exp(0.5), 4, 7], [math.exp(-0.5), 10, 13]], rtol=1e-6)
    np.testing.assert_allclose(cat.inv(y).tolist(), x.tolist(), rtol=1e-6)
    slope = math.log(3)
    expected = [[0.5, slope, slope], [-0.5, slope, slope]]
    np.testing.assert_allclose(cat.log_abs_det_jacobian(x, y).tolist(), expected, rtol=1e-6)
    stack = D.StackTransform(parts, dim=0)
    rows = [np.exp([0.5, 1.0, 2.0]), [-0.5, 10.0, 13.0]]
    np.testing.assert_allclose(stack(x).tolist(), rows, rtol=1e-6)
    np.testing.assert_allclose(stack.inv(stack(x)).tolist(), x.tolist(), rtol=1e-6)
    with pytest.raises(ValueError, match="2 transforms"):
        D.CatTransform(parts, lengths=[3])
    vectors = D.CatTransform([D.ExpTransform(), D.IndependentTransform(D.ExpTransform(), 1)], -1, [1, 2])
    assert_close(vectors.log_abs_det_jacobian(x, vectors(x)), [3.5, 6.5], rtol=1e-6)
    assert vectors.length == 3
    with pytest.raises(ValueError, match="numbers"):
        D.StackTransform([D.SoftmaxTransform()])


def test_a_cumulative_distribution_makes_uniform_numbers():
    t = D.CumulativeDistributionTransform(D.Normal(1.0, 2.0))
    x = mlx.tensor([1.0, 3.0])
    y = t(x)
    np.testing.assert_allclose(y.tolist(), [0.5, 0.8413447], rtol=1e-6)
    np.testing.assert_allclose(t.inv(y).tolist(), [1.0, 3.0], rtol=1e-5, atol=1e-6)
    density = [-math.log(2 * math.sqrt(2 * math.pi)) - d for d in (0, 0.5)]
    np.testing.assert_allclose(t.log_abs_det_jacobian(x, y).tolist(), density, rtol=1e-6)


def test_matrices_become_positive_definite_and_back():
    x = mlx.tensor([[0.3, 9.0], [-0.7, -0.2]])
    t = D.transform_to(D.constraints.positive_definite)
    factor = np.array([[math.exp(0.3), 0], [-0.7, math.exp(-0.2)]])
    np.testing.assert_allclose(t(x).tolist(), factor @ factor.T, rtol=1e-6)
    np.testing.assert_allclose(t.inv(t(x)).tolist(), [[0.3, 0], [-0.7, -0.2]], rtol=1e-5, atol=1e-6)

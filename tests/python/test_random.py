"""Random numbers: reproducible, in range, with the right moments."""

import math

import numpy as np
import pytest
import scipy.stats
from support import FLOATS, INTEGERS, name

import mlx

N = 200_000

FILLS = {
    "rand": lambda **kw: mlx.rand(1000, **kw),
    "randn": lambda **kw: mlx.randn(1000, **kw),
    "randint": lambda **kw: mlx.randint(0, 1000, (1000,), **kw),
    "randperm": lambda **kw: mlx.randperm(1000, **kw),
    "bernoulli": lambda **kw: mlx.bernoulli(mlx.full((1000,), 0.5), **kw),
    "normal": lambda **kw: mlx.normal(0.0, 1.0, (1000,), **kw),
    "uniform_": lambda **kw: mlx.empty(1000).uniform_(**kw),
    "normal_": lambda **kw: mlx.empty(1000).normal_(**kw),
    "bernoulli_": lambda **kw: mlx.empty(1000).bernoulli_(0.5, **kw),
    "exponential_": lambda **kw: mlx.empty(1000).exponential_(**kw),
    "random_": lambda **kw: mlx.empty(1000, dtype=mlx.int64).random_(**kw),
    "multinomial": lambda **kw: mlx.multinomial(mlx.ones(2000), 1000, **kw),
}


@pytest.mark.parametrize("fill", FILLS)
def test_same_seed_same_numbers(fill):
    mlx.manual_seed(3)
    first = FILLS[fill]()
    mlx.manual_seed(3)
    assert FILLS[fill]().equal(first)


@pytest.mark.parametrize("fill", FILLS)
def test_next_call_gives_other_numbers(fill):
    assert not FILLS[fill]().equal(FILLS[fill]())


@pytest.mark.parametrize("fill", FILLS)
def test_another_seed_gives_other_numbers(fill):
    mlx.manual_seed(3)
    first = FILLS[fill]()
    mlx.manual_seed(4)
    assert not FILLS[fill]().equal(first)


@pytest.mark.parametrize("fill", FILLS)
def test_generator_is_its_own_stream(fill):
    generator = mlx.Generator()
    generator.manual_seed(5)
    first = FILLS[fill](generator=generator)
    mlx.rand(10)
    generator.manual_seed(5)
    assert FILLS[fill](generator=generator).equal(first)


@pytest.mark.parametrize("fill", FILLS)
def test_generator_leaves_the_global_stream(fill):
    expected = mlx.rand(3)
    mlx.manual_seed(0)
    FILLS[fill](generator=mlx.Generator())
    assert mlx.rand(3).equal(expected)


@pytest.mark.parametrize("fill", FILLS)
def test_same_numbers_with_any_number_of_threads(fill):
    streams = []
    for threads in (1, 2, 3):
        mlx.set_num_threads(threads)
        mlx.manual_seed(7)
        streams.append(FILLS[fill]())
    assert streams[0].equal(streams[1])
    assert streams[0].equal(streams[2])


def test_large_fill_is_the_same_with_any_number_of_threads():
    mlx.set_num_threads(1)
    mlx.manual_seed(7)
    alone = mlx.randn(1_000_003)
    mlx.set_num_threads(2)
    mlx.manual_seed(7)
    assert mlx.randn(1_000_003).equal(alone)


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
def test_rand_is_in_the_half_open_unit_interval(dtype):
    t = mlx.rand(N, dtype=dtype).double()
    assert t.min().item() >= 0
    assert t.max().item() < 1


@pytest.mark.parametrize("dtype", [mlx.float32, mlx.float64], ids=name)
def test_rand_is_uniform(dtype):
    assert scipy.stats.kstest(mlx.rand(N, dtype=dtype).numpy(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize("dtype", [mlx.float32, mlx.float64], ids=name)
def test_randn_is_standard_normal(dtype):
    assert scipy.stats.kstest(mlx.randn(N, dtype=dtype).numpy(), "norm").pvalue > 1e-3


def test_randn_neighbours_are_independent():
    t = mlx.randn(N, dtype=mlx.float64)
    assert abs((t[1:] * t[:-1]).mean().item()) < 4 / math.sqrt(N)


def test_complex_randn_has_unit_variance():
    z = mlx.randn(N, dtype=mlx.complex128)
    assert abs(z.abs().square().mean().item() - 1) < 0.02
    assert abs((z.real.square().mean() - z.imag.square().mean()).item()) < 0.02


@pytest.mark.parametrize("dtype", INTEGERS, ids=name)
def test_randint_covers_its_range(dtype):
    t = mlx.randint(3, 9, (N // 10,), dtype=dtype)
    assert t.dtype == dtype
    assert t.unique().tolist() == [3, 4, 5, 6, 7, 8]


def test_randint_is_uniform():
    counts = np.bincount(mlx.randint(0, 10, (N,)).numpy())
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_randint_of_a_huge_range():
    t = mlx.randint(-(2**62), 2**62, (1000,))
    assert t.min().item() < -(2**61) < 2**61 < t.max().item()


def test_randint_of_an_empty_range_is_an_error():
    with pytest.raises(RuntimeError, match="5"):
        mlx.randint(5, 5, (2,))


@pytest.mark.parametrize("n", [0, 1, 10, 100_000])
def test_randperm_is_a_permutation(n):
    assert mlx.randperm(n).sort().values.equal(mlx.arange(n))


def test_randperm_puts_every_element_first_equally_often():
    firsts = [mlx.randperm(4)[0].item() for _ in range(2000)]
    assert scipy.stats.chisquare(np.bincount(firsts)).pvalue > 1e-3


def test_bernoulli_probabilities():
    p = mlx.tensor([0.0, 0.25, 1.0]).expand(N // 4, 3)
    means = mlx.bernoulli(p).mean(0)
    assert means[0].item() == 0
    assert abs(means[1].item() - 0.25) < 0.01
    assert means[2].item() == 1


def test_bernoulli_outside_the_unit_interval_is_an_error():
    with pytest.raises(RuntimeError, match="1"):
        mlx.bernoulli(mlx.tensor([1.5]))


def test_normal_of_tensors_takes_means_and_deviations():
    t = mlx.normal(mlx.tensor([-5.0, 5.0]).expand(N, 2), mlx.tensor([1.0, 2.0]).expand(N, 2))
    np.testing.assert_allclose(t.mean(0).numpy(), [-5, 5], atol=0.03)
    np.testing.assert_allclose(t.std(0).numpy(), [1, 2], atol=0.03)


def test_negative_deviation_is_an_error():
    with pytest.raises(RuntimeError, match="-1"):
        mlx.empty(2).normal_(0, -1)


def test_uniform_range():
    t = mlx.empty(N).uniform_(-2, 6)
    assert -2 <= t.min().item() < -1.9
    assert 5.9 < t.max().item() < 6


def test_uniform_of_a_reversed_range_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.empty(2).uniform_(3, 1)


@pytest.mark.parametrize(
    ("fill", "distribution"),
    [
        (lambda t: t.exponential_(2.0), scipy.stats.expon(scale=0.5)),
        (lambda t: t.cauchy_(1.0, 3.0), scipy.stats.cauchy(1, 3)),
        (lambda t: t.log_normal_(0.5, 0.25), scipy.stats.lognorm(0.25, scale=math.exp(0.5))),
    ],
    ids=["exponential_", "cauchy_", "log_normal_"],
)
def test_other_distributions(fill, distribution):
    t = fill(mlx.empty(N, dtype=mlx.float64))
    assert scipy.stats.kstest(t.numpy(), distribution.cdf).pvalue > 1e-3


def test_geometric():
    t = mlx.empty(N).geometric_(0.25)
    assert t.min().item() == 1
    assert abs(t.mean().item() - 4) < 0.1


@pytest.mark.parametrize("fill", ["uniform_", "normal_", "exponential_"])
def test_fill_of_a_view_leaves_the_rest(fill):
    base = mlx.full((10, 10), 100.0)
    getattr(base[:, ::2], fill)()
    assert base[:, 1::2].eq(100).all()
    assert base[:, ::2].ne(100).all()


def test_rand_like_takes_shape_and_dtype():
    t = mlx.rand_like(mlx.empty(2, 3, dtype=mlx.float64))
    assert (t.shape, t.dtype) == ((2, 3), mlx.float64)


def test_randint_like():
    assert mlx.randint_like(mlx.empty(5), 3).dtype == mlx.float32


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_never_picks_zero_weight(replacement):
    picks = mlx.multinomial(mlx.tensor([1.0, 0.0, 3.0]), 2, replacement=replacement)
    assert 1 not in picks


def test_multinomial_frequencies():
    picks = mlx.multinomial(mlx.tensor([1.0, 0.0, 3.0]), N, replacement=True)
    np.testing.assert_allclose(np.bincount(picks.numpy()) / N, [0.25, 0, 0.75], atol=0.01)


def test_state_of_a_generator_is_restored():
    generator = mlx.Generator()
    mlx.rand(3, generator=generator)
    state = generator.get_state()
    expected = mlx.rand(3, generator=generator)
    generator.set_state(state)
    assert mlx.rand(3, generator=generator).equal(expected)


def test_clone_state_gives_a_generator_that_goes_on_alike():
    g = mlx.Generator().manual_seed(4)
    mlx.rand(3, generator=g)
    twin = g.clone_state()
    assert twin.initial_seed() == 4
    assert mlx.equal(mlx.rand(5, generator=twin), mlx.rand(5, generator=g))
    state = g.get_state()
    mlx.rand(2, generator=twin)
    assert mlx.equal(g.get_state(), state)


def test_global_state_is_restored():
    mlx.randn(3)
    state = mlx.get_rng_state()
    expected = mlx.randn(3)
    mlx.set_rng_state(state)
    assert mlx.randn(3).equal(expected)


def test_state_is_a_byte_tensor():
    assert mlx.get_rng_state().dtype == mlx.uint8


def test_initial_seed():
    generator = mlx.Generator()
    generator.manual_seed(11)
    assert generator.initial_seed() == 11


def test_manual_seed_returns_the_generator():
    generator = mlx.Generator()
    assert generator.manual_seed(1) is generator


def test_seed_is_not_repeated():
    assert mlx.Generator().seed() != mlx.Generator().seed()


def test_negative_seed_is_a_seed():
    mlx.manual_seed(-1)
    first = mlx.rand(3)
    mlx.manual_seed(-1)
    assert mlx.rand(3).equal(first)


def test_dropout_follows_the_seed():
    mlx.manual_seed(2)
    first = mlx.nn.functional.dropout(mlx.ones(100))
    mlx.manual_seed(2)
    assert mlx.nn.functional.dropout(mlx.ones(100)).equal(first)


@pytest.mark.parametrize("mean", [0.0, mlx.zeros(2)], ids=["number", "tensor"])
def test_normal_refuses_negative_deviations(mean):
    with pytest.raises(RuntimeError, match="std >= 0"):
        mlx.normal(mean, mlx.tensor([1.0, -1.0]))


@pytest.mark.parametrize("number", ["mean", "std", None])
def test_no_gradient_passes_through_normal(number):
    mean, std = (2.0 if number == n else mlx.ones(3, requires_grad=True) for n in ("mean", "std"))
    out = mlx.normal(mean, std)
    out.sum().backward()
    for t in (mean, std):
        assert isinstance(t, float) or t.grad.tolist() == [0, 0, 0]

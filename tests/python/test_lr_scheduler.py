"""Schedules: rates against their closed forms, and resuming from a state."""

import math
import warnings

import pytest

import mlx
from mlx.optim import lr_scheduler as S

CASES = {
    "step": (lambda o: S.StepLR(o, 3, 0.5), lambda e: 0.5 ** (e // 3)),
    "multi": (lambda o: S.MultiStepLR(o, [2, 5], 0.5), lambda e: 0.5 ** ((e >= 2) + (e >= 5))),
    "constant": (lambda o: S.ConstantLR(o, 0.5, 4), lambda e: 0.5 if e < 4 else 1),
    "linear": (lambda o: S.LinearLR(o, 0.5, 1, 4), lambda e: 0.5 + 0.5 * min(e, 4) / 4),
    "exponential": (lambda o: S.ExponentialLR(o, 0.9), lambda e: 0.9**e),
    "cosine": (lambda o: S.CosineAnnealingLR(o, 5), lambda e: (1 + math.cos(math.pi * e / 5)) / 2),
    "lambda": (lambda o: S.LambdaLR(o, lambda e: 1 / (1 + e)), lambda e: 1 / (1 + e)),
    "multiplicative": (lambda o: S.MultiplicativeLR(o, lambda e: 0.9), lambda e: 0.9**e),
    "polynomial": (lambda o: S.PolynomialLR(o, 4, 2.0), lambda e: (1 - min(e, 4) / 4) ** 2),
    "restarts": (
        lambda o: S.CosineAnnealingWarmRestarts(o, 2, 2),
        lambda e: (1 + math.cos(math.pi * (e / 2 if e < 2 else (e - 2) / 4 if e < 6 else (e - 6) / 8))) / 2,
    ),
    "cyclic": (
        lambda o: S.CyclicLR(o, 0.1, 0.5, 2, 4, mode="triangular2"),
        lambda e: 0.1 + 0.4 * 0.5 ** (e // 6) * (e % 6 / 2 if e % 6 <= 2 else (6 - e % 6) / 4),
    ),
    "chained": (
        lambda o: S.ChainedScheduler([S.ConstantLR(o, 0.5, 4), S.ExponentialLR(o, 0.9)]),
        lambda e: (0.5 if e < 4 else 1) * 0.9**e,
    ),
    "sequential": (
        lambda o: S.SequentialLR(o, [S.ConstantLR(o, 0.1, 9), S.ExponentialLR(o, 0.9)], [4]),
        lambda e: 0.1 if e < 4 else 0.9 ** (e - 4),
    ),
}


def sgd():
    return mlx.optim.SGD([mlx.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)


@pytest.mark.parametrize("case", CASES)
def test_rates_and_resuming(case):
    build, want = CASES[case]
    optimizer = sgd()
    scheduler = build(optimizer)
    for epoch in range(12):
        assert scheduler.get_last_lr()[0] == pytest.approx(want(epoch), abs=1e-12)
        if epoch == 5:
            state, optimizer_state = dict(scheduler.state_dict()), optimizer.state_dict()
            optimizer = sgd()
            scheduler = build(optimizer)
            optimizer.load_state_dict(optimizer_state)
            scheduler.load_state_dict(state)
        scheduler.step()


def test_one_cycle():
    optimizer = sgd()
    scheduler = S.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    rates = [scheduler.get_last_lr()[0]]
    for _ in range(9):
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    assert rates[0] == pytest.approx(1 / 25) and rates[2] == 1.0 and rates[9] == pytest.approx(1 / 25e4)
    assert optimizer.param_groups[0]["momentum"] == pytest.approx(0.95)


def test_cyclic_momentum_goes_the_other_way():
    optimizer = mlx.optim.Adam([mlx.zeros(1, requires_grad=True)])
    scheduler = S.CyclicLR(optimizer, 0.1, 0.5, 2)
    for momentum in (0.9, 0.85, 0.8, 0.85):
        assert optimizer.param_groups[0]["betas"][0] == pytest.approx(momentum)
        scheduler.step()
    with pytest.raises(ValueError, match="momentum"):
        S.CyclicLR(mlx.optim.Adagrad([mlx.zeros(1, requires_grad=True)]), 0.1, 0.5)


def test_restarts_take_fractions_of_epochs():
    scheduler = S.CosineAnnealingWarmRestarts(sgd(), 2, 2)
    for epoch, part in ((0.5, 0.25), (2.0, 0.0), (7.0, 0.125)):
        scheduler.step(epoch)
        assert scheduler.get_last_lr()[0] == pytest.approx((1 + math.cos(math.pi * part)) / 2)


def test_plateau():
    optimizer = sgd()
    scheduler = S.ReduceLROnPlateau(optimizer, patience=1)
    for metric, want in [(1, 1), (1, 1), (math.nan, 0.1), (0.5, 0.1)]:
        scheduler.step(metric)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(want)


def test_errors():
    with pytest.raises(TypeError, match="not an Optimizer"):
        S.StepLR(1, 2)
    with pytest.raises(ValueError, match="total_steps"):
        S.OneCycleLR(sgd(), 1.0)
    with pytest.raises(KeyError, match="initial_lr"):
        S.StepLR(sgd(), 2, last_epoch=3)


def test_a_schedule_that_steps_before_the_optimizer_is_warned_of():
    optimizer = sgd()
    scheduler = S.StepLR(optimizer, 3)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
    optimizer = sgd()
    scheduler = S.StepLR(optimizer, 3)
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scheduler.step()
        scheduler.step()


def test_a_compiled_step_counts_as_a_step_of_the_optimizer():
    layer = mlx.nn.Linear(1, 1)
    optimizer = mlx.optim.SGD(layer.parameters(), lr=0.1)
    scheduler = S.StepLR(optimizer, 3)

    @mlx.jit
    def step(x):
        optimizer.zero_grad()
        layer(x).sum().backward()
        optimizer.step()

    for _ in range(3):
        step(mlx.ones(1, 1))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scheduler.step()
    assert step.cache_info().misses == 2  # the first call found no gradients

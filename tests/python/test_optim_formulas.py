"""Optimizers against their formulas, written out in NumPy."""

import numpy as np
import pytest

import mlx

GRADIENTS = [np.array(g) for g in ([0.5, -1.0, 2.0], [0.1, 0.2, -0.3], [-2.0, 0.0, 1.0])]
START = np.array([1.0, -2.0, 0.5])


def run(make):
    """The parameter after one step with each of the gradients."""
    p = mlx.tensor(START, requires_grad=True)
    optimizer = make([p])
    for g in GRADIENTS:
        p.grad = mlx.tensor(g)
        optimizer.step()
    return p.detach().numpy()


def test_sgd():
    expected = START - 0.1 * sum(GRADIENTS)
    np.testing.assert_allclose(run(lambda ps: mlx.optim.SGD(ps, lr=0.1)), expected, rtol=1e-12)


def test_sgd_with_momentum_and_weight_decay():
    p, velocity = START.copy(), np.zeros(3)
    for g in GRADIENTS:
        velocity = 0.9 * velocity + (g + 0.01 * p)
        p = p - 0.1 * velocity
    got = run(lambda ps: mlx.optim.SGD(ps, lr=0.1, momentum=0.9, weight_decay=0.01))
    np.testing.assert_allclose(got, p, rtol=1e-12)


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam(decoupled):
    p, m, v = START.copy(), np.zeros(3), np.zeros(3)
    for t, g in enumerate(GRADIENTS, 1):
        if decoupled:
            p = p * (1 - 0.1 * 0.01)
        else:
            g = g + 0.01 * p
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        p = p - 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    cls = mlx.optim.AdamW if decoupled else mlx.optim.Adam
    np.testing.assert_allclose(run(lambda ps: cls(ps, lr=0.1, weight_decay=0.01)), p, rtol=1e-10)


def test_rmsprop():
    p, v = START.copy(), np.zeros(3)
    for g in GRADIENTS:
        v = 0.99 * v + 0.01 * g * g
        p = p - 0.1 * g / (np.sqrt(v) + 1e-8)
    np.testing.assert_allclose(run(lambda ps: mlx.optim.RMSprop(ps, lr=0.1)), p, rtol=1e-10)


def test_adagrad():
    p, total = START.copy(), np.zeros(3)
    for g in GRADIENTS:
        total = total + g * g
        p = p - 0.1 * g / (np.sqrt(total) + 1e-10)
    np.testing.assert_allclose(run(lambda ps: mlx.optim.Adagrad(ps, lr=0.1)), p, rtol=1e-10)


def test_zero_grad_drops_gradients():
    p = mlx.ones(2, requires_grad=True)
    p.grad = mlx.ones(2)
    mlx.optim.SGD([p], lr=0.1).zero_grad()
    assert p.grad is None


def test_no_parameters_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        mlx.optim.SGD([], lr=0.1)


def test_negative_learning_rate_is_an_error():
    with pytest.raises(ValueError, match="-1"):
        mlx.optim.Adam([mlx.ones(1, requires_grad=True)], lr=-1.0)


def test_state_dict_round_trip_goes_on_the_same_way():
    def step(optimizer, p, g):
        p.grad = mlx.tensor(g)
        optimizer.step()

    p = mlx.tensor(START, requires_grad=True)
    first = mlx.optim.Adam([p], lr=0.1)
    step(first, p, GRADIENTS[0])
    q = p.detach().clone().requires_grad_()
    second = mlx.optim.Adam([q], lr=0.5)
    second.load_state_dict(first.state_dict())
    for g in GRADIENTS[1:]:
        step(first, p, g)
        step(second, q, g)
    np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())

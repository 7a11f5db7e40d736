"""Optimizers against their formulas, written out in NumPy."""

import numpy as np
import pytest

import mlx

GRADIENTS = [np.array(g) for g in ([0.5, -1.0, 2.0], [0.1, 0.2, -0.3], [-2.0, 0.0, 1.0])]
START = np.array([1.0, -2.0, 0.5])


def run(make, times=1):
    """The parameter after one step with each of the gradients."""
    p = mlx.tensor(START, requires_grad=True)
    optimizer = make([p])
    for g in GRADIENTS * times:
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


def test_adadelta():
    p, v, d = START.copy(), np.zeros(3), np.zeros(3)
    for g in GRADIENTS:
        v = 0.9 * v + 0.1 * g * g
        delta = np.sqrt(d + 1e-6) / np.sqrt(v + 1e-6) * g
        d = 0.9 * d + 0.1 * delta * delta
        p = p - 0.5 * delta
    np.testing.assert_allclose(run(lambda ps: mlx.optim.Adadelta(ps, lr=0.5)), p, rtol=1e-10)


def test_adamax():
    p, m, u = START.copy(), np.zeros(3), np.zeros(3)
    for t, g in enumerate(GRADIENTS, 1):
        m, u = 0.9 * m + 0.1 * g, np.maximum(0.999 * u, np.abs(g) + 1e-8)
        p = p - 0.1 / (1 - 0.9**t) * m / u
    np.testing.assert_allclose(run(lambda ps: mlx.optim.Adamax(ps, lr=0.1)), p, rtol=1e-10)


@pytest.mark.parametrize("decoupled", [False, True])
def test_nadam(decoupled):
    p, m, v, product = START.copy(), np.zeros(3), np.zeros(3), 1.0
    for t, g in enumerate(GRADIENTS, 1):
        if decoupled:
            p = p * (1 - 0.1 * 0.01)
        else:
            g = g + 0.01 * p
        now, then = (0.9 * (1 - 0.5 * 0.96 ** (i * 0.004)) for i in (t, t + 1))
        product = product * now
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        mean = then * m / (1 - product * then) + (1 - now) * g / (1 - product)
        p = p - 0.1 * mean / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    options = {"lr": 0.1, "weight_decay": 0.01, "decoupled_weight_decay": decoupled}
    # The product of the momenta is kept in float32, as PyTorch keeps it.
    np.testing.assert_allclose(run(lambda ps: mlx.optim.NAdam(ps, **options)), p, rtol=1e-6)


def test_radam_adapts_once_the_variance_is_known():
    p, m, v = START.copy(), np.zeros(3), np.zeros(3)
    beta2 = 0.9
    limit = 2 / (1 - beta2) - 1
    for t, g in enumerate(GRADIENTS * 3, 1):
        m, v = 0.8 * m + 0.2 * g, beta2 * v + (1 - beta2) * g * g
        length = limit - 2 * t * beta2**t / (1 - beta2**t)
        step = m / (1 - 0.8**t)
        if length > 5:
            rectified = np.sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length))
            step = step * rectified * np.sqrt(1 - beta2**t) / (np.sqrt(v) + 1e-8)
        p = p - 0.1 * step

    def make(ps):
        return mlx.optim.RAdam(ps, lr=0.1, betas=(0.8, beta2))

    np.testing.assert_allclose(run(make, 3), p, rtol=1e-9)


def test_asgd_averages_from_t0_on():
    p, average, eta = START.copy(), START.copy(), 0.1
    for t, g in enumerate(GRADIENTS, 1):
        p = p * (1 - 0.01 * eta) - eta * g
        average = p if t <= 2 else average + (p - average) / 2
        eta = np.float32(0.1 / (1 + 0.01 * 0.1 * t) ** 0.75)
    params = []
    got = run(lambda ps: params.append(mlx.optim.ASGD(ps, lr=0.1, lambd=0.01, t0=0)) or params[0])
    np.testing.assert_allclose(got, p, rtol=1e-6)
    state = next(iter(params[0].state.values()))
    assert state["mu"].item() == pytest.approx(1 / 3)


def test_rprop():
    p, size, before = START.copy(), np.full(3, 0.1), np.zeros(3)
    for g in GRADIENTS:
        turn = np.sign(g * before)
        size = np.clip(size * np.where(turn > 0, 1.2, np.where(turn < 0, 0.5, 1)), 1e-6, 50)
        g = np.where(turn < 0, 0, g)
        p, before = p - np.sign(g) * size, g
    np.testing.assert_allclose(run(lambda ps: mlx.optim.Rprop(ps, lr=0.1)), p, rtol=1e-10)


def test_adafactor_of_a_matrix():
    start = np.arange(6.0).reshape(2, 3) - 2
    p, rows, columns = start.copy(), np.zeros((2, 1)), np.zeros((1, 3))
    param = mlx.tensor(start, requires_grad=True)
    optimizer = mlx.optim.Adafactor([param], lr=0.1, weight_decay=0.01)
    for t in range(1, 4):
        g = np.sin(np.arange(6.0) * t).reshape(2, 3)
        param.grad = mlx.tensor(g)
        optimizer.step()
        size = max(1e-3, np.sqrt((p * p).mean())) * min(0.1, t**-0.5)
        p = p * (1 - 0.1 * 0.01)
        fresh = t**-0.8
        rows = rows + fresh * ((g * g).mean(1, keepdims=True) - rows)
        columns = columns + fresh * ((g * g).mean(0, keepdims=True) - columns)
        update = g / np.sqrt(rows @ columns / rows.mean())
        p = p - size * update / max(1, np.sqrt((update * update).mean()))
    np.testing.assert_allclose(param.detach().numpy(), p, rtol=1e-9)


def test_muon_moves_along_orthogonal_matrices():
    p = mlx.zeros(4, 6, requires_grad=True)
    p.grad = mlx.tensor(np.random.default_rng(0).standard_normal((4, 6))).float()
    mlx.optim.Muon([p], lr=1.0).step()
    values = np.linalg.svd(p.detach().numpy(), compute_uv=False)
    assert values.min() > 0.5 and values.max() < 1.5
    with pytest.raises(ValueError, match="2D"):
        mlx.optim.Muon([mlx.zeros(3, requires_grad=True)])


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_lbfgs_finds_the_minimum_of_a_quadratic(search):
    scales = mlx.tensor([1.0, 10.0, 100.0], dtype=mlx.float64)
    p = mlx.zeros(3, dtype=mlx.float64, requires_grad=True)
    optimizer = mlx.optim.LBFGS([p], max_iter=50, tolerance_change=1e-16, line_search_fn=search)

    def closure():
        optimizer.zero_grad()
        loss = (scales * (p - 2) ** 2).sum()
        loss.backward()
        return loss

    first = optimizer.step(closure)
    assert first.item() == 4 * 111
    optimizer.step(closure)
    np.testing.assert_allclose(p.detach().numpy(), 2, atol=1e-6)


def test_lbfgs_finds_the_minimum_of_rosenbrocks_function():
    p = mlx.tensor([-1.2, 1.0], dtype=mlx.float64, requires_grad=True)
    optimizer = mlx.optim.LBFGS([p], max_iter=100, line_search_fn="strong_wolfe", tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        loss = (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    np.testing.assert_allclose(p.detach().numpy(), 1, atol=1e-5)


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

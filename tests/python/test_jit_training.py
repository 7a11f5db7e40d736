"""Whole training steps under mlx.jit leave models and optimizers as eager steps do."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import mlx
from mlx import nn


def assert_same(a, b, tolerance=2e-5):
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert mlx.allclose(x, y, rtol=tolerance, atol=tolerance), name


def mlp():
    # Without a bias: before a normalisation its gradient would be rounding errors, which Adam makes large.
    first = nn.Linear(6, 16, bias=False)
    return nn.Sequential(first, nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))


def steps(model, optimizer, compiled, count, schedule=None):
    """Losses of `count` training steps on batches that depend on the seed alone."""

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = mlx.jit(step) if compiled else step
    losses = []
    for i in range(count):
        mlx.manual_seed(100 + i)
        x, y = mlx.randn(8, 6), mlx.randint(0, 3, (8,))
        losses.append(run(x, y).item())
        if schedule is not None:
            schedule.step()
    return losses, run


OPTIMIZERS = {
    "SGD": lambda p: mlx.optim.SGD(p, lr=0.1),
    "momentum": lambda p: mlx.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "Adam": lambda p: mlx.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: mlx.optim.AdamW(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: mlx.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "Adagrad": lambda p: mlx.optim.Adagrad(p, lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_the_eager_ones(name):
    mlx.manual_seed(0)
    eager = mlp()
    compiled = copy.deepcopy(eager)
    optimizers = [OPTIMIZERS[name](m.parameters()) for m in (eager, compiled)]
    want, _ = steps(eager, optimizers[0], False, 6)
    got, run = steps(compiled, optimizers[1], True, 6)
    assert got == pytest.approx(want, rel=1e-4)
    assert_same(eager, compiled, 2e-4)
    for p, q in zip(eager.parameters(), compiled.parameters(), strict=True):
        assert mlx.allclose(p.grad, q.grad, rtol=1e-3, atol=1e-5)
        assert q.is_leaf and q.requires_grad
    a, b = (o.state_dict()["state"] for o in optimizers)
    for i in a:
        assert a[i].keys() == b[i].keys()
        for key in a[i]:
            if isinstance(a[i][key], mlx.Tensor):
                assert mlx.allclose(a[i][key], b[i][key], rtol=1e-3, atol=1e-5), key
    assert run.cache_info().misses <= 3


def test_a_schedule_changes_the_rate_without_compiling_again():
    mlx.manual_seed(0)
    eager = mlp()
    compiled = copy.deepcopy(eager)
    results = []
    for model, jit in ((eager, False), (compiled, True)):
        optimizer = mlx.optim.Adam(model.parameters(), lr=0.02)
        schedule = mlx.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
        results.append(steps(model, optimizer, jit, 10, schedule))
        assert isinstance(optimizer.param_groups[0]["lr"], float)
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-3)
    assert results[1][1].cache_info().misses <= 3


SCHEDULES = {
    "OneCycleLR": lambda o: mlx.optim.lr_scheduler.OneCycleLR(o, max_lr=0.05, total_steps=12),
    "CyclicLR": lambda o: mlx.optim.lr_scheduler.CyclicLR(o, 0.01, 0.05, step_size_up=3),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", ["momentum", "Adam", "AdamW", "RMSprop"])
def test_a_schedule_changes_the_momentum_without_compiling_again(name, schedule):
    mlx.manual_seed(0)
    eager = mlp()
    compiled = copy.deepcopy(eager)
    results, groups = [], []
    for model, jit in ((eager, False), (compiled, True)):
        optimizer = OPTIMIZERS[name](model.parameters())
        results.append(steps(model, optimizer, jit, 10, SCHEDULES[schedule](optimizer)))
        groups.append({k: v for k, v in optimizer.param_groups[0].items() if k != "params"})
    assert results[0][0] == pytest.approx(results[1][0], rel=1e-3)
    assert_same(eager, compiled, 2e-4)
    assert groups[0] == groups[1]
    assert results[1][1].cache_info().misses <= 3


def test_what_a_schedule_leaves_alone_is_still_guarded():
    model = nn.Linear(2, 1, bias=False)
    optimizer = mlx.optim.Adam(model.parameters(), lr=0.1)
    mlx.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=9)
    group = optimizer.param_groups[0]

    @mlx.jit
    def step():
        model(mlx.ones(1, 2)).sum().backward()
        optimizer.step()

    step()
    optimizer.zero_grad()
    step()
    known = step.cache_info().misses
    for betas in ((0.5, 0.999), (0.9, 0.5), (0.0, 0.5)):
        group["betas"] = betas
        twin = copy.deepcopy(model.weight)
        state = optimizer.state[model.weight]
        mean, square = state["exp_avg"].numpy().copy(), state["exp_avg_sq"].numpy().copy()
        count = state["step"].item() + 1
        optimizer.zero_grad()
        step()
        mean = betas[0] * mean + (1 - betas[0])
        square = betas[1] * square + (1 - betas[1])
        root = np.sqrt(square / (1 - betas[1] ** count)) + 1e-8
        moved = group["lr"] * mean / (1 - betas[0] ** count) / root
        np.testing.assert_allclose(model.weight.detach().numpy(), twin.detach().numpy() - moved, rtol=1e-5)
        assert group["betas"] == betas
    assert step.cache_info().misses == known + 2  # for another beta2, and for a momentum of 0


def test_a_loss_that_was_differentiated_inside_cannot_be_again():
    model = nn.Linear(2, 1)

    @mlx.jit
    def step(x):
        loss = (model(x) ** 2).sum()
        loss.backward()
        return loss

    for _ in range(2):
        loss = step(mlx.rand(3, 2))
        assert loss.requires_grad
        with pytest.raises(RuntimeError, match="second time"):
            loss.backward()


def test_gradients_accumulate_over_calls():
    model = nn.Linear(2, 1)

    @mlx.jit
    def add_gradient(x):
        model(x).sum().backward()

    x = mlx.ones(3, 2)
    for i in range(1, 5):
        add_gradient(x)
        assert model.weight.grad.tolist() == [[3.0 * i, 3.0 * i]]
        assert model.bias.grad.tolist() == [3.0 * i]
    model.zero_grad()
    add_gradient(x)
    assert model.bias.grad.tolist() == [3.0]


def test_gradients_of_arguments_from_inside():
    @mlx.jit
    def f(x):
        (x * x).sum().backward()

    for _ in range(2):
        x = mlx.tensor([1.0, 2.0], requires_grad=True)
        f(x)
        f(x)
        assert x.grad.tolist() == [4.0, 8.0]


def test_clipping_and_frozen_parameters():
    mlx.manual_seed(0)
    eager = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    eager[0].weight.requires_grad_(False)
    compiled = copy.deepcopy(eager)

    def make(model):
        optimizer = mlx.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)

        def step(x):
            optimizer.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(model.parameters(), 0.1)
            optimizer.step()
            return loss.detach(), norm

        return step

    plain, jitted = make(eager), mlx.jit(make(compiled))
    for _ in range(3):
        x = mlx.rand(5, 3)
        for a, b in zip(plain(x), jitted(x), strict=True):
            assert mlx.allclose(a, b, rtol=1e-4)
    assert_same(eager, compiled)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_gradients_of_recurrent_layers(kind):
    layer, x = kind(3, 4), mlx.randn(5, 2, 3)

    def gradients(x):
        layer.zero_grad()
        layer(x)[0].square().sum().backward()
        return [p.grad for p in layer.parameters()]

    eager, compiled = [g.clone() for g in gradients(x)], mlx.jit(gradients)
    for _ in range(2):  # the second call finds in its memory what the first has left
        for a, b in zip(eager, compiled(x), strict=True):
            assert mlx.allclose(a, b, rtol=1e-5, atol=1e-6)


def test_recurrent_state_passed_from_call_to_call():
    cell = nn.Linear(4, 4)
    f = mlx.jit(lambda h, x: (cell(h) + x).tanh())
    h = g = mlx.zeros(2, 4)
    for _ in range(3):
        x = mlx.rand(2, 4)
        with mlx.no_grad():
            h, g = f(h, x), (cell(g) + x).tanh()
        assert mlx.allclose(h, g, atol=1e-6)


def losses_of(wrap, make):
    mlx.manual_seed(0)
    parameters, loss_of, arguments = make()
    optimizer = mlx.optim.SGD(parameters, lr=0.05)

    def step(*args):
        optimizer.zero_grad()
        loss = loss_of(*args)
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    return [step(*arguments).item() for _ in range(4)]


def gaussian_policy():
    net, log_std = mlx.nn.Linear(3, 2), mlx.nn.Parameter(mlx.zeros(2))

    def loss(x, actions):
        policy = mlx.distributions.Normal(net(x), log_std.exp())
        return -(policy.log_prob(actions).sum(-1) + 0.01 * policy.entropy().sum(-1)).mean()

    return [*net.parameters(), log_std], loss, (mlx.randn(5, 3), mlx.randn(5, 2))


def categorical_policy():
    net = mlx.nn.Linear(3, 4)

    def loss(x, actions):
        policy = mlx.distributions.Categorical(probs=net(x).softmax(-1))
        return -policy.log_prob(actions).mean()

    return net.parameters(), loss, (mlx.randn(5, 3), mlx.tensor([0, 1, 2, 3, 0]))


def flow_to_a_normal_prior():
    net = mlx.nn.Linear(2, 2)
    prior = mlx.distributions.MultivariateNormal(mlx.zeros(2), mlx.eye(2))
    return net.parameters(), lambda x: -prior.log_prob(net(x)).mean(), (mlx.randn(5, 2),)


def masked_encoder():
    layer = mlx.nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0)
    encoder = mlx.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def loss(x):
        mask = mlx.nn.Transformer.generate_square_subsequent_mask(len(x))
        return encoder(x, mask).square().mean()

    return encoder.parameters(), loss, (mlx.randn(6, 2, 8),)


def normalised_weights():
    net = mlx.nn.Sequential(
        mlx.nn.utils.spectral_norm(mlx.nn.Linear(3, 4)),
        mlx.nn.Tanh(),
        mlx.nn.utils.weight_norm(mlx.nn.Linear(4, 1)),
    )
    return net.parameters(), lambda x: net(x).square().mean(), (mlx.randn(5, 3),)


@pytest.mark.parametrize(
    "make",
    [gaussian_policy, categorical_policy, flow_to_a_normal_prior, masked_encoder, normalised_weights],
)
def test_what_looks_at_elements_only_to_check_them_is_compiled(make):
    np.testing.assert_allclose(losses_of(mlx.jit, make), losses_of(lambda f: f, make), rtol=1e-5)


def test_a_compiled_call_checks_the_parameters_of_distributions():
    density = mlx.jit(lambda scale: mlx.distributions.Normal(mlx.zeros(2), scale).log_prob(mlx.ones(2)))
    density(mlx.ones(2))
    with pytest.raises(ValueError, match="scale of Normal"):
        density(-mlx.ones(2))


def is_optimizer(value):
    base = mlx.optim.Optimizer
    # L-BFGS searches along lines, which needs the values of losses.
    return isinstance(value, type) and issubclass(value, base) and value not in (base, mlx.optim.LBFGS)


@pytest.mark.parametrize(
    "name",
    sorted(name for name, value in vars(mlx.optim).items() if is_optimizer(value)),
)
def test_steps_of_every_optimizer_are_compiled(name):
    def trained(wrap):
        mlx.manual_seed(0)
        weight = nn.Parameter(mlx.randn(3, 4))
        optimizer = getattr(mlx.optim, name)([weight], lr=0.05)
        x = mlx.randn(5, 3)

        def step(x):
            optimizer.zero_grad()
            loss = (x @ weight).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(x).item() for _ in range(8)]

    np.testing.assert_allclose(trained(mlx.jit), trained(lambda f: f), rtol=2e-5)


@pytest.mark.parametrize("clearing", ["optimizer", "module"])
def test_gradients_that_are_filled_with_zeros(clearing):
    x = mlx.rand(5, 3)
    losses = []
    for compile in (lambda f: f, mlx.jit):
        mlx.manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = mlx.optim.SGD(model.parameters(), lr=0.1)
        cleared = optimizer if clearing == "optimizer" else model

        @compile
        def step(x, model=model, optimizer=optimizer, cleared=cleared):
            loss = model(x).square().sum()
            cleared.zero_grad(set_to_none=False)
            loss.backward()
            optimizer.step()
            return loss.detach()

        held = []
        for _ in range(3):
            losses.append(step(x))
            held.append(model.weight.grad)
        assert held[1] is held[2]
    np.testing.assert_allclose(losses[3:], losses[:3], rtol=1e-5)

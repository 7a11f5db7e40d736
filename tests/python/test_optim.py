"""Optimizers: values against the formulas in NumPy, state round trips, errors."""

import copy
import pickle

import numpy as np
import pytest
from support import sample

import mlx

CASES = [
    (mlx.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (mlx.optim.Adam, {"lr": 0.1, "amsgrad": True}),
    (mlx.optim.AdamW, {"lr": 0.1, "maximize": True}),
    (mlx.optim.RMSprop, {"momentum": 0.9, "centered": True}),
    (mlx.optim.Adagrad, {"lr_decay": 0.1}),
    (mlx.optim.Adadelta, {"weight_decay": 0.1}),
    (mlx.optim.Adamax, {}),
    (mlx.optim.NAdam, {"maximize": True}),
    (mlx.optim.RAdam, {"weight_decay": 0.1}),
    (mlx.optim.ASGD, {"t0": 2}),
    (mlx.optim.Adafactor, {}),
]


def advance(optimizer, p, steps):
    for i in steps:
        p.grad = mlx.tensor(sample(4, seed=i))
        optimizer.step()


def leaf():
    return mlx.tensor(sample(4, seed=99), requires_grad=True)


def test_sgd_momentum_dampening_formula():
    p, want, buffer = leaf(), sample(4, seed=99), None
    advance(mlx.optim.SGD([p], lr=0.1, momentum=0.9, dampening=0.5, weight_decay=0.2), p, range(4))
    for i in range(4):
        g = sample(4, seed=i) + 0.2 * want
        buffer = g if buffer is None else 0.9 * buffer + 0.5 * g
        want = want - 0.1 * buffer
    np.testing.assert_allclose(p.detach().numpy(), want, rtol=1e-12)


@pytest.mark.parametrize("decoupled", [False, True])
def test_adam_formula(decoupled):
    p, want, m, v = leaf(), sample(4, seed=99), 0.0, 0.0
    cls = mlx.optim.AdamW if decoupled else mlx.optim.Adam
    advance(cls([p], lr=0.1, weight_decay=0.2), p, range(4))
    for i in range(4):
        g = sample(4, seed=i) + (0 if decoupled else 0.2 * want)
        want = want * (1 - 0.1 * 0.2) if decoupled else want
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        want = want - 0.1 * (m / (1 - 0.9 ** (i + 1))) / (np.sqrt(v / (1 - 0.999 ** (i + 1))) + 1e-8)
    np.testing.assert_allclose(p.detach().numpy(), want, rtol=1e-12)


@pytest.mark.parametrize(("cls", "options"), CASES)
@pytest.mark.parametrize("how", ["state_dict", "pickle", "deepcopy"])
def test_resumes_where_it_was(cls, options, how):
    p = leaf()
    first = cls([p], **options)
    advance(first, p, range(3))
    if how == "state_dict":
        q = p.detach().clone().requires_grad_()
        second = cls([q], **options)
        second.load_state_dict(first.state_dict())
    else:
        second = pickle.loads(pickle.dumps(first)) if how == "pickle" else copy.deepcopy(first)
        q = second.param_groups[0]["params"][0]
    advance(first, p, range(3, 6))
    advance(second, q, range(3, 6))
    assert q is not p and mlx.equal(p, q)


def test_groups_closure_and_zero_grad():
    p, q = leaf(), leaf()
    optimizer = mlx.optim.SGD([{"params": [p]}, {"params": q, "lr": 0.0}], lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum() + q.sum()
        loss.backward()
        return loss

    before = closure().item()
    assert optimizer.step(closure).item() == before
    assert mlx.equal(q, leaf()) and not mlx.equal(p, leaf())
    held = p.grad
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is held and mlx.equal(held, mlx.zeros_like(p))
    optimizer.zero_grad()
    assert p.grad is None and "lr: 0.1" in repr(optimizer)


@pytest.mark.parametrize(("cls", "options"), CASES)
def test_errors(cls, options):
    p = leaf()
    for params, error in [([], ValueError), (p, TypeError), ([1], TypeError), ([p, p], ValueError)]:
        with pytest.raises(error):
            cls(params, **options)
    for bad in ({"lr": -1.0}, {"weight_decay": -1.0}):
        with pytest.raises(ValueError, match="Invalid"):
            cls([p], **{**options, **bad})
    with pytest.raises(ValueError, match="non-leaf"):
        cls([p * 2])
    with pytest.raises(ValueError, match="size"):
        cls([p]).load_state_dict(cls([leaf(), leaf()]).state_dict())


def test_hooks():
    p, seen = leaf(), []
    p.grad = mlx.ones_like(p)
    optimizer = mlx.optim.SGD([p], lr=0.1)
    before = optimizer.register_step_pre_hook(lambda o, args, kwargs: seen.append("before"))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append("after"))
    optimizer.step()
    before.remove()
    optimizer.step()
    assert seen == ["before", "after", "after"]
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "more": 1})
    assert optimizer.state_dict()["more"] == 1
    optimizer.register_load_state_dict_pre_hook(lambda o, state: {**state, "param_groups": []})
    with pytest.raises(ValueError, match="number of parameter groups"):
        optimizer.load_state_dict(optimizer.state_dict())
    assert not pickle.loads(pickle.dumps(mlx.optim.SGD([p])))._hooks["step_post"]


def test_averaged_models():
    model = mlx.nn.Sequential(mlx.nn.Linear(2, 2), mlx.nn.BatchNorm1d(2))
    mean, moving = (
        mlx.optim.swa_utils.AveragedModel(model, multi_avg_fn=f)
        for f in (None, mlx.optim.swa_utils.get_ema_multi_avg_fn(0.75))
    )
    for value in (1.0, 3.0, 8.0):
        mlx.nn.init.constant_(model[0].weight, value)
        mean.update_parameters(model)
        moving.update_parameters(model)
    assert mean.module[0].weight[0, 0].item() == pytest.approx(4)
    assert moving.module[0].weight[0, 0].item() == pytest.approx(0.75 * 1.5 + 0.25 * 8)
    assert mean.n_averaged.item() == 3


def test_batch_statistics_are_computed_anew():
    model = mlx.nn.BatchNorm1d(2).double()
    batches = [mlx.tensor(sample(6, 2, seed=i)) for i in range(3)]
    model.eval()
    mlx.optim.swa_utils.update_bn([(b, None) for b in batches], model)
    np.testing.assert_allclose(model.running_mean.tolist(), mlx.stack(batches).mean((0, 1)).tolist())
    assert model.momentum == 0.1 and not model.training


def test_swa_rates_reach_their_goal_and_stay():
    p = leaf()
    optimizer = mlx.optim.SGD([p], lr=1.0)
    scheduler = mlx.optim.swa_utils.SWALR(optimizer, swa_lr=0.5, anneal_epochs=4, anneal_strategy="linear")
    rates = []
    for _ in range(6):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.step()
    np.testing.assert_allclose(rates, [1, 0.875, 0.75, 0.625, 0.5, 0.5])

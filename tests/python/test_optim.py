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
    optimizer.zero_grad(set_to_none=False)
    assert mlx.equal(p.grad, mlx.zeros_like(p))
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

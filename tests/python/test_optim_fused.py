"""The fused steps against the plain ones, which `differentiable=True` asks for."""

import numpy as np
import pytest

import mlx
from mlx.optim import SGD, Adagrad, Adam, AdamW, RMSprop

CASES = [
    (SGD, {"lr": 0.1}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    (Adam, {"lr": 0.1, "weight_decay": 0.1}),
    (Adam, {"lr": 0.1, "amsgrad": True, "betas": (0.5, 0.9)}),
    (AdamW, {"lr": 0.1, "maximize": True}),
    (RMSprop, {}),
    (RMSprop, {"momentum": 0.9, "weight_decay": 0.1}),
    (RMSprop, {"centered": True, "maximize": True}),
    (RMSprop, {"momentum": 0.9, "centered": True}),
    (Adagrad, {"lr_decay": 0.1, "weight_decay": 0.1}),
]
each_case = pytest.mark.parametrize(("cls", "options"), CASES)


def numbers(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape)


def steps(cls, options, params, count=3):
    optimizer = cls(params, **options)
    for i in range(count):
        for n, p in enumerate(params):
            p.grad = mlx.tensor(numbers(p.shape, 10 * i + n)).to(p.dtype)
        with mlx.no_grad():
            optimizer.step()
    return optimizer


def assert_fused_is_plain(cls, options, make, tolerance):
    fused, plain = make(), make()
    a = steps(cls, options, fused)
    b = steps(cls, {**options, "differentiable": True}, plain)
    for p, q in zip(fused, plain, strict=True):
        for got, want in [(p, q)] + [(a.state[p][k], b.state[q][k]) for k in b.state[q]]:
            got, want = mlx.view_as_real(got) if got.is_complex() else got, want
            want = mlx.view_as_real(want) if want.is_complex() else want
            np.testing.assert_allclose(
                got.detach().double().numpy(), want.detach().double().numpy(), rtol=tolerance, atol=tolerance
            )


@each_case
def test_double(cls, options):
    def make():
        return [mlx.tensor(numbers(s, 7), requires_grad=True) for s in [(3, 5), (), (0,), (41,)]]

    assert_fused_is_plain(cls, options, make, 1e-12)


@each_case
def test_float_over_several_pieces(cls, options):
    def make():
        return [mlx.tensor(numbers(n, n)).float().requires_grad_() for n in (50_000, 3, 40_000, 1)]

    assert_fused_is_plain(cls, options, make, 3e-6)


@each_case
@pytest.mark.parametrize("dtype", [mlx.bfloat16, mlx.float16])
def test_half_types_step_in_float32(cls, options, dtype):
    half = mlx.tensor(numbers(2000, 7)).to(dtype)
    p, q = half.clone().requires_grad_(), half.float().requires_grad_()
    p.grad = mlx.tensor(numbers(2000, 8)).to(dtype)
    q.grad = p.grad.float()
    a, b = cls([p], **options), cls([q], **options)
    a.step()
    b.step()
    assert mlx.equal(p, q.to(dtype))
    for key, value in b.state[q].items():
        assert mlx.equal(a.state[p][key], value if key == "step" else value.to(dtype))


@each_case
def test_strided(cls, options):
    def make():
        return [mlx.tensor(numbers((30, 40), 7)).t()[:, ::2].requires_grad_()]

    assert_fused_is_plain(cls, options, make, 1e-12)


@each_case
def test_complex(cls, options):
    def make():
        z = mlx.complex(mlx.tensor(numbers(5, 7)), mlx.tensor(numbers(5, 8)))
        return [z.requires_grad_()]

    assert_fused_is_plain(cls, options, make, 1e-12)


@each_case
def test_learning_rate_in_a_tensor_is_read_at_each_step(cls, options):
    p, q = (mlx.tensor(numbers(4, 7), requires_grad=True) for _ in range(2))
    lr = mlx.tensor(0.1, dtype=mlx.float64)
    first, second = cls([p], **{**options, "lr": lr}), cls([q], **{**options, "lr": 0.1})
    for rate in (0.1, 0.05):
        lr.fill_(rate)
        second.param_groups[0]["lr"] = rate
        p.grad = q.grad = mlx.tensor(numbers(4, 1))
        first.step()
        second.step()
    assert mlx.equal(p, q)


@each_case
def test_differentiable_step_has_a_gradient(cls, options):
    g = mlx.tensor(numbers(3, 2), requires_grad=True)

    def stepped(g):
        p = mlx.tensor(numbers(3, 1), requires_grad=True).clone()
        optimizer = cls([p], **options, differentiable=True)
        for _ in range(2):
            p.grad = g * 2
            optimizer.step()
        return p

    assert mlx.autograd.gradcheck(stepped, (g,))


def test_step_counts_are_tensors_of_one_float():
    p = mlx.ones(2, requires_grad=True)
    for cls in (Adam, RMSprop, Adagrad):
        step = steps(cls, {}, [p]).state[p]["step"]
        assert step.dtype == mlx.float32 and step.shape == () and step.item() == 3


def test_a_step_counts_as_a_change():
    p = mlx.ones(2, requires_grad=True)
    out = (p * p).sum()
    p.grad = mlx.ones(2)
    SGD([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_shapes_and_dtypes_are_checked():
    p, lr = mlx.ones(2), {"lr": 0.1, "weight_decay": 0, "momentum": 0, "dampening": 0}
    options = {**lr, "nesterov": False, "maximize": False}
    with pytest.raises(RuntimeError, match=r"grads\[0\] has \(3,\)"):
        mlx._C._fused_sgd_([p], [mlx.ones(3)], [], **options)
    with pytest.raises(RuntimeError, match="1 params but 0 grads"):
        mlx._C._fused_sgd_([p], [], [], **options)
    with pytest.raises(RuntimeError, match="single memory location"):
        mlx._C._fused_sgd_([p[:1].expand(4)], [mlx.ones(4)], [], **options)
    with pytest.raises(RuntimeError, match="not recorded"):
        mlx._C._fused_sgd_([p.clone()], [mlx.ones(2, requires_grad=True)], [], **options)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"fused": True, "differentiable": True}, "differentiable"),
        ({"fused": True, "foreach": True}, "foreach"),
    ],
)
def test_implementations_that_exclude_one_another(choice, message):
    with pytest.raises(RuntimeError, match=message):
        Adam([mlx.ones(1, requires_grad=True)], **choice)


def test_a_step_count_that_was_saved_as_a_number_is_taken_over():
    p = mlx.ones(2, requires_grad=True)
    saved = steps(Adam, {}, [p]).state_dict()
    saved["state"][0]["step"] = 3
    optimizer = Adam([p])
    optimizer.load_state_dict(saved)
    optimizer.step()
    assert optimizer.state[p]["step"].item() == 4

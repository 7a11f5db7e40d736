"""Automatic mixed precision: which operations choose which dtype, and scaled losses."""

import numpy as np
import pytest
from support import sample, to_numpy

import mlx
import mlx.nn.functional as F
from mlx import nn
from mlx.amp import GradScaler, autocast, custom_bwd, custom_fwd

DEVICE = mlx.get_default_device().type
X = mlx.tensor(sample(4, 4), dtype=mlx.float32)
LABELS = mlx.tensor([0, 1, 2, 3])


@pytest.fixture
def half():
    with autocast(DEVICE, dtype=mlx.bfloat16):
        yield


@pytest.mark.parametrize(
    "product",
    [
        lambda x: x @ x,
        lambda x: mlx.matmul(x, x),
        lambda x: x.mm(x),
        lambda x: mlx.addmm(x, x, x),
        lambda x: F.linear(x, x),
        lambda x: mlx.einsum("ij,jk->ik", x, x),
        lambda x: F.conv1d(x[None], x[:, :, None]),
        lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None]),
        lambda x: nn.LSTM(4, 4)(x)[0],
        lambda x: nn.MultiheadAttention(4, 2)(x, x, x)[0],
    ],
)
def test_products_take_the_lower_precision(half, product):
    assert product(X).dtype is mlx.bfloat16


@pytest.mark.parametrize("given", [mlx.bfloat16, mlx.float32])
@pytest.mark.parametrize(
    "loss",
    [
        lambda x: F.mse_loss(x, x),
        lambda x: F.cross_entropy(x, LABELS),
        lambda x: F.multi_margin_loss(x, LABELS),
        lambda x: F.binary_cross_entropy_with_logits(x, x),
        lambda x: x.prod(),
    ],
)
def test_losses_take_float32(half, loss, given):
    assert loss(X.to(given)).dtype is mlx.float32


@pytest.mark.parametrize("same", [mlx.relu, mlx.tanh, lambda x: x + x, lambda x: x.reshape(-1), F.gelu])
def test_other_operations_keep_the_dtype(half, same):
    assert same(X).dtype is mlx.float32
    assert same(X.bfloat16()).dtype is mlx.bfloat16


def test_cat_takes_the_widest(half):
    assert mlx.cat([X, X.bfloat16()]).dtype is mlx.float32
    assert mlx.stack([X.bfloat16(), X.bfloat16()]).dtype is mlx.bfloat16


@pytest.mark.skipif(DEVICE == "mps", reason="there is no float64")
def test_float64_stays(half):
    assert (X.double() @ X.double()).dtype is mlx.float64


def test_a_product_is_that_of_the_rounded_operands(half):
    rounded = to_numpy(X.bfloat16())
    np.testing.assert_allclose(to_numpy(X @ X), rounded @ rounded, rtol=8e-3, atol=8e-3)


def test_gradients_have_the_dtype_of_their_parameters():
    weight = nn.Parameter(X.clone())
    with autocast(DEVICE, dtype=mlx.bfloat16):
        loss = F.linear(X, weight).sum()
    loss.backward()
    assert weight.grad.dtype is mlx.float32
    np.testing.assert_allclose(
        to_numpy(weight.grad), np.tile(to_numpy(X).sum(0), (4, 1)), rtol=2e-2, atol=4e-2
    )


def test_regions_nest_and_end():
    with autocast(DEVICE, dtype=mlx.float16):
        with autocast(DEVICE, enabled=False):
            assert (X @ X).dtype is mlx.float32
        assert (X @ X).dtype is mlx.float16
        assert mlx.is_autocast_enabled(DEVICE)
    assert (X @ X).dtype is mlx.float32
    assert not mlx.is_autocast_enabled(DEVICE)


def test_a_region_ends_with_an_error():
    with pytest.raises(ZeroDivisionError), autocast(DEVICE):
        raise ZeroDivisionError
    assert not mlx.is_autocast_enabled(DEVICE)


def test_a_decorated_function():
    @autocast(DEVICE, dtype=mlx.bfloat16)
    def product(x):
        return x @ x

    assert product(X).dtype is mlx.bfloat16


def test_a_device_that_is_missing_disables_it():
    with pytest.warns(UserWarning, match="CUDA is not available"):
        region = autocast("cuda")
    with region:
        assert (X @ X).dtype is mlx.float32


def test_a_dtype_that_is_not_half_precision_disables_it():
    with pytest.warns(UserWarning, match="not supported"):
        region = autocast(DEVICE, dtype=mlx.float32)
    with region:
        assert (X @ X).dtype is mlx.float32


def test_compiled_functions_know_the_region():
    product = mlx.jit(lambda x: x @ x)
    assert product(X).dtype is mlx.float32
    with autocast(DEVICE, dtype=mlx.bfloat16):
        assert product(X).dtype is mlx.bfloat16
    assert product(X).dtype is mlx.float32


def test_a_compiled_training_step_with_a_region():
    def trained(wrap):
        mlx.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4))
        optimizer = mlx.optim.SGD(model.parameters(), lr=0.1)

        def step(x, labels):
            optimizer.zero_grad()
            with autocast(DEVICE, dtype=mlx.bfloat16):
                loss = F.cross_entropy(model(x), labels)
            loss.backward()
            optimizer.step()
            return loss

        step = wrap(step)
        return [step(X, LABELS).item() for _ in range(4)]

    np.testing.assert_allclose(trained(mlx.jit), trained(lambda f: f), rtol=2e-2)


def test_custom_functions_cast_their_inputs():
    seen = []

    class Square(mlx.autograd.Function):
        @staticmethod
        @custom_fwd(device_type=DEVICE, cast_inputs=mlx.float32)
        def forward(ctx, x):
            seen.append((x.dtype, mlx.is_autocast_enabled(DEVICE)))
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @custom_bwd(device_type=DEVICE)
        def backward(ctx, grad):
            seen.append(mlx.is_autocast_enabled(DEVICE))
            return 2 * grad * ctx.saved_tensors[0]

    x = X.bfloat16().requires_grad_()
    with autocast(DEVICE, dtype=mlx.bfloat16):
        Square.apply(x).sum().backward()
    assert seen == [(mlx.float32, False), False]


def scaled_step(scaler, optimizer, weight, factor=1.0):
    optimizer.zero_grad()
    scaler.scale((weight * factor).sum()).backward()
    scaler.step(optimizer)
    scaler.update()


def weight_and_optimizer():
    weight = nn.Parameter(mlx.ones(2))
    return weight, mlx.optim.SGD([weight], lr=0.25)


def test_scaled_steps_are_ordinary_steps():
    weight, optimizer = weight_and_optimizer()
    scaler = GradScaler(DEVICE, init_scale=8.0)
    scaled_step(scaler, optimizer, weight)
    np.testing.assert_array_equal(to_numpy(weight), [0.75, 0.75])
    np.testing.assert_array_equal(to_numpy(weight.grad), [1, 1])


def test_an_infinite_gradient_skips_the_step_and_lowers_the_factor():
    weight, optimizer = weight_and_optimizer()
    scaler = GradScaler(DEVICE, init_scale=8.0)
    scaled_step(scaler, optimizer, weight, float("inf"))
    np.testing.assert_array_equal(to_numpy(weight), [1, 1])
    assert scaler.get_scale() == 4.0


def test_the_factor_grows_after_good_steps():
    weight, optimizer = weight_and_optimizer()
    scaler = GradScaler(DEVICE, init_scale=8.0, growth_interval=2)
    scales = []
    for _ in range(4):
        scaled_step(scaler, optimizer, weight)
        scales.append(scaler.get_scale())
    assert scales == [8, 16, 16, 32]


def test_gradients_can_be_clipped_between():
    weight, optimizer = weight_and_optimizer()
    scaler = GradScaler(DEVICE, init_scale=1024.0)
    scaler.scale(weight.sum()).backward()
    scaler.unscale_(optimizer)
    norm = nn.utils.clip_grad_norm_([weight], 10.0)
    assert norm.item() == pytest.approx(2**0.5)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match=r"step\(\) has already been called"):
        scaler.step(optimizer)


def test_a_step_before_anything_was_scaled_raises():
    weight, optimizer = weight_and_optimizer()
    with pytest.raises(AssertionError, match="before anything was scaled"):
        GradScaler(DEVICE).step(optimizer)


def test_a_disabled_scaler_does_nothing():
    weight, optimizer = weight_and_optimizer()
    scaler = GradScaler(DEVICE, enabled=False)
    loss = weight.sum()
    assert scaler.scale(loss) is loss
    scaled_step(scaler, optimizer, weight)
    np.testing.assert_array_equal(to_numpy(weight), [0.75, 0.75])
    assert scaler.get_scale() == 1.0 and scaler.state_dict() == {}


def test_a_scaler_goes_on_where_another_stopped():
    weight, optimizer = weight_and_optimizer()
    scaler, other = (GradScaler(DEVICE, init_scale=8.0, growth_interval=3) for _ in range(2))
    scaled_step(scaler, optimizer, weight)
    other.load_state_dict(scaler.state_dict())
    assert other.state_dict() == scaler.state_dict()

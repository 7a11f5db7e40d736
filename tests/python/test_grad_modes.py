"""no_grad, enable_grad, inference_mode and set_grad_enabled."""

import threading

import pytest

import mlx


def leaf(*values):
    return mlx.tensor(values, requires_grad=True)


def test_grad_is_enabled_by_default():
    assert mlx.is_grad_enabled()


@pytest.mark.parametrize(
    ("mode", "recorded"),
    [
        (mlx.no_grad, False),
        (mlx.enable_grad, True),
        (mlx.inference_mode, False),
        (lambda: mlx.set_grad_enabled(False), False),
        (lambda: mlx.set_grad_enabled(True), True),
        (lambda: mlx.inference_mode(False), True),
    ],
)
def test_context_manager(mode, recorded):
    x = leaf(1.0)
    with mode():
        assert mlx.is_grad_enabled() == recorded
        assert (x * 2).requires_grad == recorded
    assert mlx.is_grad_enabled()


def test_modes_nest():
    x = leaf(1.0)
    with mlx.no_grad():
        with mlx.enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad


def test_mode_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), mlx.no_grad():
        raise ZeroDivisionError
    assert mlx.is_grad_enabled()


@pytest.mark.parametrize(
    "make_decorator",
    # Made inside the test: set_grad_enabled acts as soon as it is called.
    [mlx.no_grad, mlx.inference_mode, lambda: mlx.no_grad, lambda: mlx.set_grad_enabled(False)],
)
def test_decorator(make_decorator):
    decorate = make_decorator()
    mlx.set_grad_enabled(True)

    @decorate
    def double(x):
        """Twice x."""
        return x * 2

    assert not double(leaf(1.0)).requires_grad
    assert mlx.is_grad_enabled()
    assert (double.__name__, double.__doc__) == ("double", "Twice x.")


def test_decorated_generator_keeps_the_mode_inside_only():
    @mlx.no_grad()
    def numbers():
        yield mlx.is_grad_enabled()
        yield mlx.is_grad_enabled()

    seen = [(inside, mlx.is_grad_enabled()) for inside in numbers()]
    assert seen == [(False, True), (False, True)]


def test_set_grad_enabled_as_a_function():
    mlx.set_grad_enabled(False)
    assert not mlx.is_grad_enabled()


def test_mode_belongs_to_a_thread():
    seen = []
    with mlx.no_grad():
        thread = threading.Thread(target=lambda: seen.append(mlx.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_created_without_grad_mode_may_require_grad():
    with mlx.no_grad():
        assert mlx.ones(1, requires_grad=True).requires_grad


def test_backward_inside_no_grad():
    x = leaf(2.0)
    y = x * x
    with mlx.no_grad():
        y.backward()
    assert x.grad.item() == 4


def test_inference_tensor():
    with mlx.inference_mode():
        assert mlx.is_inference_mode_enabled()
        t = mlx.ones(1)
    assert t.is_inference()
    assert not mlx.ones(1).is_inference()


def test_resampling_in_inference_mode():
    with mlx.inference_mode():
        out = mlx.nn.functional.interpolate(mlx.tensor([[[1.0, 2.0]]]), scale_factor=2)
    assert out.tolist() == [[[1.0, 1.0, 2.0, 2.0]]]


def test_inference_tensor_cannot_be_saved_for_backward():
    with mlx.inference_mode():
        t = mlx.ones(1)
    with pytest.raises(RuntimeError, match="(?i)inference"):
        leaf(1.0) * t


def test_inference_tensor_cannot_change_outside():
    with mlx.inference_mode():
        t = mlx.ones(1)
    with pytest.raises(RuntimeError, match="(?i)inference"):
        t.add_(1)


def test_clone_of_an_inference_tensor_is_normal():
    with mlx.inference_mode():
        t = mlx.ones(1)
    assert not t.clone().is_inference()


def test_normal_tensor_may_change_inside_inference_mode():
    t = mlx.ones(1)
    with mlx.inference_mode():
        t.add_(1)
    assert t.item() == 2


@pytest.mark.parametrize(
    "op",
    [
        lambda x: x.softmax(-1),
        lambda x: x @ mlx.ones(3, 3),
        lambda x: mlx.nn.functional.linear(x, mlx.ones(3, 3)),
        lambda x: mlx.nn.functional.layer_norm(x, (3,)),
        lambda x: x.cumsum(0),
        lambda x: x.sort().values,
    ],
)
def test_inference_tensors_in_ops_that_are_not_recorded(op):
    with mlx.inference_mode():
        x = mlx.arange(6.0).view(2, 3)
        inside = op(x)
    outside = op(x)
    assert inside.is_inference() and not outside.is_inference()
    assert mlx.equal(inside, outside)


def test_a_model_in_inference_mode():
    layer = mlx.nn.MultiheadAttention(4, 2)
    x = mlx.ones(3, 4)
    with mlx.inference_mode():
        found = layer(x, x, x)[0]
    assert mlx.allclose(found, layer(x, x, x)[0])


def test_inference_tensors_cannot_be_saved_by_a_product():
    with mlx.inference_mode():
        x = mlx.ones(2, 3)
    weight = mlx.ones(3, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved"):
        x @ weight

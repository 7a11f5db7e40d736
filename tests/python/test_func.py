"""Transforms of functions: gradients, Jacobians, maps over a batch."""

import numpy as np
import pytest
from support import from_numpy, sample, to_numpy

import mlx
from mlx import nn
from mlx.func import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    linearize,
    replace_all_batch_norm_modules_,
    stack_module_state,
    vjp,
    vmap,
)

X = sample(4)


def single(array):
    return from_numpy(array, mlx.float32)


def close(t, expected, tolerance=1e-5):
    np.testing.assert_allclose(to_numpy(t), expected, rtol=tolerance, atol=tolerance)


def test_grad_of_a_sum_of_powers():
    close(grad(lambda x: (x**3).sum())(from_numpy(X)), 3 * X**2)


def test_grad_takes_the_chosen_arguments():
    a, b = grad(lambda x, y, z: (x * y * z).sum(), argnums=(0, -1))(*map(from_numpy, (X, X + 1, X + 2)))
    close(a, (X + 1) * (X + 2))
    close(b, X * (X + 1))


def test_grad_of_a_nested_argument_has_its_structure():
    found = grad(lambda p: (p["a"] * p["b"][0]).sum())({"a": from_numpy(X), "b": [from_numpy(2 * X)]})
    close(found["a"], 2 * X)
    close(found["b"][0], X)


def test_grad_and_value_with_aux():
    found, (value, aux) = grad_and_value(lambda x: (x.sum(), x * 2), has_aux=True)(from_numpy(X))
    close(found, np.ones(4))
    close(value, X.sum())
    close(aux, 2 * X)
    assert not value.requires_grad and not aux.requires_grad


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_repeated_grad_of_a_power(order):
    f = lambda x: x**4
    for _ in range(order):
        f = grad(f)
    factor = np.prod([4 - i for i in range(order)])
    close(f(mlx.tensor(1.5)), factor * 1.5 ** (4 - order))


def test_results_are_not_recorded_without_need():
    assert not grad(lambda x: (x**3).sum())(from_numpy(X)).requires_grad


def test_results_are_recorded_for_a_parameter_in_a_closure():
    w = from_numpy(X, requires_grad=True)
    grad(lambda x: (x**2 * w).sum())(from_numpy(X)).sum().backward()
    close(w.grad, 2 * X)


def test_results_are_recorded_for_an_input_that_requires_grad():
    x = from_numpy(X, requires_grad=True)
    grad(lambda x: (x**3).sum())(x).sum().backward()
    close(x.grad, 6 * X)


def test_grad_works_within_no_grad():
    with mlx.no_grad():
        found = grad(lambda x: (x**2).sum())(from_numpy(X))
    close(found, 2 * X)
    assert not found.requires_grad


def test_grad_leaves_the_input_alone():
    x = from_numpy(X, requires_grad=True)
    grad(lambda x: (x**2).sum())(x)
    assert x.grad is None


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x, "scalar tensor"),
        (lambda x: 1.0, "return a Tensor"),
    ],
)
def test_grad_wants_a_scalar(function, message):
    with pytest.raises(RuntimeError, match=message):
        grad(function)(from_numpy(X))


def test_grad_of_an_integer_raises():
    with pytest.raises(RuntimeError, match="floating-point"):
        grad(lambda x: x.sum())(mlx.arange(3))


def test_vjp_pulls_back_several_times():
    value, pull = vjp(lambda x, y: {"p": x * y, "s": x.sum()}, from_numpy(X), from_numpy(X + 1))
    close(value["p"], X * (X + 1))
    for scale in (1.0, 2.0):
        a, b = pull({"p": from_numpy(scale * X), "s": mlx.tensor(scale)})
        close(a, scale * (X * (X + 1) + 1))
        close(b, scale * X * X)


def test_jvp_against_the_product_rule():
    value, tangent = jvp(lambda x, y: x * y, tuple(map(from_numpy, (X, X + 1))), (mlx.ones(4), from_numpy(X)))
    close(value, X * (X + 1))
    close(tangent, X + 1 + X * X)


def test_jvp_of_a_constant_is_zero():
    value, tangent = jvp(lambda x: mlx.ones(2), (from_numpy(X),), (from_numpy(X),))
    close(tangent, np.zeros(2))


def test_linearize_is_linear():
    value, push = linearize(mlx.sin, from_numpy(X))
    close(value, np.sin(X))
    close(push(from_numpy(X)), np.cos(X) * X)
    close(push(from_numpy(2 * X)), 2 * np.cos(X) * X)


@pytest.mark.parametrize("jacobian", [jacrev, jacfwd])
def test_jacobian_of_a_linear_map_is_its_matrix(jacobian):
    a = sample(3, 4)
    found = jacobian(lambda x: from_numpy(a) @ x)(from_numpy(X))
    close(found, a)


def test_jacobian_has_the_structure_of_output_and_arguments():
    found = jacrev(lambda x, y: [x * y, y.sum()], argnums=(0, 1))(from_numpy(X), from_numpy(X + 1))
    close(found[0][0], np.diag(X + 1))
    close(found[0][1], np.diag(X))
    close(found[1][0], np.zeros(4))
    close(found[1][1], np.ones(4))


def test_hessian_of_a_quadratic_form():
    a = sample(4, 4)
    close(hessian(lambda x: x @ from_numpy(a) @ x)(from_numpy(X)), a + a.T)


def test_jacobian_of_complex_numbers_raises():
    with pytest.raises(RuntimeError, match="real inputs"):
        jacrev(lambda x: x)(mlx.ones(2, dtype=mlx.complex64))


def test_gradients_of_each_sample():
    layer = nn.Linear(3, 1)
    params = {k: v.detach() for k, v in layer.named_parameters()}
    x, y = sample(5, 3), sample(5, seed=1)

    def loss(params, x, y):
        return (functional_call(layer, params, (x,)).squeeze() - y) ** 2

    found = vmap(grad(loss), in_dims=(None, 0, 0))(params, single(x), single(y))
    error = x @ to_numpy(layer.weight)[0] + to_numpy(layer.bias) - y
    close(found["weight"][:, 0], 2 * error[:, None] * x)
    close(found["bias"][:, 0], 2 * error)


def test_an_ensemble_from_stacked_state():
    models = [nn.Linear(3, 2) for _ in range(4)]
    params, buffers = stack_module_state(models)
    x = single(sample(5, 3))
    found = vmap(lambda p, b: functional_call(models[0], (p, b), (x,)))(params, buffers)
    for out, model in zip(found, models, strict=True):
        close(out, to_numpy(model(x)))
    assert params["weight"].is_leaf and params["weight"].requires_grad


def test_batch_norm_without_running_statistics():
    model = replace_all_batch_norm_modules_(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)))
    assert model[1].running_mean is None and not model[1].track_running_stats


def test_grad_within_a_compiled_function():
    step = mlx.jit(lambda x: grad(lambda v: (v**3).sum())(x))
    for scale in (1.0, 2.0):
        close(step(from_numpy(scale * X)), 3 * (scale * X) ** 2)

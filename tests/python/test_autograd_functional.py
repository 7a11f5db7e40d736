"""mlx.autograd.functional: Jacobians, Hessians and products with them, against formulas."""

import numpy as np
import pytest
from support import from_numpy, sample, to_numpy

import mlx
from mlx.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

X, Y = sample(3), sample(3, seed=1)


def close(t, expected):
    np.testing.assert_allclose(to_numpy(t), expected, rtol=1e-5, atol=1e-5)


def test_jacobian_of_two_inputs_and_two_outputs():
    found = jacobian(lambda x, y: (x * y, y.sum()), (from_numpy(X), from_numpy(Y)))
    close(found[0][0], np.diag(Y))
    close(found[0][1], np.diag(X))
    close(found[1][0], np.zeros(3))
    close(found[1][1], np.ones(3))


def test_hessian_of_two_inputs():
    found = hessian(lambda x, y: (x * x * y).sum(), (from_numpy(X), from_numpy(Y)))
    close(found[0][0], np.diag(2 * Y))
    close(found[0][1], np.diag(2 * X))
    close(found[1][1], np.zeros((3, 3)))


def test_products_from_either_side():
    a = sample(2, 3)
    f = lambda x: from_numpy(a) @ x
    value, found = vjp(f, from_numpy(X), from_numpy(Y[:2]))
    close(value, a @ X)
    close(found, a.T @ Y[:2])
    close(jvp(f, from_numpy(X), from_numpy(Y))[1], a @ Y)


@pytest.mark.parametrize("product", [hvp, vhp])
def test_products_with_a_hessian(product):
    value, found = product(lambda x: (x**3).sum(), from_numpy(X), from_numpy(Y))
    close(value, (X**3).sum())
    close(found, 6 * X * Y)
    assert not found.requires_grad


def test_create_graph_leads_on():
    x = from_numpy(X, requires_grad=True)
    jacobian(lambda x: x**2, x, create_graph=True).sum().backward()
    close(x.grad, 2 * np.ones(3))


def test_strict_names_an_input_that_does_not_matter():
    with pytest.raises(RuntimeError, match="independent of input 1"):
        vjp(lambda x, y: x.sum(), (from_numpy(X), from_numpy(Y)), strict=True)


def test_a_missing_vector_means_one_for_a_scalar():
    close(vjp(lambda x: x.sum(), from_numpy(X))[1], np.ones(3))
    with pytest.raises(RuntimeError, match="can only be None"):
        vjp(lambda x: x, from_numpy(X))


def test_a_hessian_needs_a_scalar():
    with pytest.raises(RuntimeError, match="single element"):
        hessian(lambda x: x, from_numpy(X))


def test_inputs_must_be_tensors():
    with pytest.raises(TypeError, match="index 0"):
        jacobian(mlx.sin, (1.0,))

"""backward, grad, and what they leave behind."""

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import assert_close, double, from_numpy, sample

import mlx

grad = mlx.autograd.grad


def leaf(*values):
    return mlx.tensor(values, requires_grad=True)


def test_scalar_backward():
    x = leaf(2.0, 3.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [4, 6]


def test_backward_of_a_non_scalar_means_ones():
    x = leaf(2.0, 3.0)
    (x * x).backward()
    assert x.grad.tolist() == [4, 6]


def test_backward_with_a_gradient():
    x = leaf(2.0, 3.0)
    (x * x).backward(mlx.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [4, 60]


def test_backward_with_a_gradient_of_another_shape_is_an_error():
    with pytest.raises(RuntimeError, match="3"):
        (leaf(1.0, 2.0) * 2).backward(mlx.ones(3))


def test_gradients_accumulate():
    x = leaf(1.0)
    (x * 2).backward()
    (x * 3).backward()
    assert x.grad.item() == 5


def test_accumulation_keeps_the_tensor():
    x = leaf(1.0)
    (x * 2).backward()
    first = x.grad
    (x * 3).backward()
    assert x.grad is first


def test_accumulation_does_not_change_a_gradient_handed_in():
    x, g = leaf(1.0), mlx.ones(1)
    x.backward(g)
    x.backward(g)
    assert (g.item(), x.grad.item()) == (1, 2)


def test_one_gradient_for_two_leaves_is_not_shared():
    x, y = leaf(1.0), leaf(1.0)
    (x + y).backward()
    x.grad.fill_(9)
    assert y.grad.item() == 1


def test_used_twice():
    x = leaf(3.0)
    (x * x + x).backward()
    assert x.grad.item() == 7


def test_diamond():
    x = leaf(2.0)
    a = x * 3
    (a * a + a.exp() * 0).backward()
    assert x.grad.item() == 36


def test_broadcast_is_summed():
    x, y = leaf(1.0), mlx.ones(2, 3, requires_grad=True)
    (x * y).sum().backward()
    assert (x.grad.tolist(), y.grad.shape) == ([6], (2, 3))


def test_gradient_has_the_inputs_dtype():
    x, y = (
        mlx.ones(2, dtype=mlx.float16, requires_grad=True),
        mlx.ones(2, dtype=mlx.float64, requires_grad=True),
    )
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (mlx.float16, mlx.float64)


def test_gradient_of_a_real_input_of_a_complex_function_is_real():
    x = leaf(2.0)
    (x * (1 + 2j)).backward(mlx.tensor([1 + 0j]))
    assert (x.grad.dtype, x.grad.item()) == (mlx.float32, 1)


def test_to_dtype_casts_the_gradient_back():
    x = leaf(1.0)
    x.to(mlx.float64).mul(3).backward()
    assert (x.grad.dtype, x.grad.item()) == (mlx.float32, 3)


def test_constant_gets_no_gradient():
    c = mlx.ones(1)
    (leaf(1.0) * c).backward()
    assert c.grad is None


def test_no_gradient_for_a_tensor_in_the_middle():
    x = leaf(1.0)
    y = x * 2
    (y * 3).backward()
    assert y.grad_fn is not None
    assert not y.is_leaf
    assert x.is_leaf


def test_retain_grad():
    y = leaf(1.0) * 2
    y.retain_grad()
    (y * 3).backward()
    assert y.grad.item() == 3
    assert y.retains_grad


def test_second_backward_needs_retain_graph():
    y = leaf(2.0).exp()
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph"):
        y.backward()


def test_retain_graph():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8


def test_second_backward_of_a_graph_that_saves_nothing():
    x = leaf(2.0)
    y = x + 1
    y.backward()
    y.backward()
    assert x.grad.item() == 2


def test_backward_without_grad_is_an_error():
    with pytest.raises(RuntimeError, match="require"):
        mlx.ones(1).backward()


def test_backward_of_selected_inputs():
    x, y = leaf(2.0), leaf(3.0)
    (x * y).backward(inputs=[x])
    assert (x.grad.item(), y.grad) == (3, None)


def test_autograd_backward_of_several():
    x = leaf(1.0)
    mlx.autograd.backward([x * 2, x * 3], [mlx.ones(1), mlx.ones(1)])
    assert x.grad.item() == 5


def test_grad_returns_and_does_not_accumulate():
    x = leaf(2.0)
    (g,) = grad(x * x, x)
    assert (g.item(), x.grad) == (4, None)


def test_grad_of_a_tensor_in_the_middle():
    y = leaf(2.0) * 3
    assert grad(y * y, y)[0].item() == 12


def test_grad_of_an_unused_input_is_an_error():
    with pytest.raises(RuntimeError, match="allow_unused"):
        grad(leaf(1.0) * 2, leaf(1.0))


def test_grad_allows_unused():
    assert grad(leaf(1.0) * 2, leaf(1.0), allow_unused=True) == (None,)


def test_grad_materializes_zeros():
    assert grad(leaf(1.0) * 2, leaf(1.0), materialize_grads=True)[0].item() == 0


def test_grad_of_several_outputs_is_their_sum():
    x = leaf(1.0)
    assert grad([x * 2, x * 3], x, [mlx.ones(1), mlx.ones(1)])[0].item() == 5


def test_grad_of_an_output_with_respect_to_itself():
    x = leaf(1.0)
    assert grad(x, x, mlx.ones(1))[0].item() == 1


def test_create_graph():
    x = leaf(2.0)
    (g,) = grad(x**3, x, create_graph=True)
    assert grad(g, x)[0].item() == 12


def test_third_derivative():
    x = leaf(2.0)
    y = x**4
    for _ in range(3):
        (y,) = grad(y, x, create_graph=True)
    assert y.item() == 48


def test_backward_with_create_graph_records_grad():
    x = leaf(2.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad


def test_gradient_penalty():
    x, w = double(3), double(3, seed=1)
    (g,) = grad((w * x.exp()).sum(), x, create_graph=True)
    g.square().sum().backward()
    assert_close(w.grad, 2 * w.detach().numpy() * np.exp(2 * x.detach().numpy()), rtol=1e-12)


def test_hessian_vector_product():
    a = sample(4, 4)
    x, v = double(4), from_numpy(sample(4, seed=1))
    (g,) = grad(x @ mlx.tensor(a) @ x, x, create_graph=True)
    assert_close(grad(g, x, v)[0], (a + a.T) @ v.numpy(), rtol=1e-12, atol=1e-12)


def test_detach_stops_the_gradient():
    x = leaf(2.0)
    (x * x.detach()).backward()
    assert x.grad.item() == 2


def test_requires_grad_spreads():
    x = leaf(1.0)
    assert (x + mlx.ones(1)).requires_grad
    assert not (mlx.ones(1) + mlx.ones(1)).requires_grad


def test_comparison_does_not_require_grad():
    assert not (leaf(1.0) > 0).requires_grad


def test_requires_grad_of_integers_is_an_error():
    with pytest.raises(RuntimeError, match="floating"):
        mlx.ones(1, dtype=mlx.int64).requires_grad_()


def test_requires_grad_of_a_recorded_tensor_cannot_be_cleared():
    with pytest.raises(RuntimeError, match="leaf|leaves|detach"):
        (leaf(1.0) * 2).requires_grad = False


def test_grad_can_be_set_and_cleared():
    x = leaf(1.0)
    x.grad = mlx.ones(1)
    assert x.grad.item() == 1
    x.grad = None
    assert x.grad is None


def test_grad_of_another_shape_cannot_be_set():
    with pytest.raises(RuntimeError):
        leaf(1.0).grad = mlx.ones(2)


def test_setting_data_keeps_the_leaf():
    x = leaf(1.0)
    x.data = mlx.tensor([5.0])
    (x * x).backward()
    assert (x.is_leaf, x.grad.item()) == (True, 10)


def test_grad_fn_names_its_op():
    assert type((leaf(1.0) * 2).grad_fn).__name__ == "MulBackward0"


def test_grad_fn_leads_to_its_inputs():
    x = leaf(1.0)
    node, _ = (x.exp() * 2).grad_fn.next_functions[0]
    assert node.name() == "ExpBackward0"
    assert node.next_functions[0][0].variable is x


def test_graph_is_freed_with_its_output():
    x = leaf(1.0)
    y = x.exp()
    reference = weakref.ref(y)
    z = y * y
    del y, z
    gc.collect()
    assert reference() is None


def test_backward_frees_what_it_used():
    x = leaf(1.0)
    y = x.exp()
    reference = weakref.ref(y)
    z = y.sin()
    z.backward()
    del y
    gc.collect()
    assert reference() is None


def test_unused_output_of_a_split_counts_as_zero():
    x = leaf(1.0, 2.0, 3.0)
    a, _, c = x.unbind()
    (a * 2 + c * 5).backward()
    assert x.grad.tolist() == [2, 0, 5]


def test_anomaly_mode_names_the_forward_line():
    with mlx.autograd.detect_anomaly(check_nan=True):
        x = leaf(-1.0)
        y = x.sqrt() * 0
        with pytest.raises(RuntimeError, match="nan"):
            y.backward()


def test_set_detect_anomaly_is_off_by_default():
    assert not mlx.is_anomaly_enabled()


@given(st.lists(st.sampled_from(["sin", "exp", "tanh", "square"]), min_size=1, max_size=5))
def test_chain_rule(functions):
    x = mlx.tensor(0.3, dtype=mlx.float64, requires_grad=True)
    derivative = {
        "sin": mlx.cos,
        "exp": mlx.exp,
        "tanh": lambda t: 1 - t.tanh() ** 2,
        "square": lambda t: 2 * t,
    }
    expected, y = mlx.tensor(1.0, dtype=mlx.float64), x
    for f in functions:
        expected = expected * derivative[f](y.detach())
        y = getattr(mlx, f)(y)
    y.backward()
    assert_close(x.grad, expected.numpy(), rtol=1e-12)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_backward_is_linear(a, b):
    x = double(3)
    f, g = x.sin().sum(), x.square().sum()
    (together,) = grad(a * f + b * g, x, retain_graph=True)
    separate = a * grad(f, x, retain_graph=True)[0] + b * grad(g, x)[0]
    assert_close(together, separate.numpy(), rtol=1e-12, atol=1e-12)


def test_gradcheck_finds_a_wrong_gradient():
    class Wrong(mlx.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 3 * g

    from mlx.autograd.gradcheck import GradcheckError

    with pytest.raises(GradcheckError, match=r"analytic 3\.0"):
        mlx.autograd.gradcheck(Wrong.apply, double(2))
    assert not mlx.autograd.gradcheck(Wrong.apply, double(2), raise_exception=False, fast_mode=True)


def test_gradcheck_finds_an_unrecorded_output():
    from mlx.autograd.gradcheck import GradcheckError

    with pytest.raises(GradcheckError, match="expected to be zero"):
        mlx.autograd.gradcheck(lambda x: (x * 2).detach(), double(2))


def test_gradcheck_needs_an_input_that_requires_grad():
    with pytest.raises(ValueError, match="require"):
        mlx.autograd.gradcheck(mlx.exp, mlx.ones(1))


def test_the_older_arguments_of_grad_and_backward():
    x = double(3)
    (found,) = mlx.autograd.grad(x.square().sum(), x, None, True, True, True, False)
    assert mlx.allclose(found, 2 * x)
    with pytest.raises(ValueError, match="only_inputs"):
        mlx.autograd.grad(x.sum(), x, only_inputs=False)
    mlx.autograd.backward(x * 2, grad_variables=mlx.ones_like(x))
    assert (x.grad == 2).all()


def test_variable_is_a_tensor_of_the_same_dtype_without_history():
    leaf = mlx.ones(2, requires_grad=True)
    for data in (mlx.tensor([3, 1]), leaf * 2, mlx.tensor(1.5, dtype=mlx.float64)):
        made = mlx.autograd.Variable(data)
        assert isinstance(made, mlx.Tensor) and isinstance(data, mlx.autograd.Variable)
        assert made.dtype is data.dtype and made.data_ptr() == data.data_ptr()
        assert not made.requires_grad and made.is_leaf
    assert mlx.autograd.Variable(mlx.ones(1), requires_grad=True).requires_grad
    assert mlx.autograd.Variable().shape == (0,) and not isinstance(1.0, mlx.autograd.Variable)
    with pytest.raises(TypeError, match="has to be a tensor"):
        mlx.autograd.Variable([1.0])

"""autograd.forward_ad: tangents against differences and formulas."""

import pytest
from support import assert_close

import mlx
from mlx.autograd import forward_ad as fwd


def doubles(*shape):
    return mlx.rand(*shape, dtype=mlx.float64) + 0.5


PROGRAMS = {
    "pointwise": lambda x: x.exp() * x.sin() / x,
    "product": lambda x: x @ x.T,
    "reduction": lambda x: x.logsumexp(0) + x.std(),
    "indices": lambda x: x[[0, 2]].softmax(1),
    "written": lambda x: x.clone().mul_(2).index_fill_(0, mlx.tensor([1]), 3.0) * x,
    "determinant": lambda x: mlx.linalg.slogdet(x[:, :3])[1],
    "constant": lambda x: x * 0 + 1,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_tangents_are_directional_derivatives(program):
    mlx.manual_seed(0)
    x, direction, step = doubles(3, 4), doubles(3, 4), 1e-6
    with fwd.dual_level():
        primal, tangent = fwd.unpack_dual(program(fwd.make_dual(x, direction)))
    assert mlx.equal(primal, program(x))
    assert not primal.requires_grad
    assert not tangent.requires_grad
    difference = (program(x + step * direction) - program(x - step * direction)) / (2 * step)
    assert_close(tangent, difference.numpy(), rtol=1e-7, atol=1e-8)


def test_tangents_of_several_inputs_add_up():
    a, b = doubles(3), doubles(3)
    with fwd.dual_level():
        x, y = fwd.make_dual(a, mlx.ones_like(a)), fwd.make_dual(b, 2 * mlx.ones_like(b))
        tangent = fwd.unpack_dual(x * y).tangent
        alone = fwd.unpack_dual(x.exp()).tangent
    assert_close(tangent, (b + 2 * a).numpy())
    assert_close(alone, a.exp().numpy())


def test_a_dual_tensor_unpacks_to_what_it_was_made_of():
    x, t = doubles(3), doubles(3)
    with fwd.dual_level():
        primal, tangent = fwd.unpack_dual(fwd.make_dual(x, t))
    assert mlx.equal(primal, x)
    assert mlx.equal(tangent, t)


def test_what_depends_on_no_dual_tensor_has_no_tangent():
    with fwd.dual_level():
        dual = fwd.make_dual(doubles(3), doubles(3))
        assert fwd.unpack_dual(doubles(3)).tangent is None
        assert fwd.unpack_dual(doubles(3).requires_grad_() * 2).tangent is None
        assert fwd.unpack_dual(dual.detach()).tangent is None
    assert fwd.unpack_dual(dual).tangent is None


def test_tangents_can_be_differentiated():
    x = doubles(3).requires_grad_()
    v = doubles(3).requires_grad_()
    with fwd.dual_level():
        primal, tangent = fwd.unpack_dual(fwd.make_dual(x, v) ** 3)
        gx, gv = mlx.autograd.grad(tangent.sum(), [x, v], retain_graph=True)  # of 3 x^2 v
        (plain,) = mlx.autograd.grad(primal.sum(), x)
    assert_close(gx, (6 * x * v).detach().numpy())
    assert_close(gv, (3 * x**2).detach().numpy())
    assert_close(plain, (3 * x**2).detach().numpy())


def test_parameters_of_a_module_may_be_dual():
    layer = mlx.nn.Linear(3, 2).double()
    x, direction = doubles(4, 3), doubles(2, 3)
    weight = layer.weight.detach()
    with fwd.dual_level():
        del layer.weight
        layer.weight = fwd.make_dual(weight, direction)
        tangent = fwd.unpack_dual(layer(x)).tangent
    assert_close(tangent, (x @ direction.T).numpy())


def test_levels_do_not_nest_and_end():
    with fwd.dual_level(), pytest.raises(RuntimeError, match="Nested"):
        fwd.enter_dual_level()
    with pytest.raises(RuntimeError, match="not entered"):
        fwd.exit_dual_level()
    with pytest.raises(RuntimeError, match="no level"):
        fwd.make_dual(doubles(2), doubles(2))


def test_what_cannot_be_dual_is_refused():
    with fwd.dual_level():
        with pytest.raises(RuntimeError, match="does not fit"):
            fwd.make_dual(doubles(2), doubles(3))
        with pytest.raises(RuntimeError, match="does not fit"):
            fwd.make_dual(doubles(2), doubles(2).float())
        with pytest.raises(ValueError, match="int64"):
            fwd.make_dual(mlx.tensor([1]), mlx.tensor([1]))
        with pytest.raises(TypeError, match="float"):
            fwd.make_dual(1.0, 1.0)
        with mlx.no_grad(), pytest.raises(RuntimeError, match="no_grad"):
            fwd.make_dual(doubles(2), doubles(2))

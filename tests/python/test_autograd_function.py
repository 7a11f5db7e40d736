"""autograd.Function: differentiable functions written in Python."""

import pytest
from support import double

import mlx
from mlx.autograd import Function

gradcheck, gradgradcheck = mlx.autograd.gradcheck, mlx.autograd.gradgradcheck


class Cube(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return 3 * x * x * g


class MulAdd(Function):
    """a * b + c, with a number for c."""

    @staticmethod
    def forward(ctx, a, b, c):
        ctx.save_for_backward(a, b)
        ctx.needed = ctx.needs_input_grad
        return a * b + c

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return g * b if ctx.needs_input_grad[0] else None, g * a if ctx.needs_input_grad[1] else None, None


def leaf(*values):
    return mlx.tensor(values, requires_grad=True)


def test_forward_values():
    assert Cube.apply(leaf(2.0)).item() == 8


def test_gradient():
    assert gradcheck(Cube.apply, double(3))


def test_second_gradient():
    assert gradgradcheck(Cube.apply, double(3))


def test_node_is_named_after_the_class():
    assert type(Cube.apply(leaf(2.0)).grad_fn).__name__ == "CubeBackward"


def test_forward_records_nothing():
    class Recorded(Cube):
        @staticmethod
        def forward(ctx, x):
            assert not mlx.is_grad_enabled()
            return x * 2

    Recorded.apply(leaf(1.0))


def test_without_grad_the_output_does_not_require_it():
    assert not Cube.apply(mlx.ones(1)).requires_grad


def test_no_grad_applies():
    with mlx.no_grad():
        assert not Cube.apply(leaf(1.0)).requires_grad


def test_several_inputs_and_a_number():
    assert gradcheck(lambda a, b: MulAdd.apply(a, b, 2.0), (double(3), double(3, seed=1)))


def test_needs_input_grad():
    y = MulAdd.apply(leaf(2.0), mlx.ones(1), 1.0)
    assert tuple(y.grad_fn.needed) == (True, False, False)


def test_several_outputs():
    class SinCos(Function):
        @staticmethod
        def forward(ctx, x):
            s, c = x.sin(), x.cos()
            ctx.save_for_backward(s, c)
            return s, c

        @staticmethod
        def backward(ctx, gs, gc):
            s, c = ctx.saved_tensors
            return gs * c - gc * s

    assert gradcheck(SinCos.apply, double(3))


def test_unused_output_gives_zeros():
    seen = []

    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, a, b):
            seen.append(b.tolist())
            return a + 2 * b

    Two.apply(leaf(1.0))[0].backward()
    assert seen == [[0.0]]


def test_unused_output_gives_none_on_request():
    seen = []

    class Two(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 1, x * 2

        @staticmethod
        def backward(ctx, a, b):
            seen.append(b)
            return a

    Two.apply(leaf(1.0))[0].backward()
    assert seen == [None]


def test_mark_non_differentiable():
    class SortWithPositions(Function):
        @staticmethod
        def forward(ctx, x):
            values, indices = x.sort()
            ctx.mark_non_differentiable(indices)
            ctx.save_for_backward(indices)
            return values, indices

        @staticmethod
        def backward(ctx, g, _):
            (indices,) = ctx.saved_tensors
            return mlx.zeros_like(g).scatter(0, indices, g)

    x = leaf(3.0, 1.0)
    values, indices = SortWithPositions.apply(x)
    (values * mlx.tensor([1.0, 2.0])).sum().backward()
    assert not indices.requires_grad
    assert x.grad.tolist() == [2, 1]


def test_once_differentiable():
    class Once(Cube):
        @staticmethod
        @mlx.autograd.function.once_differentiable
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * x * x * g

    x = leaf(2.0)
    (g,) = mlx.autograd.grad(Once.apply(x), x, leaf(1.0), create_graph=True)
    assert g.item() == 12
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.backward()


def test_mark_dirty():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, g):
            return 2 * g

    x = leaf(1.0)
    y = x * 1
    z = Double.apply(y)
    assert z is y
    z.backward()
    assert x.grad.item() == 2


def test_returning_an_input():
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, g):
            return g * 7

    x = leaf(1.0)
    y = Same.apply(x)
    y.backward()
    assert y is not x
    assert x.grad.item() == 7


def test_too_few_gradients_is_an_error():
    class Short(MulAdd):
        @staticmethod
        def backward(ctx, g):
            return g

    with pytest.raises(RuntimeError, match=r"3.*1|1.*3"):
        Short.apply(leaf(1.0), leaf(1.0), 1.0).backward()


def test_gradient_of_another_shape_is_an_error():
    class Wrong(Cube):
        @staticmethod
        def backward(ctx, g):
            return mlx.ones(5)

    with pytest.raises(RuntimeError, match="5"):
        Wrong.apply(leaf(1.0, 2.0)).backward()


def test_error_in_backward_reaches_the_caller():
    class Broken(Cube):
        @staticmethod
        def backward(ctx, g):
            raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        Broken.apply(leaf(1.0)).backward()


def test_calling_an_instance_is_an_error():
    with pytest.raises(RuntimeError):
        Cube()(leaf(1.0))


def test_saved_tensor_changed_in_place_is_an_error():
    x = leaf(2.0)
    a = x * 1
    y = Cube.apply(a)
    a.mul_(2)
    with pytest.raises(RuntimeError, match="(?i)in-?place|modified"):
        y.backward()


def test_saved_tensors_are_freed_by_backward():
    y = Cube.apply(leaf(2.0))
    y.backward()
    with pytest.raises(RuntimeError):
        y.backward()


def test_saved_output_makes_no_cycle():
    import gc
    import weakref

    class Exp(Function):
        @staticmethod
        def forward(ctx, x):
            y = x.exp()
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return g * ctx.saved_tensors[0]

    gc.disable()
    try:
        y = Exp.apply(leaf(1.0))
        reference = weakref.ref(y)
        del y
        assert reference() is None
    finally:
        gc.enable()


def test_setup_context():
    class Square(Function):
        @staticmethod
        def forward(x):
            return x * x

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.save_for_backward(*inputs)

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    assert gradcheck(Square.apply, double(3))


def test_nested_backward():
    class Inner(Function):
        @staticmethod
        def forward(ctx, x):
            with mlx.enable_grad():
                ctx.x = x.detach().requires_grad_()
                ctx.y = ctx.x.sin() * ctx.x
            return ctx.y.detach()

        @staticmethod
        def backward(ctx, g):
            return mlx.autograd.grad(ctx.y, ctx.x, g, retain_graph=True)[0]

    assert gradcheck(Inner.apply, double(3))

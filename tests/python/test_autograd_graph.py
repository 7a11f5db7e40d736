"""mlx.autograd.graph: hooks for what nodes keep, for several gradients, and the edges of the graph."""

import numpy as np
import pytest

import mlx
from mlx.autograd import graph


def leaf(*shape):
    return mlx.rand(*shape).requires_grad_()


def to_array(t):
    return t.numpy().copy()


def to_tensor(array):
    return mlx.from_numpy(array).to(mlx.get_default_device())


@pytest.fixture(autouse=True)
def seeded():
    mlx.manual_seed(0)


PROGRAMS = {
    "pointwise": lambda x: x * x.exp() + x.tanh(),
    "products": lambda x: x @ x.T,
    "indices": lambda x: x[[0, 1, 1]] * x[x > 0.5].sum(),
    "written": lambda x: x.index_put((mlx.tensor([0, 2]),), x[:2] * 2),
    "softmax": lambda x: x.softmax(1).log() + x.cumsum(0),
    "padding": lambda x: mlx.nn.functional.pad(x[None], (1, 1), mode="reflect") ** 2,
    "statistics": lambda x: x.std(0) + mlx.nn.functional.layer_norm(x, (4,)).square(),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_packed_tensors_give_the_same_gradients_of_both_orders(program):
    x = leaf(3, 4)

    def derivatives():
        (first,) = mlx.autograd.grad(program(x).square().sum(), x, create_graph=True)
        return first, mlx.autograd.grad(first.square().sum(), x)[0]

    plain = derivatives()
    packed = []
    with graph.saved_tensors_hooks(lambda t: packed.append(t.shape) or to_array(t), to_tensor):
        hooked = derivatives()
    assert packed
    for a, b in zip(plain, hooked, strict=True):
        assert mlx.equal(a, b)


def test_unpacking_may_change_what_the_backward_pass_reads():
    x = mlx.tensor([2.0, 3.0], requires_grad=True)
    with graph.saved_tensors_hooks(lambda t: t * 10, lambda t: t):
        y = x**2
    y.sum().backward()
    assert x.grad.tolist() == [40, 60]  # 2 * (10 * x)


def test_inner_hooks_take_the_place_of_outer_ones():
    x, seen = leaf(2), []
    with graph.saved_tensors_hooks(lambda t: seen.append("outer") or t, lambda t: t):
        with graph.saved_tensors_hooks(lambda t: seen.append("inner") or t, lambda t: t):
            x.exp()
        x.exp()
    x.exp()
    assert seen == ["inner", "outer"]


def test_nothing_is_packed_where_nothing_is_recorded():
    seen = []
    with graph.saved_tensors_hooks(lambda t: seen.append(t) or t, lambda t: t):
        mlx.rand(3, 4)[[0, 1]].exp()
        with mlx.no_grad():
            leaf(3).exp()
    assert not seen


def test_hooks_see_what_a_python_function_saves():
    class Square(mlx.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return 2 * ctx.saved_tensors[0] * g

    x = mlx.tensor([3.0], requires_grad=True)
    with graph.saved_tensors_hooks(to_array, lambda a: to_tensor(a) + 1):
        y = Square.apply(x)
    y.sum().backward()
    assert x.grad.tolist() == [8]


@pytest.mark.parametrize(
    "module, shape",
    [
        (lambda: mlx.nn.Conv2d(2, 3, 3), (1, 2, 5, 5)),
        (lambda: mlx.nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), (2, 3, 4)),
        (lambda: mlx.nn.BatchNorm1d(4), (5, 4)),
    ],
)
def test_save_on_cpu_changes_no_gradient(module, shape):
    layer, x = module(), mlx.rand(shape)

    def gradients():
        return mlx.autograd.grad(layer(x).square().sum(), list(layer.parameters()))

    plain = gradients()
    with graph.save_on_cpu():
        saved = gradients()
    assert all(mlx.equal(a, b) for a, b in zip(plain, saved, strict=True))


def test_a_copy_on_the_cpu_is_not_touched_by_later_writes():
    x = mlx.tensor([2.0, 3.0], requires_grad=True)
    y = x * 1
    with graph.save_on_cpu():
        z = y**2
    y.detach().zero_()
    z.sum().backward()
    assert x.grad.tolist() == [4, 6]


def test_a_pack_hook_that_writes_is_an_error():
    hooks = graph.saved_tensors_hooks(lambda t: t.mul_(2), lambda t: t)
    with hooks, pytest.raises(RuntimeError, match="pack hook is modifying its input in place"):
        leaf(2).exp()


def test_an_unpack_hook_that_gives_no_tensor_is_an_error():
    with graph.saved_tensors_hooks(lambda t: t, lambda t: 1.0):
        y = leaf(2).exp().sum()
    with pytest.raises(TypeError, match="expected to be a Tensor but got result of type float"):
        y.backward()


def test_an_error_in_a_pack_hook_reaches_the_caller():
    def pack(t):
        raise KeyError("mine")

    with graph.saved_tensors_hooks(pack, lambda t: t), pytest.raises(KeyError, match="mine"):
        leaf(2).exp()


def test_hooks_where_they_are_disabled():
    refused, hooks = graph.disable_saved_tensors_hooks, graph.save_on_cpu()
    with refused("none here"), pytest.raises(RuntimeError, match="none here"), hooks:
        pass
    with hooks, pytest.raises(RuntimeError, match="too late"), refused("too late"):
        pass
    with hooks:
        pass


def test_gradient_edges():
    x = leaf(4, 2)
    top, bottom = x.chunk(2)
    assert graph.get_gradient_edge(bottom) == (bottom.grad_fn, 1)
    assert graph.get_gradient_edge(x).node.variable is x
    with pytest.raises(RuntimeError, match="does not require"):
        graph.get_gradient_edge(mlx.rand(2))


def test_an_incremented_version_refuses_what_was_kept():
    x = leaf(2)
    y = x.exp()
    z = y.exp()
    np.asarray(y.detach())[:] = 0
    graph.increment_version(y)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_multi_grad_hook_waits_for_all_that_the_pass_reaches():
    a, b, c = leaf(1), leaf(1), leaf(1)
    middle, seen = a * b, []
    handle = graph.register_multi_grad_hook([a, middle, c], seen.append)
    for _ in range(2):
        (a * middle.square()).sum().backward(retain_graph=True)
    handle.remove()
    (a * middle).sum().backward(retain_graph=True)
    assert len(seen) == 2
    first, second, third = seen[1]
    assert third is None
    assert mlx.allclose(second, 2 * a * middle)
    assert mlx.allclose(first, middle**2 + 2 * a * middle * b)


def test_multi_grad_hook_of_the_first_gradient():
    a, b, seen = leaf(1), leaf(1), []
    graph.register_multi_grad_hook([a, b], seen.append, mode="any")
    for _ in range(2):
        (a * 3 + b * 3).sum().backward()
    assert [g.item() for g in seen] == [3, 3]


def test_multi_grad_hook_checks_its_arguments():
    with pytest.raises(ValueError, match="mode"):
        graph.register_multi_grad_hook([leaf(1)], print, mode="some")
    with pytest.raises(RuntimeError, match="require a gradient"):
        graph.register_multi_grad_hook([mlx.rand(1)], print)


def test_notes_on_a_node():
    node = leaf(2).exp().grad_fn
    node.metadata["line"] = 3
    assert node.metadata == {"line": 3}


NAMES = {
    "AddBackward0": lambda x: x + 1,
    "PowBackward0": lambda x: x**2,
    "PowBackward1": lambda x: x**x,
    "LeakyReluBackward0": mlx.nn.functional.leaky_relu,
    "ClampMinBackward0": lambda x: x.clamp_min(0),
    "SumBackward0": lambda x: x.sum(),
    "SumBackward1": lambda x: x.sum(0),
    "MeanBackward0": lambda x: x.mean(),
    "MmBackward0": lambda x: x @ x.T,
    "BmmBackward0": lambda x: mlx.bmm(x[None], x.T[None]),
    "TBackward0": lambda x: x.t(),
    "SqueezeBackward1": lambda x: x[None].squeeze(0),
    "StackBackward0": lambda x: mlx.stack([x, x]),
    "MaskedFillBackward0": lambda x: x.masked_fill(x > 0, 0),
    "MseLossBackward0": lambda x: mlx.nn.functional.mse_loss(x, x.detach() + 1),
    "NllLossBackward0": lambda x: mlx.nn.functional.cross_entropy(x, mlx.tensor([0, 1, 2])),
    "AddmmBackward0": lambda x: mlx.nn.Linear(4, 2)(x),
    "ConvolutionBackward0": lambda x: mlx.nn.Conv1d(3, 2, 2)(x[None]),
    "MaxPool2DWithIndicesBackward0": lambda x: mlx.nn.MaxPool2d(2)(x[None]),
    "NativeLayerNormBackward0": lambda x: mlx.nn.LayerNorm(4)(x),
    "NativeBatchNormBackward0": lambda x: mlx.nn.BatchNorm1d(4)(x),
    "MulBackward0": lambda x: x.clone().mul_(2),
    "ReluBackward0": lambda x: (x + 1).relu_(),
    "CopyBackwards": lambda x: mlx.zeros(3, 4).copy_(x),
}


@pytest.mark.parametrize("name", NAMES)
def test_nodes_are_called_as_in_pytorch(name):
    y = NAMES[name](leaf(3, 4))
    assert y.grad_fn.name() == name
    assert f"grad_fn=<{name}>" in repr(y)
    assert type(y.grad_fn).__name__ == name


def test_a_composite_that_returns_its_input_leaves_its_node_alone():
    y = leaf(3).exp()
    z = y.repeat(1)
    assert z is not y
    assert y.grad_fn.name() == "ExpBackward0"
    x = mlx.rand(2, 3, requires_grad=True).exp()
    mlx.nn.functional.pixel_shuffle(x.view(1, 2, 3, 1), 1)
    assert x.grad_fn.name() == "ExpBackward0"


def test_an_operation_in_place_is_one_node():
    x = leaf(3)
    y = x * 2
    product = y.grad_fn
    y.add_(1)
    assert y.grad_fn.next_functions[0][0] == product
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    assert seen == [[1, 1, 1]]

"""Maps of a function over a batch: what all samples get at once against what each gets alone."""

import numpy as np
import pytest
from support import from_numpy, sample, to_numpy

import mlx
from mlx import nn
from mlx.func import functional_call, grad, hessian, jacrev, stack_module_state, vmap
from mlx.func._at_once import all_at_once
from mlx.func._batch import Batch

F = nn.functional


def close(t, expected, tolerance=1e-5):
    np.testing.assert_allclose(to_numpy(t), expected, rtol=tolerance, atol=tolerance)


def single(array):
    return from_numpy(array, mlx.float32)


def values(*shape, seed=0):
    return single(sample(*shape, seed=seed))


# ---- every way to launch a kernel for many samples

INDEX = mlx.tensor([2, 0, 2])
FUNCTIONS = {
    "pointwise": (lambda x, y: x * y + x.exp(), (2, 3), (3,)),
    "copy": (lambda x, y: mlx.cat([x.t(), y], 0), (2, 3), (4, 2)),
    "sum": (lambda x, y: (x - y).sum(0, keepdim=True), (2, 3), (2, 1)),
    "mean_of_all": (lambda x, y: (x * y).mean(), (2, 3), (3,)),
    "argmax": (lambda x, y: (x + y).argmax(1), (2, 3), (3,)),
    "max": (lambda x, y: (x + y).max(0), (2, 3), (2, 3)),
    "matmul": (lambda x, y: x @ y, (2, 3), (3, 4)),
    "matrix_times_vector": (lambda x, y: x @ y, (2, 3), (3,)),
    "vector_times_matrix": (lambda x, y: x @ y, (3,), (3, 4)),
    "dot": (lambda x, y: x @ y, (3,), (3,)),
    "addmm": (lambda x, y: mlx.addmm(x[:, :1] * 2, x, y), (2, 3), (3, 4)),
    "linear": (lambda x, y: F.linear(x, y, y[:, 0]), (2, 3), (4, 3)),
    "einsum": (lambda x, y: mlx.einsum("ij,kj->ki", x, y), (2, 3), (4, 3)),
    "triangle": (lambda x, y: mlx.tril(x) + mlx.triu(y, 1), (3, 3), (3, 3)),
    "softmax": (lambda x, y: F.log_softmax(x + y, 1) + F.softmax(x, 0), (2, 3), (3,)),
    "logsumexp": (lambda x, y: (x * y).logsumexp(1), (2, 3), (3,)),
    "layer_norm": (lambda x, y: F.layer_norm(x, (3,), y, y), (2, 3), (3,)),
    "group_norm": (lambda x, y: F.group_norm(x, 2, y, y), (2, 4, 3), (4,)),
    "instance_norm": (lambda x, y: F.instance_norm(x) + y, (2, 4, 3), (3,)),
    "cumsum": (lambda x, y: (x * y).cumsum(0), (2, 3), (3,)),
    "cummax": (lambda x, y: (x * y).cummax(1), (2, 3), (3,)),
    "sort": (lambda x, y: (x + y).sort(0), (3, 2), (2,)),
    "topk": (lambda x, y: (x + y).topk(2, 1), (2, 3), (3,)),
    "median": (lambda x, y: (x + y).median(1), (2, 3), (3,)),
    "searchsorted": (lambda x, y: mlx.searchsorted(x.sort(-1).values, y), (4,), (5,)),
    "gather": (lambda x, y: x.gather(1, (y * 0).long() + 1), (2, 3), (2, 2)),
    "scatter_add": (lambda x, y: x.scatter_add(0, (y > 0).long(), y), (2, 3), (2, 3)),
    "index": (lambda x, y: x[INDEX] * y, (3, 2), (2,)),
    "index_of_each_sample": (lambda x, y: x[(y > 0).long()], (2, 3), (4,)),
    "index_put": (lambda x, y: x.index_put((INDEX,), y, accumulate=True), (3, 2), (3, 2)),
    "embedding": (lambda x, y: F.embedding((x > 0).long(), y), (2, 3), (2, 4)),
    "roll_and_pad": (lambda x, y: F.pad(x.roll(1, 0), (1, 2)) * y, (2, 3), (6,)),
    "convolution": (lambda x, y: F.conv2d(x, y, y[:, 0, 0, 0], padding=1), (2, 2, 5, 4), (3, 2, 3, 3)),
    "transposed_convolution": (lambda x, y: F.conv_transpose1d(x, y, stride=2), (2, 2, 5), (2, 3, 3)),
    "max_pool": (lambda x, y: F.max_pool2d(x, 2) * y, (1, 2, 4, 4), (2,)),
    "avg_pool": (lambda x, y: F.avg_pool1d(x, 2) * y, (2, 1, 4), (2,)),
    "adaptive_pool": (lambda x, y: F.adaptive_avg_pool2d(x, (1, 2)) * y, (1, 2, 4, 4), (2,)),
    "attention": (lambda x, y: F.scaled_dot_product_attention(x, y, y), (2, 3, 4), (2, 5, 4)),
    "cross_entropy": (lambda x, y: F.cross_entropy(x, (y > 0).long()), (4, 3), (4,)),
    "solve": (lambda x, y: mlx.linalg.solve(x + 9 * mlx.eye(3), y), (3, 3), (3, 2)),
    "cholesky": (lambda x, y: mlx.linalg.cholesky(x @ x.mT + y.exp().diag()), (3, 3), (3,)),
    "write_in_place": (lambda x, y: mlx.zeros(2, 3).copy_(x).add_(y), (2, 3), (3,)),
    "write_to_a_part": (lambda x, y: F.pad(x, (0, 1)).fill_diagonal_(2).mul_(y), (2, 3), (4,)),
    "integers": (lambda x, y: (x * 9).long() // 2 + (y > 0), (2, 3), (3,)),
    "transform": (lambda x, y: mlx.fft.rfft(x * y).abs(), (2, 4), (4,)),
}


def alone(function, args, dims, count=3):
    """The stacked results of the samples, each computed by itself."""
    found = []
    for i in range(count):
        sample = [a if d is None else a.select(d, i) for a, d in zip(args, dims, strict=True)]
        result = function(*sample)
        found.append(result if isinstance(result, tuple) else (result,))
    return [np.stack([to_numpy(t) for t in column]) for column in zip(*found, strict=True)]


def batched(function, args, dims):
    """The same at once, which must be possible."""

    def refuse(*_):
        raise AssertionError("not at once")

    return all_at_once(function, Batch(args, {}, dims), refuse).columns


@pytest.mark.parametrize("dims", [(0, None), (None, 0), (0, 0), (-1, 1)])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_all_samples_at_once(function, dims):
    function, *shapes = FUNCTIONS[function]
    args = []
    for seed, (shape, d) in enumerate(zip(shapes, dims, strict=True)):
        made = values(*([] if d is None else [3]), *shape, seed=seed)
        args.append(made if d in (0, None) else made.movedim(0, d).contiguous())
    with mlx.no_grad():
        for got, expected in zip(batched(function, args, dims), alone(function, args, dims), strict=True):
            assert got.shape == expected.shape
            close(got, expected, 1e-4)


SMOOTH = ["matmul", "softmax", "layer_norm", "cumsum", "convolution", "attention", "index", "cross_entropy"]


@pytest.mark.parametrize("dims", [(0, None), (None, 0), (0, 0)])
@pytest.mark.parametrize("function", SMOOTH)
def test_gradients_of_each_sample_at_once(function, dims):
    function, *shapes = FUNCTIONS[function]
    args = [
        values(*([] if d is None else [3]), *shape, seed=seed)
        for seed, (shape, d) in enumerate(zip(shapes, dims, strict=True))
    ]

    def gradients(x, y):
        return grad(lambda x, y: (function(x, y) ** 2).sum(), (0, 1))(x, y)

    for got, expected in zip(batched(gradients, args, dims), alone(gradients, args, dims), strict=True):
        close(got, expected, 1e-3)


# ---- arguments and results


def test_vmap_maps_chosen_dimensions():
    a, b = sample(3, 5), sample(5)
    found = vmap(lambda x, y: x * y.sum(), in_dims=(1, None), out_dims=1)(from_numpy(a), from_numpy(b))
    close(found, a * b.sum())


def test_nested_vmap_is_an_outer_product():
    a, b = sample(3), sample(4)
    outer = vmap(vmap(lambda x, y: x * y, in_dims=(None, 0)), in_dims=(0, None))
    close(outer(from_numpy(a), from_numpy(b)), np.outer(a, b))


def test_vmap_of_nested_arguments_and_results():
    a = sample(3, 2)
    found = vmap(lambda d, k: (d["x"] * k, {"s": d["x"].sum()}), in_dims=({"x": 0}, None))(
        {"x": from_numpy(a)}, 2.0
    )
    close(found[0], 2 * a)
    close(found[1]["s"], a.sum(1))


def test_vmap_is_differentiable():
    x = from_numpy(sample(3, 2), requires_grad=True)
    vmap(lambda v: (v**2).sum())(x).sum().backward()
    close(x.grad, 2 * sample(3, 2))


def test_vmap_and_random_numbers():
    x = mlx.zeros(4)
    with pytest.raises(RuntimeError, match="drew random numbers"):
        vmap(lambda v: v + mlx.rand(()))(x)
    assert len(vmap(lambda v: v + mlx.rand(()), randomness="different")(x).unique()) == 4
    assert len(vmap(lambda v: v + mlx.rand(()), randomness="same")(x).unique()) == 1


@pytest.mark.parametrize(
    ("in_dims", "message"),
    [(None, "one tensor at least"), (2, "dimension 2"), ((0, 0), "2 elements for 1 arguments")],
)
def test_vmap_checks_its_dimensions(in_dims, message):
    with pytest.raises(ValueError, match=message):
        vmap(lambda x: x, in_dims=in_dims)(mlx.ones(2, 3))


def test_vmap_wants_batches_of_one_size():
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        vmap(lambda x, y: x + y)(mlx.ones(2), mlx.ones(3))


def test_samples_may_look_at_their_elements():
    x = values(4, 2)
    found = vmap(lambda v: v if v.sum() > 0 else -v)(x)
    close(found, np.where(to_numpy(x).sum(1, keepdims=True) > 0, to_numpy(x), -to_numpy(x)))


def test_samples_write_to_their_arguments():
    x, expected = values(3, 2), to_numpy(values(3, 2)) * 2
    version = x._version
    vmap(lambda v: v.mul_(2))(x)
    close(x, expected)
    assert x._version > version


def test_samples_write_to_what_they_share():
    total, x = mlx.zeros(2), values(3, 2)
    vmap(lambda v: total.add_(v))(x)
    close(total, to_numpy(x).sum(0))


def test_results_share_no_memory():
    x, y = values(3, 2), values(2)
    same, shared = vmap(lambda a, b: (a, b), (0, None))(x, y)
    same.zero_()
    shared[0].zero_()
    assert x.count_nonzero() == 6 and y.count_nonzero() == 2 and shared[1].count_nonzero() == 2


def test_an_empty_batch():
    assert vmap(lambda x: (x @ x.t()).sum(1))(mlx.ones(0, 3, 2)).shape == (0, 3)


def test_chunks_are_joined():
    x = values(5, 2)
    sizes = []
    found = vmap(lambda v: (sizes.append(1), v * 2)[1], out_dims=1, chunk_size=2)(x)
    close(found, 2 * to_numpy(x).T)
    assert len(sizes) == 3


def test_an_index_out_of_range_names_the_samples_dimension():
    with pytest.raises(IndexError, match="dimension 0"):
        vmap(lambda v: v.gather(0, mlx.tensor([7])))(mlx.ones(3, 2))


# ---- derivatives of what was mapped


def test_gradients_reach_arguments_and_closures():
    layer = nn.Linear(3, 2)
    x, scale = values(4, 3).requires_grad_(), values(2, seed=1).requires_grad_()
    leaves = (x, scale, layer.weight, layer.bias)

    def results(mapped):
        out = mapped(lambda v, s: (layer(v) * s).tanh(), x, scale)
        first = mlx.autograd.grad(out.square().sum(), leaves, create_graph=True)
        second = mlx.autograd.grad(sum((g**2).sum() for g in first), leaves)
        return [out, *first, *second]

    at_once = results(lambda f, x, s: vmap(f, (0, None))(x, s))
    one_by_one = results(lambda f, x, s: mlx.stack([f(v, s) for v in x]))
    for got, expected in zip(at_once, one_by_one, strict=True):
        close(got, to_numpy(expected), 1e-4)


def test_gradients_pass_a_gradient_that_was_mapped():
    w, x = values(3).requires_grad_(), values(4, 3, seed=1)
    vmap(grad(lambda x, w: (x * w).sin().sum()), (0, None))(x, w).square().sum().backward()
    a, b = to_numpy(x), to_numpy(w)  # the square of w cos(x w)
    close(w.grad, (2 * b * np.cos(a * b) * (np.cos(a * b) - a * b * np.sin(a * b))).sum(0), 1e-4)


def test_an_ensemble_is_trained():
    models = [nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)) for _ in range(3)]
    params, buffers = stack_module_state(models)
    x = values(5, 3)
    vmap(lambda p, b: functional_call(models[0], (p, b), (x,)))(params, buffers).square().sum().backward()
    for i, model in enumerate(models):
        model(x).square().sum().backward()
        for name, p in model.named_parameters():
            close(params[name].grad[i], to_numpy(p.grad), 1e-4)


def test_a_result_that_is_an_argument_passes_its_gradient():
    x = values(3, 2).requires_grad_()
    same, double = vmap(lambda v: (v, 2 * v))(x)
    (same.sum() + double.sum()).backward()
    close(x.grad, np.full((3, 2), 3))


def test_a_history_from_outside_is_kept():
    x = values(3, 2).requires_grad_()
    doubled = 2 * x
    vmap(lambda v: v * doubled.sum())(x.detach()).sum().backward()
    close(x.grad, np.full((3, 2), 2 * to_numpy(x).sum()), 1e-4)


def test_nested_maps_are_differentiable():
    x, y = values(3, 2).requires_grad_(), values(4, 2, seed=1)
    kernel = vmap(vmap(lambda a, b: (-(a - b).square().sum()).exp(), (None, 0)), (0, None))
    found = kernel(x, y)
    a, b = to_numpy(x)[:, None], to_numpy(y)
    expected = np.exp(-((a - b) ** 2).sum(-1))
    close(found, expected)
    found.sum().backward()
    close(x.grad, (-2 * (a - b) * expected[..., None]).sum(1), 1e-4)


def test_matrices_of_derivatives_of_each_sample():
    x = values(4, 3)
    close(vmap(jacrev(lambda v: v**2))(x), np.stack([np.diag(2 * v) for v in to_numpy(x)]))
    close(vmap(hessian(lambda v: (v**3).sum()))(x), np.stack([np.diag(6 * v) for v in to_numpy(x)]), 1e-4)


def test_maps_in_compiled_functions():
    layer = nn.Linear(3, 2)
    x = values(4, 3)

    def step(x):
        out = vmap(lambda v: layer(v).tanh().sum())(x)
        return out, *mlx.autograd.grad(out.sum(), layer.parameters())

    for got, expected in zip(mlx.jit(step)(x), step(x), strict=True):
        close(got, to_numpy(expected))

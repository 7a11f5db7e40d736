"""mlx.jit: a compiled function gives and leaves what the eager one would."""

from __future__ import annotations

import dataclasses
import warnings
from collections import namedtuple

import pytest

import mlx
from mlx import nn


def assert_close(a, b, tolerance=1e-5):
    assert a.shape == b.shape and a.dtype == b.dtype
    assert mlx.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True), (a, b)


def test_values_of_first_and_later_calls():
    f = mlx.jit(lambda x, y: ((x * 2 + y).tanh() * x - 0.5).sigmoid().sum(1))
    for seed in range(3):
        mlx.manual_seed(seed)
        x, y = mlx.rand(50, 33), mlx.rand(33)
        assert_close(f(x, y), ((x * 2 + y).tanh() * x - 0.5).sigmoid().sum(1))
    assert f.cache_info()[:2] == (2, 1)


def test_nested_arguments_and_results():
    Pair = namedtuple("Pair", "a b")

    @dataclasses.dataclass
    class Batch:
        x: mlx.Tensor
        scale: float

    @mlx.jit
    def f(batch, extra, *, options):
        total = batch.x * batch.scale + extra[0] + options["bias"]
        return {"total": total, "pair": Pair(total.sum(), [extra[1], 3]), "batch": Batch(total, 2.0)}

    for _ in range(2):
        x, bias = mlx.rand(4), mlx.ones(4)
        out = f(Batch(x, 3.0), (mlx.ones(4), "text"), options={"bias": bias})
        assert_close(out["total"], x * 3 + 2)
        assert_close(out["pair"].a, (x * 3 + 2).sum())
        assert out["pair"].b == ["text", 3]
        assert out["batch"].scale == 2.0
        assert_close(out["batch"].x, out["total"])


def test_an_argument_that_is_returned_is_the_same_object():
    f = mlx.jit(lambda x: (x, x + 1))
    for _ in range(2):
        x = mlx.rand(3)
        assert f(x)[0] is x


def test_a_result_that_views_an_argument_shares_its_memory():
    f = mlx.jit(lambda x: x.view(2, 3).t())
    for _ in range(2):
        x = mlx.arange(6.0)
        y = f(x)
        x[0] = 10
        assert y[0, 0].item() == 10


def test_in_place_changes_of_arguments():
    @mlx.jit
    def f(x, y):
        x.mul_(2).add_(y)
        x[0] = 7
        x.view(-1)[1:3].neg_()

    for _ in range(2):
        x, y = mlx.arange(6.0), mlx.ones(6)
        version = x._version
        f(x, y)
        assert x.tolist() == [7.0, -3.0, -5.0, 7.0, 9.0, 11.0]
        assert x._version > version


def test_views_and_writes_inside():
    def f(x):
        a = x.clone()
        row = a[1]
        row += 10
        a[:, 0] = -1
        b = a.t()[0:2].contiguous()
        b.zero_()
        return a, row, b, a.sum(0)

    g = mlx.jit(f)
    for _ in range(2):
        x = mlx.rand(3, 4)
        for got, want in zip(g(x), f(x), strict=True):
            assert_close(got, want)


def test_a_constant_made_inside_is_new_in_each_call():
    @mlx.jit
    def f(x):
        total = mlx.tensor([1.0, 2.0])
        total += x
        return total, mlx.tensor(5.0), mlx.zeros(2)

    for _ in range(2):
        total, five, zeros = f(mlx.ones(2))
        assert total.tolist() == [2.0, 3.0]
        assert five.item() == 5 and zeros.tolist() == [0.0, 0.0]
        five.add_(1)
        zeros.add_(1)


def test_arguments_that_share_memory():
    @mlx.jit
    def f(x, y):
        x.add_(1)
        return y * 2

    for _ in range(2):
        x = mlx.zeros(3)
        assert f(x, x).tolist() == [2.0, 2.0, 2.0]
        base = mlx.zeros(4)
        assert f(base[:3], base[1:]).tolist() == [2.0, 2.0, 0.0]


def test_a_written_argument_that_the_function_also_reaches_by_closure():
    state = mlx.zeros(3)

    @mlx.jit
    def f(x):
        x.add_(1)
        return state * 2

    assert f(mlx.zeros(3)).tolist() == [0.0, 0.0, 0.0]
    assert f(state).tolist() == [2.0, 2.0, 2.0]
    assert f(state).tolist() == [4.0, 4.0, 4.0]


def test_tensors_by_closure_are_read_at_each_call():
    weight = mlx.ones(3)
    f = mlx.jit(lambda x: x * weight)
    assert f(mlx.ones(3)).tolist() == [1.0, 1.0, 1.0]
    weight.fill_(5)
    assert f(mlx.ones(3)).tolist() == [5.0, 5.0, 5.0]
    weight = mlx.full((3,), 7.0)
    assert f(mlx.ones(3)).tolist() == [7.0, 7.0, 7.0]
    assert f.cache_info().currsize == 1


def test_numbers_by_closure_are_guarded():
    scale = 2
    f = mlx.jit(lambda x: x * scale)
    assert f(mlx.ones(2)).tolist() == [2.0, 2.0]
    scale = 3
    assert f(mlx.ones(2)).tolist() == [3.0, 3.0]


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("total", mlx.zeros(2))
        self.register_buffer("average", mlx.zeros(2))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        self.total += x
        self.average = self.average * 0.5 + x * 0.5
        return x + self.total


def test_buffers_change_in_place_and_by_assignment():
    eager, compiled = Counter(), Counter()
    f = mlx.jit(compiled)
    for i in range(4):
        x = mlx.full((2,), float(i))
        assert_close(f(x), eager(x))
        assert_close(compiled.total, eager.total)
        assert_close(compiled.average, eager.average)
    assert compiled.calls < eager.calls  # Python runs while tracing only


def test_load_state_dict_data_and_replaced_parameters_are_seen():
    model = nn.Linear(3, 2)
    f = mlx.jit(lambda x: model(x))
    x = mlx.rand(4, 3)
    assert_close(f(x), model(x))
    model.load_state_dict({"weight": mlx.ones(2, 3), "bias": mlx.zeros(2)})
    assert_close(f(x), model(x))
    model.weight.data = mlx.full((2, 3), 2.0)
    assert_close(f(x), model(x))
    model.bias = nn.Parameter(mlx.ones(2))
    assert_close(f(x), model(x))


def test_eval_and_train_mode():
    mlx.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.BatchNorm1d(4))
    f = mlx.jit(model)
    x = mlx.rand(8, 4)
    f(x)
    model.eval()
    assert_close(f(x), model(x))
    assert_close(f(x), f(x))
    model.train()
    assert not mlx.equal(f(x), f(x))


def test_dropout_draws_the_numbers_that_eager_would():
    f = mlx.jit(lambda x: nn.functional.dropout(x, 0.5) + mlx.rand(4))
    x = mlx.ones(4)
    mlx.manual_seed(3)
    eager = [nn.functional.dropout(x, 0.5) + mlx.rand(4) for _ in range(4)]
    mlx.manual_seed(3)
    for want in eager:
        assert mlx.equal(f(x), want)
    assert not mlx.equal(f(x), f(x))


def test_a_generator_of_ones_own_and_seeding_inside():
    generator = mlx.Generator()
    f = mlx.jit(lambda: mlx.rand(3, generator=generator))
    generator.manual_seed(1)
    want = [mlx.rand(3, generator=generator) for _ in range(3)]
    generator.manual_seed(1)
    assert all(mlx.equal(f(), w) for w in want)

    @mlx.jit
    def seeded():
        mlx.manual_seed(5)
        return mlx.rand(2)

    a, b, c = seeded(), seeded(), mlx.rand(2)
    mlx.manual_seed(5)
    assert mlx.equal(a, mlx.rand(2)) and mlx.equal(a, b) and mlx.equal(c, mlx.rand(2))


def test_gradients_of_a_compiled_function():
    def f(x, w):
        return (x @ w).tanh().pow(2).mean(), x.sum()

    g = mlx.jit(f)
    for _ in range(3):
        x, w = mlx.rand(5, 3, requires_grad=True), mlx.rand(3, 4, requires_grad=True)
        a, b = f(x, w)
        want = mlx.autograd.grad(a * 2 + b, (x, w))
        a, b = g(x, w)
        got = mlx.autograd.grad(a * 2 + b, (x, w), retain_graph=True)
        again = mlx.autograd.grad(a * 2 + b, (x, w))
        for p, q, r in zip(got, want, again, strict=True):
            assert_close(p, q)
            assert_close(p, r)


def test_gradients_reach_parameters_and_what_is_before_the_call():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    f = mlx.jit(model)
    x = mlx.rand(5, 3, requires_grad=True)
    for _ in range(2):
        model.zero_grad()
        x.grad = None
        (model(x * 2) ** 2).sum().backward()
        want = [p.grad.clone() for p in model.parameters()] + [x.grad.clone()]
        model.zero_grad()
        x.grad = None
        (f(x * 2) ** 2).sum().backward()
        for a, b in zip([p.grad for p in model.parameters()] + [x.grad], want, strict=True):
            assert_close(a, b)


def test_a_saved_argument_that_is_changed_before_backward_raises():
    f = mlx.jit(lambda x: (x * x).sum())
    x = mlx.rand(3, requires_grad=True)
    y = x * 1
    out = f(y)
    y.detach().add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_compiled_functions_have_derivatives_of_any_order():
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    compiled = mlx.jit(model)
    x = mlx.rand(5, 3, requires_grad=True)

    def gradients_of_the_third_derivative(f):
        model.zero_grad()
        d = f(x)
        for i in range(3):
            (d,) = mlx.autograd.grad(d.sum(), x, create_graph=True)
            d = d[:, i]
        (d**2).sum().backward()
        return [d.detach(), *[p.grad for p in model.parameters() if p.grad is not None]]

    want = gradients_of_the_third_derivative(model)
    for _ in range(2):
        for a, b in zip(gradients_of_the_third_derivative(compiled), want, strict=True):
            assert_close(a, b)


def test_the_second_derivative_follows_a_replaced_parameter():
    model = nn.Linear(2, 1)
    f = mlx.jit(lambda x: model(x).pow(3).sum())
    x = mlx.rand(2, requires_grad=True)
    for weight in (mlx.ones(1, 2), mlx.full((1, 2), 2.0)):
        model.weight = nn.Parameter(weight)
        (g,) = mlx.autograd.grad(f(x), x, create_graph=True)
        (h,) = mlx.autograd.grad(g.sum(), x)
        assert_close(h, 6 * model(x.detach()).detach() * weight[0] * weight.sum())


def _in_training(x, norm=nn.BatchNorm1d(2)):  # noqa: B008 - the module is the function's state
    return norm(x)


@pytest.mark.parametrize(
    "function, change, why",
    [
        (nn.Dropout(0.5), None, "random numbers"),
        (_in_training, None, "changes state"),
        (lambda x: x.detach().add_(1) * 0 + x**3, None, "changes state"),
        (nn.Tanh(), lambda x: x.detach().add_(1), "has changed"),
    ],
)
def test_a_second_derivative_that_cannot_be_computed_anew_raises(function, change, why):
    f = mlx.jit(function)
    leaf = mlx.rand(3, 2, requires_grad=True)
    x = leaf * 1
    out = f(x)
    if change:
        change(x)
    (g,) = mlx.autograd.grad(out.sum(), leaf, create_graph=True)
    with pytest.raises(RuntimeError, match=f"no second derivative.*{why}"):
        g.sum().backward()


@pytest.mark.parametrize("requires_grad", [False, True])
def test_requires_grad_and_grad_mode_are_guarded(requires_grad):
    model = nn.Linear(2, 2)
    f = mlx.jit(model)
    x = mlx.rand(3, 2)
    assert f(x).requires_grad
    with mlx.no_grad():
        assert not f(x).requires_grad
    model.requires_grad_(requires_grad)
    assert f(x).requires_grad == requires_grad


def test_an_argument_that_the_function_begins_to_record():
    def residual(x):
        x.requires_grad_(True)
        (slope,) = mlx.autograd.grad((x**3).sum(), x, create_graph=True)
        loss = slope.pow(2).sum()
        loss.backward()
        return loss

    def slope_outside(x):
        return x.requires_grad_() ** 2

    for function, gradient in ((residual, lambda x: 36 * x**3), (slope_outside, lambda x: 2 * x)):
        compiled = mlx.jit(function)
        for _ in range(3):
            x = mlx.rand(4)
            out = compiled(x)
            assert x.requires_grad
            if function is slope_outside:
                out.sum().backward()
            assert_close(x.grad, gradient(x.detach()))


def test_an_argument_that_the_function_stops_to_record():
    compiled = mlx.jit(lambda x: x.requires_grad_(False) * 2)
    for _ in range(2):
        x = mlx.rand(4, requires_grad=True)
        assert not compiled(x).requires_grad
        assert not x.requires_grad


def test_inner_functions_and_methods():
    class Scaler:
        def __init__(self, factor):
            self.factor = factor

        @mlx.jit
        def scale(self, x):
            return x * self.factor

    a, b = Scaler(2.0), Scaler(3.0)
    assert a.scale(mlx.ones(1)).item() == 2 and b.scale(mlx.ones(1)).item() == 3
    a.factor = 5.0
    assert a.scale(mlx.ones(1)).item() == 5
    inner = mlx.jit(lambda x: x + 1)
    outer = mlx.jit(lambda x: inner(x) * 2)
    assert outer(mlx.ones(1)).item() == 4 and outer(mlx.zeros(1)).item() == 2


def test_disabled_runs_eagerly(capsys):
    @mlx.jit
    def f(x):
        print("running")
        return x + 1

    f(mlx.ones(1))
    f(mlx.ones(1))
    assert capsys.readouterr().out.count("running") == 1
    with mlx.jit.disabled():
        f(mlx.ones(1))
        f(mlx.ones(1))
    assert capsys.readouterr().out.count("running") == 2


def test_cache_of_programs():
    f = mlx.jit(lambda x: x + 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for n in range(1, 81):
            f(mlx.ones(n))
    info = f.cache_info()
    assert info.misses == 80 and info.currsize == info.maxsize == 64
    f(mlx.ones(80))
    assert f.cache_info().hits == 1
    f.clear_cache()
    assert f.cache_info().currsize == 0


def test_a_function_that_keeps_recompiling_is_warned_about():
    f = mlx.jit(lambda x, n: x * n)
    with pytest.warns(RuntimeWarning, match=r"argument.*from 6 to 7"):
        for n in range(10):
            f(mlx.ones(2), n)


def test_errors_of_kernels_are_raised_in_each_call():
    f = mlx.jit(lambda x, i: x[i])
    assert f(mlx.arange(3.0), mlx.tensor([2, 0])).tolist() == [2.0, 0.0]
    with pytest.raises(IndexError):
        f(mlx.arange(3.0), mlx.tensor([2, 3]))
    loss = mlx.jit(lambda x, y: nn.functional.cross_entropy(x, y))
    loss(mlx.rand(2, 3), mlx.tensor([0, 2]))
    with pytest.raises(IndexError):
        loss(mlx.rand(2, 3), mlx.tensor([0, 3]))
    one_hot = mlx.jit(lambda y: nn.functional.one_hot(y, 3))
    assert one_hot(mlx.tensor([0, 2])).tolist() == [[1, 0, 0], [0, 0, 1]]
    with pytest.raises(RuntimeError):
        one_hot(mlx.tensor([3]))


def test_masks_that_write():
    def f(x, v):
        y = x.clone()
        y[y > 0.5] = 0
        z = x.clone()
        z[x[:, 0] > 0.5] = -1.0
        return y, z, x.masked_fill(x > 0.2, 3.0), x.masked_scatter(x > 0.5, v)

    g = mlx.jit(f)
    for _ in range(2):
        x, v = mlx.rand(4, 3), mlx.rand(12)
        for got, want in zip(g(x, v), f(x, v), strict=True):
            assert mlx.equal(got, want)


def test_transforms_and_linear_algebra():
    def f(a):
        spectrum = mlx.fft.fft(a).abs().sum()
        return spectrum + mlx.linalg.inv(a @ a.mT + mlx.eye(4)).sum()

    g = mlx.jit(f)
    for _ in range(2):
        a = mlx.rand(4, 4)
        assert_close(g(a), f(a), 1e-4)
    with pytest.raises(mlx.linalg.LinAlgError):
        mlx.jit(mlx.linalg.inv)(mlx.zeros(2, 2))


def test_tensors_that_exchange_their_values():
    a, b, c = mlx.rand(3000), mlx.rand(3000), mlx.rand(60, 50)

    def f():
        old = a.clone()
        a.copy_(b)
        b.copy_(old)
        c.copy_((c.t() @ c.view(60, 50)).t()[:1].expand(60, 50))
        return a + b

    expected = [t.clone() for t in (b, a, (c.t() @ c).t()[:1].expand(60, 50), a + b)]
    result = mlx.jit(f)()
    for t, e in zip((a, b, c, result), expected, strict=True):
        assert_close(t, e)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_whose_bounds_are_arguments(mode):
    table = mlx.rand(9, 4, requires_grad=True)

    def f(numbers, offsets):
        bags = nn.functional.embedding_bag(numbers, table, offsets, mode=mode, padding_idx=2)
        return bags, *mlx.autograd.grad(bags.square().sum(), (table,))

    compiled = mlx.jit(f)
    numbers = mlx.tensor([1, 2, 8, 2, 0, 5])
    for offsets in ([0, 3, 4], [0, 0, 6], [0, 2, 2]):
        for a, b in zip(compiled(numbers, mlx.tensor(offsets)), f(numbers, mlx.tensor(offsets)), strict=True):
            assert_close(a, b)
    with pytest.raises(RuntimeError, match="offsets must begin with 0"):
        compiled(numbers, mlx.tensor([1, 2, 2]))


@pytest.mark.parametrize("flat", [False, True])
def test_ctc_loss_whose_lengths_are_arguments(flat):
    x = mlx.randn(7, 2, 4).log_softmax(-1)
    targets = mlx.tensor([1, 2, 2, 3]) if flat else mlx.tensor([[1, 2, 2], [3, 1, 1]])

    def f(targets, inputs, lengths):
        return nn.functional.ctc_loss(x, targets, inputs, lengths, reduction="none")

    compiled = mlx.jit(f)
    for inputs, lengths in (([7, 6], [3, 1]), ([5, 7], [2, 2])):
        given = (targets, mlx.tensor(inputs), mlx.tensor(lengths))
        assert_close(compiled(*given), f(*given))
    with pytest.raises(RuntimeError, match="at most 7"):
        compiled(targets, mlx.tensor([8, 7]), mlx.tensor([2, 2]))


def test_what_lies_between_traced_numbers_is_known_in_each_call():
    f = mlx.jit(
        lambda a, b: (mlx.linspace(a, b, 5), mlx.logspace(a, b, 3), mlx.linspace(a, 3.5, 4, dtype=mlx.int32))
    )
    for low, high in ((0.0, 1.0), (-2.5, 1.5)):
        for got, want in zip(
            f(mlx.tensor(low), mlx.tensor(high)),
            (
                mlx.linspace(low, high, 5),
                mlx.logspace(low, high, 3),
                mlx.linspace(low, 3.5, 4, dtype=mlx.int32),
            ),
            strict=True,
        ):
            assert got.dtype == want.dtype
            assert_close(got, want)


def test_histograms_find_their_range_in_each_call():
    f = mlx.jit(lambda x: (mlx.histc(x, 4), *mlx.histogram(x, 3)))
    for x in (mlx.tensor([1.0, 2, 3, 4, 4]), mlx.tensor([5.0, 5, 5, 5, 5]), mlx.tensor([-8.0, 0, 1, 2, 8])):
        for got, want in zip(f(x), (mlx.histc(x, 4), *mlx.histogram(x, 3)), strict=True):
            assert_close(got, want)
    with pytest.raises(RuntimeError, match="not finite"):
        f(mlx.tensor([1.0, 2, 3, 4, float("inf")]))


@pytest.mark.parametrize("dtype", [mlx.float32, mlx.float64, mlx.bfloat16], ids=str)
@pytest.mark.parametrize("kept", [False, True])
def test_rows_of_large_chains(dtype, kept):
    """Softmax, norms and losses of what a chain computes, whole and with the chain itself as a result."""
    mlx.manual_seed(0)
    x, r = mlx.randn(1100, 1003).to(dtype), mlx.randn(1003).to(dtype)
    labels = mlx.randint(0, 1003, (1100,))
    functions = [
        lambda h: h.softmax(-1),
        lambda h: h.log_softmax(-1),
        lambda h: h.logsumexp(-1),
        lambda h: nn.functional.layer_norm(h, (1003,), r, r),
        lambda h: nn.functional.cross_entropy(h, labels),
    ]
    for function in functions:

        def run(x, function=function):
            h = (x * 0.5 + r).tanh() - x
            return (function(h), h) if kept else function(h)

        results = []
        for f in (run, mlx.jit(run)):
            t = x.detach().requires_grad_()
            out = f(t)
            (out[0].float().square().sum() if kept else out.float().square().sum()).backward()
            results.append([*(o.detach() for o in (out if kept else (out,))), t.grad])
        for eager, compiled in zip(*results, strict=True):
            tolerance = {mlx.float32: 1e-5, mlx.float64: 1e-12, mlx.bfloat16: 2e-2}[dtype]
            assert mlx.allclose(compiled, eager, rtol=tolerance, atol=tolerance)

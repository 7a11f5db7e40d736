"""Functions of the top level: those with PyTorch's native arguments, branches and loops, segments, files."""

import math
import warnings

import numpy as np
import pytest
from support import assert_close

import mlx
import mlx.nn.functional as F


def rand(*shape):
    return mlx.randn(*shape)


# ---- losses and dropout by number


@pytest.mark.parametrize(("number", "name"), [(0, "none"), (1, "mean"), (2, "sum")])
def test_reductions_by_number(number, name):
    a, b, c = rand(3, 4), rand(3, 4), rand(3, 4)
    y = mlx.tensor([1.0, -1.0, 1.0])
    logs = a.log_softmax(-1)
    pairs = [
        (mlx.binary_cross_entropy_with_logits, (a, b.sigmoid(), None, None)),
        (mlx.cosine_embedding_loss, (a, b, y, 0.1)),
        (mlx.hinge_embedding_loss, (a[:, 0], y, 1.0)),
        (mlx.kl_div, (logs, b.softmax(-1))),
        (mlx.margin_ranking_loss, (a[:, 0], b[:, 0], y, 0.1)),
        (mlx.triplet_margin_loss, (a, b, c, 1.0, 2.0, 1e-6, True)),
        (mlx.ctc_loss, (rand(5, 1, 4).log_softmax(-1), mlx.tensor([[1, 2]]), [5], [2], 0)),
        (mlx.poisson_nll_loss, (a, b.abs(), True, False, 1e-8)),
    ]
    for function, args in pairs:
        layer = getattr(F, function.__name__)
        kwargs = {"reduction": name}
        if function is mlx.poisson_nll_loss:
            expected = layer(*args[:4], eps=args[4], **kwargs)
        elif function is mlx.binary_cross_entropy_with_logits:
            expected = layer(*args[:2], **kwargs)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # kl_div's mean is not what one wants
                expected = layer(*args, **kwargs)
        assert_close(function(*args, reduction=number), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="3 is not a valid value for reduction"):
        mlx.kl_div(logs, b, 3)


@pytest.mark.parametrize("name", ["dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"])
def test_dropout_takes_train(name):
    function, in_place = getattr(mlx, name), getattr(mlx, f"{name}_")
    x = rand(4, 6, 5)
    assert function(input=x, p=0.5, train=False).equal(x)
    assert not function(x, 0.5, True).equal(x)
    y = x.clone()
    assert in_place(y, 0.5, True) is y
    assert not y.equal(x)
    assert in_place(x.clone(), 0.5, False).equal(x)


def test_features_are_dropped_as_a_whole():
    dropped = mlx.feature_dropout(mlx.ones(3, 50, 4), 0.5, True)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert dropped.equal(dropped[..., :1].expand(3, 50, 4))
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        mlx.feature_dropout(mlx.ones(3), 0.5, True)


def test_rrelu_draws_from_its_generator():
    x = -mlx.ones(100)
    slopes = [-mlx.rrelu(x, 0.1, 0.4, True, mlx.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert slopes[0].equal(slopes[1])
    assert not slopes[0].equal(slopes[2])
    assert slopes[0].min() >= 0.1
    assert slopes[0].max() <= 0.4
    assert_close(mlx.rrelu(x, 0.1, 0.4), -0.25 * mlx.ones(100), rtol=1e-6)
    y = x.clone()
    assert mlx.rrelu_(y, 0.1, 0.4) is y


# ---- convolutions, tables, norms


@pytest.mark.parametrize("n", [1, 2, 3])
def test_convolution_is_that_of_its_dimensions(n):
    x, w, b = rand(1, 2, *[5] * n), rand(4, 2, *[3] * n), rand(4)
    plain = getattr(mlx, f"conv{n}d")(x, w, b, stride=2, padding=1)
    assert mlx.convolution(x, w, b, [2] * n, [1] * n, [1] * n, False, [0] * n, 1).equal(plain)
    back = getattr(mlx, f"conv_transpose{n}d")(plain, w, None, stride=2, padding=1, output_padding=1)
    assert mlx.convolution(plain, w, None, [2] * n, [1] * n, [1] * n, True, [1] * n, 1).equal(back)


def test_embedding_bag_says_what_is_in_the_bags():
    table = mlx.tensor([[1.0, 9.0], [5.0, 5.0], [7.0, 0.0]])
    indices, offsets = mlx.tensor([0, 1, 2, 1]), mlx.tensor([0, 3, 3])
    result, bags, sizes, where = mlx.embedding_bag(table, indices, offsets, mode=2)
    assert result.tolist() == [[7, 9], [0, 0], [5, 5]]
    assert bags.tolist() == [0, 0, 0, 2]
    assert sizes.tolist() == [3, 0, 1]
    assert where.tolist() == [[2, 0], [0, 0], [1, 1]]
    sums = mlx.embedding_bag(table, indices, offsets)[0]
    assert sums.tolist() == [[13, 14], [0, 0], [5, 5]]


def test_norms_by_older_names():
    x = rand(2, 3, 4)
    assert_close(mlx.frobenius_norm(x, [0, 2], True), (x**2).sum((0, 2), keepdim=True).sqrt(), rtol=1e-6)
    singular = np.linalg.svd(x.numpy(), compute_uv=False)
    assert_close(mlx.nuclear_norm(x), singular.sum(-1), rtol=1e-5)
    assert mlx.nuclear_norm(x, True).shape == (2, 1, 1)
    assert_close(mlx.norm_except_dim(x, 2, 1), (x**2).sum((0, 2), keepdim=True).sqrt(), rtol=1e-6)
    assert_close(mlx.norm_except_dim(x, 2, -1), (x**2).sum().sqrt(), rtol=1e-6)
    with pytest.raises(IndexError, match="no dimension 3"):
        mlx.norm_except_dim(x, 2, 3)


# ---- branches and loops


def test_cond_calls_one_branch():
    double, halve = (lambda x: x * 2), (lambda x: x / 2)
    x = mlx.tensor(3.0)
    assert mlx.cond(x > 2, double, halve, (x,)) == 6
    assert mlx.cond(False, double, halve, [x]) == 1.5
    for args in (
        (mlx.ones(2), double, halve, (x,)),
        ("x", double, halve, (x,)),
        (True, 1, halve),
        (True, double, halve, x),
    ):
        with pytest.raises(RuntimeError, match="cond"):
            mlx.cond(*args)


def test_while_loop_carries_values():
    i, x = mlx.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (mlx.tensor(0), mlx.ones(2)))
    assert i == 3
    assert x.tolist() == [8, 8]
    never = mlx.while_loop(lambda x: False, lambda x: x + 1, (mlx.tensor(1),))
    assert never[0] == 1
    start = (mlx.ones(2),)
    for body, message in (
        (lambda x: (x, x), "same number"),
        (lambda x: (x.double(),), "float64"),
        (lambda x: (x[:1],), r"\(1,\)"),
        (lambda x: (1,), "a int"),
    ):
        with pytest.raises(RuntimeError, match=message):
            mlx.while_loop(lambda x: True, body, start)


def test_gradients_pass_through_branches_and_loops():
    x = mlx.tensor(3.0, requires_grad=True)
    mlx.while_loop(lambda y: y.detach() < 20, lambda y: (y * x,), (x,))[0].backward()
    assert x.grad == 27  # x^3


def test_a_compiled_function_cannot_branch_on_what_it_computes():
    @mlx.jit
    def branching(x):
        return mlx.cond(x.sum() > 0, lambda x: x, lambda x: -x, (x,))

    @mlx.jit
    def known(x, up):
        return mlx.cond(up, lambda x: x + 1, lambda x: x - 1, (x,))

    with pytest.raises(mlx.jit.TraceError, match="where"):
        branching(mlx.ones(2))
    assert known(mlx.ones(2), True).tolist() == [2, 2]
    assert known(mlx.ones(2), False).tolist() == [0, 0]


# ---- segments


REDUCED = {
    "sum": (np.sum, 0.0),
    "mean": (np.mean, math.nan),
    "prod": (np.prod, 1.0),
    "max": (np.max, -math.inf),
    "min": (np.min, math.inf),
}


@pytest.mark.parametrize("reduce", REDUCED)
def test_segments_along_any_dimension(reduce):
    function, empty = REDUCED[reduce]
    data = rand(2, 6, 3)
    lengths = mlx.tensor([[2, 0, 4], [1, 3, 2]])
    offsets = mlx.tensor([[0, 2, 2, 6], [0, 1, 4, 6]])
    expected = np.full((2, 3, 3), empty, np.float32)
    for b in range(2):
        for s, (start, end) in enumerate(zip(offsets[b, :-1].tolist(), offsets[b, 1:].tolist(), strict=True)):
            if end > start:
                expected[b, s] = function(data[b, start:end].numpy(), axis=0)
    assert_close(mlx.segment_reduce(data, reduce, lengths=lengths, axis=1), expected, rtol=1e-5, atol=1e-6)
    assert_close(mlx.segment_reduce(data, reduce, offsets=offsets, axis=1), expected, rtol=1e-5, atol=1e-6)


def test_segments_begin_with_initial():
    x = mlx.tensor([1.0, 2.0, 3.0])
    lengths = mlx.tensor([2, 0, 1])
    expected = {
        "sum": [13, 10, 13],
        "mean": [6.5, 10, 13],
        "prod": [20, 10, 30],
        "max": [10] * 3,
        "min": [1, 10, 3],
    }
    for reduce, values in expected.items():
        assert mlx.segment_reduce(x, reduce, lengths=lengths, initial=10).tolist() == values, reduce


@pytest.mark.cpu  # gradcheck needs double precision
@pytest.mark.parametrize("reduce", REDUCED)
def test_gradients_of_segments(reduce):
    x = mlx.tensor([[0.3, 1.2], [-0.7, 2.0], [1.5, -0.4], [0.6, 0.1]], dtype=mlx.float64, requires_grad=True)
    lengths = mlx.tensor([3, 1])
    assert mlx.autograd.gradcheck(lambda x: mlx.segment_reduce(x, reduce, lengths=lengths), x)
    assert mlx.autograd.gradgradcheck(lambda x: mlx.segment_reduce(x, reduce, lengths=lengths), x)


def test_equal_maxima_share_the_gradient():
    x = mlx.tensor([2.0, 2.0, 1.0], requires_grad=True)
    mlx.segment_reduce(x, "max", lengths=mlx.tensor([3])).sum().backward()
    assert x.grad.tolist() == [0.5, 0.5, 0]


def test_segments_that_do_not_fit():
    x = mlx.ones(5)
    assert mlx.segment_reduce(x, "sum", lengths=mlx.tensor([1, 3]), unsafe=True).tolist() == [1, 3]
    for options, message in (
        ({"lengths": mlx.tensor([3, 3])}, "sum to data.size"),
        ({"lengths": mlx.tensor([6, -1])}, "negative"),
        ({}, "Either lengths or offsets"),
        ({"lengths": mlx.tensor([[5]])}, "do not cut"),
        ({"indices": mlx.tensor([0])}, "not supported"),
    ):
        with pytest.raises(RuntimeError, match=message):
            mlx.segment_reduce(x, "sum", **options)
    with pytest.raises(RuntimeError, match="unsupported reduction 'median'"):
        mlx.segment_reduce(x, "median", lengths=mlx.tensor([5]))
    with pytest.raises(RuntimeError, match="floating point"):
        mlx.segment_reduce(x.long(), "sum", lengths=mlx.tensor([5]))


# ---- shapes known beforehand, files


def test_nonzero_of_a_known_size():
    x = mlx.tensor([[1, 0, 2], [0, 3, 4]])
    assert mlx.nonzero_static(x, size=3).tolist() == [[0, 0], [0, 2], [1, 1]]
    assert x.nonzero_static(size=5, fill_value=7).tolist() == [*x.nonzero().tolist(), [7, 7]]
    assert mlx.nonzero_static(mlx.zeros(0, 3), size=2).tolist() == [[-1, -1]] * 2
    assert mlx.nonzero_static(mlx.tensor(3), size=2).shape == (2, 0)
    compiled = mlx.jit(lambda x: mlx.nonzero_static(x, size=4))
    for sample in (x, 1 - x.clamp(max=1)):
        assert compiled(sample).equal(mlx.nonzero_static(sample, size=4))
    with pytest.raises(RuntimeError, match="non-negative"):
        mlx.nonzero_static(x, size=-1)


def test_pieces_that_may_be_written_to():
    x = mlx.ones(4, 2, requires_grad=True)
    for pieces in (
        mlx.unsafe_split_with_sizes(x * 2, [1, 3]),
        mlx.unsafe_split(x * 2, 2),
        mlx.unsafe_chunk(x * 2, 2),
    ):
        x.grad = None
        pieces[0].mul_(3)
        (pieces[0].sum() + pieces[1].sum()).backward()
        n = len(pieces[0])
        assert x.grad[:, 0].tolist() == [6] * n + [2] * (4 - n)


def test_tensors_over_a_file(tmp_path):
    path = tmp_path / "numbers"
    np.arange(4, dtype=np.float32).tofile(path)
    private = mlx.from_file(str(path), size=3, dtype=mlx.float32)
    assert private.add_(10).tolist() == [10, 11, 12]
    assert np.fromfile(path, np.float32).tolist() == [0, 1, 2, 3]
    mlx.from_file(str(path), True, 3).add_(10)
    assert np.fromfile(path, np.float32).tolist() == [10, 11, 12, 3]
    longer = mlx.from_file(str(path), shared=True, size=4, dtype=mlx.int64)
    assert longer.shape == (4,)
    assert path.stat().st_size == 32
    with pytest.raises(RuntimeError, match="has 32 bytes, not 40"):
        mlx.from_file(str(path), size=10)


def test_names_that_were_removed_say_what_to_call():
    x = mlx.eye(2)
    for name, successor in (("eig", "linalg.eig"), ("solve", "linalg.solve"), ("lstsq", "linalg.lstsq")):
        for function in (getattr(mlx, name), getattr(mlx.Tensor, name)):
            with pytest.raises(RuntimeError, match=successor):
                function(x, x)
    with pytest.raises(RuntimeError, match="hermitian"):
        mlx.matrix_rank(x)


# ---- methods


def test_methods_about_memory():
    x = rand(2, 3, 4)
    assert x.is_set_to(x.view(2, 3, 4))
    assert not x.is_set_to(x[1:])
    assert not x.is_set_to(x.clone())
    assert x.dense_dim() == 3
    assert x.is_meta is False
    assert x.record_stream(None) is None
    assert x.transpose(0, 2).dim_order() == (2, 1, 0)
    assert mlx.empty(1, 2, 3, 4).dim_order() == (0, 1, 2, 3)
    with pytest.raises(RuntimeError, match="unique dim order"):
        mlx.empty(1, 2).dim_order(ambiguity_check=True)
    with pytest.raises(TypeError, match="bool or a list"):
        x.dim_order(ambiguity_check=1)
    other = x.clone().module_load(x + 1)
    assert other.equal(x + 1)


@pytest.mark.cpu  # map2_ is for CPU tensors
def test_functions_of_several_elements():
    x = mlx.tensor([1.0, 2.0])
    assert x.clone().map2_(x, x + 1, lambda a, b, c: a + b * c).tolist() == [3, 8]


def test_methods_that_solve():
    a, b = rand(3, 3) + 3 * mlx.eye(3), rand(3, 2)
    assert_close(b.lu_solve(*mlx.linalg.lu_factor(a)), mlx.linalg.solve(a, b), rtol=1e-4, atol=1e-5)
    solution = b.triangular_solve(a, upper=False)[0]
    assert_close(a.tril() @ solution, b, rtol=1e-4, atol=1e-5)


# ---- eigenvalues


@pytest.mark.cpu  # in double precision
def test_some_eigenvalues():
    root = mlx.randn(6, 6, dtype=mlx.float64)
    a = root + root.mT
    b = root @ root.mT + mlx.eye(6, dtype=mlx.float64)
    for largest in (True, False):
        values, vectors = mlx.lobpcg(a, 2, b, largest=largest)
        assert_close(a @ vectors, b @ vectors * values, rtol=1e-8, atol=1e-10)
        assert_close(vectors.mT @ b @ vectors, np.eye(2), atol=1e-10)
        assert (values[0] > values[1]) == largest
    assert mlx.lobpcg(a, X=mlx.ones(6, 2))[0].shape == (2,)
    assert mlx.autograd.gradcheck(lambda a: mlx.lobpcg(a, 2)[0], a.clone().requires_grad_())
    with pytest.raises(ValueError, match="smaller than 3 x"):
        mlx.lobpcg(a, 3)


# ---- recurrent layers


@pytest.mark.parametrize("kind", ["rnn_tanh", "rnn_relu", "gru", "lstm"])
@pytest.mark.parametrize(("bias", "two_ways", "batch_first"), [(True, True, False), (False, False, True)])
def test_recurrent_layers_as_functions(kind, bias, two_ways, batch_first):
    cls = {"gru": mlx.nn.GRU, "lstm": mlx.nn.LSTM}.get(kind, mlx.nn.RNN)
    extra = {"nonlinearity": "relu"} if kind == "rnn_relu" else {}
    layer = cls(3, 4, 2, bias=bias, bidirectional=two_ways, batch_first=batch_first, **extra)
    params = [p for row in layer.all_weights for p in row]
    h = rand(2 * (1 + two_ways), 2, 4)
    hx = (h, h * 2) if kind == "lstm" else h
    x = rand(2, 5, 3)
    before = mlx.get_rng_state()
    output, *last = getattr(mlx, kind)(
        x if batch_first else x.mT.mT.transpose(0, 1), hx, params, bias, 2, 0.0, False, two_ways, batch_first
    )
    assert mlx.get_rng_state().equal(before)  # no parameters were drawn
    expected, state = layer(x if batch_first else x.transpose(0, 1), hx)
    assert output.equal(expected)
    for mine, theirs in zip(last, state if kind == "lstm" else [state], strict=True):
        assert mine.equal(theirs)
    output.sum().backward()
    assert all(p.grad is not None for p in params)


def test_recurrent_functions_of_packed_sequences():
    layer = mlx.nn.GRU(3, 4)
    packed = mlx.nn.utils.rnn.pack_sequence([rand(3, 3), rand(2, 3)])
    h = rand(1, 2, 4)
    output, last = mlx.gru(
        packed.data, packed.batch_sizes, h, layer.all_weights[0], True, 1, 0.0, False, False
    )
    expected, state = layer(packed, h)
    assert output.equal(expected.data)
    assert last.equal(state)


def test_recurrent_functions_check_their_parameters():
    layer = mlx.nn.LSTM(3, 4)
    x, h = rand(5, 2, 3), mlx.zeros(1, 2, 4)
    with pytest.raises(RuntimeError, match="expected 2 parameters for each of 1"):
        mlx.lstm(x, [h, h], layer.all_weights[0], False, 1, 0.0, False, False, False)
    with pytest.raises(RuntimeError, match="weight_hh of layer 0"):
        mlx.gru(
            x, h, [layer.weight_ih_l0[:12], rand(3, 4), rand(12), rand(12)], True, 1, 0.0, False, False, False
        )
    with pytest.raises(TypeError, match="takes"):
        mlx.gru(x, h)


# ---- settings


def test_modules_of_devices():
    assert mlx.get_device_module("cpu") is mlx.cpu
    assert mlx.get_device_module(mlx.device("cpu")).device_count() == 1
    assert mlx.get_device_module().__name__ in ("mlx.cpu", "mlx.mps")
    with pytest.raises(RuntimeError, match="Invalid value of device"):
        mlx.get_device_module(3)


def test_workers_are_no_threads():
    assert mlx.random.thread_safe_generator() is None
    assert mlx.rand(2, generator=mlx.thread_safe_generator()).shape == (2,)


def test_anomaly_mode_can_be_set():
    mlx.set_anomaly_enabled(True, False)
    try:
        assert mlx.is_anomaly_enabled()
    finally:
        mlx.set_anomaly_enabled(False)
    assert not mlx.is_anomaly_enabled()


def test_what_is_accepted_and_changes_nothing():
    with mlx.autograd.set_multithreading_enabled(False):
        x = mlx.ones(2, requires_grad=True)
        x.sum().backward()
    assert mlx.func.functionalize(lambda x: x.clone().add_(1))(mlx.ones(1)).tolist() == [2]
    with pytest.raises(RuntimeError, match="invalid argument"):
        mlx.func.functionalize(lambda x: x, remove="views")
    layer = mlx.nn.Conv2d(1, 1, 1)
    assert mlx.nn.utils.convert_conv2d_weight_memory_format(layer, mlx.channels_last) is layer
    assert mlx.nn.utils.skip_init(mlx.nn.Linear, 5, 1).weight.shape == (1, 5)
    with pytest.raises(RuntimeError, match="device"):
        mlx.nn.utils.skip_init(mlx.nn.ReLU)
    assert F.has_torch_function((x,)) is False
    with pytest.warns(FutureWarning, match="clip_grad_norm_"):
        assert_close(mlx.nn.utils.clip_grad_norm([x], 1.0), math.sqrt(2), rtol=1e-6)
    with pytest.warns(FutureWarning, match="NLLLoss"):
        mlx.nn.NLLLoss2d()
    assert mlx.is_storage(x.untyped_storage())
    assert not mlx.is_storage(x)

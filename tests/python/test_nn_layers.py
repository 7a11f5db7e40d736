"""Layers: what they compute, their parameters' first values, their state, their printed form."""

import itertools
import math

import numpy as np
import pytest
from support import sample

import mlx
from mlx import nn
from mlx.nn import functional as F


def of(shape, seed=0):
    return mlx.tensor(
        sample(*(shape if isinstance(shape, tuple) else (shape,)), seed=seed), requires_grad=True
    )


def assert_equal(got, want):
    tolerance = 1e-12 if got.dtype == mlx.float64 else 1e-5
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=tolerance, atol=tolerance)


# ---- activations


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.Threshold(0.1, 20.0), lambda x: F.threshold(x, 0.1, 20.0)),
        (nn.Hardtanh(-0.5, 0.7), lambda x: x.clamp(-0.5, 0.7)),
        (nn.ReLU6(), lambda x: x.clamp(0, 6)),
        (nn.Hardsigmoid(), lambda x: (x / 6 + 0.5).clamp(0, 1)),
        (nn.Hardswish(), lambda x: x * (x / 6 + 0.5).clamp(0, 1)),
        (nn.Mish(), lambda x: x * (1 + x.exp()).log().tanh()),
        (nn.SiLU(), lambda x: x / (1 + (-x).exp())),
        (nn.ELU(0.5), lambda x: mlx.where(x > 0, x, 0.5 * (x.exp() - 1))),
        (nn.CELU(0.5), lambda x: mlx.where(x > 0, x, 0.5 * ((x / 0.5).exp() - 1))),
        (nn.LeakyReLU(0.2), lambda x: mlx.where(x > 0, x, 0.2 * x)),
        (nn.RReLU(0.2, 0.4).eval(), lambda x: mlx.where(x > 0, x, 0.3 * x)),
        (nn.LogSigmoid(), lambda x: -(1 + (-x).exp()).log()),
        (nn.Tanhshrink(), lambda x: x - x.tanh()),
        (nn.Softsign(), lambda x: x / (1 + x.abs())),
        (nn.Softplus(2.0), lambda x: (1 + (2 * x).exp()).log() / 2),
        (nn.Hardshrink(0.4), lambda x: mlx.where(x.abs() > 0.4, x, 0 * x)),
        (nn.Softshrink(0.4), lambda x: x.sign() * (x.abs() - 0.4).clamp(min=0)),
        (nn.GLU(0), lambda x: x[:2] * x[2:].sigmoid()),
        (nn.Softmin(1), lambda x: (-x).exp() / (-x).exp().sum(1, keepdim=True)),
        (nn.LogSoftmax(1), lambda x: x - x.logsumexp(1, keepdim=True)),
        (nn.PReLU(3), lambda x: mlx.where(x > 0, x, 0.25 * x)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_activation(layer, function):
    x, y = of((4, 3)), of((4, 3))
    layer = layer.to(x.dtype)
    assert_equal(layer(x), function(y))
    layer(x).sum().backward()
    function(y).sum().backward()
    assert_equal(x.grad, y.grad)


def test_rrelu_draws_slopes_in_training():
    mlx.manual_seed(0)
    slopes = -nn.RReLU(0.25, 0.5)(-mlx.ones(1000))
    assert 0.25 <= slopes.min().item() < 0.26 and 0.49 < slopes.max().item() <= 0.5


def test_softmax2d_is_over_channels():
    assert_equal(nn.Softmax2d()(of((2, 3, 4, 5))), of((2, 3, 4, 5)).softmax(1))
    with pytest.raises(ValueError, match="2D"):
        nn.Softmax2d()(mlx.ones(2, 2))


def test_gumbel_softmax_hard_is_one_hot_with_a_gradient():
    mlx.manual_seed(0)
    x = of((50, 4))
    y = F.gumbel_softmax(x, hard=True)
    assert_equal(y.max(1).values, mlx.ones(50, dtype=mlx.float64))
    assert_equal(y.sum(1), mlx.ones(50, dtype=mlx.float64))
    (y * mlx.arange(4)).sum().backward()
    assert x.grad.abs().sum().item() > 0


def test_in_place_forms_write_into_their_input():
    for name in ("relu_", "selu_", "elu_", "celu_", "leaky_relu_", "hardtanh_", "rrelu_"):
        x = mlx.tensor([-2.0, 0.5])
        want = getattr(F, name[:-1])(x)
        assert getattr(F, name)(x) is x and mlx.equal(x, want)


# ---- convolutions


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes_are_pads_before_a_convolution(mode):
    layer = nn.Conv2d(2, 3, 3, padding=(1, 2), padding_mode=mode).double()
    x = of((1, 2, 5, 6))
    padded = F.pad(x, (2, 2, 1, 1), "constant" if mode == "zeros" else mode)
    assert_equal(layer(x), F.conv2d(padded, layer.weight, layer.bias))


@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_same_padding_keeps_the_size(mode):
    layer = nn.Conv1d(2, 3, 4, padding="same", dilation=3, padding_mode=mode)
    assert layer(mlx.rand(2, 11)).shape == (3, 11)


def test_first_weights_of_a_convolution_are_bounded_by_its_fan_in():
    layer = nn.Conv2d(8, 16, 3, groups=2)
    bound = 1 / math.sqrt(4 * 9)
    assert layer.weight.shape == (16, 4, 3, 3)
    assert 0.9 * bound < layer.weight.abs().max().item() <= bound and layer.bias.abs().max().item() <= bound


def test_transposed_convolution_reaches_the_output_size_that_is_asked_for():
    down, up = nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.ConvTranspose2d(5, 3, 3, stride=2, padding=1)
    x = mlx.rand(2, 3, 12, 13)
    assert up(down(x), output_size=x.shape).shape == x.shape
    with pytest.raises(ValueError, match="valid sizes range from"):
        up(down(x), output_size=(50, 50))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 0}, "positive"),
        ({"groups": 3}, "in_channels must be divisible"),
        ({"padding_mode": "none"}, "padding_mode must be one of"),
        ({"padding": "some"}, "Invalid padding string"),
        ({"padding": "same", "stride": 2}, "strided"),
    ],
)
def test_wrong_options_of_a_convolution(options, message):
    with pytest.raises(ValueError, match=message):
        nn.Conv1d(4, 4, 3, **options)


# ---- normalisation


def test_running_statistics_follow_the_batches():
    layer = nn.BatchNorm1d(3, momentum=0.3).double()
    x = of((10, 3))
    layer(x)
    rows = x.detach().numpy()
    np.testing.assert_allclose(layer.running_mean.numpy(), 0.3 * rows.mean(0), rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), 0.7 + 0.3 * rows.var(0, ddof=1), rtol=1e-12)
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    want = (rows - layer.running_mean.numpy()) / np.sqrt(layer.running_var.numpy() + layer.eps)
    np.testing.assert_allclose(layer(x).detach().numpy(), want, rtol=1e-12)


@pytest.mark.parametrize("compile", [lambda layer: layer, mlx.jit])
def test_momentum_none_averages_all_batches(compile):
    layer = nn.BatchNorm1d(2, momentum=None).double()
    call = compile(layer)
    batches = [sample(5, 2, seed=i) for i in range(3)]
    for batch in batches:
        call(mlx.tensor(batch))
    np.testing.assert_allclose(layer.running_mean.numpy(), np.mean(batches, (0, 1)), rtol=1e-12)


def test_an_empty_batch_leaves_the_running_statistics():
    layer = nn.BatchNorm2d(2)
    layer(mlx.zeros(0, 2, 3, 3))
    assert layer.running_var.tolist() == [1.0, 1.0]


def test_a_state_dict_from_before_batches_were_counted_is_taken():
    layer = nn.BatchNorm1d(2)
    state = {k: v for k, v in layer.state_dict().items() if k != "num_batches_tracked"}
    layer.load_state_dict(state)
    assert layer.num_batches_tracked.item() == 0


@pytest.mark.parametrize(
    ("dims", "cls"), [(1, nn.InstanceNorm1d), (2, nn.InstanceNorm2d), (3, nn.InstanceNorm3d)]
)
def test_instance_norm_with_and_without_a_batch(dims, cls):
    x = of((2, 3, *range(4, 4 + dims)))
    layer = cls(3, affine=True).double()
    over = tuple(range(2, 2 + dims))
    want = (x - x.mean(over, keepdim=True)) / (x.var(over, correction=0, keepdim=True) + 1e-5).sqrt()
    assert_equal(layer(x), want)
    assert_equal(layer(x[1]), want[1])


def test_dimensions_of_the_input_are_checked():
    with pytest.raises(ValueError, match="expected 4D input"):
        nn.BatchNorm2d(3)(mlx.rand(2, 3))
    with pytest.raises(ValueError, match="num_features"):
        nn.InstanceNorm1d(3, affine=True)(mlx.rand(2, 4, 5))


def test_sync_batch_norm_takes_over_what_batch_norm_was():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Sequential(nn.BatchNorm1d(3, affine=False, momentum=0.5)))
    model[1].eval()
    state, weight = model.state_dict(), model[0].weight
    x = mlx.rand(5, 3)
    want = nn.BatchNorm1d(3)(x)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    first, second = converted[0], converted[1][0]
    assert isinstance(first, nn.SyncBatchNorm)
    assert isinstance(second, nn.SyncBatchNorm)
    assert first.weight is weight
    assert (second.momentum, second.training, second.weight) == (0.5, False, None)
    assert list(converted.state_dict()) == list(state)
    assert mlx.equal(first(x), want)
    assert mlx.allclose(first(x.T.reshape(1, 3, 5)), want.T.reshape(1, 3, 5), atol=1e-6)
    with pytest.raises(ValueError, match="at least 2D"):
        first(x[0])
    with pytest.raises(ValueError, match="process groups"):
        nn.SyncBatchNorm(3, process_group=object())


def test_norms_without_weight_or_bias_list_none():
    for layer in (nn.LayerNorm(3, elementwise_affine=False), nn.GroupNorm(1, 3, affine=False)):
        assert list(layer.state_dict()) == [] and layer.weight is None and layer.bias is None
    assert list(nn.LayerNorm(3, bias=False).state_dict()) == ["weight"]


# ---- embeddings


def test_padding_row_is_zero_and_gets_no_gradient():
    layer = nn.Embedding(5, 2, padding_idx=-1)
    assert layer.weight[4].tolist() == [0.0, 0.0] and layer.padding_idx == 4
    layer(mlx.tensor([1, 4])).sum().backward()
    assert layer.weight.grad.tolist() == [[0, 0], [1, 1], [0, 0], [0, 0], [0, 0]]


def test_from_pretrained_is_frozen_unless_told_otherwise():
    assert not nn.Embedding.from_pretrained(mlx.eye(2)).weight.requires_grad
    assert nn.EmbeddingBag.from_pretrained(mlx.eye(2), freeze=False).weight.requires_grad


BAGS = [[1, 0, 4], [], [2, 2], [3]]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag_of_each_mode(mode):
    table = of((5, 3))
    numbers = mlx.tensor([n for bag in BAGS for n in bag])
    offsets = mlx.tensor([0, 3, 3, 5])
    got = F.embedding_bag(numbers, table, offsets, mode=mode)
    fold = {"sum": np.sum, "mean": np.mean, "max": np.max}[mode]
    rows = table.detach().numpy()
    want = [fold(rows[bag], axis=0) if bag else np.zeros(3) for bag in BAGS]
    np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-12)
    assert mlx.autograd.gradcheck(lambda t: F.embedding_bag(numbers, t, offsets, mode=mode), (table,))


def test_embedding_bag_of_a_matrix_with_weights_and_padding():
    table, weights = of((5, 3)), of((2, 2), seed=1)
    numbers = mlx.tensor([[0, 2], [2, 1]])
    got = F.embedding_bag(numbers, table, mode="sum", per_sample_weights=weights, padding_idx=2)
    assert_equal(got, mlx.stack([table[0] * weights[0, 0], table[1] * weights[1, 1]]))


def test_embedding_bag_adds_halves_up_before_it_rounds():
    table = mlx.ones(1, 1, dtype=mlx.bfloat16)  # where 256 + 1 is 256
    got = F.embedding_bag(mlx.zeros(1, 1000, dtype=mlx.int64), table, mode="sum")
    assert got.dtype == mlx.bfloat16
    assert got.item() == 1000


def test_embedding_bag_takes_the_old_order_with_a_warning():
    table, numbers = of((5, 3)), mlx.tensor([[0, 2]])
    with pytest.warns(UserWarning, match="deprecated"):
        got = F.embedding_bag(table, numbers)
    assert_equal(got, F.embedding_bag(numbers, table))


def test_embedding_bag_checks_its_offsets():
    with pytest.raises(RuntimeError, match="offsets must begin with 0"):
        F.embedding_bag(mlx.tensor([0, 1]), mlx.eye(2), mlx.tensor([1]))
    with pytest.raises(ValueError, match="offsets has to be"):
        F.embedding_bag(mlx.tensor([0, 1]), mlx.eye(2))


# ---- pooling, padding, shuffling, distances


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_unpooling_puts_the_maxima_back(dims):
    x = of((2, 3, *([6] * dims)))
    pool = getattr(nn, f"MaxPool{dims}d")(2, stride=2, return_indices=True)
    values, places = pool(x)
    back = getattr(nn, f"MaxUnpool{dims}d")(2)(values, places)
    assert back.shape == x.shape
    assert_equal(mlx.where(back != 0, x, back), back)
    assert (back != 0).sum().item() == values.numel()


def test_unpooling_checks_the_output_size():
    values, places = nn.MaxPool1d(2, return_indices=True)(mlx.rand(1, 1, 6))
    with pytest.raises(ValueError, match="between 4 and 8"):
        nn.MaxUnpool1d(2)(values, places, output_size=[9])


def test_lp_pool_is_the_norm_of_each_window():
    x = of((1, 2, 6))
    want = np.linalg.norm(x.detach().numpy().reshape(1, 2, 3, 2), axis=-1)
    np.testing.assert_allclose(nn.LPPool1d(2, 2)(x).detach().numpy(), want, rtol=1e-12)


def graham_starts(shift, size, kernel, out):
    step = (size - kernel) / max(out - 1, 1)
    return [int((i + shift) * step) - int(shift * step) for i in range(out - 1)] + [size - kernel]


@pytest.mark.parametrize(("dims", "order"), [(2, (1, 0)), (3, (0, 1, 2))])
def test_fractional_pooling_is_the_maximum_of_each_window(dims, order):
    sizes, kernel, out = (7, 9, 8)[:dims], (2, 3, 1)[:dims], (4, 1, 5)[:dims]
    x, shifts = sample(2, 2, *sizes), sample(2, 2, dims, low=0, high=1, seed=1)
    pool = getattr(F, f"fractional_max_pool{dims}d")
    values, places = pool(mlx.tensor(x), kernel, out, None, True, mlx.tensor(shifts))
    for n, c in itertools.product(range(2), range(2)):
        starts = [graham_starts(shifts[n, c, order[d]], sizes[d], kernel[d], out[d]) for d in range(dims)]
        for spot in itertools.product(*(range(o) for o in out)):
            window = tuple(slice(s[i], s[i] + k) for s, i, k in zip(starts, spot, kernel, strict=True))
            assert values[n, c][spot].item() == x[n, c][window].max()
    lead = (2, 2, -1)
    found = np.take_along_axis(x.reshape(lead), places.numpy().reshape(lead), 2)
    np.testing.assert_array_equal(found.reshape(values.shape), values.numpy())


def test_fractional_pooling_has_a_gradient():
    shifts = mlx.tensor(sample(1, 2, 2, low=0, high=1), dtype=mlx.float64)
    x = of((2, 5, 6))
    assert mlx.autograd.gradcheck(lambda t: F.fractional_max_pool2d(t, 2, 3, _random_samples=shifts), (x,))


@pytest.mark.parametrize("dims", [2, 3])
def test_fractional_pooling_layers(dims):
    layer = getattr(nn, f"FractionalMaxPool{dims}d")
    x = mlx.rand(3, *[8] * dims)
    assert layer(3, output_ratio=0.5)(x).shape == (3, *[4] * dims)
    values, places = layer(2, output_size=5, return_indices=True)(x.unsqueeze(0))
    assert values.shape == places.shape == (1, 3, *[5] * dims)
    assert_equal(x.flatten(1).gather(1, places.flatten(2)[0]), values.flatten(2)[0])


def test_fractional_pooling_to_nothing_is_empty():
    assert F.fractional_max_pool2d(mlx.rand(1, 5, 5), 2, output_size=(0, 2)).shape == (1, 0, 2)


def test_fractional_pooling_checks_its_sizes():
    with pytest.raises(RuntimeError, match="do not fit an input of"):
        F.fractional_max_pool2d(mlx.rand(1, 5, 5), 2, output_size=5)
    with pytest.raises(ValueError, match="either an output_size or an output_ratio"):
        F.fractional_max_pool2d(mlx.rand(1, 5, 5), 2)
    with pytest.raises(ValueError, match="only one of"):
        nn.FractionalMaxPool2d(2, output_size=2, output_ratio=0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.FractionalMaxPool2d(2, output_ratio=1.5)


@pytest.mark.parametrize("kind", ["Reflection", "Replication", "Circular", "Zero"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_padding_layers(kind, dims):
    x = of((2, 2, *([4] * dims)))
    names = {"Reflection": "reflect", "Replication": "edge", "Circular": "wrap", "Zero": "constant"}
    got = getattr(nn, f"{kind}Pad{dims}d")(tuple(range(1, 3)) * dims)(x)
    want = np.pad(x.detach().numpy(), [(0, 0)] * 2 + [(1, 2)] * dims, names[kind])
    np.testing.assert_array_equal(got.detach().numpy(), want)


def test_pixel_shuffle_and_back():
    x = of((2, 12, 3, 4))
    assert_equal(nn.PixelUnshuffle(2)(nn.PixelShuffle(2)(x)), x)


def test_distances():
    x, y = of((4, 3)), of((4, 3), seed=1)
    a, b = x.detach().numpy(), y.detach().numpy()
    want = np.linalg.norm(a - b + 1e-6, axis=1)
    np.testing.assert_allclose(nn.PairwiseDistance()(x, y).detach().numpy(), want, rtol=1e-12)
    want = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(nn.CosineSimilarity()(x, y).detach().numpy(), want, rtol=1e-12)


def test_folding_adds_up_the_patches():
    x = of((1, 2, 5, 6))
    options = {"kernel_size": (2, 3), "stride": 2, "padding": 1}
    patches = nn.Unfold(**options)(x)
    counts = nn.Fold((5, 6), **options)(mlx.ones_like(patches))
    assert_equal(nn.Fold((5, 6), **options)(patches), x * counts)


def test_upsampling():
    x = of((1, 1, 2, 3))
    assert_equal(nn.UpsamplingNearest2d(scale_factor=2)(x), x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    y = nn.UpsamplingBilinear2d((3, 5))(x)
    assert_equal(y[..., ::2, ::2], x)
    assert_equal(y[..., 1, 1], x.mean((2, 3)) * 0 + x[..., :2].mean((2, 3)))


# ---- dropout


def test_dropout_scales_what_it_keeps_and_is_nothing_in_evaluation():
    mlx.manual_seed(0)
    layer, x = nn.Dropout(0.25), mlx.ones(10_000)
    y = layer(x)
    assert (
        set(y.tolist()) == {0.0, mlx.tensor(4 / 3).item()}
        and abs((y == 0).float().mean().item() - 0.25) < 0.02
    )
    assert mlx.equal(layer.eval()(x), x)


def test_dropout2d_drops_whole_channels():
    mlx.manual_seed(0)
    y = nn.Dropout2d(0.5)(mlx.ones(10, 10, 3, 3)).flatten(2)
    assert ((y == 0).all(2) | (y == 2).all(2)).all().item() and (y == 0).any().item()


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_dropout_checks_its_probability(p):
    with pytest.raises(ValueError, match="between 0 and 1"):
        nn.Dropout(p)


# ---- printing


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv2d(3, 8, 3, padding=1, bias=False),
         "Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)"),
        (nn.ConvTranspose1d(3, 8, 3, stride=2, output_padding=1),
         "ConvTranspose1d(3, 8, kernel_size=(3,), stride=(2,), output_padding=(1,))"),
        (nn.BatchNorm2d(4),
         "BatchNorm2d(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)"),
        (nn.LayerNorm(4), "LayerNorm((4,), eps=1e-05, elementwise_affine=True, bias=True)"),
        (nn.Embedding(10, 3, padding_idx=0), "Embedding(10, 3, padding_idx=0)"),
        (nn.EmbeddingBag(10, 3), "EmbeddingBag(10, 3, mode='mean')"),
        (nn.EmbeddingBag(9, 3, 1.0, padding_idx=1),
         "EmbeddingBag(9, 3, max_norm=1.0, mode='mean', padding_idx=1)"),
        (nn.MaxPool2d(2),
         "MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"),
        (nn.Dropout(0.1), "Dropout(p=0.1, inplace=False)"),
        (nn.LeakyReLU(0.2, True), "LeakyReLU(negative_slope=0.2, inplace=True)"),
        (nn.GroupNorm(2, 4), "GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)"),
        (nn.ZeroPad2d(1), "ZeroPad2d((1, 1, 1, 1))"),
        (nn.AdaptiveAvgPool2d((1, 2)), "AdaptiveAvgPool2d(output_size=(1, 2))"),
    ],
)  # fmt: skip
def test_repr(layer, text):
    assert repr(layer) == text


def test_gradients_of_a_sparse_embedding_are_dense():
    layer = nn.Embedding(4, 2, sparse=True)
    layer(mlx.tensor([1, 1, 3])).sum().backward()
    assert layer.weight.grad.tolist() == [[0, 0], [2, 2], [0, 0], [1, 1]]

"""Losses, normalisation, convolution, pooling and attention, against plain NumPy."""

import numpy as np
import pytest
import scipy.special as sp
from support import (
    FLOATS,
    TOLERANCE,
    assert_close,
    assert_equal,
    double,
    from_numpy,
    name,
    sample,
    strided,
    to_numpy,
)

import mlx
import mlx.nn.functional as F

gradcheck, gradgradcheck = mlx.autograd.gradcheck, mlx.autograd.gradgradcheck
LOGITS = sample(6, 4)
TARGET = np.array([0, 3, 1, 2, 3, 0])
WEIGHT = np.array([1.0, 2.0, 0.5, 3.0])
REDUCTIONS = ["none", "mean", "sum"]


def reduced(loss, reduction):
    return {"none": loss, "mean": np.mean(loss), "sum": np.sum(loss)}[reduction]


# ---------------------------------------------------------------- losses

ELEMENTWISE = {
    "mse_loss": lambda x, y: (x - y) ** 2,
    "l1_loss": lambda x, y: np.abs(x - y),
    "smooth_l1_loss": lambda x, y: np.where(np.abs(x - y) < 1, 0.5 * (x - y) ** 2, np.abs(x - y) - 0.5),
    "huber_loss": lambda x, y: np.where(np.abs(x - y) < 1, 0.5 * (x - y) ** 2, np.abs(x - y) - 0.5),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("case", ELEMENTWISE)
def test_elementwise_loss(case, reduction):
    x, y = sample(5, 3), sample(5, 3, seed=1)
    actual = getattr(F, case)(mlx.tensor(x), mlx.tensor(y), reduction=reduction)
    assert_close(actual, reduced(ELEMENTWISE[case](x, y), reduction), rtol=1e-13)


@pytest.mark.parametrize("case", ELEMENTWISE)
def test_elementwise_loss_gradient(case):
    assert gradcheck(getattr(F, case), (double(3), double(3, seed=1)))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy_with_logits(reduction):
    x, y = sample(20, low=-50, high=50), sample(20, low=0, high=1, seed=1)
    expected = np.logaddexp(0, x) - x * y
    actual = F.binary_cross_entropy_with_logits(mlx.tensor(x), mlx.tensor(y), reduction=reduction)
    assert_close(actual, reduced(expected, reduction), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_nll_loss(reduction):
    logs = sp.log_softmax(LOGITS, axis=1)
    picked = -logs[np.arange(6), TARGET] * WEIGHT[TARGET]
    expected = picked.sum() / WEIGHT[TARGET].sum() if reduction == "mean" else reduced(picked, reduction)
    actual = F.nll_loss(mlx.tensor(logs), mlx.tensor(TARGET), mlx.tensor(WEIGHT), reduction=reduction)
    assert_close(actual, expected, rtol=1e-13)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_cross_entropy(reduction):
    expected = reduced(-sp.log_softmax(LOGITS, axis=1)[np.arange(6), TARGET], reduction)
    actual = F.cross_entropy(mlx.tensor(LOGITS), mlx.tensor(TARGET), reduction=reduction)
    assert_close(actual, expected, rtol=1e-13)


def test_cross_entropy_of_one_sample():
    expected = -sp.log_softmax(LOGITS[0])[2]
    assert_close(F.cross_entropy(mlx.tensor(LOGITS[0]), mlx.tensor(2)), expected, rtol=1e-13)


def test_cross_entropy_of_images():
    x, y = sample(2, 4, 3, 5), np.random.default_rng(0).integers(0, 4, (2, 3, 5))
    expected = -np.take_along_axis(sp.log_softmax(x, axis=1), y[:, None], 1).mean()
    assert_close(F.cross_entropy(mlx.tensor(x), mlx.tensor(y)), expected, rtol=1e-13)


def test_cross_entropy_ignores_an_index():
    target = TARGET.copy()
    target[:3] = -100
    expected = -sp.log_softmax(LOGITS, axis=1)[np.arange(3, 6), TARGET[3:]].mean()
    assert_close(F.cross_entropy(mlx.tensor(LOGITS), mlx.tensor(target)), expected, rtol=1e-13)


def test_cross_entropy_smooths_labels():
    logs = sp.log_softmax(LOGITS, axis=1)
    expected = -(0.9 * logs[np.arange(6), TARGET] + 0.1 * logs.mean(1)).mean()
    assert_close(
        F.cross_entropy(mlx.tensor(LOGITS), mlx.tensor(TARGET), label_smoothing=0.1), expected, rtol=1e-13
    )


def test_cross_entropy_of_probabilities():
    target = sp.softmax(sample(6, 4, seed=1), axis=1)
    expected = -(target * sp.log_softmax(LOGITS, axis=1)).sum(1).mean()
    assert_close(F.cross_entropy(mlx.tensor(LOGITS), mlx.tensor(target)), expected, rtol=1e-13)


def test_cross_entropy_gradient_is_softmax_minus_one_hot():
    x = from_numpy(LOGITS, requires_grad=True)
    F.cross_entropy(x, mlx.tensor(TARGET)).backward()
    assert_close(x.grad, (sp.softmax(LOGITS, axis=1) - np.eye(4)[TARGET]) / 6, rtol=1e-12, atol=1e-15)


def test_cross_entropy_second_gradient():
    assert gradgradcheck(lambda x: F.cross_entropy(x, mlx.tensor([0, 2])), double(2, 3))


def test_cross_entropy_of_a_class_out_of_range_is_an_error():
    with pytest.raises((IndexError, RuntimeError), match="4"):
        F.cross_entropy(mlx.tensor(LOGITS), mlx.tensor([0, 1, 2, 3, 4, 0]))


# ---------------------------------------------------------------- normalisation


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
def test_layer_norm(dtype):
    t = from_numpy(sample(4, 32), dtype)
    x, w, b = to_numpy(t).astype(np.float64), sample(32, seed=1), sample(32, seed=2)
    weight, bias = from_numpy(w, dtype), from_numpy(b, dtype)
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    expected = expected * to_numpy(weight).astype(np.float64) + to_numpy(bias).astype(np.float64)
    tolerance = 16 * TOLERANCE[dtype]
    assert_close(F.layer_norm(t, (32,), weight, bias), expected, rtol=tolerance, atol=tolerance)


def test_layer_norm_over_two_dimensions():
    x = sample(3, 4, 5)
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    assert_close(F.layer_norm(strided(mlx.tensor(x)), (4, 5)), expected, rtol=1e-12, atol=1e-12)


def test_layer_norm_gradient():
    assert gradcheck(
        lambda x, w, b: F.layer_norm(x, (3,), w, b), (double(2, 3), double(3, seed=1), double(3, seed=2))
    )


def test_layer_norm_of_another_shape_is_an_error():
    with pytest.raises(RuntimeError, match="5"):
        F.layer_norm(mlx.zeros(2, 3), (5,))


@pytest.mark.parametrize("shape", [(8, 3), (8, 3, 5), (4, 3, 5, 6)])
def test_batch_norm_in_training(shape):
    x = sample(*shape)
    axes = (0, *range(2, len(shape)))
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    actual = F.batch_norm(mlx.tensor(x), None, None, training=True)
    assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_batch_norm_updates_its_running_statistics():
    x = sample(8, 3)
    mean, var = mlx.zeros(3, dtype=mlx.float64), mlx.ones(3, dtype=mlx.float64)
    F.batch_norm(mlx.tensor(x), mean, var, training=True, momentum=0.25)
    assert_close(mean, 0.25 * x.mean(0), rtol=1e-12)
    assert_close(var, 0.75 + 0.25 * x.var(0, ddof=1), rtol=1e-12)


def test_batch_norm_in_evaluation_uses_the_statistics():
    x, mean, var = sample(8, 3), sample(3, seed=1), sample(3, low=0.5, seed=2)
    actual = F.batch_norm(mlx.tensor(x), mlx.tensor(mean), mlx.tensor(var))
    assert_close(actual, (x - mean) / np.sqrt(var + 1e-5), rtol=1e-12)


def test_batch_norm_gradient():
    inputs = (double(4, 2, 3), double(2, seed=1), double(2, seed=2))
    assert gradcheck(lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), inputs)


# ---------------------------------------------------------------- dropout


def test_dropout_scales_what_it_keeps():
    values, counts = F.dropout(mlx.ones(100_000), 0.25).unique(return_counts=True)
    assert_close(values, [0, 4 / 3])
    assert abs(counts[0].item() / 100_000 - 0.25) < 0.01


def test_dropout_in_evaluation_is_the_identity():
    x = mlx.ones(5)
    assert F.dropout(x, 0.5, training=False).equal(x)


@pytest.mark.parametrize(("p", "expected"), [(0.0, 1.0), (1.0, 0.0)])
def test_dropout_limits(p, expected):
    assert F.dropout(mlx.ones(3), p).tolist() == [expected] * 3


def test_dropout_gradient_is_its_mask():
    x = mlx.ones(100, requires_grad=True)
    y = F.dropout(x, 0.5)
    y.sum().backward()
    assert x.grad.equal(y.detach())


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_dropout_probability_out_of_range_is_an_error(p):
    with pytest.raises(ValueError, match=str(p)):
        F.dropout(mlx.ones(3), p)


# ---------------------------------------------------------------- convolution and pooling


def pair(v):
    return (v, v) if isinstance(v, int) else v


def conv2d(x, w, b=None, stride=1, padding=0, dilation=1, groups=1):
    """Convolution as a sum over the kernel's positions."""
    (sh, sw), (ph, pw), (dh, dw) = map(pair, (stride, padding, dilation))
    n, c, _, _ = x.shape
    o, _, kh, kw = w.shape
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh = (x.shape[2] - dh * (kh - 1) - 1) // sh + 1
    ow = (x.shape[3] - dw * (kw - 1) - 1) // sw + 1
    out = np.zeros((n, groups, o // groups, oh, ow))
    x, w = (
        x.reshape(n, groups, c // groups, *x.shape[2:]),
        w.reshape(groups, o // groups, c // groups, kh, kw),
    )
    for i in range(kh):
        for j in range(kw):
            window = x[..., i * dh : i * dh + sh * oh : sh, j * dw : j * dw + sw * ow : sw][..., :oh, :ow]
            out += np.einsum("ngchw,goc->ngohw", window, w[..., i, j])
    out = out.reshape(n, o, oh, ow)
    return out if b is None else out + b[:, None, None]


CONVOLUTIONS = [
    {},
    {"stride": 2},
    {"padding": 1},
    {"padding": (2, 0), "stride": (1, 3)},
    {"dilation": 2},
    {"groups": 2},
    {"groups": 4, "padding": 1},
    {"stride": 2, "padding": 2, "dilation": (1, 2), "groups": 2},
]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_conv2d(options, bias):
    x, w = sample(2, 4, 8, 9), sample(8, 4 // options.get("groups", 1), 3, 2, seed=1)
    b = sample(8, seed=2) if bias else None
    actual = F.conv2d(mlx.tensor(x), mlx.tensor(w), None if b is None else mlx.tensor(b), **options)
    assert_close(actual, conv2d(x, w, b, **options), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("options", CONVOLUTIONS, ids=str)
def test_conv2d_gradient(options):
    inputs = (double(1, 4, 5, 5), double(4, 4 // options.get("groups", 1), 2, 2, seed=1), double(4, seed=2))
    assert gradcheck(lambda x, w, b: F.conv2d(x, w, b, **options), inputs)


def test_conv2d_of_strided_tensors():
    x, w = sample(2, 3, 6, 6), sample(4, 3, 3, 3, seed=1)
    actual = F.conv2d(strided(mlx.tensor(x)), strided(mlx.tensor(w.transpose(0, 1, 3, 2).copy())).mT)
    assert_close(actual, conv2d(x, w), rtol=1e-12, atol=1e-12)


def test_conv2d_of_one_image():
    x, w = sample(3, 6, 6), sample(4, 3, 3, 3, seed=1)
    assert_close(F.conv2d(mlx.tensor(x), mlx.tensor(w)), conv2d(x[None], w)[0], rtol=1e-12, atol=1e-12)


def test_conv2d_same_padding():
    x, w = sample(1, 1, 5, 5), sample(1, 1, 3, 3, seed=1)
    assert_close(
        F.conv2d(mlx.tensor(x), mlx.tensor(w), padding="same"),
        conv2d(x, w, padding=1),
        rtol=1e-12,
        atol=1e-12,
    )


def test_conv2d_of_an_empty_batch():
    assert F.conv2d(mlx.zeros(0, 3, 5, 5), mlx.zeros(4, 3, 3, 3)).shape == (0, 4, 3, 3)


def test_conv2d_of_other_channels_is_an_error():
    with pytest.raises(RuntimeError, match=r"3.*4|4.*3"):
        F.conv2d(mlx.zeros(1, 3, 5, 5), mlx.zeros(2, 4, 3, 3))


def windows(x, kernel, stride, padding, fill):
    (kh, kw), (sh, sw), (ph, pw) = map(pair, (kernel, stride, padding))
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (2, 3))[:, :, ::sh, ::sw]


POOLS = [(2, 2, 0), (3, 1, 1), ((2, 3), (2, 1), (1, 0)), (3, 2, 1)]


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_max_pool2d(pool):
    x = sample(2, 3, 7, 8)
    assert_close(F.max_pool2d(mlx.tensor(x), *pool), windows(x, *pool, -np.inf).max((-2, -1)))


@pytest.mark.parametrize("pool", POOLS, ids=str)
def test_avg_pool2d(pool):
    x = sample(2, 3, 7, 8)
    assert_close(
        F.avg_pool2d(mlx.tensor(x), *pool), windows(x, *pool, 0).mean((-2, -1)), rtol=1e-13, atol=1e-14
    )


def test_avg_pool2d_without_counting_the_padding():
    actual = F.avg_pool2d(mlx.ones(1, 1, 3, 3), 2, 1, 1, count_include_pad=False)
    assert_close(actual, np.ones((1, 1, 4, 4)))


def test_pool_stride_defaults_to_the_kernel():
    assert F.max_pool2d(mlx.zeros(1, 1, 6, 6), 3).shape == (1, 1, 2, 2)


def test_pool_ceil_mode_keeps_the_rest():
    assert F.max_pool2d(mlx.zeros(1, 1, 5, 5), 2, ceil_mode=True).shape == (1, 1, 3, 3)


def test_max_pool2d_positions():
    x = sample(1, 1, 4, 4)
    values, indices = F.max_pool2d(mlx.tensor(x), 2, return_indices=True)
    assert_close(values, x.reshape(-1)[to_numpy(indices)])


@pytest.mark.parametrize("case", ["max_pool2d", "avg_pool2d"])
def test_pool_gradient(case):
    assert gradcheck(lambda x: getattr(F, case)(x, 3, 2, 1), double(1, 2, 5, 5))


def test_pool_padding_beyond_half_the_kernel_is_an_error():
    with pytest.raises(RuntimeError, match="(?i)pad"):
        F.max_pool2d(mlx.zeros(1, 1, 5, 5), 2, padding=2)


# ---------------------------------------------------------------- attention


def attention(q, k, v, mask=None, causal=False, scale=None):
    scores = q @ k.swapaxes(-1, -2) * (1 / np.sqrt(q.shape[-1]) if scale is None else scale)
    if causal:
        mask = np.tril(np.ones(scores.shape[-2:], bool))
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    return sp.softmax(scores, axis=-1) @ v


Q, K, V = sample(2, 3, 5, 4), sample(2, 3, 6, 4, seed=1), sample(2, 3, 6, 7, seed=2)


@pytest.mark.parametrize(
    "options",
    [{}, {"causal": True}, {"scale": 0.3}, {"mask": "bool"}, {"mask": "float"}],
    ids=["plain", "causal", "scale", "bool_mask", "float_mask"],
)
def test_attention(options):
    options = dict(options)
    mask = options.pop("mask", None)
    if mask is not None:
        mask = sample(5, 6, seed=3) if mask == "float" else (np.arange(30).reshape(5, 6) % 3 != 0)
    actual = F.scaled_dot_product_attention(
        *map(mlx.tensor, (Q, K, V)),
        attn_mask=None if mask is None else mlx.tensor(mask),
        is_causal=options.get("causal", False),
        scale=options.get("scale"),
    )
    assert_close(actual, attention(Q, K, V, mask, **options), rtol=1e-12, atol=1e-12)


def test_attention_of_permuted_operands():
    q, k, v = (mlx.tensor(a.transpose(0, 2, 1, 3).copy()).transpose(1, 2) for a in (Q, K, V))
    assert_close(F.scaled_dot_product_attention(q, k, v), attention(Q, K, V), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
def test_causal_attention_does_not_see_the_future(dtype):
    t = from_numpy(sample(1, 1, 300, 8), dtype)
    changed = t.clone()
    changed[:, :, 200:] = 7
    before = F.scaled_dot_product_attention(t, t, t, is_causal=True)[:, :, :200]
    after = F.scaled_dot_product_attention(changed, changed, changed, is_causal=True)[:, :, :200]
    assert before.equal(after)


@pytest.mark.parametrize("causal", [False, True])
def test_attention_gradient(causal):
    inputs = tuple(double(1, 2, 3, 4, seed=i) for i in range(3))
    assert gradcheck(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal), inputs)


def test_normalize_and_cosine_similarity():
    x, y = sample(4, 3), sample(4, 3, seed=1)
    assert_close(F.normalize(mlx.tensor(x)), x / np.linalg.norm(x, axis=1, keepdims=True), rtol=1e-12)
    expected = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    assert_close(F.cosine_similarity(mlx.tensor(x), mlx.tensor(y)), expected, rtol=1e-12)


# ---- the fused kernels of attention and depthwise convolutions, against what they stand for


def attention_by_ops(q, k, v, causal):
    scores = q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5
    if causal:
        seen = mlx.ones(q.shape[-2], k.shape[-2], dtype=mlx.bool).tril()
        scores = scores.masked_fill(~seen, float("-inf"))
    return scores.softmax(-1) @ v


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("length", "keys"), [(5, 5), (70, 3), (3, 70), (130, 130)])
def test_attention_by_blocks(length, keys, causal):
    q, k, v = double(2, 3, length, 4), double(2, 3, keys, 4, seed=1), double(2, 3, keys, 6, seed=2)
    out, expected = (
        F.scaled_dot_product_attention(q, k, v, is_causal=causal),
        attention_by_ops(q, k, v, causal),
    )
    assert_close(out, to_numpy(expected), rtol=1e-11, atol=1e-12)
    cotangent = from_numpy(sample(*out.shape, seed=5))
    for got, wanted in zip(
        mlx.autograd.grad(out, [q, k, v], [cotangent]),
        mlx.autograd.grad(expected, [q, k, v], [cotangent]),
        strict=True,
    ):
        assert_close(got, to_numpy(wanted), rtol=1e-10, atol=1e-11)


def test_attention_reads_heads_where_they_lie():
    packed = from_numpy(sample(2, 7, 3, 4))
    heads = packed.transpose(1, 2)
    out = F.scaled_dot_product_attention(heads, heads, heads)
    assert_close(out, to_numpy(attention_by_ops(heads, heads, heads, False)), rtol=1e-11, atol=1e-12)


def test_attention_takes_a_gradient_that_is_expanded():
    q, k, v = (double(2, 5, 4, seed=i) for i in range(3))
    out = F.scaled_dot_product_attention(q, k, v)
    ones = from_numpy(np.ones(out.shape))
    expected = mlx.autograd.grad(out, [q, k, v], [ones], retain_graph=True)
    for got, wanted in zip(mlx.autograd.grad(out.sum(), [q, k, v]), expected, strict=True):
        assert_equal(got, to_numpy(wanted))


@pytest.mark.parametrize("causal", [False, True])
def test_attention_second_gradients(causal):
    leaves = [double(1, 2, 3, 2, seed=i) for i in range(3)]
    assert mlx.autograd.gradgradcheck(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=causal), leaves
    )


@pytest.mark.parametrize("width", [1, 5, 16, 33, 70])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding": 1},
        {"padding": (2, 3), "dilation": (1, 2)},
        {"stride": (2, 1), "padding": 1},
        {"stride": 2, "padding": 1},
        {"stride": 3, "padding": (0, 2), "dilation": 2},
        {"stride": (1, 5)},
    ],
)
def test_depthwise_convolutions(width, options):
    """With their gradients, against those of every channel alone in float64."""
    x, w = sample(2, 3, 6, width + 4), sample(3, 1, 3, 3, seed=1)
    whole = [from_numpy(t).float().requires_grad_() for t in (x, w)]
    each = [from_numpy(t).requires_grad_() for t in (x, w)]
    y = F.conv2d(*whole, groups=3, **options)
    expected = mlx.cat([F.conv2d(each[0][:, c : c + 1], each[1][c : c + 1], **options) for c in range(3)], 1)
    g = from_numpy(sample(*y.shape, seed=2))
    y.backward(g.float())
    expected.backward(g)
    for got, want in zip(
        (y.detach(), *(t.grad for t in whole)), (expected.detach(), *(t.grad for t in each)), strict=True
    ):
        assert_close(got, to_numpy(want), rtol=1e-5, atol=1e-4)


PIECEWISE = {
    "hardtanh": (F.hardtanh, 0),
    "relu6": (F.relu6, 0),
    "hardshrink": (F.hardshrink, 0),
    "softshrink": (F.softshrink, 0),
    "elu": (F.elu, np.nan),
    "selu": (F.selu, np.nan),
    "hardswish": (F.hardswish, np.nan),
}


@pytest.mark.parametrize("op, slope", PIECEWISE.values(), ids=PIECEWISE)
def test_gradients_at_nan_are_those_of_pytorch(op, slope):
    x = mlx.full((40,), np.nan, requires_grad=True)
    op(x).sum().backward()
    assert_close(x.grad, np.full(40, slope))


def test_gradients_of_prelu_stay_finite_beside_infinities():
    x, w = mlx.tensor([np.inf, 2.0, -1.0], requires_grad=True), mlx.tensor(0.5, requires_grad=True)
    F.prelu(x, w).sum().backward()
    assert x.grad.tolist() == [1, 1, 0.5] and w.grad.item() == -1
    y, w = mlx.tensor([2.0], requires_grad=True), mlx.tensor(np.inf, requires_grad=True)
    F.prelu(y, w).sum().backward()
    assert y.grad.tolist() == [1] and w.grad.item() == 0


def test_a_window_wider_than_the_image_is_refused():
    for pool in (F.max_pool2d, F.avg_pool2d):
        with pytest.raises(RuntimeError, match="too small"):
            pool(mlx.zeros(1, 1, 4), 2)


@pytest.mark.parametrize("pool", [F.adaptive_avg_pool1d, F.adaptive_max_pool1d])
def test_adaptive_pooling_checks_its_arguments(pool):
    with pytest.raises(RuntimeError, match="negative"):
        pool(mlx.zeros(1, 1, 4), -1)
    with pytest.raises(ValueError, match="dimensions"):
        pool(mlx.zeros(4), 2)


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: F.max_pool2d(x, 2, return_indices=True),
        lambda x: F.adaptive_max_pool2d(x, 1, return_indices=True),
    ],
)
def test_of_several_nan_the_last_is_the_maximum(pool):
    values, place = pool(mlx.tensor([[[np.nan, 9.0], [np.nan, 1.0]]]))
    assert np.isnan(values.item()) and place.item() == 2


def test_the_gradient_of_batch_norm_in_evaluation_does_not_read_the_input():
    x = mlx.tensor([[np.inf, 1.0], [np.nan, 2.0]], requires_grad=True)
    F.batch_norm(x, mlx.zeros(2), mlx.ones(2), mlx.tensor([3.0, 4.0]), eps=0).sum().backward()
    assert x.grad.tolist() == [[3, 4], [3, 4]]


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_avg_pool_without_a_stride_steps_by_its_kernel(dims):
    pool, x = getattr(F, f"avg_pool{dims}d"), mlx.tensor(sample(2, 3, *(4,) * dims))
    assert_equal(pool(x, 2, None), pool(x, 2).numpy())

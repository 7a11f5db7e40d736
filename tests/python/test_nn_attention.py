"""Attention with several heads, and transformers."""

import copy
import math

import numpy as np
import pytest
from support import sample

import mlx
from mlx import nn
from mlx.nn import functional as F


def of(*shape, seed=0):
    return mlx.tensor(sample(*shape, seed=seed))


def assert_close(got, want, tolerance=1e-10):
    np.testing.assert_allclose(got.detach().numpy(), want.detach().numpy(), rtol=tolerance, atol=tolerance)


def by_hand(layer, query, key, value, hidden=None):
    """One sample's attention head by head; `hidden` says which pairs do not see each other."""
    n, heads = layer.embed_dim, layer.num_heads
    w, b = layer.in_proj_weight, layer.in_proj_bias
    q, k, v = (
        x @ w[i * n : (i + 1) * n].t() + b[i * n : (i + 1) * n] for i, x in enumerate((query, key, value))
    )
    results, weights = [], []
    for h in range(heads):
        part = slice(h * n // heads, (h + 1) * n // heads)
        scores = q[:, part] @ k[:, part].t() / math.sqrt(n // heads)
        if hidden is not None:
            scores = scores.masked_fill(hidden, -math.inf)
        weights.append(scores.softmax(-1))
        results.append(weights[-1] @ v[:, part])
    return layer.out_proj(mlx.cat(results, 1)), mlx.stack(weights).mean(0)


@pytest.fixture
def layer():
    mlx.manual_seed(0)
    made = nn.MultiheadAttention(8, 2, batch_first=True).double()
    with mlx.no_grad():
        made.in_proj_bias.uniform_()
    return made


@pytest.mark.parametrize("need_weights", [True, False])
def test_values(layer, need_weights):
    q, k, v = of(3, 4, 8), of(3, 5, 8, seed=1), of(3, 5, 8, seed=2)
    hidden = mlx.rand(4, 5) > 0.7
    hidden[:, 0] = False
    padding = mlx.zeros(3, 5, dtype=mlx.bool)
    padding[1, 3:] = True
    out, weights = layer(q, k, v, key_padding_mask=padding, attn_mask=hidden, need_weights=need_weights)
    for i in range(3):
        want, want_weights = by_hand(layer, q[i], k[i], v[i], hidden | padding[i])
        assert_close(out[i], want)
        if need_weights:
            assert_close(weights[i], want_weights)
    assert (weights is None) == (not need_weights)


def test_self_attention_is_one_product_and_the_same(layer):
    x = of(2, 4, 8)
    assert_close(layer(x, x, x)[0], layer(x, x.clone(), x.clone())[0])


def test_forms_of_the_input(layer):
    x = of(2, 4, 8)
    out, weights = layer(x, x, x)
    alone, alone_weights = layer(x[1], x[1], x[1])
    assert_close(alone, out[1])
    assert_close(alone_weights, weights[1])
    layer.batch_first = False
    turned, _ = layer(*[x.transpose(0, 1)] * 3)
    assert_close(turned.transpose(0, 1), out)


def test_weights_of_each_head(layer):
    x = of(2, 4, 8)
    _, each = layer(x, x, x, average_attn_weights=False)
    _, mean = layer(x, x, x)
    assert each.shape == (2, 2, 4, 4)
    assert_close(each.mean(1), mean)


def test_causal_hint_is_the_causal_mask(layer):
    x = of(2, 4, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(4, dtype=mlx.float64)
    hinted, _ = layer(x, x, x, attn_mask=mask, is_causal=True, need_weights=False)
    assert_close(hinted, layer(x, x, x, attn_mask=mask)[0])
    with pytest.raises(RuntimeError, match="attn_mask"):
        layer(x, x, x, is_causal=True)


def test_further_keys_and_other_sizes():
    mlx.manual_seed(0)
    layer = nn.MultiheadAttention(8, 2, add_bias_kv=True, add_zero_attn=True, kdim=5, vdim=3).double()
    out, weights = layer(of(4, 2, 8), of(6, 2, 5), of(6, 2, 3), attn_mask=mlx.zeros(4, 6, dtype=mlx.bool))
    assert out.shape == (4, 2, 8) and weights.shape == (2, 4, 8)
    assert list(layer.state_dict())[:3] == ["q_proj_weight", "k_proj_weight", "v_proj_weight"]


def test_gradients(layer):
    def run(q, k, v):
        return layer(q, k, v)[0]

    inputs = tuple(of(2, 3, 8, seed=i).requires_grad_() for i in range(3))
    assert mlx.autograd.gradcheck(run, inputs)


def test_errors(layer):
    x = of(2, 4, 8)
    with pytest.raises(RuntimeError, match="shape of the 2D attn_mask"):
        layer(x, x, x, attn_mask=mlx.zeros(3, 3))
    with pytest.raises(AssertionError, match="embedding dimension of 8"):
        layer(of(2, 4, 6), x, x)
    with pytest.raises(AssertionError, match="divisible"):
        nn.MultiheadAttention(8, 3)


# ---- transformers


@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_layer_is_its_parts(norm_first):
    layer = nn.TransformerEncoderLayer(
        8, 2, 16, 0.0, "gelu", norm_first=norm_first, batch_first=True
    ).double()
    x = of(2, 4, 8)

    def products(x):
        return layer.linear2(F.gelu(layer.linear1(x)))

    def attended(x):
        return layer.self_attn(x, x, x)[0]

    if norm_first:
        want = x + attended(layer.norm1(x))
        want = want + products(layer.norm2(want))
    else:
        want = layer.norm1(x + attended(x))
        want = layer.norm2(want + products(want))
    assert_close(layer(x), want)


def test_stacks_copy_their_layer():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    stack = nn.TransformerEncoder(layer, 3, nn.LayerNorm(8)).eval()
    x = mlx.rand(2, 4, 8)
    want = x
    for part in stack.layers:
        want = part(want)
    assert_close(stack(x), stack.norm(want), 1e-6)
    assert len({id(p) for p in stack.parameters()}) == len(list(stack.layers[0].parameters())) * 3 + 2


def test_a_causal_decoder_does_not_see_what_comes_later():
    mlx.manual_seed(0)
    model = nn.Transformer(8, 2, 1, 2, 16, batch_first=True).eval()
    src, tgt = mlx.rand(2, 3, 8), mlx.rand(2, 5, 8)
    other = tgt.clone()
    other[:, 3:] = 0
    mask = model.generate_square_subsequent_mask(5)
    a, b = (model(src, t, tgt_mask=mask) for t in (tgt, other))
    assert_close(a[:, :3], b[:, :3], 1e-5)
    assert (a[:, 3:] - b[:, 3:]).abs().max().item() > 1e-3


def test_padding_does_not_reach_the_rest():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    x = mlx.rand(1, 4, 8)
    padding = mlx.tensor([[False, False, False, True]])
    assert_close(model(x, src_key_padding_mask=padding)[:, :3], model(x[:, :3]), 1e-5)


def test_copies_and_errors():
    model = nn.Transformer(8, 2, 1, 1, 16)
    twin = copy.deepcopy(model).eval()
    src, tgt = mlx.rand(3, 2, 8), mlx.rand(4, 2, 8)
    assert_close(twin(src, tgt), model.eval()(src, tgt), 1e-6)
    with pytest.raises(RuntimeError, match="batch number"):
        model(src, mlx.rand(4, 3, 8))
    with pytest.raises(RuntimeError, match="relu/gelu"):
        nn.TransformerEncoderLayer(8, 2, activation="tanh")


# ---- scaled_dot_product_attention


def scores_by_hand(query, key, value, scores_mask):
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1]) + scores_mask
    nowhere = (scores == -math.inf).all(-1, keepdim=True)
    return scores.masked_fill(nowhere, 0).softmax(-1).masked_fill(nowhere, 0) @ value


MASK_SHAPES = [(70, 65), (1, 65), (70, 1), (65,), (2, 1, 70, 65), (2, 1, 1, 65), (2, 3, 70, 65), (3, 1, 65)]


@pytest.mark.parametrize("shape", MASK_SHAPES)
@pytest.mark.parametrize("kind", ["bool", "float"])
def test_attention_with_a_mask(shape, kind):
    mlx.manual_seed(0)
    q, k, v = (mlx.randn(2, 3, n, 20, requires_grad=True) for n in (70, 65, 65))
    seen = mlx.rand(shape) > 0.4
    mask = seen if kind == "bool" else mlx.randn(shape).masked_fill(~seen, -math.inf)
    added = mlx.zeros(shape).masked_fill(~seen, -math.inf) if kind == "bool" else mask
    out = F.scaled_dot_product_attention(q, k, v, mask)
    want = scores_by_hand(q, k, v, added)
    assert_close(out.cpu(), want.cpu(), 1e-5)
    g = mlx.randn(out.shape)
    for a, b in zip(mlx.autograd.grad(out, (q, k, v), g), mlx.autograd.grad(want, (q, k, v), g), strict=True):
        assert_close(a.cpu(), b.cpu(), 1e-4)


def test_a_query_that_sees_nothing_gets_zeros():
    q, k, v = (mlx.randn(1, n, 4, requires_grad=True) for n in (3, 40, 40))
    mask = mlx.ones(3, 40, dtype=mlx.bool)
    mask[1] = False
    out = F.scaled_dot_product_attention(q, k, v, mask)
    assert (out[0, 1] == 0).all() and (out[0, 0] != 0).all()
    out.sum().backward()
    assert (q.grad[0, 1] == 0).all()
    assert mlx.isfinite(k.grad).all() and mlx.isfinite(v.grad).all()


def test_the_gradient_of_a_mask():
    q, k, v = of(2, 3, 4), of(2, 5, 4, seed=1), of(2, 5, 4, seed=2)
    mask = of(3, 5, seed=3)
    for t in (q, k, v, mask):
        t.requires_grad_()
    assert mlx.autograd.gradcheck(F.scaled_dot_product_attention, (q, k, v, mask))


def test_second_derivatives_of_masked_attention():
    q, k, v = (of(2, n, 4, seed=n).requires_grad_() for n in (3, 5, 5))
    mask = mlx.tensor([[True] * 5, [True, False, True, False, True], [False] * 4 + [True]])
    assert mlx.autograd.gradgradcheck(lambda *a: F.scaled_dot_product_attention(*a, mask), (q, k, v))


@pytest.mark.parametrize(("heads", "keys", "values"), [(6, 2, 2), (6, 1, 1), (6, 6, 6), (6, 2, 3), (6, 1, 2)])
@pytest.mark.parametrize("mask_heads", [None, 1, 6])
def test_heads_that_share_keys(heads, keys, values, mask_heads):
    mlx.manual_seed(0)
    q, k, v = mlx.randn(2, heads, 7, 4), mlx.randn(2, keys, 9, 4), mlx.randn(2, values, 9, 5)
    mask = None if mask_heads is None else mlx.rand(2, mask_heads, 7, 9) > 0.3
    for t in (q, k, v):
        t.requires_grad_()
    out = F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
    wide = (q, k.repeat_interleave(heads // keys, 1), v.repeat_interleave(heads // values, 1))
    want = F.scaled_dot_product_attention(*wide, mask)
    assert out.shape == want.shape
    assert_close(out.cpu(), want.cpu(), 1e-5)
    for a, b in zip(
        mlx.autograd.grad(out.square().sum(), (q, k, v)),
        mlx.autograd.grad(want.square().sum(), (q, k, v)),
        strict=True,
    ):
        assert_close(a.cpu(), b.cpu(), 1e-4)


def test_heads_that_cannot_share():
    q, k = mlx.randn(2, 5, 7, 4), mlx.randn(2, 2, 9, 4)
    with pytest.raises(RuntimeError, match="enable_gqa"):
        F.scaled_dot_product_attention(q, k, k, enable_gqa=True)


def test_a_padding_mask_of_another_shape_is_an_error():
    layer, x = nn.MultiheadAttention(4, 2), mlx.ones(5, 3, 4)
    for shape in ((1, 5), (3, 4), (5, 3)):
        with pytest.raises(AssertionError, match=r"key_padding_mask is .* should be \(3, 5\)"):
            layer(x, x, x, key_padding_mask=mlx.zeros(shape, dtype=mlx.bool))

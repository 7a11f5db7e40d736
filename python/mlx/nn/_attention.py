"""Attention with several heads, from the queries, keys and values to the projected result."""

from __future__ import annotations

import math
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor, _op_namespaces

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

_ops = _op_namespaces["nn.functional"]
scaled_dot_product_attention = _C._scaled_dot_product_attention


def _added_mask(mask: Tensor | None, name: str, dtype: Any) -> Tensor | None:
    """A mask as numbers to add to the scores: minus infinity where a mask of bools is true."""
    if mask is None or mask.is_floating_point():
        return mask
    if mask.dtype != mlx.bool:
        raise AssertionError(f"only bool and floating types of {name} are supported, not {mask.dtype}")
    return mlx.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(mask, -math.inf)


def _check_dims(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None
) -> bool:
    """Whether the input has a batch; AssertionError when the parts do not agree."""
    if query.dim() not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
        )
    batched = query.dim() == 3
    if key.dim() != query.dim() or value.dim() != query.dim():
        raise AssertionError(
            f"For a {query.dim()}-D query, key and value must be {query.dim()}-D but are {key.dim()}-D and "
            f"{value.dim()}-D"
        )
    if padding is not None and padding.dim() != 1 + batched:
        raise AssertionError(
            f"key_padding_mask must be {1 + batched}-D for a {query.dim()}-D query, not {padding.dim()}-D"
        )
    if mask is not None and mask.dim() not in (2, 3):
        raise RuntimeError(f"attn_mask's dimension {mask.dim()} is not supported")
    return batched


def _packed_projections(
    query: Tensor, key: Tensor, value: Tensor, weight: Tensor, bias: Tensor | None
) -> list[Tensor]:
    """Queries, keys and values by one matrix: by one product, or two, where they are the same tensor."""
    width = query.size(-1)
    linear = _ops["linear"]
    if key is value and query is key:
        return list(linear(query, weight, bias).split(width, -1))
    if key is value:
        wq, wkv = weight.split([width, 2 * width])
        bq, bkv = (None, None) if bias is None else bias.split([width, 2 * width])
        return [linear(query, wq, bq), *linear(key, wkv, bkv).split(width, -1)]
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    return [linear(x, w, b) for x, w, b in zip((query, key, value), weight.chunk(3), biases, strict=True)]


def _heads(x: Tensor, heads: int) -> Tensor:
    """(length, batch, heads * width) as (batch * heads, length, width)."""
    length, batch, features = x.shape
    return x.reshape(length, batch * heads, features // heads).transpose(0, 1)


def _merged_mask(
    mask: Tensor | None, padding: Tensor | None, extra: int, batch: int, heads: int
) -> Tensor | None:
    """Both masks as one (1 or batch, 1 or heads, queries, keys), with `extra` keys that nothing masks."""
    if mask is not None:
        mask = _ops["pad"](mask, (0, extra)) if extra else mask
        mask = mask[None, None] if mask.dim() == 2 else mask.reshape(batch, heads, *mask.shape[1:])
    if padding is not None:
        padding = _ops["pad"](padding, (0, extra)) if extra else padding
        padding = padding[:, None, None, :]
        mask = padding if mask is None else mask + padding
    return mask


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Attention with several heads (Vaswani et al., 2017).

    Args:
        query, key, value: (length, batch, features), or without the batch.
        embed_dim_to_check: how many features a query has to have.
        in_proj_weight, in_proj_bias: the three projections below one another.
        bias_k, bias_v: a further key and value, the same for all samples.
        add_zero_attn: whether there is a further key and value of zeros.
        out_proj_weight, out_proj_bias: of the projection of the result.
        key_padding_mask: (batch, keys), true or minus infinity for keys that are not there.
        need_weights: whether to give the attention weights, (batch, queries, keys), too.
        attn_mask: (queries, keys) or (batch * heads, queries, keys), true or minus infinity for pairs that do
            not see each other.
        use_separate_proj_weight, q_proj_weight, k_proj_weight, v_proj_weight: projections of their own.
        static_k, static_v: keys and values that take the place of the projected ones, (batch * heads, keys,
            width).
        average_attn_weights: whether the weights are averaged over the heads, else (batch, heads, queries,
            keys).
        is_causal: a hint that `attn_mask` is the causal one.
    """
    batched = _check_dims(query, key, value, key_padding_mask, attn_mask)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if not batched:
        same_key, same_value = key is query, value is key
        query = query.unsqueeze(1)
        key = query if same_key else key.unsqueeze(1)
        value = key if same_value else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    if width != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}")
    if width % num_heads:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    mask_shape = (length, key.size(0))
    if attn_mask is not None and tuple(attn_mask.shape) not in (mask_shape, (batch * num_heads, *mask_shape)):
        raise RuntimeError(
            f"The shape of the {attn_mask.dim()}D attn_mask is {attn_mask.shape}, but should be {mask_shape} "
            f"or {(batch * num_heads, *mask_shape)}."
        )
    padding_shape = (batch, key.size(0) if static_k is None else static_k.size(1))
    if key_padding_mask is not None and tuple(key_padding_mask.shape) != padding_shape:
        raise AssertionError(
            f"the shape of the key_padding_mask is {key_padding_mask.shape}, but should be {padding_shape}."
        )
    padding = _added_mask(key_padding_mask, "key_padding_mask", query.dtype)
    mask = _added_mask(attn_mask, "attn_mask", query.dtype)

    if use_separate_proj_weight:
        biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        triples = zip((query, key, value), weights, biases, strict=True)
        q, k, v = (_ops["linear"](x, w, b) for x, w, b in triples)
    else:
        if in_proj_weight is None:
            raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
        if key.shape != value.shape:
            raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")
        q, k, v = _packed_projections(query, key, value, in_proj_weight, in_proj_bias)
    if (bias_k is None) != (bias_v is None):
        raise AssertionError("bias_k and bias_v must be given both or neither")
    extra = 0
    if bias_k is not None and bias_v is not None:
        k, v = mlx.cat([k, bias_k.repeat(1, batch, 1)]), mlx.cat([v, bias_v.repeat(1, batch, 1)])
        extra += 1
    q = _heads(q, num_heads)
    k = _heads(k, num_heads) if static_k is None else static_k
    v = _heads(v, num_heads) if static_v is None else static_v
    if add_zero_attn:
        zeros = k.new_zeros(batch * num_heads, 1, width // num_heads)
        k, v = mlx.cat([k, zeros], 1), mlx.cat([v, zeros], 1)
        extra += 1

    q, k, v = (x.reshape(batch, num_heads, -1, width // num_heads) for x in (q, k, v))
    causal = is_causal and padding is None and not need_weights
    merged = None if causal else _merged_mask(mask, padding, extra, batch, num_heads)
    dropout = dropout_p if training else 0.0
    attention = None
    if need_weights:
        scores = (q / math.sqrt(width // num_heads)) @ k.transpose(-2, -1)
        attention = (scores if merged is None else scores + merged).softmax(-1)
        attention = _ops["dropout"](attention, dropout) if dropout else attention
        out = attention @ v
        attention = attention.mean(1) if average_attn_weights else attention
        attention = attention if batched else attention.squeeze(0)
    else:
        out = scaled_dot_product_attention(q, k, v, merged, dropout, causal)
    out = out.permute(2, 0, 1, 3).reshape(length, batch, width)
    out = _ops["linear"](out, out_proj_weight, out_proj_bias)
    return out if batched else out.squeeze(1), attention

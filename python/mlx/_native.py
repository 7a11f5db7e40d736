"""Functions of the top level that `nn.functional` has too, with the arguments that PyTorch gives them here:
reductions by number (0 none, 1 mean, 2 sum), `train` for `training`, and no defaults where there are none."""

from __future__ import annotations

from typing import Any

import mlx
from mlx import _C
from mlx._C import Generator, Tensor
from mlx.nn import functional
from mlx.nn._embedding_bag import _bag_of, _flat_bags, _in_each

F: Any = functional

__all__ = [
    "affine_grid_generator",
    "alpha_dropout",
    "alpha_dropout_",
    "binary_cross_entropy_with_logits",
    "convolution",
    "cosine_embedding_loss",
    "ctc_loss",
    "dropout",
    "dropout_",
    "embedding_bag",
    "embedding_renorm_",
    "feature_alpha_dropout",
    "feature_alpha_dropout_",
    "feature_dropout",
    "feature_dropout_",
    "hinge_embedding_loss",
    "kl_div",
    "margin_ranking_loss",
    "poisson_nll_loss",
    "rrelu",
    "rrelu_",
    "triplet_margin_loss",
]


def _reduction(number: int | str) -> str:
    if isinstance(number, str):
        return number
    if number not in (0, 1, 2):
        raise ValueError(f"{number} is not a valid value for reduction: 0 is none, 1 mean and 2 sum")
    return ("none", "mean", "sum")[number]


# ---- losses


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    pos_weight: Tensor | None = None,
    reduction: int = 1,
) -> Tensor:
    """See `nn.functional.binary_cross_entropy_with_logits`.

    >>> import mlx
    >>> mlx.binary_cross_entropy_with_logits(mlx.zeros(2), mlx.ones(2))
    tensor(0.6931)
    """
    return F.binary_cross_entropy_with_logits(
        input, target, weight, pos_weight=pos_weight, reduction=_reduction(reduction)
    )


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """See `nn.functional.cosine_embedding_loss`."""
    return F.cosine_embedding_loss(input1, input2, target, margin, reduction=_reduction(reduction))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Tensor:
    """See `nn.functional.ctc_loss`."""
    return F.ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _reduction(reduction), zero_infinity
    )


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1) -> Tensor:
    """See `nn.functional.hinge_embedding_loss`."""
    return F.hinge_embedding_loss(input, target, margin, reduction=_reduction(reduction))


def kl_div(input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False) -> Tensor:
    """See `nn.functional.kl_div`."""
    return F.kl_div(input, target, reduction=_reduction(reduction), log_target=log_target)


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """See `nn.functional.margin_ranking_loss`."""
    return F.margin_ranking_loss(input1, input2, target, margin, reduction=_reduction(reduction))


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int
) -> Tensor:
    """See `nn.functional.poisson_nll_loss`."""
    return F.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_reduction(reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-06,
    swap: bool = False,
    reduction: int = 1,
) -> Tensor:
    """See `nn.functional.triplet_margin_loss`."""
    return F.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_reduction(reduction)
    )


# ---- dropout


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """See `nn.functional.dropout`.

    >>> import mlx
    >>> mlx.dropout(mlx.ones(2), 0.5, train=False)
    tensor([1., 1.])
    """
    return F.dropout(input, p, train)


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`dropout` in place."""
    return F.dropout(input, p, train, inplace=True)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """See `nn.functional.alpha_dropout`."""
    return F.alpha_dropout(input, p, train)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`alpha_dropout` in place."""
    return F.alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """See `nn.functional.feature_alpha_dropout`."""
    return F.feature_alpha_dropout(input, p, train)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_alpha_dropout` in place."""
    return F.feature_alpha_dropout(input, p, train, inplace=True)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Zero whole features, of the shape (batch, features, ...), with the probability `p`, and scale the
    others up by 1 / (1 - p), when `train` is set.

    >>> import mlx
    >>> dropped = mlx.feature_dropout(mlx.ones(1, 4, 3), 0.5, True)
    >>> bool((dropped[..., 0] == dropped[..., 2]).all())
    True
    """
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    if not train:
        return input
    keep = input.new_ones(input.shape[:2] + (1,) * (input.dim() - 2))
    return input * F.dropout(keep, p, True)


def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_dropout` in place."""
    return input.copy_(feature_dropout(input, p, train)) if train else feature_dropout(input, p, train)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """See `nn.functional.rrelu`; the slopes are drawn by `generator`, if there is one."""
    if generator is None or not training:
        return F.rrelu(input, lower, upper, training)
    slope = mlx.empty_like(input, requires_grad=False).uniform_(lower, upper, generator=generator)
    return mlx.where(input <= 0, input * slope, input)


def rrelu_(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """`rrelu` in place."""
    return input.copy_(rrelu(input, lower, upper, training, generator))


# ---- convolutions, grids, tables


def affine_grid_generator(theta: Tensor, size: list[int], align_corners: bool) -> Tensor:
    """See `nn.functional.affine_grid`."""
    return F.affine_grid(theta, size, align_corners)


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Tensor:
    """Any of `conv1d`, `conv2d`, `conv3d` and their transposes, by the dimensions of `weight`.

    >>> import mlx
    >>> mlx.convolution(mlx.ones(1, 1, 3), mlx.ones(1, 1, 2), None, [1], [0], [1], False, [0], 1)
    tensor([[[2., 2.]]])
    """
    n = weight.dim() - 2
    if n not in (1, 2, 3):
        raise RuntimeError(f"convolution(): weight must have 3, 4 or 5 dimensions, got {weight.dim()}")
    if transposed:
        function = (_C.conv_transpose1d, _C.conv_transpose2d, _C.conv_transpose3d)[n - 1]
        return function(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return (_C.conv1d, _C.conv2d, _C.conv3d)[n - 1](input, weight, bias, stride, padding, dilation, groups)


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor | None = None,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See `nn.functional.embedding_bag`, with `weight` first.

    Args:
        mode: 0 for sums, 1 for means, 2 for maxima.

    Returns:
        What the bags come to; which bag each of the indices is in; how many indices each bag holds (without
        `padding_idx`); and, for maxima, which index gave each of them, else an empty tensor.
    """
    names = ("sum", "mean", "max")
    if mode not in (0, 1, 2):
        raise ValueError(f"embedding_bag(): mode must be 0 (sum), 1 (mean) or 2 (max), got {mode}")
    result = F.embedding_bag(
        indices,
        weight,
        offsets,
        scale_grad_by_freq=scale_grad_by_freq,
        mode=names[mode],
        sparse=sparse,
        per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset,
        padding_idx=padding_idx,
    )
    numbers, starts, bags = _flat_bags(indices, offsets, include_last_offset)
    bag_of = _bag_of(numbers, starts)
    counted = mlx.ones_like(numbers, dtype=mlx.bool)
    if padding_idx is not None:
        counted = numbers != padding_idx % weight.size(0)
    where = numbers.new_empty(0)
    if mode == 2:
        where = _where_largest(weight.detach(), numbers, bag_of, counted, result.detach())
    return result, bag_of, _in_each(bag_of, bags, counted), where


def _where_largest(
    weight: Tensor, numbers: Tensor, bag_of: Tensor, counted: Tensor, maxima: Tensor
) -> Tensor:
    """For each bag and column the first of the numbers whose row has the maximum; 0 for empty bags."""
    none = numbers.numel()
    places = mlx.arange(none, device=numbers.device).unsqueeze(1)
    hit = (weight[numbers] == maxima[bag_of]) & counted.unsqueeze(1)
    first = mlx.full(maxima.shape, none, dtype=mlx.int64, device=numbers.device)
    index = bag_of.unsqueeze(1).expand(hit.shape)
    first = first.scatter_reduce(0, index, mlx.where(hit, places, none), "amin")
    rows = mlx.cat([numbers, numbers.new_zeros(1)])
    return rows[first]


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Scale those rows of a table that `indices` names, and whose norm is above `max_norm`, down to it.

    >>> import mlx
    >>> mlx.embedding_renorm_(mlx.tensor([[3.0, 4.0], [3.0, 4.0]]), mlx.tensor([1]), 1.0, 2.0)
    tensor([[3.0000, 4.0000],
            [0.6000, 0.8000]])
    """
    with mlx.no_grad():
        F.embedding(indices, input, max_norm=max_norm, norm_type=norm_type)
    return input

"""Losses that are compositions of other ops, too rare for rows of the op table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx
from mlx._C import Tensor, _is_tracing, _op_namespaces, _raise_if_any
from mlx._precision import in_float32

__all__ = [
    "ctc_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "triplet_margin_with_distance_loss",
]


def _checked(reduction: str) -> str:
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(
            f"{reduction} is not a valid value for reduction; it must be 'none', 'mean' or 'sum'"
        )
    return reduction


def legacy_reduction(reduction: str, size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that PyTorch's deprecated flags ask for, if one is given."""
    if size_average is None and reduce is None:
        return reduction
    if reduce is False:
        return "none"
    return "sum" if size_average is False else "mean"


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if _checked(reduction) == "none":
        return loss
    return loss.mean() if reduction == "mean" else loss.sum()


@in_float32
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - x[target] + x[i]) ** p, the mean over classes, without the target's own.

    Args:
        input: (batch, classes), (classes,), or a number for one class.
        target: the class of each sample.
        p: 1 or 2.
        weight: a factor for each class, taken for the target's.

    >>> import mlx
    >>> mlx.nn.functional.multi_margin_loss(mlx.tensor([0.1, 0.2, 0.4, 0.8]), mlx.tensor(3))
    tensor(0.3250)
    """
    how = _checked(legacy_reduction(reduction, size_average, reduce))
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError(f"weight must be one-dimensional, but has shape {tuple(weight.shape)}")
    if input.dim() > 2 or (input.dim() > 0 and input.size(-1) == 0):
        raise RuntimeError(
            f"multi_margin_loss(): Expected non-empty vector or matrix, got shape {input.shape}"
        )
    rows, labels = mlx.atleast_2d(input), target.reshape(-1)
    if labels.numel() != rows.size(0):
        raise RuntimeError(
            f"multi_margin_loss(): inconsistent target size, expected {rows.size(0)} but got {target.shape}"
        )
    classes = rows.size(1)
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"multi_margin_loss(): inconsistent weight size, expected {classes} but got {weight.shape}"
        )
    column = labels.unsqueeze(1)
    excess = (margin - rows.gather(1, column) + rows).relu()
    if p == 2:
        excess = excess * excess
    if weight is not None:
        excess = excess * weight[labels].unsqueeze(1)
    loss = excess.scatter(1, column, 0).sum(1) / classes
    return _reduced(loss.reshape(target.shape) if input.dim() < 2 else loss, how)


@in_float32
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The sum of max(0, 1 - (x[label] - x[i])) over the labels and the classes that are not, per class.

    Args:
        input: (batch, classes) or (classes,).
        target: the labels of each sample, as many places as classes; those from the first -1 on do not count.

    >>> import mlx
    >>> x, y = mlx.tensor([[0.1, 0.2, 0.4, 0.8]]), mlx.tensor([[3, 0, -1, 1]])
    >>> mlx.nn.functional.multilabel_margin_loss(x, y)
    tensor(0.8500)
    """
    how = _checked(legacy_reduction(reduction, size_average, reduce))
    if input.dim() > 2 or input.shape != target.shape:
        raise RuntimeError(
            "multilabel_margin_loss(): expected a vector or matrix and a target of the same shape, got "
            f"{input.shape} and {target.shape}"
        )
    rows, labels = mlx.atleast_2d(input), mlx.atleast_2d(target)
    classes = rows.size(1)
    _raise_if_any(
        (labels < -1) | (labels >= classes), "multilabel_margin_loss(): argument 'target' is out of range"
    )
    counts = (labels < 0).to(mlx.int64).cumsum(1) == 0  # the places before the first -1
    places = mlx.where(counts, labels, mlx.zeros_like(labels))
    is_label = mlx.zeros_like(labels, dtype=mlx.int64).scatter_add(1, places, counts.to(mlx.int64)) > 0
    wanted = rows.gather(1, places).unsqueeze(2)
    excess = (1 - wanted + rows.unsqueeze(1)).relu()
    use = counts.unsqueeze(2) & ~is_label.unsqueeze(1)
    loss = mlx.where(use, excess, rows.new_zeros(())).sum((1, 2)) / max(classes, 1)
    return _reduced(loss.squeeze(0) if input.dim() < 2 else loss, how)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross entropy with logits, the mean over the last dimension, times -1 for each label."""
    log_sigmoid = _op_namespaces["nn.functional"]["logsigmoid"]
    loss = -(target * log_sigmoid(input) + (1 - target) * log_sigmoid(-input))
    if weight is not None:
        loss = loss * weight
    return _reduced(loss.mean(-1), legacy_reduction(reduction, size_average, reduce))


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin).

    Args:
        distance_function: of two batches of vectors; by default `pairwise_distance`.
        swap: whether the negative may be nearer to the positive, and that distance counts then.
    """
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.dim() == positive.dim() == negative.dim():
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, "
            f"but got: anchor {anchor.dim()}D, positive {positive.dim()}D, and negative {negative.dim()}D "
            "inputs"
        )
    distance: Any = distance_function or _op_namespaces["nn.functional"]["pairwise_distance"]
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = mlx.minimum(far, distance(positive, negative))
    return _reduced((margin + near - far).clamp(min=0), reduction)


# A logarithm of zero that differences and gradients survive.
_LOG_ZERO = -1e30


@in_float32
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Connectionist temporal classification: minus the log probability of a target under all its alignments
    (Graves et al., 2006).

    Args:
        log_probs: (time, batch, classes) or (time, classes), logarithms of probabilities.
        targets: (batch, longest target), or all targets one after the other.
        input_lengths: how many steps of each sample count.
        target_lengths: how long each target is.
        blank: the class that stands for nothing.
        reduction: "mean" divides each loss by its target's length first.
        zero_infinity: count a target that does not fit into its input as 0, not as infinity.

    >>> import mlx
    >>> flat = mlx.full((2, 1, 2), 0.5).log()  # three of four paths read "1"
    >>> mlx.nn.functional.ctc_loss(flat, mlx.tensor([[1]]), [2], [1]).exp()
    tensor(1.3333)
    """
    batched = log_probs.dim() == 3
    probs = log_probs if batched else log_probs.unsqueeze(1)
    steps, batch, classes = probs.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"ctc_loss(): blank must be in label range [0, {classes}), but is {blank}")
    counts = _lengths("input_lengths", input_lengths, batch, probs)
    label_counts = _lengths("target_lengths", target_lengths, batch, probs)
    _raise_if_any(counts > steps, f"ctc_loss(): Expected input_lengths to have value at most {steps}")
    labels = _padded_targets(targets.to(probs.device, mlx.int64), label_counts, blank)
    losses = -_log_likelihood(probs, labels, counts, label_counts, blank)
    # PyTorch's gradient is that of the logits behind the probabilities: it has their softmax in it.
    counted = (mlx.arange(steps, device=probs.device).unsqueeze(1) < counts).unsqueeze(2)
    total = mlx.where(counted, probs.exp(), probs.new_zeros(())).sum((0, 2))
    losses = losses + (total - total.detach())
    unfit = 0.0 if zero_infinity else float("inf")
    losses = losses * mlx.where(losses.detach() < -_LOG_ZERO / 2, 1.0, unfit).to(losses.dtype)
    if reduction == "mean":
        return (losses / label_counts.clamp(min=1).to(losses.dtype)).mean()
    return _reduced(losses if batched else losses.squeeze(0), reduction)


def _lengths(name: str, given: Any, batch: int, like: Tensor) -> Tensor:
    lengths = mlx.as_tensor(given, dtype=mlx.int64, device=like.device).reshape(-1)
    if lengths.numel() != batch:
        raise RuntimeError(f"ctc_loss(): {name} must be of size batch_size ({batch}), not {lengths.numel()}")
    return lengths


def _padded_targets(targets: Tensor, lengths: Tensor, blank: int) -> Tensor:
    """The targets as (batch, labels), filled up with blanks."""
    batch = lengths.numel()
    if targets.dim() == 1 and batch == 1:
        targets = targets.unsqueeze(0)
    # No target is longer than there are labels; how long the longest is, a compiled function does not know.
    room = targets.size(-1)
    if targets.dim() == 2:
        if targets.size(0) != batch:
            raise RuntimeError(f"ctc_loss(): expected {batch} rows of targets, but got shape {targets.shape}")
        _raise_if_any(lengths > room, f"ctc_loss(): a target is longer than the {room} labels of its row")
        return targets if _is_tracing() or not batch else targets[:, : int(lengths.max())]
    _raise_if_any(lengths.sum() > room, f"ctc_loss(): target_lengths add up to more than {room} labels")
    longest = room if _is_tracing() or not batch else int(lengths.max())
    place = mlx.arange(longest, device=targets.device)
    if longest == 0:
        return targets.new_zeros(batch, 0)
    starts = (lengths.cumsum(0) - lengths).unsqueeze(1)
    rows = targets[(starts + place).clamp(max=room - 1)]
    return mlx.where(place < lengths.unsqueeze(1), rows, blank)


def _log_likelihood(
    probs: Tensor, labels: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int
) -> Tensor:
    """The forward recursion over the labels with blanks around them, for all samples at once."""
    steps, batch, _ = probs.shape
    places = 2 * labels.size(1) + 1
    extended = labels.new_full((batch, places), blank)
    extended[:, 1::2] = labels
    # A path may pass over a blank only between different labels.
    skips = labels.new_zeros((batch, places), dtype=mlx.bool)
    skips[:, 3::2] = labels[:, 1:] != labels[:, :-1]
    zero = probs.new_full((), _LOG_ZERO)
    emitted = probs.clamp(min=_LOG_ZERO).gather(2, extended.expand(steps, batch, places))
    pad = _op_namespaces["nn.functional"]["pad"]
    place = mlx.arange(places, device=probs.device)
    reached = mlx.where((place < 2) & (target_lengths.unsqueeze(1) * 2 >= place), emitted[0], zero)
    for t in range(1, steps):
        one, two = pad(reached, [1, 0], value=_LOG_ZERO), pad(reached, [2, 0], value=_LOG_ZERO)
        ways = mlx.stack([reached, one[:, :-1], mlx.where(skips, two[:, :-2], zero)])
        moved = (ways.logsumexp(0) + emitted[t]).clamp(min=_LOG_ZERO)
        reached = mlx.where((input_lengths > t).unsqueeze(1), moved, reached)
    last = reached.gather(1, (target_lengths * 2).unsqueeze(1))
    before = reached.gather(1, (target_lengths * 2 - 1).clamp(min=0).unsqueeze(1))
    before = mlx.where(target_lengths.unsqueeze(1) > 0, before, zero)
    return mlx.cat([last, before], 1).logsumexp(1)

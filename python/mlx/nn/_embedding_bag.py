"""Bags of rows of a table: sums, means and maxima, written with other ops."""

from __future__ import annotations

import warnings

import mlx
from mlx._C import Tensor, _is_tracing, _op_namespaces, _raise_if_any

__all__ = ["embedding_bag"]


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """The sum, mean or maximum of the rows of `weight` that each bag of numbers names.

    Args:
        input: integers; the rows of a matrix are the bags, those of a vector begin at `offsets`.
        weight: the table (rows, columns).
        max_norm, norm_type, scale_grad_by_freq, sparse: as for `embedding`.
        mode: "sum", "mean" or "max". An empty bag gives zeros.
        per_sample_weights: a factor for each number, with mode "sum".
        include_last_offset: whether the last offset is the end of the last bag.
        padding_idx: numbers that count as not in the bag.

    Returns:
        (bags, columns).

    >>> import mlx
    >>> mlx.nn.functional.embedding_bag(mlx.tensor([[0, 1]]), mlx.eye(2), mode="sum")
    tensor([[1., 1.]])
    """
    if weight.dtype == mlx.int64 and input.is_floating_point():  # the order of old PyTorch programs
        warnings.warn(
            "embedding_bag(weight, input, ...) is deprecated: the order is embedding_bag(input, weight, ...)",
            stacklevel=2,
        )
        input, weight = weight, input
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not None, then it "
            f"must have the same shape as the input ({list(input.shape)})"
        )
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            f"embedding_bag: per_sample_weights was not None. It is only supported for mode='sum' (got "
            f"mode={mode!r})."
        )
    numbers, starts, bags = _flat_bags(input, offsets, include_last_offset)
    bag_of = _bag_of(numbers, starts)
    rows = _op_namespaces["nn.functional"]["embedding"](
        numbers, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse
    )
    if mode != "max" and rows.dtype in (mlx.float16, mlx.bfloat16):
        rows = rows.float()  # added up before they are rounded
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    counted = mlx.ones_like(numbers, dtype=mlx.bool)
    if padding_idx is not None:
        counted = numbers != padding_idx % weight.size(0)
        rows = rows.masked_fill(~counted.unsqueeze(1), -float("inf") if mode == "max" else 0)
    counts = _in_each(bag_of, bags, counted)
    if mode == "max":
        return _maxima(rows, bag_of, counts)
    sums = rows.new_zeros(bags, rows.size(1)).index_add(0, bag_of, rows)
    if mode == "mean":
        sums = sums / counts.clamp(min=1).to(rows.dtype).unsqueeze(1)
    return sums.to(weight.dtype)


def _flat_bags(
    input: Tensor, offsets: Tensor | None, include_last_offset: bool
) -> tuple[Tensor, Tensor, int]:
    """All numbers in a row, where the bags begin among them, and how many bags there are."""
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed "
                f"length sequences. However, found offsets of type {type(offsets)}"
            )
        bags, length = input.shape
        return input.reshape(-1), mlx.arange(bags, device=input.device) * length, bags
    if input.dim() != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.dim() != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    if offsets.numel():
        wrong = (offsets[0] != 0) | (offsets[-1] > input.numel()) | (offsets[1:] < offsets[:-1]).any()
        _raise_if_any(
            wrong,
            "embedding_bag(): offsets must begin with 0, increase, and not pass the end of the input "
            f"({input.numel()})",
        )
    starts = offsets[:-1] if include_last_offset else offsets
    return input, starts, starts.numel()


def _bag_of(numbers: Tensor, starts: Tensor) -> Tensor:
    """Which bag each of the numbers is in: the last that begins at or before it."""
    places = mlx.arange(numbers.numel(), device=numbers.device)
    return mlx.searchsorted(starts.to(mlx.int64), places, right=True) - 1


def _in_each(bag_of: Tensor, bags: int, counted: Tensor) -> Tensor:
    """How many numbers that count each bag holds."""
    return counted.new_zeros(bags, dtype=mlx.int64).index_add(0, bag_of, counted.to(mlx.int64))


def _maxima(rows: Tensor, bag_of: Tensor, counts: Tensor) -> Tensor:
    """The largest of each bag's rows, zeros where none counts."""
    bags = counts.numel()
    sizes = _in_each(bag_of, bags, mlx.ones_like(bag_of, dtype=mlx.bool))
    # How long the longest bag is has to be known. In a compiled function it is not: as long as all together.
    longest = rows.size(0) if _is_tracing() else int(sizes.max()) if bags else 0
    if longest == 0:
        return rows.new_zeros(bags, rows.size(1)) + 0 * rows.sum()
    # A table of bags with room for the longest; what is left over is below everything.
    place = mlx.arange(rows.size(0), device=rows.device) - (sizes.cumsum(0) - sizes)[bag_of]
    table = rows.new_full((bags, longest, rows.size(1)), -float("inf")).index_put((bag_of, place), rows)
    return mlx.where((counts == 0).unsqueeze(1), rows.new_zeros(()), table.max(1).values)

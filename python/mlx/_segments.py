"""Reductions over stretches of a dimension."""

from __future__ import annotations

import math

from mlx import _C
from mlx._C import Tensor

__all__ = ["segment_reduce"]

# What the scatter calls a reduction, and what an empty segment comes to.
_REDUCTIONS = {
    "sum": ("sum", 0.0),
    "mean": ("sum", math.nan),
    "prod": ("prod", 1.0),
    "max": ("amax", -math.inf),
    "min": ("amin", math.inf),
}


def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Tensor:
    """The sum, mean, product, maximum or minimum of each of the segments that a dimension is cut into.

    Args:
        data: floating point, of shape (batch..., n, rest...).
        reduce: "sum", "mean", "prod", "max" or "min".
        lengths: of shape (batch..., segments): how long the segments are; together n.
        offsets: instead, of shape (batch..., segments + 1): where they begin, and where the last ends.
        axis: the dimension that is cut: the last of `lengths`.
        unsafe: whether the lengths are not checked. What is beyond them is not reduced.
        initial: where reductions begin, and what empty segments come to; if not given, these are 0 of sums, 1
            of products, -inf of maxima, inf of minima and NaN of means.

    Returns:
        (batch..., segments, rest...). A gradient of a maximum is shared by equal elements.

    >>> import mlx
    >>> mlx.segment_reduce(mlx.tensor([1.0, 2.0, 3.0]), "sum", lengths=mlx.tensor([1, 2]))
    tensor([1., 5.])
    """
    if reduce not in _REDUCTIONS:
        raise RuntimeError(f"segment_reduce(): unsupported reduction {reduce!r}; one of {list(_REDUCTIONS)}")
    if indices is not None:
        raise RuntimeError(
            "segment_reduce(): indices based reduction is not supported; give lengths or offsets"
        )
    if not data.is_floating_point():
        raise RuntimeError(f"segment_reduce(): data must be floating point, got {data.dtype}")
    axis = axis % data.dim() if data.dim() else 0
    cuts = _cuts(data, lengths, offsets, axis, unsafe)
    batch, n = data.shape[:axis], data.shape[axis]
    segments, rest = cuts.shape[-1] - 1, math.prod(data.shape[axis + 1 :])
    flat = data.reshape(-1, n, rest)
    cuts = cuts.reshape(flat.shape[0], -1).to(data.device)

    # The segment of each place; those outside all segments go to one that is cut off again.
    places = _C.arange(n, device=data.device).expand(flat.shape[0], n).contiguous()
    segment = _C.searchsorted(cuts.contiguous(), places, right=True) - 1
    segment = _C.where((segment < 0) | (segment >= segments), segments, segment)
    name, empty = _REDUCTIONS[reduce]
    start = (0.0 if reduce == "mean" else empty) if initial is None else initial
    out = data.new_full((flat.shape[0], segments + 1, rest), start)
    out = out.scatter_reduce(1, segment.unsqueeze(-1).expand(flat.shape), flat, name, include_self=True)
    out = out[:, :segments]
    if reduce == "mean":
        counts = cuts.diff(dim=-1).unsqueeze(-1)
        blank = empty if initial is None else initial
        out = _C.where(counts > 0, out / counts.clamp(min=1).to(out.dtype), blank)
    return out.reshape(*batch, segments, *data.shape[axis + 1 :])


def _cuts(data: Tensor, lengths: Tensor | None, offsets: Tensor | None, axis: int, unsafe: bool) -> Tensor:
    """Where segments begin, and where the last ends: (batch..., segments + 1)."""
    given = lengths if lengths is not None else offsets
    if given is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if given.dim() != axis + 1 or given.shape[:-1] != data.shape[:axis]:
        raise RuntimeError(
            f"segment_reduce(): {'offsets' if lengths is None else 'lengths'} of shape {tuple(given.shape)} "
            f"do not cut dimension {axis} of data of shape {tuple(data.shape)}: expected {axis + 1} "
            f"dimensions, all but the last as those of data"
        )
    if lengths is None:
        return given.long()
    lengths = lengths.long()
    if not unsafe:
        size = data.shape[axis]
        _C._raise_if_any((lengths < 0).any(), "segment_reduce(): lengths contains negative value!")
        _C._raise_if_any(
            (lengths.sum(-1) != size).any(),
            f"segment_reduce(): Expected all rows of lengths along axis to sum to data.size(axis) = {size}",
        )
    return _C.cat([lengths.new_zeros((*lengths.shape[:-1], 1)), lengths.cumsum(-1)], -1)

"""Sequences of different lengths: padded to one tensor, or packed without what pads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import mlx
from mlx._C import Tensor, _op_namespaces

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences of different lengths, step by step: all first elements, then all second ones, and so on.

    Attributes:
        data: the elements; sequences come longest first.
        batch_sizes: how many sequences reach each step, int64, on the CPU.
        sorted_indices, unsorted_indices: the order that the sequences were brought into, and its inverse.
    """

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if unsorted_indices is None and sorted_indices is not None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with `data` of another dtype or on another device."""
        data = self.data.to(*args, **kwargs)
        order = [None if i is None else i.to(data.device) for i in self[2:]]
        return type(self)(data, self.batch_sizes, *order)

    def float(self) -> PackedSequence:
        """With float32 data."""
        return self.to(mlx.float32)

    def double(self) -> PackedSequence:
        """With float64 data."""
        return self.to(mlx.float64)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes one.

    >>> import mlx
    >>> invert_permutation(mlx.tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    if permutation is None:
        return None
    return mlx.empty_like(permutation).scatter_(
        0, permutation, mlx.arange(permutation.numel(), dtype=permutation.dtype, device=permutation.device)
    )


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (length, ...) as one tensor (longest, batch, ...), or (batch, longest, ...).

    >>> import mlx
    >>> pad_sequence([mlx.ones(3), mlx.ones(1)], batch_first=True)
    tensor([[1., 1., 1.],
            [1., 0., 0.]])
    """
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"padding_side should be one of right or left, not {padding_side}")
    if isinstance(sequences, Tensor):
        sequences = sequences.unbind(0)
    rows = list(sequences)
    if not rows:
        raise RuntimeError("received an empty list of sequences")
    longest = max(row.size(0) for row in rows)
    padded = []
    for row in rows:
        missing = [0] * (2 * row.dim())
        missing[-1 if padding_side == "right" else -2] = longest - row.size(0)
        padded.append(_op_namespaces["nn.functional"]["pad"](row, missing, value=padding_value))
    return mlx.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences that were padded to one tensor."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:n] for row, n in zip(rows, lengths.tolist(), strict=True)]


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """Pack padded sequences.

    Args:
        input: (longest, batch, ...), or (batch, longest, ...) if `batch_first`.
        lengths: of each of the batch.
        enforce_sorted: whether they must come longest first; otherwise they are sorted.

    >>> import mlx
    >>> packed = pack_padded_sequence(mlx.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
    >>> packed.data, packed.batch_sizes
    (tensor([1, 3, 2]), tensor([2, 1]))
    """
    counts = mlx.as_tensor(lengths, dtype=mlx.int64, device="cpu")
    steps = input.transpose(0, 1) if batch_first else input
    order = None
    if enforce_sorted:
        if (counts[1:] > counts[:-1]).any().item():
            raise RuntimeError(
                "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can "
                "pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this "
                "requirement."
            )
    else:
        counts, order = counts.sort(descending=True, stable=True)
        order = order.to(steps.device)
        steps = steps.index_select(1, order)
    if counts.numel() != steps.size(1):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {counts.numel()} (batch_size="
            f"{steps.size(1)})"
        )
    if counts.numel() and counts[-1].item() <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element that is <= 0"
        )
    batch_sizes = (mlx.arange(int(counts[0]), device="cpu").unsqueeze(1) < counts).sum(1)
    return PackedSequence(steps[_places(batch_sizes, steps.device)], batch_sizes, order)


def _places(batch_sizes: Tensor, device: mlx.device) -> tuple[Tensor, Tensor]:
    """The step and the sequence of each packed element."""
    used = mlx.arange(int(batch_sizes[0]), device="cpu") < batch_sizes.unsqueeze(1)
    steps, rows = used.nonzero().to(device).unbind(1)
    return steps, rows


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The inverse of `pack_padded_sequence`: the padded sequences in their first order, and their lengths."""
    longest = sequence.batch_sizes.numel()
    if total_length is not None and total_length < longest:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {longest}"
        )
    data = sequence.data
    shape = [total_length or longest, int(sequence.batch_sizes[0]), *data.shape[1:]]
    padded = data.new_full(shape, padding_value).index_put(_places(sequence.batch_sizes, data.device), data)
    rows = mlx.arange(shape[1], device="cpu")
    lengths = (sequence.batch_sizes.unsqueeze(1) > rows).sum(0)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.cpu()]
    return padded.transpose(0, 1) if batch_first else padded, lengths


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack sequences (length, ...)."""
    lengths = [s.size(0) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)

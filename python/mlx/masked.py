"""Reductions and normalisations that leave elements out: those for which a mask is False.

What is left out counts as the identity of the reduction: 0 for `sum`, 1 for `prod`, minus infinity for
`amax`, so that it changes nothing, whatever it is, NaN too. Where a mask leaves nothing, the result is that
identity, and NaN for `mean`, `median`, `var` and `std`, which have none.

All functions take

    input: the tensor.
    dim: the dimensions to reduce, one or some; all of them unless given. The functions that reduce or
        normalise along one dimension take one.
    keepdim: whether the dimensions that were reduced stay, with size 1.
    dtype: the dtype of the result; unless given that of the input, also for `argmax` and `argmin`. Integers
        are summed and multiplied in int64.
    mask: bool, of a shape that broadcasts to the input's: True where an element takes part. None: all do.

and raise IndexError for a mask of more dimensions than the input or a dimension that is not there, and
RuntimeError for a mask that does not broadcast.

>>> import mlx
>>> x = mlx.tensor([[-3, -2, -1], [0, 1, 2]])
>>> mask = mlx.tensor([[True, False, True], [False, False, False]])
>>> mlx.masked.sum(x, 1, mask=mask)
tensor([-4,  0])
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import mlx
from mlx._C import Tensor
from mlx._C import dtype as DType

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "median",
    "norm",
    "normalize",
    "prod",
    "softmax",
    "softmin",
    "std",
    "sum",
    "var",
]

Dims = int | Sequence[int] | None

# ---- masks, dimensions, identities


def _broadcast(input: Tensor, mask: Tensor) -> Tensor:
    """The mask as bool, in the input's shape."""
    if mask.dim() > input.dim():
        raise IndexError(
            f"masked: expected a mask of at most {input.dim()} dimensions, those of the input of shape "
            f"{tuple(input.shape)}, but got one of shape {tuple(mask.shape)}"
        )
    return mask.broadcast_to(input.shape).to(mlx.bool)


def _filled(input: Tensor, mask: Tensor | None, identity: float) -> Tensor:
    """The input with an identity in place of what the mask leaves out."""
    return input if mask is None else input.masked_fill(~_broadcast(input, mask), identity)


def _dims(dim: Dims, input: Tensor) -> tuple[int, ...]:
    """The dimensions meant, counted from the front, in order."""
    if dim is None or (isinstance(dim, Sequence) and not dim):
        return tuple(range(input.dim()))
    count = max(input.dim(), 1)
    dims: list[int] = []
    for d in (dim,) if isinstance(dim, int) else dim:
        if not -count <= d < count:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-count}, {count - 1}], but got {d})"
            )
        if d % count in dims:
            raise RuntimeError(f"dim={d} appears multiple times in the list of dims")
        dims.append(d % count)
    return tuple(sorted(dims))


def _lowest(dtype: DType) -> float:
    """What is not above any number of a dtype."""
    if dtype == mlx.bool:
        return False
    return -math.inf if dtype.is_floating_point or dtype.is_complex else mlx.iinfo(dtype).min


def _highest(dtype: DType) -> float:
    """What is not below any number of a dtype."""
    if dtype == mlx.bool:
        return True
    return math.inf if dtype.is_floating_point or dtype.is_complex else mlx.iinfo(dtype).max


def _is_integral(dtype: DType) -> bool:
    return not (dtype.is_floating_point or dtype.is_complex)


def _accumulated(input: Tensor, dtype: DType | None) -> DType:
    """The dtype in which sums and products are taken."""
    if dtype is None:
        return mlx.int64 if _is_integral(input.dtype) else input.dtype
    return dtype


# ---- sums and products


def sum(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The sum of the elements that the mask keeps, 0 where it keeps none.

    >>> import mlx
    >>> mlx.masked.sum(mlx.tensor([1.0, 2.0, 4.0]), mask=mlx.tensor([True, False, True]))
    tensor(5.)
    """
    kept = _filled(input, mask, 0)
    return mlx.sum(kept, _dims(dim, input), keepdim, dtype=_accumulated(input, dtype))


def prod(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The product of the elements that the mask keeps, 1 where it keeps none.

    >>> import mlx
    >>> mlx.masked.prod(mlx.tensor([3.0, 0.0, 4.0]), mask=mlx.tensor([True, False, True]))
    tensor(12.)
    """
    result = _filled(input, mask, 1).to(_accumulated(input, dtype))
    for d in reversed(_dims(dim, input)):
        result = result.prod(d, keepdim)
    return result


def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """The running sum along a dimension; what the mask leaves out adds nothing.

    >>> import mlx
    >>> mlx.masked.cumsum(mlx.tensor([1.0, 2.0, 4.0]), 0, mask=mlx.tensor([True, False, True]))
    tensor([1., 1., 5.])
    """
    return mlx.cumsum(_filled(input, mask, 0), _dims(dim, input)[0], dtype=dtype or input.dtype)


def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """The running product along a dimension; what the mask leaves out changes nothing.

    >>> import mlx
    >>> mlx.masked.cumprod(mlx.tensor([3.0, 0.0, 4.0]), 0, mask=mlx.tensor([True, False, True]))
    tensor([ 3.,  3., 12.])
    """
    return mlx.cumprod(_filled(input, mask, 1), _dims(dim, input)[0], dtype=dtype or input.dtype)


# ---- extremes


def amax(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The largest element that the mask keeps; minus infinity, or the dtype's least, where it keeps none.

    >>> import mlx
    >>> mlx.masked.amax(mlx.tensor([[1.0, 9.0], [3.0, 4.0]]), 1, mask=mlx.tensor([True, False]))
    tensor([1., 3.])
    """
    kept = _filled(input, mask, _lowest(input.dtype))
    return mlx.amax(kept, _dims(dim, input), keepdim).to(dtype or input.dtype)


def amin(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The least element that the mask keeps; infinity, or the dtype's largest, where it keeps none.

    >>> import mlx
    >>> mlx.masked.amin(mlx.tensor([[1.0, 0.0], [3.0, 2.0]]), 1, mask=mlx.tensor([True, False]))
    tensor([1., 3.])
    """
    kept = _filled(input, mask, _highest(input.dtype))
    return mlx.amin(kept, _dims(dim, input), keepdim).to(dtype or input.dtype)


def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Where the largest element is that the mask keeps, without `dim` in the flattened input.

    The place is given in the input's dtype; pass `dtype=mlx.int64` for a number to index with.

    >>> import mlx
    >>> mask = mlx.tensor([True, False, True])
    >>> mlx.masked.argmax(mlx.tensor([1.0, 9.0, 3.0]), 0, dtype=mlx.int64, mask=mask)
    tensor(2)
    """
    kept = _filled(input, mask, _lowest(input.dtype))
    return mlx.argmax(kept, dim, keepdim).to(dtype or input.dtype)


def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Where the least element is that the mask keeps, without `dim` in the flattened input.

    The place is given in the input's dtype; pass `dtype=mlx.int64` for a number to index with.

    >>> import mlx
    >>> mask = mlx.tensor([True, False, True])
    >>> mlx.masked.argmin(mlx.tensor([1.0, 0.0, 3.0]), 0, dtype=mlx.int64, mask=mask)
    tensor(0)
    """
    kept = _filled(input, mask, _highest(input.dtype))
    return mlx.argmin(kept, dim, keepdim).to(dtype or input.dtype)


# ---- statistics


def _counts(input: Tensor, dims: tuple[int, ...], keepdim: bool, mask: Tensor | None) -> Tensor:
    """How many elements take part in each result, int64."""
    taking_part = mlx.ones((), dtype=mlx.bool, device=input.device) if mask is None else mask
    shown = taking_part.to(mlx.bool).broadcast_to(input.shape)
    return mlx.sum(shown, dims, keepdim, dtype=mlx.int64)


def mean(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The mean of the elements that the mask keeps, NaN where it keeps none.

    Raises:
        ValueError: when the dtype, or without one the input's, is neither floating point nor complex.

    >>> import mlx
    >>> mlx.masked.mean(mlx.tensor([1.0, 9.0, 3.0]), mask=mlx.tensor([True, False, True]))
    tensor(2.)
    """
    if _is_integral(dtype or input.dtype):
        raise ValueError(
            f"mean(): could not infer the output dtype. The dtype, or the input's where none is given, must "
            f"be floating point or complex, but got {dtype or input.dtype}"
        )
    total = sum(input, dim, keepdim=keepdim, dtype=dtype or input.dtype, mask=mask)
    return total / _counts(input, _dims(dim, input), keepdim, mask)


def median(
    input: Tensor,
    dim: int = -1,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The median of the elements that the mask keeps, of two in the middle the lower; NaNs count as left out.

    Raises:
        ValueError: when the input is of integers and the mask keeps none of those of a result.

    >>> import mlx
    >>> mlx.masked.median(mlx.tensor([1.0, 9.0, 3.0, 5.0]), mask=mlx.tensor([True, False, True, True]))
    tensor(3.)
    """
    along = _dims(dim, input)[0]
    if input.dtype.is_floating_point:
        kept = _filled(input, mask, math.nan)
        return mlx.nanmedian(kept, along, keepdim).values.to(dtype or input.dtype)
    counts = _counts(input, (along,), True, mask)
    if bool((counts == 0).any()):
        raise ValueError("masked median expects no fully masked out rows if dtype is not floating point")
    ordered = mlx.sort(_filled(input, mask, _highest(input.dtype)), along).values
    middle = ordered.gather(along, (counts - 1) // 2)
    return (middle if keepdim else middle.squeeze(along)).to(dtype or input.dtype)


def _variance(
    input: Tensor,
    dim: Dims,
    unbiased: bool | None,
    correction: float | None,
    keepdim: bool,
    dtype: DType | None,
    mask: Tensor | None,
) -> Tensor:
    """The squares of the distances from the mean, over their number less the correction."""
    if unbiased is not None and correction is not None:
        raise AssertionError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 0 if unbiased is False else 1
    result_dtype = dtype or (mlx.float32 if _is_integral(input.dtype) else input.dtype)
    computed_in = mlx.float32 if _is_integral(result_dtype) else result_dtype
    dims = _dims(dim, input)
    # Filled before the mean is taken from them, and again after: so what is left out, though it were
    # infinite, has a gradient of 0.
    kept = _filled(input, mask, 0)
    average = mlx.sum(kept, dims, True, dtype=result_dtype) / _counts(input, dims, True, mask)
    distance = _filled(kept - average, mask, 0)
    total = mlx.sum(distance * distance.conj(), dims, keepdim, dtype=computed_in)
    counts = _counts(input, dims, keepdim, mask).to(total.real.dtype if total.is_complex() else total.dtype)
    return (total / (counts - correction).clamp(min=0)).to(result_dtype)


def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The variance of the elements that the mask keeps, NaN where it keeps none.

    Args:
        unbiased: False divides by the number of elements n, True, the default, by n - 1.
        correction: what is subtracted from n instead. Give one of the two.

    >>> import mlx
    >>> mlx.masked.var(mlx.tensor([1.0, 9.0, 3.0]), mask=mlx.tensor([True, False, True]))
    tensor(2.)
    """
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask)


def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The standard deviation of the elements that the mask keeps: the root of `var`, which see.

    >>> import mlx
    >>> mlx.masked.std(mlx.tensor([1.0, 9.0, 3.0]), unbiased=False, mask=mlx.tensor([True, False, True]))
    tensor(1.)
    """
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask).sqrt()


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The vector norm of order `ord` of the elements that the mask keeps.

    Where it keeps none the norm is 0, and infinity for the order of minus infinity, the least magnitude.

    >>> import mlx
    >>> mlx.masked.norm(mlx.tensor([3.0, 9.0, 4.0]), mask=mlx.tensor([True, False, True]))
    tensor(5.)
    """
    order = 2.0 if ord is None else ord
    kept = _filled(input, mask, math.inf if order == -math.inf else 0)
    return mlx.linalg.vector_norm(kept, order, _dims(dim, input), keepdim, dtype=dtype or input.dtype)


# ---- exponentials


def logsumexp(
    input: Tensor,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """The logarithm of the sum of exponentials of what the mask keeps, minus infinity where it keeps none.

    >>> import mlx
    >>> mlx.masked.logsumexp(mlx.tensor([0.0, 9.0, 0.0]), mask=mlx.tensor([True, False, True]))
    tensor(0.6931)
    """
    kept = _filled(input, mask, _lowest(input.dtype))
    return mlx.logsumexp(kept, _dims(dim, input), keepdim).to(dtype or input.dtype)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: DType | None = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """The logarithm of the sum of the exponentials of two tensors' elements, each with a mask of its own.

    >>> import mlx
    >>> mlx.masked.logaddexp(mlx.zeros(2), mlx.zeros(2), other_mask=mlx.tensor([True, False]))
    tensor([0.6931, 0.0000])
    """
    a = _filled(input, input_mask, _lowest(input.dtype))
    b = _filled(other, other_mask, _lowest(other.dtype))
    return mlx.logaddexp(a, b).to(dtype or input.dtype)


def softmax(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """The softmax along a dimension of what the mask keeps: 0 for the others, NaN where it keeps none.

    >>> import mlx
    >>> mlx.masked.softmax(mlx.tensor([1.0, 9.0, 1.0]), 0, mask=mlx.tensor([True, False, True]))
    tensor([0.5000, 0.0000, 0.5000])
    """
    kept = _filled(input, mask, _lowest(input.dtype))
    return mlx.softmax(kept, _dims(dim, input)[0], dtype=dtype or input.dtype)


def log_softmax(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """The logarithm of `softmax`: minus infinity for what the mask leaves out, NaN where it keeps none.

    >>> import mlx
    >>> mlx.masked.log_softmax(mlx.tensor([1.0, 9.0, 1.0]), 0, mask=mlx.tensor([True, False, True]))
    tensor([-0.6931,    -inf, -0.6931])
    """
    kept = _filled(input, mask, _lowest(input.dtype))
    return mlx.log_softmax(kept, _dims(dim, input)[0], dtype=dtype or input.dtype)


def softmin(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """The softmax of the negated input: 0 for what the mask leaves out, NaN where it keeps none.

    >>> import mlx
    >>> mlx.masked.softmin(mlx.tensor([1.0, 0.0, 1.0]), 0, mask=mlx.tensor([True, False, True]))
    tensor([0.5000, 0.0000, 0.5000])
    """
    kept = _filled(input, mask, _highest(input.dtype))
    return mlx.nn.functional.softmin(kept, _dims(dim, input)[0], dtype=dtype or input.dtype)


def normalize(
    input: Tensor,
    ord: float,
    dim: int,
    *,
    eps: float = 1e-12,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """What the mask keeps over its norm of order `ord` along a dimension, 0 for the others.

    Args:
        eps: the least norm that is divided by.

    >>> import mlx
    >>> mlx.masked.normalize(mlx.tensor([3.0, 9.0, 4.0]), 2, 0, mask=mlx.tensor([True, False, True]))
    tensor([0.6000, 0.0000, 0.8000])
    """
    if dtype is None and input.dtype == mlx.float16:  # in which eps would be zero
        return normalize(input.float(), ord, dim, eps=eps, mask=mask).to(input.dtype)
    length = norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _filled(input, mask, 0) / mlx.maximum(length, length.new_full((), eps))

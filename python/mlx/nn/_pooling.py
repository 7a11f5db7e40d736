"""Pooling: the ops of the core behind PyTorch's signatures."""

from __future__ import annotations

import math
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor, _op_namespaces

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "fractional_max_pool2d",
    "fractional_max_pool3d",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


def _max_pool(kernel: Any, input: Tensor, *window: Any, return_indices: bool) -> Any:
    kernel_size, stride, *rest = window
    values, indices = kernel(input, kernel_size, [] if stride is None else stride, *rest)
    return (values, indices) if return_indices else values


def max_pool1d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of a signal (..., channels, length).

    With `return_indices` also where it lies, as a number into the length.
    """
    return _max_pool(
        _C._max_pool1d,
        input,
        kernel_size,
        stride,
        padding,
        dilation,
        ceil_mode,
        return_indices=return_indices,
    )


def max_pool2d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of an image (..., channels, height, width).

    With `return_indices` also where it lies, as a number into the flattened image.

    >>> import mlx
    >>> mlx.nn.functional.max_pool2d(mlx.arange(4.0).view(1, 2, 2), 2)
    tensor([[[3.]]])
    """
    return _max_pool(
        _C._max_pool2d,
        input,
        kernel_size,
        stride,
        padding,
        dilation,
        ceil_mode,
        return_indices=return_indices,
    )


def max_pool3d(
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The maximum of each window of a volume (..., channels, depth, height, width).

    With `return_indices` also where it lies, as a number into the flattened volume.
    """
    return _max_pool(
        _C._max_pool3d,
        input,
        kernel_size,
        stride,
        padding,
        dilation,
        ceil_mode,
        return_indices=return_indices,
    )


def _sizes(input: Tensor, output_size: Any, dims: int) -> list[int]:
    """A requested output size as a list; None keeps the input's, which the core spells -1."""
    if input.dim() not in (dims + 1, dims + 2):
        raise ValueError(
            f"adaptive pooling: expected an input of {dims + 1} or {dims + 2} dimensions, got {input.dim()}"
        )
    sizes = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * dims
    if any(s is not None and s < 0 for s in sizes):
        raise RuntimeError(f"adaptive pooling: output_size must not be negative, but is {output_size}")
    return [-1 if s is None else s for s in sizes]


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of `output_size` cells of nearly equal size of a signal (..., channels, length)."""
    return _C._adaptive_avg_pool1d(input, _sizes(input, output_size, 1))


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of cells of nearly equal size of an image (..., channels, height, width)."""
    return _C._adaptive_avg_pool2d(input, _sizes(input, output_size, 2))


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of cells of nearly equal size of a volume (..., channels, depth, height, width)."""
    return _C._adaptive_avg_pool3d(input, _sizes(input, output_size, 3))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of `output_size` cells of a signal (..., channels, length)."""
    values, indices = _C._adaptive_max_pool1d(input, _sizes(input, output_size, 1))
    return (values, indices) if return_indices else values


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each cell of an image (..., channels, height, width)."""
    values, indices = _C._adaptive_max_pool2d(input, _sizes(input, output_size, 2))
    return (values, indices) if return_indices else values


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each cell of a volume (..., channels, depth, height, width)."""
    values, indices = _C._adaptive_max_pool3d(input, _sizes(input, output_size, 3))
    return (values, indices) if return_indices else values


def _per_dim(value: Any, dims: int) -> list[int]:
    return list(value) if isinstance(value, (tuple, list)) else [value] * dims


def _lp_pool(
    dims: int, input: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    if input.dim() not in (dims + 1, dims + 2):
        raise ValueError(
            f"lp_pool{dims}d(): expected input of {dims + 1} or {dims + 2} dimensions, got {input.dim()}"
        )
    mean = _op_namespaces["nn.functional"][f"avg_pool{dims}d"]
    means = mean(input.pow(norm_type), kernel_size, [] if stride is None else stride, 0, ceil_mode)
    sums = means * math.prod(_per_dim(kernel_size, dims))
    # The gradient of the root of 0 is infinite; relu keeps it from the input, as PyTorch's does.
    return (sums.sign() * _op_namespaces["nn.functional"]["relu"](sums.abs())).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of a signal (..., channels, length).

    >>> import mlx
    >>> mlx.nn.functional.lp_pool1d(mlx.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of an image (..., channels, height, width)."""
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of a volume (..., channels, depth, height, width)."""
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _unpooled_size(dims: int, input: Tensor, window: tuple[Any, Any, Any], output_size: Any) -> list[int]:
    kernel, stride, padding = (_per_dim(v, dims) for v in window)
    usual = [(input.size(d - dims) - 1) * stride[d] + kernel[d] - 2 * padding[d] for d in range(dims)]
    if output_size is None:
        return usual
    sizes = list(output_size)[-dims:]
    if len(output_size) not in (dims, dims + 1, dims + 2):
        raise ValueError(
            f"max_unpool{dims}d(): output_size should be a sequence containing {dims} to {dims + 2} "
            f"elements, but it has a length of '{len(output_size)}'"
        )
    for d, (size, middle) in enumerate(zip(sizes, usual, strict=True)):
        if not middle - stride[d] < size < middle + stride[d]:
            raise ValueError(
                f'max_unpool{dims}d(): invalid output_size "{sizes}" (dim {d} must be between '
                f"{middle - stride[d]} and {middle + stride[d]})"
            )
    return sizes


def _max_unpool(
    dims: int, input: Tensor, indices: Tensor, window: tuple[Any, Any, Any], output_size: Any
) -> Tensor:
    if indices.shape != input.shape:
        raise RuntimeError(
            f"max_unpool{dims}d(): Expected shape of indices to be that of the input, {input.shape}, but "
            f"got {indices.shape}"
        )
    if indices.dtype != mlx.int64:
        raise RuntimeError(
            f"max_unpool{dims}d(): elements in indices should be type int64 but got: {indices.dtype}"
        )
    kernel_size, stride, padding = window
    strides = kernel_size if stride is None else stride
    sizes = _unpooled_size(dims, input, (kernel_size, strides, padding), output_size)
    lead = list(input.shape[:-dims])
    flat = input.new_zeros([*lead, math.prod(sizes)])
    start = input.dim() - dims
    return flat.scatter(-1, indices.flatten(start), input.flatten(start)).reshape([*lead, *sizes])


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """The maxima that `max_pool1d` found, back at their places, zeros around them."""
    return _max_unpool(1, input, indices, (kernel_size, stride, padding), output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """The maxima that `max_pool2d` found, back at their places, zeros around them."""
    return _max_unpool(2, input, indices, (kernel_size, stride, padding), output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """The maxima that `max_pool3d` found, back at their places, zeros around them."""
    return _max_unpool(3, input, indices, (kernel_size, stride, padding), output_size)


# ---- windows at random steps


def _window_starts(samples: Tensor, size: int, kernel: int, out: int) -> Tensor:
    """Where the `out` windows along a dimension begin: one more dimension behind that of the samples.

    Graham's pseudo-random sequence: the whole parts of multiples of a step, less that of the first, and the
    last window at the end.
    """
    last = mlx.full_like(samples, size - kernel, dtype=mlx.int64).unsqueeze(-1)
    if out <= 1:
        return last[..., :out]
    step = (size - kernel) / (out - 1)
    places = mlx.arange(out - 1, dtype=samples.dtype, device=samples.device)
    shift = samples.unsqueeze(-1)
    return mlx.cat([((places + shift) * step).to(mlx.int64) - (shift * step).to(mlx.int64), last], -1)


def _window_places(samples: Tensor, sizes: list[int], kernel: list[int], out: list[int]) -> Tensor:
    """The elements of each window, as numbers into the flattened image: (batch, channels, *out, elements)."""
    dims = len(sizes)
    places: Any = 0
    for d in range(dims):
        # PyTorch draws in the order width, height for images, and depth, height, width for volumes.
        starts = _window_starts(samples[..., dims - 1 - d if dims == 2 else d], sizes[d], kernel[d], out[d])
        inside = starts.unsqueeze(-1) + mlx.arange(kernel[d], device=samples.device)
        shape = [1] * (2 * dims)
        shape[d], shape[dims + d] = out[d], kernel[d]
        places = places * sizes[d] + inside.reshape(*samples.shape[:2], *shape)
    return places.flatten(2 + dims)


def _fractional_sizes(
    op: str, input: Tensor, kernel: list[int], output_size: Any, output_ratio: Any
) -> list[int]:
    dims = len(kernel)
    sizes = list(input.shape[-dims:])
    if output_size is not None:
        out = _per_dim(output_size, dims)
    elif output_ratio is not None:
        ratios = _per_dim(output_ratio, dims)
        if len(ratios) != dims:
            raise ValueError(
                f"{op}(): expected output_ratio to be a number or {dims} of them, got {output_ratio}"
            )
        out = [int(size * ratio) for size, ratio in zip(sizes, ratios, strict=True)]
    else:
        raise ValueError(f"{op} requires specifying either an output_size or an output_ratio")
    if len(out) != dims or len(kernel) != dims or min(out) < 0 or min(kernel) < 1:
        raise RuntimeError(
            f"{op}(): expected {dims} positive sizes for the windows and the output, got {kernel} and {out}"
        )
    if any(o + k - 1 > size for o, k, size in zip(out, kernel, sizes, strict=True)):
        raise RuntimeError(
            f"{op}(): {out} windows of {kernel}, each at a place of its own, do not fit an input of {sizes}"
        )
    return out


def _fractional_max_pool(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    return_indices: bool,
    samples: Tensor | None,
) -> Any:
    op = f"fractional_max_pool{dims}d"
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{op}(): expected input of {dims + 1} or {dims + 2} dimensions, got {input.dim()}"
        )
    kernel = _per_dim(kernel_size, dims)
    out = _fractional_sizes(op, input, kernel, output_size, output_ratio)
    batch = input if input.dim() == dims + 2 else input.unsqueeze(0)
    lead = [*batch.shape[:2]]
    exact = mlx.float64 if input.dtype == mlx.float64 else mlx.float32
    if samples is None:
        samples = mlx.rand(*lead, dims, dtype=exact, device=input.device)
    elif list(samples.shape) != [*lead, dims]:
        raise RuntimeError(
            f"{op}(): expected _random_samples of shape {(*lead, dims)}, got {tuple(samples.shape)}"
        )
    places = _window_places(samples.to(exact), list(batch.shape[2:]), kernel, out)
    windows = batch.flatten(2).gather(2, places.flatten(2)).reshape(places.shape)
    values, chosen = windows.max(-1)
    indices = places.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)
    if input.dim() == dims + 1:
        values, indices = values.squeeze(0), indices.squeeze(0)
    return (values, indices) if return_indices else values


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maxima of windows at random steps of an image (..., channels, height, width).

    Graham, "Fractional Max-Pooling" (2014). The windows overlap.

    Args:
        kernel_size: of the windows, one number or (height, width).
        output_size: how many windows, one number or (height, width).
        output_ratio: the same as a fraction of the input's size. Give one of the two.
        return_indices: whether to return also where the maxima lie, as numbers into the flattened image.
        _random_samples: numbers in [0, 1) instead of random ones: (batch, channels, 2).

    Raises:
        ValueError: without a size and a ratio. RuntimeError: when the windows do not fit.

    >>> import mlx
    >>> mlx.nn.functional.fractional_max_pool2d(mlx.rand(3, 9, 9), 2, output_ratio=0.7).shape
    mlx.Size([3, 6, 6])
    """
    return _fractional_max_pool(
        2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maxima of windows at random steps of a volume (..., channels, depth, height, width).

    As `fractional_max_pool2d`, with three sizes for two, and `_random_samples` of (batch, channels, 3).
    """
    return _fractional_max_pool(
        3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )

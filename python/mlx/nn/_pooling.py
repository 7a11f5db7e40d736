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


def _sizes(output_size: Any, dims: int) -> list[int]:
    """A requested output size as a list; None keeps the input's, which the core spells -1."""
    sizes = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * dims
    return [-1 if s is None else s for s in sizes]


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of `output_size` cells of nearly equal size of a signal (..., channels, length)."""
    return _C._adaptive_avg_pool1d(input, _sizes(output_size, 1))


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of cells of nearly equal size of an image (..., channels, height, width)."""
    return _C._adaptive_avg_pool2d(input, _sizes(output_size, 2))


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of cells of nearly equal size of a volume (..., channels, depth, height, width)."""
    return _C._adaptive_avg_pool3d(input, _sizes(output_size, 3))


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of `output_size` cells of a signal (..., channels, length)."""
    values, indices = _C._adaptive_max_pool1d(input, _sizes(output_size, 1))
    return (values, indices) if return_indices else values


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each cell of an image (..., channels, height, width)."""
    values, indices = _C._adaptive_max_pool2d(input, _sizes(output_size, 2))
    return (values, indices) if return_indices else values


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The maximum of each cell of a volume (..., channels, depth, height, width)."""
    values, indices = _C._adaptive_max_pool3d(input, _sizes(output_size, 3))
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

"""The functions behind layers: activations, losses, normalisations, convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlx import _C
from mlx._C import Tensor, _op_namespaces
from mlx.nn._patches import (
    fold as fold,
    max_unpool1d as max_unpool1d,
    max_unpool2d as max_unpool2d,
    max_unpool3d as max_unpool3d,
    unfold as unfold,
)
from mlx.nn._resampling import (
    affine_grid as affine_grid,
    grid_sample as grid_sample,
    interpolate as interpolate,
    upsample as upsample,
    upsample_bilinear as upsample_bilinear,
    upsample_nearest as upsample_nearest,
)

globals().update(_op_namespaces.get("nn.functional", {}))

if TYPE_CHECKING:
    # The names that the line above adds.
    def __getattr__(name: str) -> Any: ...


scaled_dot_product_attention = _C._scaled_dot_product_attention


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

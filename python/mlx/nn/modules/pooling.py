"""Pooling: the maximum, mean or p-norm of windows or cells of signals, images and volumes."""

from __future__ import annotations

from typing import Any

from mlx._C import Tensor
from mlx.nn import functional as F
from mlx.nn.modules.module import Module
from mlx.nn.modules.utils import function_of, per_dim

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]


class _MaxPoolNd(Module):
    _dims: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return function_of("max_pool", self._dims)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """The maximum of each window of signals (..., channels, length); with `return_indices` also its place.

    >>> import mlx
    >>> mlx.nn.MaxPool1d(2)(mlx.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    _dims = 1


class MaxPool2d(_MaxPoolNd):
    """The maximum of each window of images (..., channels, height, width); with `return_indices` also its
    place."""

    _dims = 2


class MaxPool3d(_MaxPoolNd):
    """The maximum of each window of volumes (..., channels, depth, height, width); with `return_indices`
    also its place."""

    _dims = 3


class _MaxUnpoolNd(Module):
    _dims: int

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size = per_dim(kernel_size, self._dims)
        self.stride = per_dim(kernel_size if stride is None else stride, self._dims)
        self.padding = per_dim(padding, self._dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return function_of("max_unpool", self._dims)(
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """The maxima of `MaxPool1d` back at their places, zeros around them.

    >>> import mlx
    >>> x = mlx.tensor([[1.0, 3.0, 2.0, 0.0]])
    >>> mlx.nn.MaxUnpool1d(2)(*mlx.nn.MaxPool1d(2, return_indices=True)(x))
    tensor([[0., 3., 2., 0.]])
    """

    _dims = 1


class MaxUnpool2d(_MaxUnpoolNd):
    """The maxima of `MaxPool2d` back at their places, zeros around them."""

    _dims = 2


class MaxUnpool3d(_MaxUnpoolNd):
    """The maxima of `MaxPool3d` back at their places, zeros around them."""

    _dims = 3


class AvgPool1d(Module):
    """The mean of each window of signals (..., channels, length)."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = per_dim(kernel_size, 1)
        self.stride = per_dim(kernel_size if stride is None else stride, 1)
        self.padding = per_dim(padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPoolNd(Module):
    _dims: int

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return function_of("avg_pool", self._dims)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPoolNd):
    """The mean of each window of images (..., channels, height, width)."""

    _dims = 2


class AvgPool3d(_AvgPoolNd):
    """The mean of each window of volumes (..., channels, depth, height, width)."""

    _dims = 3


class _LPPoolNd(Module):
    _dims: int

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return function_of("lp_pool", self._dims)(
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """The p-norm of each window of signals (..., channels, length)."""

    _dims = 1


class LPPool2d(_LPPoolNd):
    """The p-norm of each window of images (..., channels, height, width)."""

    _dims = 2


class LPPool3d(_LPPoolNd):
    """The p-norm of each window of volumes (..., channels, depth, height, width)."""

    _dims = 3


class _AdaptiveAvgPoolNd(Module):
    _dims: int

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return function_of("adaptive_avg_pool", self._dims)(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """The means of `output_size` cells of nearly equal length of signals (..., channels, length)."""

    _dims = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """The means of cells of nearly equal size of images; None as a size keeps the input's.

    >>> import mlx
    >>> mlx.nn.AdaptiveAvgPool2d((1, None))(mlx.rand(2, 5, 7)).shape
    mlx.Size([2, 1, 7])
    """

    _dims = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """The means of cells of nearly equal size of volumes; None as a size keeps the input's."""

    _dims = 3


class _AdaptiveMaxPoolNd(Module):
    _dims: int

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return function_of("adaptive_max_pool", self._dims)(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """The maxima of `output_size` cells of nearly equal length of signals (..., channels, length)."""

    _dims = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """The maxima of cells of nearly equal size of images; None as a size keeps the input's."""

    _dims = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """The maxima of cells of nearly equal size of volumes; None as a size keeps the input's."""

    _dims = 3


class _FractionalMaxPoolNd(Module):
    _dims: int

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError(f"only one of output_size and output_ratio may be specified for {name}")
        self.kernel_size = per_dim(kernel_size, self._dims)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else per_dim(output_size, self._dims)
        self.output_ratio = None if output_ratio is None else per_dim(output_ratio, self._dims)
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        return function_of("fractional_max_pool", self._dims)(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            self._random_samples,
        )


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """The maxima of windows at random steps of images (..., channels, height, width).

    Args:
        kernel_size: of the windows, one number or two.
        output_size: how many windows, one number or two.
        output_ratio: the same as a fraction of the input's size, between 0 and 1. Give one of the two.
        return_indices: whether to return also where the maxima lie, for `MaxUnpool2d`.

    >>> import mlx
    >>> mlx.nn.FractionalMaxPool2d(2, output_ratio=0.5)(mlx.rand(3, 8, 6)).shape
    mlx.Size([3, 4, 3])
    """

    _dims = 2


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """The maxima of windows at random steps of volumes; arguments as for `FractionalMaxPool2d`."""

    _dims = 3

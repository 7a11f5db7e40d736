"""Convolutions and transposed convolutions over one, two or three dimensions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.nn import functional as F
from mlx.nn import init
from mlx.nn.modules.module import Module
from mlx.nn.modules.utils import function_of, per_dim
from mlx.nn.parameter import Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]


class _ConvNd(Module):
    """What all convolutions hold. Layers of one's own inherit from it, with all arguments and tuples of them.

    The weight is (out_channels, in_channels / groups, *kernel_size), when `transposed` the other way around.
    """

    _padding_modes = ("zeros", "reflect", "replicate", "circular")

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: str | tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in self._padding_modes:
            raise ValueError(
                f"padding_mode must be one of {list(self._padding_modes)}, "
                f"but got padding_mode={padding_mode!r}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.transposed = transposed
        self.output_padding = output_padding
        self.groups = groups
        self.padding_mode = padding_mode
        self._check_padding_name()
        self._reversed_padding_repeated_twice = self._edges()
        self._make_parameters(bias, device, dtype)

    def _check_padding_name(self) -> None:
        if not isinstance(self.padding, str):
            return
        if self.padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string {self.padding!r}, should be one of ['same', 'valid']")
        if self.padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        channels = (self.out_channels, self.in_channels)
        first, second = reversed(channels) if self.transposed else channels
        shape = (first, second // self.groups, *self.kernel_size)
        self.weight = Parameter(mlx.empty(shape, device=device, dtype=dtype))
        empty = Parameter(mlx.empty(self.out_channels, device=device, dtype=dtype)) if bias else None
        self.register_parameter("bias", empty)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        # A slope of sqrt(5) makes the bound 1 / sqrt(the inputs of an output).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in != 0:
            bound = 1 / math.sqrt(fan_in)
            init.uniform_(self.bias, -bound, bound)

    def _edges(self) -> list[int]:
        """What to pad in front of and behind each dimension, from the last one on, as `F.pad` takes it."""
        edges = []
        for d in reversed(range(len(self.kernel_size))):
            if isinstance(self.padding, str):
                total = self.dilation[d] * (self.kernel_size[d] - 1) if self.padding == "same" else 0
                edges += [total // 2, total - total // 2]
            else:
                edges += [self.padding[d]] * 2
        return edges

    def extra_repr(self) -> str:
        none = (0,) * len(self.kernel_size)
        parts = [f"{self.in_channels}, {self.out_channels}"]
        parts += [f"kernel_size={self.kernel_size}, stride={self.stride}"]
        parts += [f"padding={self.padding}"] if self.padding != none else []
        parts += [f"dilation={self.dilation}"] if self.dilation != (1,) * len(self.kernel_size) else []
        parts += [f"output_padding={self.output_padding}"] if self.output_padding != none else []
        parts += [f"groups={self.groups}"] if self.groups != 1 else []
        parts += ["bias=False"] if self.bias is None else []
        parts += [f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []
        return ", ".join(parts)


class _Convolution(_ConvNd):
    _dims: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        kernel_size, stride, dilation, none = (
            per_dim(value, self._dims) for value in (kernel_size, stride, dilation, 0)
        )
        padding = padding if isinstance(padding, str) else per_dim(padding, self._dims)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, False, none, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = 0
        return function_of("conv", self._dims)(
            input, weight, bias, self.stride, padding, self.dilation, self.groups
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Convolution):
    """A convolution of signals (..., channels, length).

    Args:
        in_channels, out_channels: of the input and the result.
        kernel_size, stride, padding, dilation: a number or a tuple of one; padding also "valid" or "same".
        groups: into how many parts the channels fall that do not see one another.
        bias: whether a number is added to each channel of the result.
        padding_mode: "zeros", "reflect", "replicate" or "circular".

    >>> import mlx
    >>> mlx.nn.Conv1d(4, 8, 3, padding="same")(mlx.rand(2, 4, 10)).shape
    mlx.Size([2, 8, 10])
    """

    _dims = 1


class Conv2d(_Convolution):
    """A convolution of images (..., channels, height, width); arguments as for `Conv1d`, with a number or one
    for each dimension.

    >>> import mlx
    >>> mlx.nn.Conv2d(3, 8, 3, stride=2, padding=1)(mlx.rand(1, 3, 32, 32)).shape
    mlx.Size([1, 8, 16, 16])
    """

    _dims = 2


class Conv3d(_Convolution):
    """A convolution of volumes (..., channels, depth, height, width); arguments as for `Conv1d`, with a
    number or one for each dimension."""

    _dims = 3


class _ConvTransposeNd(_ConvNd):
    """A `_ConvNd` whose result may be asked for in a size."""

    def _output_padding(
        self,
        input: Tensor,
        output_size: Sequence[int] | None,
        stride: Sequence[int],
        padding: Sequence[int],
        kernel_size: Sequence[int],
        num_spatial_dims: int,
        dilation: Sequence[int] | None = None,
    ) -> Sequence[int]:
        """The output padding that makes the result as large as asked for."""
        if output_size is None:
            return self.output_padding
        dims = num_spatial_dims
        sizes = list(output_size)
        if len(sizes) == input.dim():
            sizes = sizes[-dims:]
        if len(sizes) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must have {dims} or "
                f"{input.dim()} elements (got {len(output_size)})"
            )
        smallest = [
            (input.size(d - dims) - 1) * stride[d]
            - 2 * padding[d]
            + (1 if dilation is None else dilation[d]) * (kernel_size[d] - 1)
            + 1
            for d in range(dims)
        ]
        largest = [low + stride[d] - 1 for d, low in enumerate(smallest)]
        if any(not low <= size <= high for low, size, high in zip(smallest, sizes, largest, strict=True)):
            raise ValueError(
                f"requested an output size of {sizes}, but valid sizes range from {smallest} to {largest} "
                f"(for an input of {list(input.shape[2:])})"
            )
        return [size - low for size, low in zip(sizes, smallest, strict=True)]


class _TransposedConvolution(_ConvTransposeNd):
    _dims: int
    padding: tuple[int, ...]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        if isinstance(padding, str):
            raise TypeError(f"{type(self).__name__}: padding must be numbers, not {padding!r}")
        kernel_size, stride, padding, dilation, output_padding = (
            per_dim(value, self._dims) for value in (kernel_size, stride, padding, dilation, output_padding)
        )
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, True, output_padding, groups,
            bias, padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        output_padding = self._output_padding(
            input, output_size, self.stride, self.padding, self.kernel_size, self._dims, self.dilation
        )
        return function_of("conv_transpose", self._dims)(
            input,
            self.weight,
            self.bias,
            self.stride,
            self.padding,
            output_padding,
            self.groups,
            self.dilation,
        )


class ConvTranspose1d(_TransposedConvolution):
    """The transpose of `Conv1d`: what its gradient does to signals (..., channels, length).

    Args:
        output_padding: how many elements the result is larger than it need be, since several sizes of input
            convolve to one; `forward` takes an `output_size` instead.

    >>> import mlx
    >>> mlx.nn.ConvTranspose1d(4, 2, 3, stride=2)(mlx.rand(1, 4, 10), output_size=[22]).shape
    mlx.Size([1, 2, 22])
    """

    _dims = 1


class ConvTranspose2d(_TransposedConvolution):
    """The transpose of `Conv2d`; see `ConvTranspose1d`."""

    _dims = 2


class ConvTranspose3d(_TransposedConvolution):
    """The transpose of `Conv3d`; see `ConvTranspose1d`."""

    _dims = 3

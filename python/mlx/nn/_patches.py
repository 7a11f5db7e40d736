"""Windows of images as columns of a matrix, and back."""

from __future__ import annotations

import math
from typing import Any

import mlx
from mlx._C import Tensor, _op_namespaces

__all__ = ["fold", "unfold"]

_pad = _op_namespaces["nn.functional"]["pad"]


def _each(value: Any, dims: int) -> list[int]:
    """One number for each dimension."""
    values = [int(v) for v in value] if isinstance(value, (tuple, list)) else [int(value)]
    return values * dims if len(values) == 1 else values


def _places(
    size: list[int], kernel: list[int], stride: list[int], padding: list[int], dilation: list[int]
) -> tuple[Tensor, list[int], int]:
    """Where each window's elements lie in the padded, flattened image.

    Returns the numbers (kernel points * windows), the padded size and the count of windows.
    """
    padded = [n + 2 * p for n, p in zip(size, padding, strict=True)]
    counts = [
        (n - d * (k - 1) - 1) // s + 1 for n, k, d, s in zip(padded, kernel, dilation, stride, strict=True)
    ]
    if min(counts) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(size)}, kernel_size={tuple(kernel)}, "
            f"dilation={tuple(dilation)}, padding={tuple(padding)} and stride={tuple(stride)}, the array of "
            f"sliding blocks would have shape {tuple(counts)}, but its components must be at least one."
        )
    rows, columns = (
        mlx.arange(k).view(-1, 1) * d + mlx.arange(n) * s
        for k, d, n, s in zip(kernel, dilation, counts, stride, strict=True)
    )
    at = rows[:, None, :, None] * padded[1] + columns[None, :, None, :]
    return at.flatten(), padded, counts[0] * counts[1]


def _geometry(
    op: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> tuple[list[int], list[int], list[int], list[int]]:
    kernel, steps, pads, gaps = (_each(v, 2) for v in (kernel_size, stride, padding, dilation))
    for name, values, least in (
        ("kernel_size", kernel, 1),
        ("stride", steps, 1),
        ("padding", pads, 0),
        ("dilation", gaps, 1),
    ):
        if len(values) != 2 or min(values) < least:
            raise RuntimeError(
                f"{op}(): {name} must be one or two numbers of at least {least}, but is {values}"
            )
    return kernel, steps, pads, gaps


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The windows of images (N, C, H, W) or (C, H, W) as columns: (N, C * kernel points, windows).

    >>> import mlx
    >>> mlx.nn.functional.unfold(mlx.arange(4.0).view(1, 1, 2, 2), (1, 2))
    tensor([[[0., 2.],
             [1., 3.]]])
    """
    kernel, steps, pads, gaps = _geometry("unfold", kernel_size, stride, padding, dilation)
    if input.dim() not in (3, 4):
        raise RuntimeError(
            f"Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions "
            f"for input, but got: {list(input.shape)}"
        )
    x = input if input.dim() == 4 else input.unsqueeze(0)
    at, _, windows = _places(list(x.shape[2:]), kernel, steps, pads, gaps)
    if any(pads):
        x = _pad(x, [pads[1], pads[1], pads[0], pads[0]])
    out = x.flatten(2).index_select(2, at.to(x.device))
    out = out.reshape(x.shape[0], x.shape[1] * kernel[0] * kernel[1], windows)
    return out if input.dim() == 4 else out.squeeze(0)


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """The images (N, C, *output_size) of whose windows `unfold` gives the columns; where windows overlap,
    they are added.

    >>> import mlx
    >>> mlx.nn.functional.fold(mlx.ones(1, 2, 2), (1, 3), (1, 2))
    tensor([[[[1., 2., 1.]]]])
    """
    kernel, steps, pads, gaps = _geometry("fold", kernel_size, stride, padding, dilation)
    size, points = _each(output_size, 2), kernel[0] * kernel[1]
    if input.dim() not in (2, 3):
        raise RuntimeError(f"Expected 2D or 3D (batch mode) tensor for input, but got: {list(input.shape)}")
    x = input if input.dim() == 3 else input.unsqueeze(0)
    at, padded, windows = _places(size, kernel, steps, pads, gaps)
    if x.shape[1] % points or x.shape[2] != windows:
        raise RuntimeError(
            f"fold(): expected input of shape (N, C * {points}, {windows}) for output_size={tuple(size)} and "
            f"kernel_size={tuple(kernel)}, but got {list(input.shape)}"
        )
    channels = x.shape[1] // points
    image = mlx.zeros(x.shape[0], channels, math.prod(padded), dtype=x.dtype, device=x.device)
    image = image.index_add(2, at.to(x.device), x.reshape(x.shape[0], channels, points * windows))
    image = image.view(x.shape[0], channels, *padded)
    image = image.narrow(2, pads[0], size[0]).narrow(3, pads[1], size[1])
    return (image if input.dim() == 3 else image.squeeze(0)).contiguous()

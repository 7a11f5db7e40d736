"""Images and signals at other sizes and places: interpolation and sampling by grids."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np

import mlx
from mlx import _C
from mlx._C import Tensor

__all__ = [
    "affine_grid",
    "grid_sample",
    "interpolate",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

_LINEAR = {"linear": 3, "bilinear": 4, "trilinear": 5}
_ALIGNABLE = (*_LINEAR, "bicubic")


def _cubic(distance: Any, a: float) -> Any:
    """Keys' kernel ("Cubic convolution interpolation for digital image processing", 1981)."""
    d = abs(distance)
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return near, far, d


def _cubic_weight(distance: np.ndarray, a: float) -> np.ndarray:
    near, far, d = _cubic(distance, a)
    return np.where(d < 1, near, np.where(d < 2, far, 0))


class _Axis:
    """One dimension's resizing: how points of the result lie among those of the input."""

    def __init__(self, size: int, out: int, factor: float | None, align: bool, wide: bool) -> None:
        self.size, self.out, self.align = size, out, align
        # Coordinates are computed in the precision of the elements, as PyTorch's are.
        self.type = np.float64 if wide else np.float32
        if align:
            self.scale = self.type((size - 1) / (out - 1) if out > 1 else 0)
        else:
            self.scale = self.type(1 / factor if factor else size / out)

    def centres(self) -> np.ndarray:
        i = np.arange(self.out, dtype=self.type)
        if self.align:
            return i * self.scale
        return (i + self.type(0.5)) * self.scale - self.type(0.5)

    def nearest(self, exact: bool) -> np.ndarray:
        i = np.arange(self.out, dtype=np.float32)
        at = np.floor((i + np.float32(0.5 if exact else 0)) * np.float32(self.scale))
        return np.minimum(at.astype(np.int64), self.size - 1)

    def linear_taps(self) -> list[tuple[np.ndarray, np.ndarray]]:
        at = np.maximum(self.centres(), 0)
        low = np.minimum(np.floor(at).astype(np.int64), self.size - 1)
        share = np.clip(at - low.astype(self.type), 0, 1).astype(self.type)
        return [(low, 1 - share), (np.minimum(low + 1, self.size - 1), share)]

    def cubic_taps(self) -> list[tuple[np.ndarray, np.ndarray]]:
        at = self.centres()
        low = np.floor(at)
        share = at - low
        return [
            (np.clip(low.astype(np.int64) + k, 0, self.size - 1), _cubic_weight(share - self.type(k), -0.75))
            for k in (-1, 0, 1, 2)
        ]

    def antialias_matrix(self, cubic: bool) -> np.ndarray:
        """(out, size): the kernel is widened to the step between points, where that is above one."""
        stretch = max(float(self.scale), 1.0)
        support = (2 if cubic else 1) * stretch
        weights = np.zeros((self.out, self.size))
        for i in range(self.out):
            centre = float(self.scale) * (i + 0.5)
            first = max(int(centre - support + 0.5), 0)
            last = min(int(centre + support + 0.5), self.size)
            distance = (np.arange(first, last) - centre + 0.5) / stretch
            row = _cubic_weight(distance, -0.5) if cubic else np.maximum(1 - np.abs(distance), 0)
            weights[i, first:last] = row / row.sum()
        return weights


def _as_integers(
    taps: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[list[tuple[np.ndarray, np.ndarray]], int]:
    """Weights in units of 2^-bits, of which the largest still fits 16 bits: how bytes are combined."""
    places, weights = np.stack([at for at, _ in taps]), np.stack([w for _, w in taps])
    for k in range(1, len(taps)):  # taps that the border moved to one place are one tap
        same = places[k] == places[k - 1]
        weights[k] += np.where(same, weights[k - 1], 0)
        weights[k - 1] = np.where(same, 0, weights[k - 1])
    bits = 0
    while bits < 22 and int(0.5 + float(weights.max()) * 2 ** (bits + 1)) < 2**15:
        bits += 1
    return list(zip(places, np.trunc(weights * 2.0**bits + np.copysign(0.5, weights)), strict=True)), bits


def _combined(x: Tensor, dim: int, taps: list[tuple[np.ndarray, np.ndarray]]) -> Tensor:
    shape = [1] * x.dim()
    shape[dim] = -1
    total: Tensor | None = None
    for index, weight in taps:
        part = x.index_select(dim, mlx.from_numpy(index).to(x.device))
        part = part * mlx.tensor(weight, dtype=x.dtype, device=x.device).view(shape)
        total = part if total is None else total + part
    assert total is not None
    return total


def _output_size(
    input: Tensor, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[list[int], list[float | None]]:
    dims = input.dim() - 2
    if (size is None) == (scale_factor is None):
        raise ValueError("only one of size or scale_factor should be defined")
    if size is not None:
        if recompute:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        sizes = [int(s) for s in size] if isinstance(size, (tuple, list)) else [int(size)] * dims
        if len(sizes) != dims:
            raise ValueError(
                f"Input and output must have the same number of spatial dimensions, but got input with "
                f"spatial dimensions of {list(input.shape[2:])} and output size of {sizes}."
            )
        return sizes, [None] * dims
    factors = (
        [float(s) for s in scale_factor]
        if isinstance(scale_factor, (tuple, list))
        else [float(scale_factor)] * dims
    )
    if len(factors) != dims:
        raise ValueError(
            f"Input and scale_factor must have the same number of spatial dimensions, but got input "
            f"with spatial dimensions of {list(input.shape[2:])} and scale_factor of shape {factors}."
        )
    sizes = [math.floor(n * f) for n, f in zip(input.shape[2:], factors, strict=True)]
    return sizes, [None] * dims if recompute else list(factors)


def _check_mode(input: Tensor, mode: str, align_corners: bool | None, antialias: bool) -> None:
    if mode not in ("nearest", "nearest-exact", "area", *_ALIGNABLE):
        raise NotImplementedError(f"interpolate(): unknown mode {mode!r}")
    if align_corners is not None and mode not in _ALIGNABLE:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | "
            "bicubic | trilinear"
        )
    needed = 4 if mode == "bicubic" else _LINEAR.get(mode, input.dim())
    if input.dim() != needed or not 3 <= input.dim() <= 5:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.dim()}D) for the modes: "
            "nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact, each of its own "
            f"number of dimensions (got {mode})"
        )
    if antialias and not (mode in ("bilinear", "bicubic") and input.dim() == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor"
        )


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """The input (batch, channels, ...) at another size in its last one to three dimensions.

    Args:
        input: floating-point or uint8.
        size: of the result, or
        scale_factor: how much larger than the input it is, rounded down.
        mode: "nearest", "nearest-exact", "linear" (3-D input), "bilinear", "bicubic" (4-D), "trilinear" (5-D)
            or "area".
        align_corners: whether the corner points, rather than the corners of the outermost cells, keep their
            places.
        recompute_scale_factor: whether the distance of points follows from the rounded size.
        antialias: whether a smaller image is smoothed first ("bilinear" and "bicubic").

    >>> import mlx
    >>> mlx.nn.functional.interpolate(mlx.tensor([[[1.0, 3.0]]]), 4, mode="linear")
    tensor([[[1.0000, 1.5000, 2.5000, 3.0000]]])
    """
    _check_mode(input, mode, align_corners, antialias)
    sizes, factors = _output_size(input, size, scale_factor, recompute_scale_factor)
    if any(n <= 0 for n in (*sizes, *input.shape[2:])):
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {list(input.shape[2:])} and "
            f"output {sizes}"
        )
    if mode == "area":
        pools = (_C._adaptive_avg_pool1d, _C._adaptive_avg_pool2d, _C._adaptive_avg_pool3d)
        return pools[len(sizes) - 1](input, sizes)
    axes = [
        _Axis(n, out, f, bool(align_corners), input.dtype in (mlx.float64, mlx.uint8))
        for n, out, f in zip(input.shape[2:], sizes, factors, strict=True)
    ]
    if mode.startswith("nearest"):
        places = [mlx.from_numpy(a.nearest(mode == "nearest-exact")).to(input.device) for a in axes]
        return _C._select_places(input, list(range(2, input.dim())), places)
    is_bytes = input.dtype == mlx.uint8
    x = input if input.dtype in (mlx.float32, mlx.float64) else input.double() if is_bytes else input.float()
    for d, axis in reversed(list(enumerate(axes))):
        if antialias:
            weights = mlx.tensor(axis.antialias_matrix(mode == "bicubic"), dtype=x.dtype, device=x.device)
            x = (x.movedim(d + 2, -1) @ weights.t()).movedim(-1, d + 2)
        elif axis.size != axis.out or factors[d] is not None:
            taps = axis.cubic_taps() if mode == "bicubic" else axis.linear_taps()
            if is_bytes:
                taps, bits = _as_integers(taps)
                x = (_combined(x, d + 2, taps) / 2.0**bits + 0.5).floor().clamp(0, 255)
            else:
                x = _combined(x, d + 2, taps)
        if is_bytes:
            x = x.round().clamp(0, 255)
    return x.clone() if x is input else x.to(input.dtype)


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """`interpolate` under its older name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` in mode "nearest"."""
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """`interpolate` in mode "bilinear" (or "linear", or "trilinear") with aligned corners."""
    mode = {dims: name for name, dims in _LINEAR.items()}.get(input.dim(), "bilinear")
    return interpolate(input, size, scale_factor, mode=mode, align_corners=True)


# ---- sampling at given places


def _linspace(n: int, align_corners: bool, like: Tensor) -> Tensor:
    """The places of n points (or of the centres of n cells) between -1 and 1."""
    if n <= 1:
        return mlx.zeros(n, dtype=like.dtype, device=like.device)
    line = mlx.linspace(-1, 1, n, dtype=like.dtype, device=like.device)
    return line if align_corners else line * ((n - 1) / n)


def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """Where an affine map sends each point of an image of `size`: for grid_sample.

    Args:
        theta: (N, 2, 3) for images, (N, 3, 4) for volumes.
        size: (N, C, H, W) or (N, C, D, H, W).

    Returns:
        (N, H, W, 2) or (N, D, H, W, 3): coordinates x, y(, z), from -1 to 1 across the image.
    """
    spatial = [int(n) for n in size[2:]]
    dims = len(spatial)
    if not theta.dtype.is_floating_point:
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if dims not in (2, 3) or theta.dim() != 3 or tuple(theta.shape[1:]) != (dims, dims + 1):
        raise ValueError(
            f"Expected a batch of {dims}x{dims + 1} affine matrices for size {tuple(size)}, but got theta of "
            f"shape {tuple(theta.shape)}"
        )
    lines = [_linspace(n, bool(align_corners), theta) for n in spatial]
    points = list(mlx.meshgrid(*lines, indexing="ij"))[::-1]
    base = mlx.stack([*points, mlx.ones_like(points[0])], -1)
    out = base.reshape(1, -1, dims + 1) @ theta.transpose(1, 2)
    return out.reshape(theta.shape[0], *spatial, dims)


def _clipped(x: Tensor, size: int) -> Tensor:
    """x brought into [0, size - 1]; no gradient passes outside, nor at the ends, as in PyTorch."""
    return mlx.where((x > 0) & (x < size - 1), x, x.detach().clamp(0, size - 1))


def _reflected(x: Tensor, twice_low: int, twice_high: int) -> Tensor:
    """Mirrored at the ends of [low, high] until it lies within."""
    if twice_low == twice_high:
        return mlx.zeros_like(x)
    low, span = twice_low / 2, (twice_high - twice_low) / 2
    away = (x - low).abs()
    flips = (away / span).floor().detach()
    rest = away - flips * span
    return mlx.where(flips % 2 == 0, rest + low, span - rest + low)


def _padded(x: Tensor, size: int, padding_mode: str, align_corners: bool) -> Tensor:
    """Coordinates that lie outside of the image, moved into it as the mode says."""
    if padding_mode == "border":
        return _clipped(x, size)
    if padding_mode == "reflection":
        ends = (0, 2 * (size - 1)) if align_corners else (-1, 2 * size - 1)
        return _clipped(_reflected(x, *ends), size)
    return x


def _picked(input: Tensor, index: list[Tensor]) -> Tensor:
    """The elements (N, C, P) at whole coordinates, slowest dimension first; zeros outside of the image."""
    inside: Tensor | None = None
    flat: Tensor | None = None
    for at, n in zip(index, input.shape[2:], strict=True):
        within = (at >= 0) & (at <= n - 1)
        inside = within if inside is None else inside & within
        whole = at.clamp(0, n - 1).long()
        flat = whole if flat is None else flat * n + whole
    assert inside is not None and flat is not None
    places = flat.unsqueeze(1).expand(-1, input.shape[1], -1)
    return input.flatten(2).gather(2, places) * inside.unsqueeze(1).to(input.dtype)


def _product(weights: Any) -> Tensor:
    out: Tensor | None = None
    for w in weights:
        out = w if out is None else out * w
    assert out is not None
    return out


def _sample_linear(input: Tensor, coordinates: list[Tensor]) -> Tensor:
    lows = [c.floor().detach() for c in coordinates]
    shares = [c - low for c, low in zip(coordinates, lows, strict=True)]
    total: Tensor | None = None
    for corner in itertools.product((0, 1), repeat=len(lows)):
        weight = _product(s if k else 1 - s for s, k in zip(shares, corner, strict=True))
        values = _picked(input, [low + k for low, k in zip(lows, corner, strict=True)])
        part = values * weight.unsqueeze(1)
        total = part if total is None else total + part
    assert total is not None
    return total


def _sample_cubic(input: Tensor, coordinates: list[Tensor], padding_mode: str, align: bool) -> Tensor:
    lows = [c.floor().detach() for c in coordinates]
    shares = [c - low for c, low in zip(coordinates, lows, strict=True)]

    def weight(share: Tensor, k: int) -> Tensor:
        near, far, _ = _cubic(share - k, -0.75)
        return near if k in (0, 1) else far

    total: Tensor | None = None
    for taps in itertools.product((-1, 0, 1, 2), repeat=2):
        index = [
            _padded(low + k, n, padding_mode, align)
            for low, k, n in zip(lows, taps, input.shape[2:], strict=True)
        ]
        both = _product(weight(s, k) for s, k in zip(shares, taps, strict=True))
        part = _picked(input, index) * both.unsqueeze(1)
        total = part if total is None else total + part
    assert total is not None
    return total


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """The input's values at the places of a grid.

    Args:
        input: (N, C, H, W) or (N, C, D, H, W).
        grid: (N, h, w, 2) or (N, d, h, w, 3): coordinates x, y(, z), from -1 to 1 across the input.
        mode: "bilinear" (trilinear for volumes), "nearest" or "bicubic" (images only).
        padding_mode: what lies outside: "zeros", "border" (the nearest point) or "reflection".
        align_corners: whether -1 and 1 are the centres of the outermost points, not their outer edges.

    Returns:
        (N, C, h, w) or (N, C, d, h, w), differentiable in both arguments.
    """
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: "
            f"'{mode}'"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', "
            f"but got: '{padding_mode}'"
        )
    dims = input.dim() - 2
    if dims not in (2, 3) or grid.dim() != input.dim() or grid.shape[-1] != dims:
        raise RuntimeError(
            f"grid_sample(): expected 4D or 5D input and a grid of as many dimensions with {max(dims, 2)} "
            f"coordinates, but got input of shape {tuple(input.shape)} and grid of shape {tuple(grid.shape)}"
        )
    if grid.shape[0] != input.shape[0]:
        raise RuntimeError(
            f"grid_sample(): expected grid and input to have same batch size, but got input of shape "
            f"{tuple(input.shape)} and grid of shape {tuple(grid.shape)}"
        )
    if mode == "bicubic" and dims != 2:
        raise RuntimeError("grid_sample(): bicubic interpolation only supports 4D input")
    if align_corners is None:
        warnings.warn("grid_sample() takes align_corners=False unless it is given", stacklevel=2)
    if input.dtype in (mlx.float16, mlx.bfloat16):
        # Half types cannot tell places of a larger image apart.
        wide = grid_sample(input.float(), grid.float(), mode, padding_mode, bool(align_corners))
        return wide.to(input.dtype)
    align = bool(align_corners)
    places = grid.flatten(1, -2)
    coordinates = []
    for d, n in enumerate(input.shape[2:]):
        x = places[..., dims - 1 - d] + 1
        coordinates.append(x / 2 * (n - 1) if align else (x * n - 1) / 2)
    if mode == "bicubic":
        out = _sample_cubic(input, coordinates, padding_mode, align)
    else:
        coordinates = [
            _padded(c, n, padding_mode, align) for c, n in zip(coordinates, input.shape[2:], strict=True)
        ]
        # NaN and what no integer can hold lie outside of the image, as in PyTorch.
        coordinates = [mlx.where(c.abs() < 2**31, c, -100) for c in coordinates]
        if mode == "nearest":
            out = _picked(input, [c.round().detach() for c in coordinates])
        else:
            out = _sample_linear(input, coordinates)
    return out.reshape(*out.shape[:2], *grid.shape[1:-1])


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """`grid_sample` with its modes by number, in the order in which it lists them."""
    mode = ("bilinear", "nearest", "bicubic")[interpolation_mode]
    padding = ("zeros", "border", "reflection")[padding_mode]
    return grid_sample(input, grid, mode, padding, align_corners)


grid_sampler_2d = grid_sampler_3d = grid_sampler

"""Window functions of M points (Harris, "On the use of windows for harmonic analysis", 1978).

With `sym`, the default, a window is symmetric, for the design of filters; without, it is one period of a
function of period M, for spectral analysis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx._C import dtype as _dtype

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


class _Window:
    """The arguments that all windows share, checked; numbers are computed by the CPU in double precision."""

    def __init__(
        self, name: str, M: int, sym: bool, dtype: _dtype | None, device: Any, requires_grad: bool
    ) -> None:
        if M < 0:
            raise ValueError(f"{name} requires non-negative window length, got M={M}")
        self.dtype = dtype or mlx.get_default_dtype()
        if self.dtype not in (mlx.float32, mlx.float64):
            raise ValueError(f"{name} expects float32 or float64 dtypes, got: {self.dtype}")
        self.M, self.device, self.requires_grad = M, device, requires_grad
        # The number of steps from the first point to the end of the window.
        self.steps = M - 1 if sym or M <= 1 else M

    def points(self) -> Tensor:
        return mlx.arange(self.M, dtype=mlx.float64, device="cpu")

    def result(self, values: Tensor) -> Tensor:
        if self.M == 1:
            values = mlx.ones_like(values)
        device = self.device or mlx.get_default_device()
        return values.to(self.dtype).to(device).requires_grad_(self.requires_grad)


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A sum of cosines: a[0] - a[1] cos(x) + a[2] cos(2 x) - ..., for x from 0 to 2 pi."""
    window = _Window("general_cosine", M, sym, dtype, device, requires_grad)
    weights = list(a)
    if not weights:
        raise ValueError("Coefficients cannot be empty")
    angle = window.points() * (2 * math.pi / max(window.steps, 1))
    values = mlx.zeros_like(angle)
    for k, weight in enumerate(weights):
        values = values + (-weight if k % 2 else weight) * (angle * k).cos()
    return window.result(values)


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """alpha - (1 - alpha) cos(x), for x from 0 to 2 pi."""
    return general_cosine(
        M, a=[alpha, 1.0 - alpha], sym=sym, dtype=dtype, device=device, requires_grad=requires_grad
    )


def hamming(
    M: int,
    *,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Hamming's window: general_hamming with 0.54."""
    return general_hamming(M, sym=sym, dtype=dtype, device=device, requires_grad=requires_grad)


def hann(
    M: int,
    *,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Hann's window: general_hamming with 0.5.

    >>> import mlx
    >>> mlx.signal.windows.hann(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, device=device, requires_grad=requires_grad)


def blackman(
    M: int,
    *,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Blackman's window."""
    return general_cosine(
        M, a=[0.42, 0.5, 0.08], sym=sym, dtype=dtype, device=device, requires_grad=requires_grad
    )


def nuttall(
    M: int,
    *,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Nuttall's window of four terms with the least side lobes."""
    weights = [0.3635819, 0.4891775, 0.1365995, 0.0106411]
    return general_cosine(M, a=weights, sym=sym, dtype=dtype, device=device, requires_grad=requires_grad)


def bartlett(
    M: int,
    *,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The triangle from 0 to 1 and back to 0."""
    window = _Window("bartlett", M, sym, dtype, device, requires_grad)
    return window.result(1 - (window.points() * (2 / max(window.steps, 1)) - 1).abs())


def cosine(
    M: int,
    *,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Half a period of the sine."""
    window = _Window("cosine", M, sym, dtype, device, requires_grad)
    return window.result(((window.points() + 0.5) * (math.pi / max(window.steps + 1, 1))).sin())


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The density of the normal distribution of deviation `std` points, with 1 in the middle."""
    window = _Window("gaussian", M, sym, dtype, device, requires_grad)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    k = (window.points() - window.steps / 2) / (std * math.sqrt(2))
    return window.result((-(k * k)).exp())


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """exp(-|k - center| / tau) for the points k; `center` is the middle unless given (not with `sym`)."""
    window = _Window("exponential", M, sym, dtype, device, requires_grad)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    middle = window.steps / 2 if center is None else center
    return window.result((-(window.points() - middle).abs() / tau).exp())


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Kaiser's window, by the modified Bessel function I0."""
    window = _Window("kaiser", M, sym, dtype, device, requires_grad)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    k = window.points() * (2 / max(window.steps, 1)) - 1
    top = mlx.tensor(float(beta), dtype=mlx.float64, device="cpu")
    return window.result(mlx.special.i0(beta * (1 - k * k).clamp(min=0).sqrt()) / mlx.special.i0(top))

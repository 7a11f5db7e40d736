"""NumPy's Fourier transforms (pocketfft) over arrays, on as many threads as the library has.

Sums are divided by nothing, by the root of the number of points, or by that number: `divisor` is "one",
"root" or "count", which NumPy calls by other names forwards and backwards.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlx import _C

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_FORWARD_NORM = {"one": "backward", "root": "ortho", "count": "forward"}
_INVERSE_NORM = {"one": "forward", "root": "ortho", "count": "backward"}

_WRITES_RESULT = int(np.__version__.split(".")[0]) >= 2  # whether the transforms take out=
_ELEMENTS_OF_THREAD = 1 << 15


def complex_transform(
    result: np.ndarray, values: np.ndarray, axes: Sequence[int], inverse: bool, divisor: str
) -> None:
    """The transform of complex or real values over axes, all points of it."""
    if np.isrealobj(values):
        values = _transform_real_values(result, values, axes[-1], inverse, divisor)
        axes = axes[:-1]
    transform = np.fft.ifft if inverse else np.fft.fft
    for axis in axes:
        _transform_lines(transform, result, values, axis, inverse, divisor)
        values = result


def real_transform(result: np.ndarray, values: np.ndarray, axis: int, divisor: str) -> None:
    """The first half of the transform of real values, whose other half mirrors it."""
    _transform_lines(np.fft.rfft, result, values, axis, False, divisor)


def hermitian_transform(result: np.ndarray, values: np.ndarray, axis: int, divisor: str) -> None:
    """The inverse transform to real values of which the first half of the spectrum is given."""
    _transform_lines(np.fft.irfft, result, values, axis, True, divisor, points=result.shape[axis])


def _transform_real_values(
    result: np.ndarray, values: np.ndarray, axis: int, inverse: bool, divisor: str
) -> np.ndarray:
    """Half of the work, since the points of a real signal's transform are conjugate in pairs."""
    points = result.shape[axis]
    lines, half = np.moveaxis(result, axis, -1), points // 2 + 1
    _transform_lines(np.fft.rfft, np.moveaxis(lines[..., :half], -1, axis), values, axis, False, divisor)
    np.conjugate(lines[..., points - half : 0 : -1], out=lines[..., half:])
    if inverse:
        np.conjugate(result, out=result)
    return result


def _transform_lines(
    transform: Callable[..., np.ndarray],
    result: np.ndarray,
    values: np.ndarray,
    axis: int,
    inverse: bool,
    divisor: str,
    points: int | None = None,
) -> None:
    """One of NumPy's transforms along an axis, the lines shared out among threads."""
    # Without a factor, NumPy 2 computes single precision in double, at half the speed.
    rescaled = divisor == "one" and result.itemsize <= np.dtype(np.complex64).itemsize
    norm = (_INVERSE_NORM if inverse else _FORWARD_NORM)["count" if rescaled else divisor]

    def work(result: np.ndarray, values: np.ndarray) -> None:
        if _WRITES_RESULT:
            transform(values, points, axis, norm, out=result)
        else:
            result[...] = transform(values, points, axis, norm)
        if rescaled:
            result *= result.dtype.type(points or values.shape[axis])

    across = max((d for d in range(result.ndim) if d != axis), key=lambda d: result.shape[d], default=axis)
    pieces = min(_C.get_num_threads(), result.size // _ELEMENTS_OF_THREAD, result.shape[across])
    if pieces < 2 or across == axis:
        work(result, values)
        return
    parts = zip(np.array_split(result, pieces, across), np.array_split(values, pieces, across), strict=True)
    first, *others = parts
    running = [_threads(os.getpid(), pieces).submit(work, *part) for part in others]
    work(*first)
    for other in running:
        other.result()


@functools.lru_cache(maxsize=1)
def _threads(process: int, count: int) -> ThreadPoolExecutor:
    """Threads of this process: those of its parent do not live on in a fork."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(count, "mlx-fft")

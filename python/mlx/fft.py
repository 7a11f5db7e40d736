"""Discrete Fourier transforms, by NumPy's pocketfft (`_pocketfft.py`), with gradients of every order.

Where a function takes `norm`: "backward" (the default) divides the inverse transform by the number of points,
"forward" the forward one, "ortho" both by its root. `n` and `s` pad with zeros or cut to that many points.
The transforms take out=, a tensor for their result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import mlx
from mlx import _C, _pocketfft
from mlx._C import Tensor
from mlx._C import dtype as _dtype
from mlx._out import takes_out
from mlx._precision import widened
from mlx.autograd.function import Function

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "ihfft2",
    "ihfftn",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]

_Dims = int | Sequence[int] | None
_LAST_TWO = (-2, -1)


class _Transform(Function):
    """The sums over exp(-2 pi i j k / n) (or its conjugate) of complex or real elements, by a divisor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dims: tuple[int, ...], inverse: bool, divisor: str) -> Tensor:
        ctx.real, ctx.rest = not x.dtype.is_complex, (dims, not inverse, divisor)

        def transform(result: np.ndarray, values: np.ndarray) -> None:
            _pocketfft.complex_transform(result, values, dims, inverse, divisor)

        return _on_host(transform, x, tuple(x.shape), x.dtype.to_complex())

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        g = _Transform.apply(grads[0], *ctx.rest)
        return g.real if ctx.real else g, None, None, None


class _RealTransform(Function):
    """The first half of the sums over a real signal of `size` points; the rest is its conjugate, reversed."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int, size: int, divisor: str) -> Tensor:
        ctx.rest = dim, size, divisor

        def transform(result: np.ndarray, values: np.ndarray) -> None:
            _pocketfft.real_transform(result, values, dim, divisor)

        shape = (*x.shape[:dim], size // 2 + 1, *x.shape[dim + 1 :])
        return _on_host(transform, x, shape, x.dtype.to_complex())

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        g = grads[0] * _once_or(0.5, grads[0], *ctx.rest[:2])
        return _HermitianTransform.apply(g, *ctx.rest), None, None, None


class _HermitianTransform(Function):
    """The real sums over exp(2 pi i j k / n) of a signal of `size` points whose first half is given."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, dim: int, size: int, divisor: str) -> Tensor:
        ctx.rest = dim, size, divisor

        def transform(result: np.ndarray, values: np.ndarray) -> None:
            _pocketfft.hermitian_transform(result, values, dim, divisor)

        shape = (*x.shape[:dim], size, *x.shape[dim + 1 :])
        return _on_host(transform, x, shape, x.dtype.to_real())

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        g = _RealTransform.apply(grads[0], *ctx.rest)
        return g * _once_or(2.0, g, *ctx.rest[:2]), None, None, None


def _on_host(transform: Any, x: Tensor, shape: tuple[int, ...], dtype: _dtype) -> Tensor:
    """A tensor of the input's device that transform(result, values) fills as an array."""
    return _C._host_call(transform, [x.detach().cpu()], shape, dtype).to(x.device)


def _once_or(factor: float, half: Tensor, dim: int, size: int) -> Tensor:
    """1 for the elements of a half that a whole has once, the first and the middle one, else `factor`."""
    weights = mlx.full((size // 2 + 1,), factor, dtype=half.dtype.to_real(), device=half.device)
    weights[0] = 1
    if size % 2 == 0:
        weights[-1] = 1
    return weights.view(-1, *[1] * (half.dim() - 1 - dim))


def _divisor(norm: str | None, inverse: bool) -> str:
    """By what `norm` divides the sums: "one", the "root" of the number of points, or their "count"."""
    if norm not in (None, "backward", "ortho", "forward"):
        raise RuntimeError(
            f"Invalid normalization mode: {norm!r}; it must be 'backward', 'ortho' or 'forward'"
        )
    if norm == "ortho":
        return "root"
    return "count" if inverse == (norm != "forward") else "one"


def _checked(name: str, x: Tensor) -> Tensor:
    """The input as a dtype that is transformed, real or complex."""
    if _C._autocast_active():
        x = widened(x)
    if x.dtype in (mlx.float16, mlx.bfloat16):
        raise RuntimeError(f"{name}: Unsupported dtype {x.dtype}; convert to float32 first")
    is_number = x.dtype.is_floating_point or x.dtype.is_complex
    return x if is_number else x.to(mlx.get_default_dtype())


def _checked_real(name: str, x: Tensor) -> Tensor:
    if x.dtype.is_complex:
        raise RuntimeError(f"{name} expects a real input tensor, but got {x.dtype}")
    return _checked(name, x)


def _checked_complex(name: str, x: Tensor) -> Tensor:
    x = _checked(name, x)
    return x.to(x.dtype.to_complex())


def _resized(x: Tensor, dims: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """Each dimension cut to a size, or padded with zeros behind."""
    for d, size in zip(dims, sizes, strict=True):
        if size < 1:
            raise RuntimeError(f"Invalid number of data points ({size}) specified")
        if size < x.shape[d]:
            x = x.narrow(d, 0, size)
        elif size > x.shape[d]:
            shape = list(x.shape)
            shape[d] = size - shape[d]
            x = mlx.cat([x, mlx.zeros(shape, dtype=x.dtype, device=x.device)], d)
    return x


def _complex_transform(
    x: Tensor, dims: Sequence[int], sizes: Sequence[int], norm: str | None, inverse: bool
) -> Tensor:
    x, divisor = _resized(x, dims, sizes), _divisor(norm, inverse)
    if not dims:
        return x.to(x.dtype.to_complex(), copy=True)
    return _Transform.apply(x, tuple(dims), inverse, divisor)


def _real_transform(x: Tensor, dim: int, size: int, norm: str | None, inverse: bool) -> Tensor:
    """Half of the transform of a real signal; the rest is its conjugate, reversed."""
    half = _RealTransform.apply(_resized(x, [dim], [size]), dim, size, _divisor(norm, inverse))
    return half.conj() if inverse else half


def _hermitian_transform(x: Tensor, dim: int, size: int, norm: str | None, inverse: bool) -> Tensor:
    """The real transform of a signal of which the first half is given."""
    if size < 1:
        raise RuntimeError(f"Invalid number of data points ({size}) specified")
    half = _resized(x, [dim], [size // 2 + 1])
    return _HermitianTransform.apply(half if inverse else half.conj(), dim, size, _divisor(norm, inverse))


def _dim(x: Tensor, dim: int) -> int:
    if not -x.dim() <= dim < x.dim():
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-x.dim()}, {x.dim() - 1}], but got {dim})"
        )
    return dim % x.dim()


def _dims_and_sizes(x: Tensor, s: Any, dim: _Dims, last: int | None = None) -> tuple[list[int], list[int]]:
    """Which dimensions are transformed, and of how many points; `last` is the last one's, if not given."""
    s = [s] if isinstance(s, int) else s
    if dim is None:
        dims = list(range(x.dim() - len(s), x.dim())) if s is not None else list(range(x.dim()))
        if dims and dims[0] < 0:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {x.dim()} dimensions"
            )
    else:
        dims = [_dim(x, d) for d in ([dim] if isinstance(dim, int) else dim)]
    if len(set(dims)) < len(dims):
        raise RuntimeError("FFT dims must be unique")
    if s is not None and len(s) != len(dims):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    sizes = [x.shape[d] for d in dims]
    if last is not None and sizes:
        sizes[-1] = last
    if s is not None:
        sizes = [size if given == -1 else given for size, given in zip(sizes, s, strict=True)]
    return dims, sizes


def _hermitian_size(x: Tensor, dim: _Dims) -> int | None:
    """How many points a half spectrum stands for when nothing is said."""
    if x.dim() == 0:
        return None
    at = -1 if dim is None else dim if isinstance(dim, int) else list(dim)[-1] if dim else -1
    return 2 * (x.shape[_dim(x, at)] - 1)


# ---- one dimension


@takes_out
def fft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The transform along a dimension: complex, of `n` points.

    >>> import mlx
    >>> mlx.fft.fft(mlx.tensor([1.0, 0.0, 0.0])).real
    tensor([1., 1., 1.])
    """
    x, d = _checked("fft", input), _dim(input, dim)
    return _complex_transform(x, [d], [x.shape[d] if n is None else n], norm, inverse=False)


@takes_out
def ifft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse transform along a dimension."""
    x, d = _checked("ifft", input), _dim(input, dim)
    return _complex_transform(x, [d], [x.shape[d] if n is None else n], norm, inverse=True)


@takes_out
def rfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first n // 2 + 1 points of the transform of a real signal."""
    x, d = _checked_real("rfft", input), _dim(input, dim)
    return _real_transform(x, d, x.shape[d] if n is None else n, norm, inverse=False)


@takes_out
def irfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The real signal of `n` points (by default an even number) of which rfft gives the input."""
    x, d = _checked_complex("irfft", input), _dim(input, dim)
    return _hermitian_transform(x, d, 2 * (x.shape[d] - 1) if n is None else n, norm, inverse=True)


@takes_out
def hfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The real transform of a signal with Hermitian symmetry, of which the first half is given."""
    x, d = _checked_complex("hfft", input), _dim(input, dim)
    return _hermitian_transform(x, d, 2 * (x.shape[d] - 1) if n is None else n, norm, inverse=False)


@takes_out
def ihfft(input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The first half of the signal of which hfft gives the (real) input."""
    x, d = _checked_real("ihfft", input), _dim(input, dim)
    return _real_transform(x, d, x.shape[d] if n is None else n, norm, inverse=True)


# ---- several dimensions


@takes_out
def fftn(input: Tensor, s: Any = None, dim: _Dims = None, norm: str | None = None) -> Tensor:
    """The transform over dimensions (all of them, or the last `len(s)`)."""
    x = _checked("fftn", input)
    return _complex_transform(x, *_dims_and_sizes(x, s, dim), norm, inverse=False)


@takes_out
def ifftn(input: Tensor, s: Any = None, dim: _Dims = None, norm: str | None = None) -> Tensor:
    """The inverse transform over dimensions."""
    x = _checked("ifftn", input)
    return _complex_transform(x, *_dims_and_sizes(x, s, dim), norm, inverse=True)


@takes_out
def rfftn(input: Tensor, s: Any = None, dim: _Dims = None, norm: str | None = None) -> Tensor:
    """The transform over dimensions of a real signal; the last one holds its first half."""
    x = _checked_real("rfftn", input)
    dims, sizes = _dims_and_sizes(x, s, dim)
    if not dims:
        raise RuntimeError("rfftn must transform at least one axis")
    half = _real_transform(x, dims[-1], sizes[-1], norm, inverse=False)
    return _complex_transform(half, dims[:-1], sizes[:-1], norm, inverse=False)


@takes_out
def irfftn(input: Tensor, s: Any = None, dim: _Dims = None, norm: str | None = None) -> Tensor:
    """The real signal of which rfftn gives the input."""
    x = _checked_complex("irfftn", input)
    dims, sizes = _dims_and_sizes(x, s, dim, _hermitian_size(x, dim))
    if not dims:
        raise RuntimeError("irfftn must transform at least one axis")
    x = _complex_transform(x, dims[:-1], sizes[:-1], norm, inverse=True)
    return _hermitian_transform(x, dims[-1], sizes[-1], norm, inverse=True)


@takes_out
def hfftn(input: Tensor, s: Any = None, dim: _Dims = None, norm: str | None = None) -> Tensor:
    """The real transform over dimensions of a signal with Hermitian symmetry, given by its first half."""
    x = _checked_complex("hfftn", input)
    dims, sizes = _dims_and_sizes(x, s, dim, _hermitian_size(x, dim))
    if not dims:
        raise RuntimeError("hfftn must transform at least one axis")
    x = _complex_transform(x, dims[:-1], sizes[:-1], norm, inverse=False)
    return _hermitian_transform(x, dims[-1], sizes[-1], norm, inverse=False)


@takes_out
def ihfftn(input: Tensor, s: Any = None, dim: _Dims = None, norm: str | None = None) -> Tensor:
    """The first half of the signal of which hfftn gives the (real) input."""
    x = _checked_real("ihfftn", input)
    dims, sizes = _dims_and_sizes(x, s, dim)
    if not dims:
        raise RuntimeError("ihfftn must transform at least one axis")
    half = _real_transform(x, dims[-1], sizes[-1], norm, inverse=True)
    return _complex_transform(half, dims[:-1], sizes[:-1], norm, inverse=True)


@takes_out
def fft2(input: Tensor, s: Any = None, dim: _Dims = _LAST_TWO, norm: str | None = None) -> Tensor:
    """fftn over the last two dimensions."""
    return fftn(input, s, dim, norm)


@takes_out
def ifft2(input: Tensor, s: Any = None, dim: _Dims = _LAST_TWO, norm: str | None = None) -> Tensor:
    """ifftn over the last two dimensions."""
    return ifftn(input, s, dim, norm)


@takes_out
def rfft2(input: Tensor, s: Any = None, dim: _Dims = _LAST_TWO, norm: str | None = None) -> Tensor:
    """rfftn over the last two dimensions."""
    return rfftn(input, s, dim, norm)


@takes_out
def irfft2(input: Tensor, s: Any = None, dim: _Dims = _LAST_TWO, norm: str | None = None) -> Tensor:
    """irfftn over the last two dimensions."""
    return irfftn(input, s, dim, norm)


@takes_out
def hfft2(input: Tensor, s: Any = None, dim: _Dims = _LAST_TWO, norm: str | None = None) -> Tensor:
    """hfftn over the last two dimensions."""
    return hfftn(input, s, dim, norm)


@takes_out
def ihfft2(input: Tensor, s: Any = None, dim: _Dims = _LAST_TWO, norm: str | None = None) -> Tensor:
    """ihfftn over the last two dimensions."""
    return ihfftn(input, s, dim, norm)


# ---- frequencies


def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of fft's points for samples `d` apart, in cycles per unit of `d`.

    >>> import mlx
    >>> mlx.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    k = mlx.arange(n, dtype=dtype or mlx.get_default_dtype(), device=device)
    out = mlx.where(k < (n + 1) // 2, k, k - n) * (1.0 / (n * d))
    return out.requires_grad_(requires_grad)


def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """The frequencies of rfft's points for `n` samples `d` apart."""
    k = mlx.arange(n // 2 + 1, dtype=dtype or mlx.get_default_dtype(), device=device)
    return (k * (1.0 / (n * d))).requires_grad_(requires_grad)


def _shift(x: Tensor, dim: _Dims, amount: Any) -> Tensor:
    dims = list(range(x.dim())) if dim is None else [dim] if isinstance(dim, int) else list(dim)
    return mlx.roll(x, [amount(x.shape[d]) for d in dims], dims) if dims else x.clone()


def fftshift(input: Tensor, dim: _Dims = None) -> Tensor:
    """The points reordered so that frequency zero lies in the middle."""
    return _shift(input, dim, lambda n: n // 2)


def ifftshift(input: Tensor, dim: _Dims = None) -> Tensor:
    """The inverse of fftshift."""
    return _shift(input, dim, lambda n: (n + 1) // 2)

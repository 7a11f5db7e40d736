"""Windows by their older names, and the short-time Fourier transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx
from mlx._C import Tensor, _op_namespaces
from mlx._C import dtype as _dtype

__all__ = [
    "bartlett_window",
    "blackman_window",
    "hamming_window",
    "hann_window",
    "istft",
    "kaiser_window",
    "stft",
]

_pad = _op_namespaces["nn.functional"]["pad"]


def _periodic_or_not(
    make: Callable[..., Tensor],
    length: int,
    periodic: bool,
    dtype: _dtype | None,
    device: Any,
    requires_grad: bool,
) -> Tensor:
    wanted = dtype or mlx.get_default_dtype()
    if not wanted.is_floating_point:
        raise RuntimeError(f"window functions expect floating point dtypes, got: {wanted}")
    exact = make(int(length), sym=not periodic, dtype=mlx.float64, device="cpu")
    return exact.to(wanted).to(device or mlx.get_default_device()).requires_grad_(requires_grad)


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Hann's window; see `mlx.signal.windows.hann`.

    >>> import mlx
    >>> mlx.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    make = mlx.signal.windows.hann
    return _periodic_or_not(make, window_length, periodic, dtype, device, requires_grad)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """alpha - beta cos(x), for x from 0 to 2 pi."""

    def make(M: int, **options: Any) -> Tensor:
        return mlx.signal.windows.general_cosine(M, a=[alpha, beta], **options)

    return _periodic_or_not(make, window_length, periodic, dtype, device, requires_grad)


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Blackman's window; see `mlx.signal.windows.blackman`."""
    make = mlx.signal.windows.blackman
    return _periodic_or_not(make, window_length, periodic, dtype, device, requires_grad)


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """The triangular window; see `mlx.signal.windows.bartlett`."""
    make = mlx.signal.windows.bartlett
    return _periodic_or_not(make, window_length, periodic, dtype, device, requires_grad)


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: _dtype | None = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Kaiser's window; see `mlx.signal.windows.kaiser`."""

    def make(M: int, **options: Any) -> Tensor:
        return mlx.signal.windows.kaiser(M, beta=beta, **options)

    return _periodic_or_not(make, window_length, periodic, dtype, device, requires_grad)


# ---- the short-time Fourier transform


def _frame_window(op: str, window: Tensor | None, n_fft: int, win_length: int, like: Tensor) -> Tensor:
    """The window with zeros on both sides, as long as a frame."""
    if not 0 < win_length <= n_fft:
        raise RuntimeError(f"{op}(): expected 0 < win_length <= n_fft, but got win_length={win_length}")
    if window is None:
        window = mlx.ones(win_length, dtype=like.dtype.to_real(), device=like.device)
    elif window.dim() != 1 or window.shape[0] != win_length:
        raise RuntimeError(
            f"{op}(): expected a 1D window tensor of size equal to win_length={win_length}, but got a window "
            f"of size {list(window.shape)}"
        )
    left = (n_fft - win_length) // 2
    return _pad(window, [left, n_fft - win_length - left])


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The short-time Fourier transform: that of windowed frames of a signal.

    Args:
        input: signals (length) or (batch, length), real or complex.
        n_fft: the length of a frame and of its transform.
        hop_length: from frame to frame; n_fft // 4 unless given.
        win_length, window: the window (of ones unless given), in the middle of each frame.
        center, pad_mode: whether and how the signal is padded so that frame t is centred at t * hop_length.
        normalized: whether to divide by the root of n_fft.
        onesided: whether to give the first n_fft // 2 + 1 frequencies only; true for real signals.
        return_complex: whether to give complex numbers (else their parts, in a last dimension).
        align_to_window: without `center`, whether a window shorter than n_fft begins at t * hop_length,
            by zeros before and behind the signal; else the frame does.

    Returns:
        (batch, frequencies, frames).
    """
    if return_complex is None and not (
        input.dtype.is_complex or (window is not None and window.dtype.is_complex)
    ):
        raise RuntimeError("stft requires the return_complex parameter be given for real inputs")
    if input.dim() not in (1, 2):
        raise RuntimeError(f"stft(): expected a 1D or 2D tensor, but got {list(input.shape)}")
    hop = n_fft // 4 if hop_length is None else hop_length
    if hop <= 0:
        raise RuntimeError(f"stft(): expected hop_length > 0, but got hop_length={hop}")
    x = input if input.dim() == 2 else input.unsqueeze(0)
    width = n_fft if win_length is None else win_length
    if align_to_window is not None and center:
        raise RuntimeError("stft align_to_window should only be set when center = false")
    if align_to_window and width < n_fft:
        before = (n_fft - width) // 2
        x = _pad(x, [before, n_fft - width - before])
    if center:
        padded = _pad(x.unsqueeze(1), [n_fft // 2, n_fft // 2], pad_mode)
        x = padded.squeeze(1)
    if not 0 < n_fft <= x.shape[1]:
        raise RuntimeError(f"stft(): expected 0 < n_fft <= {x.shape[1]}, but got n_fft={n_fft}")
    weights = _frame_window("stft", window, n_fft, width, x)
    frames = x.unfold(1, n_fft, hop) * weights
    one = (not frames.dtype.is_complex) if onesided is None else onesided
    if one and frames.dtype.is_complex:
        raise RuntimeError("Cannot have onesided output if window or input is complex")
    norm = "ortho" if normalized else None
    out = mlx.fft.rfft(frames, norm=norm) if one else mlx.fft.fft(frames, norm=norm)
    out = out.transpose(1, 2)
    out = out if input.dim() == 2 else out.squeeze(0)
    return mlx.view_as_real(out) if return_complex is False else out


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal of which `stft` gives the input (complex), as the least squares fit of overlapping frames
    (Griffin and Lim, "Signal estimation from modified short-time Fourier transform", 1984).

    The arguments are those of `stft`; `length` cuts or pads the result.
    """
    if not input.dtype.is_complex:
        raise RuntimeError("istft requires a complex-valued input tensor matching the output from stft")
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    if not 0 < hop <= width:
        raise RuntimeError(f"istft(): expected 0 < hop_length <= win_length, but got hop_length={hop}")
    if input.dim() not in (2, 3) or input.numel() == 0:
        raise RuntimeError(f"istft(): expected a tensor with 2 or 3 dimensions, but got {list(input.shape)}")
    spectra = (input if input.dim() == 3 else input.unsqueeze(0)).transpose(1, 2)
    one = n_fft // 2 + 1 == spectra.shape[2] if onesided is None else onesided
    if spectra.shape[2] != (n_fft // 2 + 1 if one else n_fft):
        raise RuntimeError(
            f"istft(): expected the frequency dimension (3rd to the last) of the input tensor to match "
            f"n_fft / 2 + 1 when onesided=True, n_fft otherwise, but got {spectra.shape[2]}"
        )
    norm = "ortho" if normalized else None
    if return_complex:
        if one:
            raise RuntimeError("istft(): cannot have onesided input and complex output")
        frames = mlx.fft.ifft(spectra, norm=norm)
    else:
        half = spectra if one else spectra.narrow(2, 0, n_fft // 2 + 1)
        frames = mlx.fft.irfft(half, n_fft, norm=norm)
    weights = _frame_window("istft", window, n_fft, width, input)
    count = frames.shape[1]
    total = n_fft + hop * (count - 1)
    at = (mlx.arange(count).view(-1, 1) * hop + mlx.arange(n_fft)).flatten().to(input.device)
    frames = (frames * weights).flatten(1)
    signal = mlx.zeros(frames.shape[0], total, dtype=frames.dtype, device=input.device)
    signal = signal.index_add(1, at, frames)
    squares = (weights * weights).expand(count, n_fft).flatten()
    envelope = mlx.zeros(total, dtype=squares.dtype, device=input.device).index_add(0, at, squares)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - n_fft // 2 if center else total
    signal, envelope = signal[:, start:end], envelope[start:end]
    if envelope.numel() and float(envelope.detach().abs().min()) <= 1e-11:
        raise RuntimeError("istft(): window overlap add min: 1")
    signal = signal / envelope
    if end > total:
        signal = _pad(signal, [0, end - total])
    return signal if input.dim() == 3 else signal.squeeze(0)


Tensor.stft = stft  # type: ignore[attr-defined]
Tensor.istft = istft  # type: ignore[attr-defined]

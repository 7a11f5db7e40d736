"""Fourier transforms: values against NumPy, gradients against differences."""

import numpy as np
import pytest
import scipy.signal
from support import assert_close, from_numpy, name, sample

import mlx

gradcheck, gradgradcheck = mlx.autograd.gradcheck, mlx.autograd.gradgradcheck

ONE = ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"]
MANY = ["fftn", "ifftn", "rfftn", "irfftn"]
REAL_INPUT = {"rfft", "ihfft", "rfftn"}


def signal(function, *shape, seed=0):
    values = sample(*shape, seed=seed)
    return values if function in REAL_INPUT else values + 1j * sample(*shape, seed=seed + 1)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize("n", [None, 3, 8])
@pytest.mark.parametrize("function", ONE)
def test_one_dimension(function, n, norm):
    x = signal(function, 2, 5, 3)
    expected = getattr(np.fft, function)(x, n, axis=1, norm=norm)
    assert_close(getattr(mlx.fft, function)(from_numpy(x), n, 1, norm), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("points", [1, 2, 5, 8])
@pytest.mark.parametrize("function", ["fft", "ifft"])
def test_real_signals_have_whole_transforms(function, points):
    x = sample(2, points, 3)
    expected = getattr(np.fft, function)(x, axis=1)
    assert_close(getattr(mlx.fft, function)(from_numpy(x), dim=1), expected, rtol=1e-12, atol=1e-12)
    everywhere = getattr(mlx.fft, function + "n")(from_numpy(x))
    assert_close(everywhere, getattr(np.fft, function + "n")(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(2, 70001), (300, 512), (40, 31, 97)])
@pytest.mark.parametrize("function", ONE)
def test_large_single_precision(function, shape):
    """Lines that threads share out; sums in single precision are within a few units of the largest."""
    exact = signal(function, *shape)
    x = exact.astype(np.float32 if function in REAL_INPUT else np.complex64)
    for dim in range(len(shape)):
        expected = getattr(np.fft, function)(exact, axis=dim)
        got = getattr(mlx.fft, function)(mlx.from_numpy(x), dim=dim)
        assert got.dtype == (mlx.float32 if np.isrealobj(expected) else mlx.complex64)
        assert_close(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
@pytest.mark.parametrize(("s", "dim"), [(None, None), ((4, 5), None), ((6, 3), (0, 2)), (None, (1,))])
@pytest.mark.parametrize("function", MANY)
def test_several_dimensions(function, s, dim, norm):
    x = signal(function, 3, 4, 5)
    axes = dim if dim is not None or s is None else tuple(range(3 - len(s), 3))
    expected = getattr(np.fft, function)(x, s, axes, norm)
    assert_close(getattr(mlx.fft, function)(from_numpy(x), s, dim, norm), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("norm", [None, "ortho", "forward"])
def test_hfftn_inverts_ihfftn(norm):
    x = from_numpy(sample(3, 4, 6))
    half = mlx.fft.ihfftn(x, norm=norm)
    assert half.shape[-1] == 4
    assert_close(mlx.fft.hfftn(half, norm=norm), sample(3, 4, 6), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("dtype", "result"),
    [(mlx.float32, mlx.complex64), (mlx.float64, mlx.complex128), (mlx.int32, mlx.complex64)],
    ids=lambda t: name(t),
)
def test_precision_is_kept(dtype, result):
    assert mlx.fft.fft(mlx.ones(4, dtype=dtype)).dtype == result
    assert mlx.fft.irfft(mlx.ones(4, dtype=dtype)).dtype == result.to_real()


@pytest.mark.parametrize("n", [None, 4, 7])
@pytest.mark.parametrize("function", ONE)
def test_gradients(function, n):
    x = from_numpy(signal(function, 2, 5), requires_grad=True)
    transform = getattr(mlx.fft, function)
    assert gradcheck(lambda t: transform(t, n), [x])
    assert gradgradcheck(lambda t: transform(t, n), [x])


@pytest.mark.parametrize("function", ["fft", "ifft", "fftn"])
def test_gradients_of_real_signals(function):
    x = from_numpy(sample(3, 5), requires_grad=True)
    assert gradcheck(getattr(mlx.fft, function), [x])
    assert gradgradcheck(getattr(mlx.fft, function), [x])


def test_half_types_are_refused():
    with pytest.raises(RuntimeError, match="Unsupported dtype"):
        mlx.fft.fft(mlx.ones(4, dtype=mlx.float16))


def test_bad_arguments():
    with pytest.raises(RuntimeError, match="Invalid normalization mode"):
        mlx.fft.fft(mlx.ones(4), norm="none")
    with pytest.raises(RuntimeError, match="Invalid number of data points"):
        mlx.fft.fft(mlx.ones(4), 0)
    with pytest.raises(RuntimeError, match="unique"):
        mlx.fft.fftn(mlx.ones(4, 4), dim=(0, -2))
    with pytest.raises(RuntimeError, match="real input"):
        mlx.fft.rfft(mlx.ones(4, dtype=mlx.complex64))


@pytest.mark.parametrize("n", [1, 4, 5])
def test_frequencies(n):
    assert_close(mlx.fft.fftfreq(n, 0.5, dtype=mlx.float64), np.fft.fftfreq(n, 0.5))
    assert_close(mlx.fft.rfftfreq(n, 0.5, dtype=mlx.float64), np.fft.rfftfreq(n, 0.5))


@pytest.mark.parametrize("dim", [None, 0, (0, 1)])
def test_shifts(dim):
    x = sample(4, 5)
    assert_close(mlx.fft.fftshift(from_numpy(x), dim), np.fft.fftshift(x, dim))
    assert_close(mlx.fft.ifftshift(from_numpy(x), dim), np.fft.ifftshift(x, dim))


# ---- windows

WINDOWS = {
    "hann": {},
    "hamming": {},
    "blackman": {},
    "bartlett": {},
    "cosine": {},
    "nuttall": {},
    "gaussian": {"std": 2.0},
    "kaiser": {"beta": 5.0},
    "exponential": {"tau": 2.0},
    "general_hamming": {"alpha": 0.6},
    "general_cosine": {"a": [0.5, 0.3, 0.2]},
}


@pytest.mark.parametrize("sym", [True, False])
@pytest.mark.parametrize("points", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("window", WINDOWS)
def test_windows(window, points, sym):
    options = WINDOWS[window]
    got = getattr(mlx.signal.windows, window)(points, sym=sym, dtype=mlx.float64, **options)
    expected = getattr(scipy.signal.windows, window)(points, sym=sym, **options)
    assert_close(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
def test_older_names_of_windows_are_periodic(window):
    got = getattr(mlx, f"{window}_window")(8, dtype=mlx.float64)
    options = {"beta": 12.0} if window == "kaiser" else {}
    assert_close(got, getattr(scipy.signal.windows, window)(8, sym=False, **options), rtol=1e-12, atol=1e-12)
    assert getattr(mlx, f"{window}_window")(8, dtype=mlx.float16).dtype == mlx.float16


# ---- the short-time transform


def test_stft_of_one_frame_is_the_transform_of_the_windowed_signal():
    x, window = sample(8), np.hanning(8)
    got = mlx.stft(from_numpy(x), 8, window=from_numpy(window), center=False, return_complex=True)
    assert_close(got, np.fft.rfft(x * window)[:, None], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("onesided", [True, False])
@pytest.mark.parametrize("normalized", [True, False])
@pytest.mark.parametrize("center", [True, False])
def test_istft_inverts_stft(center, normalized, onesided):
    x = from_numpy(sample(2, 40))
    options = {
        "hop_length": 4,
        "win_length": 12,
        "center": center,
        "normalized": normalized,
        "onesided": onesided,
    }
    window = mlx.hamming_window(12, dtype=mlx.float64)
    if not center:  # the first points lie outside of a window that is shorter than the frame
        window, options["win_length"] = mlx.hamming_window(16, dtype=mlx.float64), 16
    spectrum = mlx.stft(x, 16, window=window, return_complex=True, **options)
    length = None if not center else 40
    back = mlx.istft(spectrum, 16, window=window, length=length, **options)
    assert_close(back, sample(2, 40)[:, : back.shape[1]], rtol=1e-10, atol=1e-10)


def test_stft_gradients():
    x = from_numpy(sample(1, 12), requires_grad=True)
    assert gradcheck(lambda t: mlx.stft(t, 4, return_complex=True), [x])


def test_stft_wants_to_know_about_complex_results():
    with pytest.raises(RuntimeError, match="return_complex"):
        mlx.stft(mlx.ones(16), 4)


def test_transforms_take_out():
    x = mlx.rand(4, 6)
    out = mlx.zeros(0, dtype=mlx.complex64)
    assert mlx.fft.rfft(x, out=out) is out
    assert_close(out, np.fft.rfft(x.numpy()))
    room = mlx.zeros(4, 4, 2, dtype=mlx.complex64)
    mlx.fft.rfft(x, out=room[..., 0])
    assert_close(room[..., 0], np.fft.rfft(x.numpy()))
    with pytest.raises(RuntimeError, match="can't be cast"):
        mlx.fft.fft(x, out=mlx.zeros(4, 6))

"""What the tests share: dtype lists, conversion to NumPy, comparison, layouts."""

import numpy as np

import mlx

INTEGERS = [mlx.uint8, mlx.int8, mlx.int16, mlx.int32, mlx.int64]
HALVES = [mlx.float16, mlx.bfloat16]
FLOATS = [*HALVES, mlx.float32, mlx.float64]
COMPLEX = [mlx.complex64, mlx.complex128]
ALL = [mlx.bool, *INTEGERS, *FLOATS, *COMPLEX]

NUMPY = {
    mlx.bool: np.bool_,
    mlx.uint8: np.uint8,
    mlx.int8: np.int8,
    mlx.int16: np.int16,
    mlx.int32: np.int32,
    mlx.int64: np.int64,
    mlx.float16: np.float16,
    mlx.float32: np.float32,
    mlx.float64: np.float64,
    mlx.complex64: np.complex64,
    mlx.complex128: np.complex128,
}

# One unit in the last place of each dtype at 1, times a small factor for the operations in between.
TOLERANCE = {
    mlx.float16: 2e-3,
    mlx.bfloat16: 1.6e-2,
    mlx.float32: 1e-6,
    mlx.float64: 1e-14,
    mlx.complex64: 2e-6,
    mlx.complex128: 1e-14,
}


def name(dtype):
    """A dtype's bare name, for test ids."""
    return str(dtype).split(".")[-1]


def to_numpy(t):
    """Values of `t` as a NumPy array; bfloat16, which NumPy lacks, as float32."""
    t = t.detach()
    return (t.float() if t.dtype == mlx.bfloat16 else t).numpy()


def from_numpy(array, dtype=None, requires_grad=False):
    """A tensor holding a copy of `array`; on devices without float64, of an array of that, float32."""
    array = np.ascontiguousarray(array) if np.ndim(array) else np.asarray(array)
    if dtype is None and array.dtype == np.float64 and mlx.get_default_device().type == "mps":
        array = array.astype(np.float32)
    t = mlx.tensor(array, dtype=dtype)
    return t.requires_grad_() if requires_grad else t


def sample(*shape, low=-3.0, high=3.0, seed=0):
    """Reproducible float64 values in [low, high)."""
    return np.random.default_rng(seed).uniform(low, high, shape)


def double(*shape, low=-3.0, high=3.0, seed=0):
    """A float64 leaf that requires grad, holding `sample`."""
    return mlx.tensor(sample(*shape, low=low, high=high, seed=seed), requires_grad=True)


def strided(t):
    """The values of `t` in memory that is neither contiguous nor dense."""
    if t.dim() == 0:
        return mlx.stack([t, t])[1]
    return mlx.stack([t, t], -1)[..., 1]


def assert_equal(actual, expected, dtype=None):
    """Same shape, same values (NaN equals NaN) and, when given, dtype."""
    expected = np.asarray(expected)
    assert tuple(actual.shape) == expected.shape
    if dtype is not None:
        assert actual.dtype == dtype
    np.testing.assert_array_equal(to_numpy(actual), expected)


def assert_close(actual, expected, rtol=None, atol=None):
    """Same shape; values within the tolerance of the tensor's dtype.

    Where a test that is written for float64 runs on a device without it, the tolerance is float32's.
    """
    expected = np.asarray(expected)
    assert tuple(actual.shape) == expected.shape
    tolerance = TOLERANCE.get(actual.dtype, 0.0)
    if actual.is_mps and actual.dtype in (mlx.float32, mlx.complex64):
        rtol, atol = (t if t is None else max(t, 10 * tolerance) for t in (rtol, atol))
    np.testing.assert_allclose(
        to_numpy(actual),
        expected,
        rtol=tolerance if rtol is None else rtol,
        atol=tolerance if atol is None else atol,
    )

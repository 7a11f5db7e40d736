"""Interpolation, sampling by grids, windows as columns: values against NumPy and SciPy, gradients."""

import numpy as np
import pytest
import scipy.ndimage
from support import assert_close, double, from_numpy, sample

import mlx
import mlx.nn.functional as F

gradcheck = mlx.autograd.gradcheck

# mode -> (spatial dimensions, whether corners may be aligned)
MODES = {
    "nearest": (2, False),
    "nearest-exact": (2, False),
    "linear": (1, True),
    "bilinear": (2, True),
    "bicubic": (2, True),
    "trilinear": (3, True),
    "area": (2, False),
}


def test_nearest_takes_the_cell_that_a_point_falls_in():
    x = from_numpy(np.arange(3.0).reshape(1, 1, 3))
    assert_close(F.interpolate(x, 7), [[[0, 0, 0, 1, 1, 2, 2]]])
    assert_close(F.interpolate(x, 2), [[[0, 1]]])
    assert_close(F.interpolate(x, 2, mode="nearest-exact"), [[[0, 2]]])


@pytest.mark.parametrize("mode", ["linear", "bilinear", "trilinear"])
@pytest.mark.parametrize("size", [3, 7])
def test_linear_modes_with_aligned_corners_are_linear_splines(mode, size):
    dims = MODES[mode][0]
    x = sample(*[5] * dims)
    grid = np.meshgrid(*[np.linspace(0, 4, size)] * dims, indexing="ij")
    expected = scipy.ndimage.map_coordinates(x, grid, order=1)
    got = F.interpolate(from_numpy(x)[None, None], size, mode=mode, align_corners=True)
    assert_close(got[0, 0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("align", [True, False])
def test_bicubic_is_a_convolution_with_keys_kernel(align):
    """Keys (1981), equation 4, with a = -3/4; the image goes on as its border."""

    def kernel(d, a=-0.75):
        d = np.abs(d)
        near = (a + 2) * d**3 - (a + 3) * d**2 + 1
        return np.where(d <= 1, near, np.where(d < 2, a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a, 0))

    x = sample(6, 6)
    at = np.arange(11) * 5 / 10 if align else (np.arange(11) + 0.5) * 6 / 11 - 0.5
    points = np.arange(-3, 9)
    weights = kernel(at[:, None] - points)
    expected = weights @ np.pad(x, 3, mode="edge") @ weights.T
    got = F.interpolate(from_numpy(x)[None, None], 11, mode="bicubic", align_corners=align)[0, 0]
    assert_close(got, expected, rtol=1e-12, atol=1e-12)


def test_area_is_the_mean_of_cells():
    x = sample(2, 3, 6, 4)
    expected = x.reshape(2, 3, 3, 2, 2, 2).mean((3, 5))
    assert_close(F.interpolate(from_numpy(x), (3, 2), mode="area"), expected, rtol=1e-12)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_antialiasing_keeps_constants_and_the_mean_of_halves(mode):
    ones = mlx.ones(1, 1, 9, 9, dtype=mlx.float64)
    assert_close(F.interpolate(ones, 4, mode=mode, antialias=True), np.ones((1, 1, 4, 4)), rtol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_interpolation_gradients(mode):
    dims, alignable = MODES[mode]
    x = double(1, 2, *[3] * dims)
    for align in (True, False) if alignable else (None,):
        assert gradcheck(lambda t, align=align: F.interpolate(t, 4, mode=mode, align_corners=align), [x])


def test_scale_factor_rounds_down_and_sets_the_step():
    x = from_numpy(np.arange(5.0).reshape(1, 1, 5))
    assert F.interpolate(x, scale_factor=1.5).shape[-1] == 7
    assert_close(F.interpolate(x, scale_factor=1.5), [[[0, 0, 1, 2, 2, 3, 4]]])


def test_interpolation_checks_its_arguments():
    x = mlx.ones(1, 1, 4, 4)
    with pytest.raises(ValueError, match="size or scale_factor"):
        F.interpolate(x)
    with pytest.raises(ValueError, match="align_corners"):
        F.interpolate(x, 2, align_corners=True)
    with pytest.raises(NotImplementedError):
        F.interpolate(x, 2, mode="linear")
    with pytest.raises(RuntimeError, match="greater than 0"):
        F.interpolate(x, 0)


# ---- sampling


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_the_identity_grid_samples_the_image_itself(mode, align):
    x = sample(2, 3, 4, 5)
    theta = mlx.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=mlx.float64).expand(2, 2, 3)
    grid = F.affine_grid(theta, (2, 3, 4, 5), align_corners=align)
    got = F.grid_sample(from_numpy(x), grid, mode=mode, align_corners=align)
    assert_close(got, x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("padding", "outside"), [("zeros", "constant"), ("border", "nearest"), ("reflection", "mirror")]
)
def test_padding_modes(padding, outside):
    x, points = sample(6, 7), sample(10, 2, low=-1.8, high=1.8, seed=4)
    rows, columns = (points[:, 1] + 1) / 2 * 5, (points[:, 0] + 1) / 2 * 6
    if padding == "zeros":  # a frame of zeros, towards which the border fades
        expected = scipy.ndimage.map_coordinates(np.pad(x, 1), [rows + 1, columns + 1], order=1, mode=outside)
    else:
        expected = scipy.ndimage.map_coordinates(x, [rows, columns], order=1, mode=outside)
    grid = from_numpy(points).view(1, 1, 10, 2)
    got = F.grid_sample(from_numpy(x)[None, None], grid, padding_mode=padding, align_corners=True)
    assert_close(got[0, 0, 0], expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_grid_sample_gradients(mode, padding):
    x, grid = double(1, 2, 4, 4), double(1, 2, 3, 2, low=-1.4, high=1.4, seed=8)

    def sampled(image, places):
        return F.grid_sample(image, places, mode=mode, padding_mode=padding, align_corners=False)

    assert gradcheck(sampled, [x, grid])


def test_volumes_are_sampled_too():
    x, grid = double(1, 1, 3, 3, 3), double(1, 2, 2, 2, 3, low=-0.9, high=0.9, seed=2)
    assert gradcheck(lambda a, b: F.grid_sample(a, b, align_corners=True), [x, grid])


# ---- windows as columns


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1}, {"dilation": (1, 2), "padding": (0, 1)}]
)
def test_unfold_makes_a_convolution_a_product(options):
    x, weight = from_numpy(sample(2, 3, 6, 7)), from_numpy(sample(4, 3, 2, 3, seed=1))
    columns = F.unfold(x, (2, 3), **options)
    product = weight.flatten(1) @ columns
    assert_close(product, F.conv2d(x, weight, **options).flatten(2).numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2}])
def test_fold_is_the_adjoint_of_unfold(options):
    x = double(1, 2, 5, 6)
    columns = F.unfold(x, 2, **options)
    other = from_numpy(sample(*columns.shape, seed=3))
    (columns * other).sum().backward()
    assert_close(F.fold(other, (5, 6), 2, **options), x.grad.numpy(), rtol=1e-12, atol=1e-12)


def keys_kernel(d):
    near, far = ((1.25 * d - 2.25) * d * d + 1), ((-0.75 * d + 3.75) * d - 6) * d + 3
    return np.where(d < 1, near, np.where(d < 2, far, 0))


def fixed_point_bicubic(line, out):
    """Bytes by weights of 16 bits, those of taps beyond the border are added to that of the last first."""
    n = len(line)
    weights = np.zeros((out, n))
    for i in range(out):
        at = (i + 0.5) * n / out - 0.5
        for k in range(-1, 3):
            place = int(np.floor(at)) + k
            weights[i, min(max(place, 0), n - 1)] += keys_kernel(abs(at - place))
    bits = 0
    while bits < 22 and int(0.5 + weights.max() * 2 ** (bits + 1)) < 2**15:
        bits += 1
    fixed = np.trunc(weights * 2**bits + np.copysign(0.5, weights))
    return np.clip(np.floor((fixed @ line.astype(float)) / 2**bits + 0.5), 0, 255)


@pytest.mark.parametrize(("size", "out"), [(4, 3), (2, 5), (3, 11), (13, 5)])
def test_bytes_are_resized_in_fixed_point(size, out):
    image = np.random.default_rng(size).integers(0, 256, (200, size)).astype(np.uint8)
    resized = F.interpolate(from_numpy(image[:, None, None, :]), (1, out), mode="bicubic")
    np.testing.assert_array_equal(resized.numpy()[:, 0, 0], [fixed_point_bicubic(row, out) for row in image])


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_grid_sample_reads_zeros_at_places_that_are_no_numbers(mode):
    grid = mlx.tensor([np.nan, np.inf, -np.inf, 1e30]).reshape(1, 1, 4, 1).expand(1, 1, 4, 2)
    out = F.grid_sample(mlx.ones(1, 1, 3, 3), grid, mode=mode, align_corners=False)
    assert out.flatten().tolist() == [0, 0, 0, 0]


def test_grid_sample_of_an_empty_batch():
    out = F.grid_sample(mlx.zeros(0, 2, 3, 3), mlx.zeros(0, 4, 5, 2), align_corners=False)
    assert out.shape == (0, 2, 4, 5)


@pytest.mark.parametrize("padding_mode", ["border", "reflection"])
def test_grid_sample_has_no_slope_at_the_border(padding_mode):
    x = mlx.tensor([[[[1.0, 3.0, 7.0]]]])
    grid = mlx.tensor([[[[-1.0, 0.0], [-0.5, 0.0], [1.0, 0.0]]]], requires_grad=True)
    F.grid_sample(x, grid, padding_mode=padding_mode, align_corners=True).sum().backward()
    assert grid.grad[..., 0].tolist() == [[[0, 2, 0]]]

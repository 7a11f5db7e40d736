"""`repr`: the text expected is PyTorch's, column by column."""

import math
import time

import numpy as np
import pytest

import mlx

pytestmark = pytest.mark.cpu  # the texts are those of CPU tensors

REPRS = [
    (
        "scalar",
        lambda: mlx.tensor(3),
        "tensor(3)",
    ),
    (
        "scalar_float",
        lambda: mlx.tensor(2.0),
        "tensor(2.)",
    ),
    (
        "scalar_bool",
        lambda: mlx.tensor(True),
        "tensor(True)",
    ),
    (
        "scalar_nan",
        lambda: mlx.tensor(float("nan")),
        "tensor(nan)",
    ),
    (
        "integral_floats",
        lambda: mlx.tensor([1.0, 2.0, 30.0]),
        "tensor([ 1.,  2., 30.])",
    ),
    (
        "fixed",
        lambda: mlx.tensor([1.5, -2.25, 100.0]),
        "tensor([  1.5000,  -2.2500, 100.0000])",
    ),
    (
        "tiny_turns_scientific",
        lambda: mlx.tensor([1e-5, 1.5]),
        "tensor([1.0000e-05, 1.5000e+00])",
    ),
    (
        "large_turns_scientific",
        lambda: mlx.tensor([1e9, 2e9]),
        "tensor([1.0000e+09, 2.0000e+09])",
    ),
    (
        "wide_range_turns_scientific",
        lambda: mlx.tensor([0.1, 1000.0]),
        "tensor([1.0000e-01, 1.0000e+03])",
    ),
    (
        "thousandfold_stays_fixed",
        lambda: mlx.tensor([0.5, 500.0]),
        "tensor([  0.5000, 500.0000])",
    ),
    (
        "nan_and_inf",
        lambda: mlx.tensor([float("nan"), float("inf"), -float("inf"), 1.0]),
        "tensor([nan, inf, -inf, 1.])",
    ),
    (
        "nan_with_fraction",
        lambda: mlx.tensor([float("nan"), 0.5]),
        "tensor([   nan, 0.5000])",
    ),
    (
        "negative_zero",
        lambda: mlx.tensor([-0.0, 0.0]),
        "tensor([-0., 0.])",
    ),
    (
        "bool",
        lambda: mlx.tensor([True, False]),
        "tensor([ True, False])",
    ),
    (
        "integers",
        lambda: mlx.tensor([1, -20, 300]),
        "tensor([  1, -20, 300])",
    ),
    (
        "dtype_shown",
        lambda: mlx.tensor([1, 2], dtype=mlx.int32),
        "tensor([1, 2], dtype=mlx.int32)",
    ),
    (
        "double",
        lambda: mlx.tensor([0.1, 0.2], dtype=mlx.float64),
        "tensor([0.1000, 0.2000], dtype=mlx.float64)",
    ),
    (
        "half",
        lambda: mlx.tensor([0.1, 0.2], dtype=mlx.float16),
        "tensor([0.1000, 0.2000], dtype=mlx.float16)",
    ),
    (
        "bfloat16",
        lambda: mlx.tensor([0.1, 0.2], dtype=mlx.bfloat16),
        "tensor([0.1001, 0.2002], dtype=mlx.bfloat16)",
    ),
    (
        "complex",
        lambda: mlx.tensor([1 + 2j, -0.5 - 1j]),
        "tensor([ 1.0000+2.j, -0.5000-1.j])",
    ),
    (
        "complex128",
        lambda: mlx.tensor([1 + 2j], dtype=mlx.complex128),
        "tensor([1.+2.j], dtype=mlx.complex128)",
    ),
    (
        "complex_scalar",
        lambda: mlx.tensor(1.5 - 2j),
        "tensor(1.5000-2.j)",
    ),
    (
        "matrix",
        lambda: mlx.arange(6).reshape(2, 3),
        "tensor([[0, 1, 2],\n        [3, 4, 5]])",
    ),
    (
        "cube",
        lambda: mlx.arange(8).reshape(2, 2, 2),
        ("tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]])"),
    ),
    (
        "transposed",
        lambda: mlx.arange(6).reshape(2, 3).t(),
        "tensor([[0, 3],\n        [1, 4],\n        [2, 5]])",
    ),
    (
        "empty",
        lambda: mlx.zeros(0),
        "tensor([])",
    ),
    (
        "empty_matrix",
        lambda: mlx.zeros(0, 3),
        "tensor([], size=(0, 3))",
    ),
    (
        "empty_int",
        lambda: mlx.zeros(2, 0, dtype=mlx.int64),
        "tensor([], size=(2, 0), dtype=mlx.int64)",
    ),
    (
        "wrapped",
        lambda: mlx.arange(30),
        (
            "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
            "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"
        ),
    ),
    (
        "wrapped_floats",
        lambda: mlx.linspace(0, 1, 12),
        (
            "tensor([0.0000, 0.0909, 0.1818, 0.2727, 0.3636, 0.4545, 0.5455, 0.6364, 0.7273,\n"
            "        0.8182, 0.9091, 1.0000])"
        ),
    ),
    (
        "summarized",
        lambda: mlx.arange(1001),
        "tensor([   0,    1,    2,  ...,  998,  999, 1000])",
    ),
    (
        "summarized_matrix",
        lambda: mlx.arange(10000).reshape(100, 100),
        (
            "tensor([[   0,    1,    2,  ...,   97,   98,   99],\n"
            "        [ 100,  101,  102,  ...,  197,  198,  199],\n"
            "        [ 200,  201,  202,  ...,  297,  298,  299],\n"
            "        ...,\n"
            "        [9700, 9701, 9702,  ..., 9797, 9798, 9799],\n"
            "        [9800, 9801, 9802,  ..., 9897, 9898, 9899],\n"
            "        [9900, 9901, 9902,  ..., 9997, 9998, 9999]])"
        ),
    ),
    (
        "summarized_narrow",
        lambda: mlx.zeros(501, 2),
        (
            "tensor([[0., 0.],\n"
            "        [0., 0.],\n"
            "        [0., 0.],\n"
            "        ...,\n"
            "        [0., 0.],\n"
            "        [0., 0.],\n"
            "        [0., 0.]])"
        ),
    ),
    (
        "requires_grad",
        lambda: mlx.ones(2, requires_grad=True),
        "tensor([1., 1.], requires_grad=True)",
    ),
    (
        "recorded",
        lambda: mlx.ones(2, requires_grad=True) * 2,
        "tensor([2., 2.], grad_fn=<MulBackward0>)",
    ),
    (
        "recorded_sum",
        lambda: mlx.ones(2, requires_grad=True).sum(),
        "tensor(2., grad_fn=<SumBackward0>)",
    ),
    (
        "recorded_double",
        lambda: mlx.ones(2, dtype=mlx.float64, requires_grad=True).exp(),
        "tensor([2.7183, 2.7183], dtype=mlx.float64, grad_fn=<ExpBackward0>)",
    ),
    (
        "parameter",
        lambda: mlx.nn.Parameter(mlx.ones(2)),
        "Parameter containing:\ntensor([1., 1.], requires_grad=True)",
    ),
    (
        "suffix_on_its_own_line",
        lambda: mlx.linspace(0, 1, 9, dtype=mlx.float64)[:9] * 1.0,
        (
            "tensor([0.0000, 0.1250, 0.2500, 0.3750, 0.5000, 0.6250, 0.7500, 0.8750, 1.0000],\n"
            "       dtype=mlx.float64)"
        ),
    ),
]

OPTIONS = [
    (
        "precision",
        {"precision": 2},
        lambda: mlx.tensor([math.pi]),
        "tensor([3.14])",
    ),
    (
        "scientific",
        {"sci_mode": True},
        lambda: mlx.tensor([1.5, 20.0]),
        "tensor([1.5000e+00, 2.0000e+01])",
    ),
    (
        "never_scientific",
        {"sci_mode": False},
        lambda: mlx.tensor([1e-6, 1.0]),
        "tensor([0.0000, 1.0000])",
    ),
    (
        "linewidth",
        {"linewidth": 30},
        lambda: mlx.arange(20),
        (
            "tensor([ 0,  1,  2,  3,  4,\n"
            "         5,  6,  7,  8,  9,\n"
            "        10, 11, 12, 13, 14,\n"
            "        15, 16, 17, 18, 19])"
        ),
    ),
    (
        "threshold",
        {"threshold": 3},
        lambda: mlx.arange(10),
        "tensor([0, 1, 2,  ..., 7, 8, 9])",
    ),
    (
        "edgeitems",
        {"threshold": 3, "edgeitems": 1},
        lambda: mlx.arange(10),
        "tensor([0,  ..., 9])",
    ),
    (
        "short",
        {"profile": "short"},
        lambda: mlx.tensor([math.pi]),
        "tensor([3.14])",
    ),
    (
        "full",
        {"profile": "full"},
        lambda: mlx.zeros(1001).bool().any(),
        "tensor(False)",
    ),
]


@pytest.mark.parametrize(("make", "expected"), [r[1:] for r in REPRS], ids=[r[0] for r in REPRS])
def test_repr(make, expected):
    assert repr(make()) == expected


@pytest.mark.parametrize(
    ("options", "make", "expected"), [o[1:] for o in OPTIONS], ids=[o[0] for o in OPTIONS]
)
def test_repr_with_options(options, make, expected):
    mlx.set_printoptions(**options)
    assert repr(make()) == expected


def test_str_is_repr():
    assert str(mlx.ones(2)) == repr(mlx.ones(2))


def test_unknown_profile_is_an_error():
    with pytest.raises(ValueError, match="wide"):
        mlx.set_printoptions(profile="wide")


def test_sci_mode_returns_to_automatic():
    mlx.set_printoptions(sci_mode=True)
    mlx.set_printoptions(precision=4)
    assert repr(mlx.tensor([1.5])) == "tensor([1.5000])"


def test_full_profile_shows_everything():
    mlx.set_printoptions(profile="full")
    assert "..." not in repr(mlx.arange(2000))


def test_default_float_dtype_is_not_shown():
    mlx.set_default_dtype(mlx.float64)
    assert repr(mlx.tensor([0.5])) == "tensor([0.5000])"
    assert repr(mlx.tensor([0.5], dtype=mlx.float32)) == "tensor([0.5000], dtype=mlx.float32)"


def test_printing_records_nothing():
    t = mlx.ones(2, requires_grad=True)
    repr(t)
    (t * 2).sum().backward()
    assert t.grad.tolist() == [2, 2]


def test_subclass_shows_its_name():
    class Image(mlx.Tensor):
        pass

    assert repr(mlx.ones(1).as_subclass(Image)) == "Image([1.])"


def test_large_tensor_prints_quickly():
    t = mlx.zeros(1).expand(100_000, 1000)
    start = time.perf_counter()
    repr(t)
    assert time.perf_counter() - start < 1.0


def test_repr_of_dtype_and_device():
    assert (repr(mlx.float32), repr(mlx.device("cpu"))) == ("mlx.float32", "device(type='cpu')")


def test_repr_of_size():
    assert repr(mlx.ones(2, 3).shape) == "mlx.Size([2, 3])"


def test_what_is_made_of_sizes_is_a_size():
    shape, five, listed = mlx.ones(2, 3, 4).shape, (5,), [1]
    for made, want in [
        (shape[1:], (3, 4)),
        (shape[:-1] + five, (2, 3, 5)),
        (five + shape, (5, 2, 3, 4)),
        (shape[:1] + shape[2:], (2, 4)),
        (shape[:1] * 2, (2, 2)),
        (2 * shape[:1], (2, 2)),
        (mlx.Size([mlx.tensor(2), np.int64(3)]), (2, 3)),
    ]:
        assert type(made) is mlx.Size and made == want and hash(made) == hash(want)
        assert all(type(n) is int for n in made)
    assert shape[1:].numel() == 12 and type(shape[0]) is int
    for wrong in (lambda: shape + listed, lambda: listed + shape, lambda: mlx.Size([1.5])):
        with pytest.raises(TypeError):
            wrong()


@pytest.mark.parametrize("number", [int, float])
@pytest.mark.parametrize("shape", [(2,), (0,)])
def test_a_tensor_of_several_elements_is_no_number(number, shape):
    with pytest.raises(ValueError, match="one element"):
        number(mlx.ones(shape))


def test_formatting_a_number_gives_the_number():
    loss = mlx.tensor(2.5, requires_grad=True) * 1
    assert f"{loss}" == "2.5" and f"{loss:.3f}" == "2.500" and f"{mlx.tensor(7)}" == "7"
    assert f"{mlx.tensor([7])}" == "tensor([7])"
    assert f"{mlx.nn.Parameter(mlx.tensor(1.5))}".startswith("Parameter containing:")


def test_named_results_have_a_line_a_field():
    assert repr(mlx.tensor([1, 3, 2]).max(0)) == (
        "mlx.return_types.max(\nvalues=tensor(3),\nindices=tensor(1))"
    )
    assert repr(mlx.linalg.slogdet(mlx.eye(2))).startswith("mlx.return_types.linalg_slogdet(\nsign=")

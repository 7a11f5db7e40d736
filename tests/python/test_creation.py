"""Making tensors: from values, filled, in ranges, like others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ALL, FLOATS, INTEGERS, assert_close, assert_equal, name

import mlx


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (True, mlx.bool),
        (3, mlx.int64),
        (3.0, mlx.float32),
        (3j, mlx.complex64),
        ([True, False], mlx.bool),
        ([1, 2], mlx.int64),
        ([1, 2.5], mlx.float32),
        ([True, 2], mlx.int64),
        ([1.0, 2j], mlx.complex64),
        (np.float64(1), mlx.float64),
        ([np.float64(1)], mlx.float64),
        ([2.0, np.float64(1)], mlx.float64),
        ([[1], [np.complex128(1j)]], mlx.complex128),
        ([np.float32(1), 2.0], mlx.float32),
        ([np.float16(1), 2.0], mlx.float32),
        ([np.float16(1)], mlx.float16),
        ([np.int32(1), 2], mlx.int64),
        ([np.int32(1), np.int8(2)], mlx.int32),
        ([np.bool_(True)], mlx.bool),
        ([], mlx.float32),
    ],
)
def test_tensor_infers_the_dtype(value, dtype):
    assert mlx.tensor(value).dtype == dtype


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (1, ()),
        ([], (0,)),
        ([[]], (1, 0)),
        ([[1, 2, 3], [4, 5, 6]], (2, 3)),
        (((1,),), (1, 1)),
        (range(4), (4,)),
    ],
)
def test_tensor_infers_the_shape(value, shape):
    assert mlx.tensor(value).shape == shape


def test_tensor_follows_the_default_dtype():
    mlx.set_default_dtype(mlx.float64)
    assert mlx.tensor([1.0]).dtype == mlx.float64
    assert mlx.tensor([1j]).dtype == mlx.complex128


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_tensor_of_a_given_dtype(dtype):
    t = mlx.tensor([0, 1, 1], dtype=dtype)
    assert t.dtype == dtype
    assert t.tolist() == [0, 1, 1]


def test_tensor_keeps_all_digits_of_int64():
    assert mlx.tensor(2**63 - 1).item() == 2**63 - 1


def test_tensor_of_an_integer_too_large_is_an_error():
    with pytest.raises((RuntimeError, OverflowError, ValueError)):
        mlx.tensor(2**64)


@pytest.mark.parametrize(
    "make",
    [
        lambda value, dtype: mlx.tensor(value, dtype=dtype),
        lambda value, dtype: mlx.tensor([[0, value]], dtype=dtype),
        lambda value, dtype: mlx.as_tensor(value, dtype=dtype),
        lambda value, dtype: mlx.scalar_tensor(value, dtype=dtype),
        lambda value, dtype: mlx.full((2,), value, dtype=dtype),
        lambda value, dtype: mlx.zeros(2, dtype=dtype).fill_(value),
        lambda value, dtype: mlx.zeros(2, dtype=dtype).new_full((3,), value),
        lambda value, dtype: mlx.zeros(2, dtype=dtype).masked_fill(mlx.tensor([True, False]), value),
        lambda value, dtype: mlx.zeros(2, dtype=dtype).index_fill(0, mlx.tensor([0]), value),
        lambda value, dtype: mlx.zeros(2, dtype=dtype).scatter(0, mlx.tensor([0]), value),
        lambda value, dtype: mlx.nn.functional.pad(mlx.zeros(2, dtype=dtype), (1, 1), value=value),
        lambda value, dtype: mlx.zeros(2, dtype=dtype).__setitem__(0, value),
        lambda value, dtype: mlx.zeros(2, dtype=dtype).__setitem__([0, 1], value),
    ],
)
@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (300, mlx.uint8),
        (-256, mlx.uint8),
        (128, mlx.int8),
        (-(2**15) - 1, mlx.int16),
        (2**31, mlx.int32),
        (255.5, mlx.uint8),
        (-1.5, mlx.uint8),
        (2.0**63, mlx.int64),
        (float("nan"), mlx.int64),
        (float("inf"), mlx.int32),
    ],
)
def test_a_number_beyond_an_integer_dtype_is_an_error(make, value, dtype):
    with pytest.raises(RuntimeError, match="cannot be converted to type .*int.* without overflow"):
        make(value, dtype)


def test_where_does_not_wrap_a_number_beyond_the_others_dtype():
    condition, other = mlx.tensor([True, False]), mlx.ones(2, dtype=mlx.uint8)
    with pytest.raises(RuntimeError, match="cannot be converted to type uint8 without overflow: 300"):
        mlx.where(condition, 300, other)
    with pytest.raises(RuntimeError, match="cannot be converted to type uint8 without overflow: 300"):
        mlx.where(condition, other, 300)
    assert mlx.where(condition, 255, other).tolist() == [255, 1]


@pytest.mark.parametrize("dtype", INTEGERS, ids=name)
def test_the_ends_of_an_integer_dtype_fit(dtype):
    limits = mlx.iinfo(dtype)
    assert mlx.tensor([limits.min, limits.max], dtype=dtype).tolist() == [limits.min, limits.max]
    assert mlx.full((), limits.max, dtype=dtype).item() == limits.max


def test_a_negative_number_in_an_unsigned_dtype_is_its_twos_complement():
    assert mlx.tensor([-1, -255], dtype=mlx.uint8).tolist() == [255, 1]
    assert mlx.full((1,), -1, dtype=mlx.uint8).tolist() == [255]


def test_a_complex_number_in_a_real_dtype_is_an_error():
    for value in (1j, [1.0, 1j]):
        with pytest.raises(TypeError, match="must be real number, not complex"):
            mlx.tensor(value, dtype=mlx.float32)
    with pytest.raises(RuntimeError, match="cannot be converted to type float32"):
        mlx.zeros(2).fill_(1j)


@pytest.mark.parametrize("value", [None, object(), [None]])
def test_tensor_of_no_number_is_an_error(value):
    with pytest.raises(RuntimeError, match="Could not infer dtype of"):
        mlx.tensor(value)


def test_tensor_of_ragged_lists_is_an_error():
    with pytest.raises(ValueError, match="2"):
        mlx.tensor([[1, 2], [3]])


def test_tensor_of_text_is_an_error():
    with pytest.raises((TypeError, ValueError)):
        mlx.tensor("abc")


def test_tensor_of_scalar_tensors():
    assert mlx.tensor([mlx.tensor(1.5), mlx.tensor(2.5)]).tolist() == [1.5, 2.5]


def test_tensor_copies_its_argument():
    array = np.array([1.0, 2.0])
    t = mlx.tensor(array)
    array[0] = 9
    assert t.tolist() == [1.0, 2.0]


def test_as_tensor_shares_a_tensor():
    t = mlx.ones(2)
    assert mlx.as_tensor(t) is t


def test_as_tensor_shares_an_array():
    array = np.array([1.0, 2.0])
    t = mlx.as_tensor(array)
    array[0] = 9
    assert t.tolist() == [9.0, 2.0]


def test_as_tensor_converts_to_a_dtype():
    assert mlx.as_tensor([1, 2], dtype=mlx.float16).dtype == mlx.float16


@pytest.mark.parametrize("dtype", ALL, ids=name)
@pytest.mark.parametrize(("make", "value"), [("zeros", 0), ("ones", 1)])
def test_filled(make, value, dtype):
    assert getattr(mlx, make)(2, 3, dtype=dtype).tolist() == [[value] * 3] * 2


@pytest.mark.parametrize("make", ["zeros", "ones", "empty", "rand", "randn"])
def test_shape_as_arguments_tuple_list_or_size(make):
    function = getattr(mlx, make)
    for given_shape in [(2, 3), ((2, 3),), ([2, 3],), (mlx.Size([2, 3]),)]:
        assert function(*given_shape).shape == (2, 3)


@pytest.mark.parametrize("make", ["zeros", "ones", "empty", "rand", "randn"])
def test_no_dimensions(make):
    assert getattr(mlx, make)(()).shape == ()


@pytest.mark.parametrize("make", ["zeros", "ones", "empty", "rand", "randn"])
def test_negative_size_is_an_error(make):
    with pytest.raises(RuntimeError, match="-3"):
        getattr(mlx, make)(2, -3)


def test_full_infers_the_dtype_of_its_value():
    dtypes = [mlx.full((2,), v).dtype for v in (True, 1, 1.0, 1j)]
    assert dtypes == [mlx.bool, mlx.int64, mlx.float32, mlx.complex64]


def test_full_repeats_its_value():
    assert mlx.full((2, 2), 7).tolist() == [[7, 7], [7, 7]]


@pytest.mark.parametrize(
    ("make", "arguments", "value"),
    [("zeros_like", (), 0), ("ones_like", (), 1), ("full_like", (5,), 5)],
)
def test_like_takes_shape_and_dtype(make, arguments, value):
    t = getattr(mlx, make)(mlx.empty(2, 3, dtype=mlx.int16), *arguments)
    assert (t.shape, t.dtype, t[1, 2].item()) == ((2, 3), mlx.int16, value)


def test_like_keeps_dense_strides():
    assert mlx.empty_like(mlx.empty(2, 3).t()).stride() == (1, 3)


def test_like_another_dtype():
    assert mlx.zeros_like(mlx.empty(2), dtype=mlx.bool).dtype == mlx.bool


@pytest.mark.parametrize(
    ("make", "arguments", "expected"),
    [
        ("new_zeros", ((2,),), [0, 0]),
        ("new_ones", ((2,),), [1, 1]),
        ("new_full", ((2,), 3), [3, 3]),
        ("new_tensor", ([4, 5],), [4, 5]),
    ],
)
def test_new_takes_the_dtype(make, arguments, expected):
    t = getattr(mlx.empty(0, dtype=mlx.int8), make)(*arguments)
    assert (t.tolist(), t.dtype) == (expected, mlx.int8)


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS], ids=name)
def test_arange_in_a_dtype(dtype):
    assert mlx.arange(2, 20, 3, dtype=dtype).tolist() == [2, 5, 8, 11, 14, 17]


def test_arange_infers_the_dtype():
    assert mlx.arange(3).dtype == mlx.int64
    assert mlx.arange(3.0).dtype == mlx.float32


def test_arange_downwards():
    assert mlx.arange(5, 0, -2).tolist() == [5, 3, 1]


def test_arange_empty():
    assert mlx.arange(3, 3).tolist() == []


def test_arange_zero_step_is_an_error():
    with pytest.raises(RuntimeError, match="step"):
        mlx.arange(0, 3, 0)


def test_arange_against_its_direction_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.arange(0, 3, -1)


@given(st.integers(-50, 50), st.integers(0, 50), st.integers(1, 7))
def test_arange_is_pythons_range(start, length, step):
    assert mlx.arange(start, start + length, step).tolist() == list(range(start, start + length, step))


@pytest.mark.parametrize("steps", [0, 1, 2, 7, 1000])
def test_linspace(steps):
    assert_close(mlx.linspace(-1, 3, steps, dtype=mlx.float64), np.linspace(-1, 3, steps))


def test_linspace_ends_exactly():
    assert mlx.linspace(0.1, 0.7, 7)[-1] == mlx.tensor(0.7)


def test_logspace():
    assert_close(mlx.logspace(-2, 2, 5, dtype=mlx.float64), np.logspace(-2, 2, 5), rtol=1e-13)


def test_logspace_in_another_base():
    assert_close(mlx.logspace(0, 4, 5, base=2), [1, 2, 4, 8, 16])


@pytest.mark.parametrize("shape", [(3,), (2, 4), (4, 2), (0, 3)])
def test_eye(shape):
    assert_equal(mlx.eye(*shape), np.eye(*shape, dtype=np.float32))


def test_requires_grad_argument():
    assert mlx.zeros(2, requires_grad=True).requires_grad


def test_requires_grad_needs_a_float():
    with pytest.raises(RuntimeError, match="floating"):
        mlx.zeros(2, dtype=mlx.int64, requires_grad=True)


def test_meshgrid():
    rows, columns = mlx.meshgrid(mlx.arange(2), mlx.arange(3), indexing="ij")
    assert (rows.tolist(), columns.tolist()) == ([[0, 0, 0], [1, 1, 1]], [[0, 1, 2], [0, 1, 2]])


def test_clone_does_not_share():
    a = mlx.zeros(2)
    b = a.clone()
    b.fill_(1)
    assert a.tolist() == [0, 0]


def test_to_returns_itself_when_nothing_changes():
    t = mlx.ones(2)
    assert t.to(mlx.float32) is t


def test_to_follows_another_tensor():
    assert mlx.ones(2).to(mlx.ones(1, dtype=mlx.int8)).dtype == mlx.int8


@pytest.mark.parametrize(
    ("method", "dtype"),
    [
        ("float", mlx.float32),
        ("double", mlx.float64),
        ("half", mlx.float16),
        ("bfloat16", mlx.bfloat16),
        ("int", mlx.int32),
        ("long", mlx.int64),
        ("short", mlx.int16),
        ("char", mlx.int8),
        ("byte", mlx.uint8),
        ("bool", mlx.bool),
    ],
)
def test_conversion_methods(method, dtype):
    assert getattr(mlx.ones(2, dtype=mlx.int16), method)().dtype == dtype


def test_float_to_int_truncates_towards_zero():
    assert mlx.tensor([-1.9, -0.5, 0.5, 1.9]).to(mlx.int32).tolist() == [-1, 0, 0, 1]


def test_int_conversion_wraps():
    assert mlx.tensor([-1, 256, 300]).to(mlx.uint8).tolist() == [255, 0, 44]


def test_float64_to_float16_rounds_to_nearest_even():
    values = np.array([1 + 2**-11, 1 + 3 * 2**-11, 65504.0, 65520.0, 2**-24, 2**-25, 6.1e-5])
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16)
    assert_equal(mlx.tensor(values).to(mlx.float16), expected)


def test_float32_to_bfloat16_rounds_to_nearest_even():
    values = mlx.tensor([1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-9, 3.4e38, float("inf")])
    expected = [1.0, 1 + 2**-6, 1.0, float("inf"), float("inf")]
    assert values.bfloat16().float().tolist() == expected


def test_nan_survives_every_float_conversion():
    assert all(mlx.tensor(float("nan")).to(dtype).isnan().item() for dtype in FLOATS)


def test_arange_counts_in_floats_unless_the_result_is_int64():
    """PyTorch's rule: 0, -4, -8 end before -8.000001; as int64 the bounds themselves are cut first."""
    assert mlx.arange(0.0, -8.000001, -4.0, dtype=mlx.int32).tolist() == [0, -4, -8]
    assert mlx.arange(0.0, -8.000001, -4.0, dtype=mlx.int64).tolist() == [0, -4]


RANGES = {mlx.uint8: (-255, 255), mlx.int8: (-128, 127), mlx.int16: (-(2**15), 2**15 - 1)}
RANGES |= {mlx.int32: (-(2**31), 2**31 - 1), mlx.int64: (-(2**63), 2**63 - 1)}

WAYS = {
    "tensor": lambda value, dtype: mlx.tensor(value, dtype=dtype),
    "sequence": lambda value, dtype: mlx.tensor([0, value], dtype=dtype)[1],
    "full": lambda value, dtype: mlx.full((2,), value, dtype=dtype)[1],
    "fill_": lambda value, dtype: mlx.zeros(2, dtype=dtype).fill_(value)[1],
    "new_full": lambda value, dtype: mlx.zeros(2, dtype=dtype).new_full((1,), value)[0],
    "masked_fill": lambda value, dtype: mlx.zeros(1, dtype=dtype).masked_fill(mlx.tensor([True]), value)[0],
}


def assigned(value, dtype):
    t = mlx.zeros(2, dtype=dtype)
    t[0] = value
    return t[0]


WAYS["assignment"] = assigned


@pytest.mark.parametrize("dtype", RANGES, ids=name)
@pytest.mark.parametrize("way", WAYS)
def test_integers_take_the_numbers_of_their_range(way, dtype):
    least, most = RANGES[dtype]
    wrapped = least % 256 if dtype == mlx.uint8 else least
    assert WAYS[way](most, dtype).item() == most
    assert WAYS[way](least, dtype).item() == wrapped


@pytest.mark.parametrize("dtype", [t for t in RANGES if t != mlx.int64], ids=name)
@pytest.mark.parametrize("way", WAYS)
def test_integers_refuse_numbers_beyond_their_range(way, dtype):
    least, most = RANGES[dtype]
    for value in (least - 1, most + 1, float(most + 1), float("inf"), float("nan")):
        with pytest.raises(RuntimeError, match="without overflow"):
            WAYS[way](value, dtype)


@pytest.mark.parametrize("value", [2.0**63, -(2.0**64), float("nan")])
def test_int64_refuses_floats_beyond_its_range(value):
    with pytest.raises(RuntimeError, match="without overflow"):
        mlx.tensor(value, dtype=mlx.int64)


@pytest.mark.parametrize("way", ["full", "fill_", "new_full", "assignment"])
def test_real_tensors_refuse_complex_numbers(way):
    with pytest.raises(RuntimeError, match="without overflow"):
        WAYS[way](1j, mlx.float32)
    with pytest.raises(TypeError, match="complex"):
        mlx.tensor([1.0, 1j], dtype=mlx.float32)


@pytest.mark.parametrize("value", [300, [300], [1, -300], float("nan"), [float("inf")]])
def test_tensor_refuses_integers_that_do_not_fit(value):
    with pytest.raises(RuntimeError, match="without overflow"):
        mlx.tensor(value, dtype=mlx.uint8)


@pytest.mark.parametrize("value", [1j, [1.0, 1j]])
def test_tensor_refuses_complex_numbers_as_real_ones(value):
    with pytest.raises(TypeError, match="not complex"):
        mlx.tensor(value, dtype=mlx.float32)


def test_tensor_lets_floats_overflow():
    assert mlx.tensor([1e39, -1e39]).tolist() == [float("inf"), -float("inf")]

"""The twelve dtypes: promotion, ranges, and the default."""

import itertools

import numpy as np
import pytest
from support import ALL, COMPLEX, FLOATS, HALVES, INTEGERS, NUMPY, name

import mlx

# Promotion, from its rule: the higher category wins, within one the wider; two that are
# equally wide (uint8 with int8, float16 with bfloat16) go to the next wider one.
_ORDER = {"uint8": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8}
_FLOAT_ORDER = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


def category(dtype):
    return 0 if dtype == mlx.bool else 1 if dtype in INTEGERS else 2 if dtype in FLOATS else 3


def promoted(a, b):
    if a == b:
        return a
    low, high = sorted((a, b), key=category)
    if category(low) < 3 and category(high) == 3:
        wide = low == mlx.float64 or high == mlx.complex128
        return mlx.complex128 if wide else mlx.complex64
    if category(low) != category(high):
        return high
    if category(low) == 3:
        return mlx.complex128
    sizes = _ORDER if category(low) == 1 else _FLOAT_ORDER
    if sizes[name(a)] != sizes[name(b)]:
        return max(a, b, key=lambda d: sizes[name(d)])
    return mlx.int16 if category(a) == 1 else mlx.float32


PAIRS = list(itertools.product(ALL, ALL))
PAIR_IDS = [f"{name(a)}-{name(b)}" for a, b in PAIRS]


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=PAIR_IDS)
def test_promote_types(a, b):
    assert mlx.promote_types(a, b) == promoted(a, b)


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=PAIR_IDS)
def test_addition_promotes(a, b):
    assert (mlx.ones(2, dtype=a) + mlx.ones(2, dtype=b)).dtype == promoted(a, b)


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=PAIR_IDS)
def test_zero_dimensional_tensor_is_weak_within_its_category(a, b):
    expected = promoted(a, b) if category(b) > category(a) else a
    if (category(a), category(b)) == (2, 3):
        if a == mlx.float16:
            pytest.skip("PyTorch gives complex32, a dtype outside the twelve")
        # Complex comes from the weak operand, the width from the other.
        expected = mlx.complex128 if a == mlx.float64 else mlx.complex64
    assert (mlx.ones(2, dtype=a) + mlx.ones((), dtype=b)).dtype == expected


@pytest.mark.parametrize("dtype", ALL, ids=name)
@pytest.mark.parametrize("scalar", [True, 1, 1.0, 1j], ids=["bool", "int", "float", "complex"])
def test_python_scalar_is_weak(dtype, scalar):
    kind = {bool: 0, int: 1, float: 2, complex: 3}[type(scalar)]
    if kind <= category(dtype):
        expected = dtype
    elif kind == 3:
        expected = mlx.complex128 if dtype == mlx.float64 else mlx.complex64
    else:
        expected = mlx.int64 if kind == 1 else mlx.float32
    if dtype == mlx.float16 and kind == 3:
        pytest.skip("PyTorch gives complex32, a dtype outside the twelve")
    assert (mlx.ones(2, dtype=dtype) + scalar).dtype == expected
    assert mlx.result_type(mlx.ones(2, dtype=dtype), scalar) == expected


def test_weak_float_takes_the_default_dtype():
    mlx.set_default_dtype(mlx.float64)
    assert (mlx.ones(2, dtype=mlx.int32) + 1.0).dtype == mlx.float64


def test_result_type_of_two_scalars():
    assert mlx.result_type(1, 1.0) == mlx.float32


@pytest.mark.parametrize("dtype", [mlx.bool, *INTEGERS], ids=name)
def test_true_division_of_integers_is_float(dtype):
    assert (mlx.ones(2, dtype=dtype) / mlx.ones(2, dtype=dtype)).dtype == mlx.float32


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_comparison_is_bool(dtype):
    assert (mlx.ones(2, dtype=dtype) == 1).dtype == mlx.bool


@pytest.mark.parametrize("dtype", [mlx.bool, *INTEGERS], ids=name)
def test_float_functions_of_integers_give_the_default_dtype(dtype):
    assert mlx.exp(mlx.ones(2, dtype=dtype)).dtype == mlx.float32


@pytest.mark.parametrize("dtype", [mlx.bool, *INTEGERS], ids=name)
@pytest.mark.parametrize("reduce", ["sum", "prod"])
def test_sums_of_integers_are_int64(reduce, dtype):
    assert getattr(mlx.ones(2, dtype=dtype), reduce)().dtype == mlx.int64


def test_in_place_does_not_promote():
    a = mlx.ones(2, dtype=mlx.float16)
    a += mlx.ones(2, dtype=mlx.float64)
    assert a.dtype == mlx.float16


def test_in_place_refuses_to_lose_the_category():
    a = mlx.ones(2, dtype=mlx.int32)
    with pytest.raises(RuntimeError, match=r"(?i)float.*int|cast"):
        a += 1.5


@pytest.mark.parametrize(("a", "b"), PAIRS, ids=PAIR_IDS)
def test_can_cast_never_lowers_the_category(a, b):
    assert mlx.can_cast(a, b) == (category(a) <= category(b))


@pytest.mark.parametrize("dtype", INTEGERS, ids=name)
@pytest.mark.parametrize("field", ["min", "max", "bits"])
def test_iinfo(dtype, field):
    assert getattr(mlx.iinfo(dtype), field) == int(getattr(np.iinfo(NUMPY[dtype]), field))


@pytest.mark.parametrize("dtype", [mlx.float16, mlx.float32, mlx.float64], ids=name)
@pytest.mark.parametrize("field", ["min", "max", "eps", "tiny", "smallest_normal", "bits"])
def test_finfo(dtype, field):
    assert getattr(mlx.finfo(dtype), field) == float(getattr(np.finfo(NUMPY[dtype]), field))


def test_finfo_of_bfloat16():
    info = mlx.finfo(mlx.bfloat16)
    assert (info.eps, info.tiny, info.max, info.bits) == (2**-7, 2.0**-126, (2 - 2**-7) * 2.0**127, 16)


def test_finfo_without_argument_is_the_default_dtypes():
    assert mlx.finfo().eps == mlx.finfo(mlx.float32).eps


def test_finfo_of_a_complex_dtype_is_its_parts():
    assert mlx.finfo(mlx.complex128).eps == mlx.finfo(mlx.float64).eps


def test_finfo_of_an_integer_is_an_error():
    with pytest.raises(TypeError):
        mlx.finfo(mlx.int32)


def test_iinfo_of_a_float_is_an_error():
    with pytest.raises(TypeError):
        mlx.iinfo(mlx.float32)


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_itemsize(dtype):
    expected = 2 if dtype == mlx.bfloat16 else np.dtype(NUMPY[dtype]).itemsize
    assert dtype.itemsize == expected == mlx.empty(1, dtype=dtype).element_size()


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_dtype_predicates(dtype):
    assert (dtype.is_floating_point, dtype.is_complex) == (dtype in FLOATS, dtype in COMPLEX)


@pytest.mark.parametrize("dtype", ALL, ids=name)
def test_dtype_is_a_singleton(dtype):
    assert mlx.empty(1, dtype=dtype).dtype is dtype


@pytest.mark.parametrize(
    ("alias", "dtype"),
    [
        ("float", mlx.float32),
        ("double", mlx.float64),
        ("half", mlx.float16),
        ("int", mlx.int32),
        ("long", mlx.int64),
        ("short", mlx.int16),
        ("cfloat", mlx.complex64),
        ("cdouble", mlx.complex128),
    ],
)
def test_dtype_aliases(alias, dtype):
    assert getattr(mlx, alias) is dtype


def test_default_dtype():
    assert mlx.get_default_dtype() == mlx.float32


def test_set_default_dtype_reaches_creation():
    mlx.set_default_dtype(mlx.float64)
    assert mlx.zeros(1).dtype == mlx.rand(1).dtype == mlx.linspace(0, 1, 2).dtype == mlx.float64


def test_set_default_dtype_refuses_integers():
    with pytest.raises(TypeError):
        mlx.set_default_dtype(mlx.int32)


def test_is_floating_point_and_is_complex_functions():
    assert mlx.is_floating_point(mlx.ones(1, dtype=mlx.bfloat16))
    assert mlx.is_complex(mlx.ones(1, dtype=mlx.complex64))


@pytest.mark.parametrize("dtype", HALVES, ids=name)
def test_numbers_meet_half_types_rounded(dtype):
    """As in PyTorch: sums, powers and comparisons see the number as an element, products see it whole."""
    x, number = mlx.full((1,), 3.0, dtype=dtype), 8.396163642458497
    rounded = mlx.tensor(number).to(dtype)
    assert (x + number).item() == (x + rounded).item()
    assert (number - x).item() == (rounded - x).item()
    assert bool((rounded == number).all())
    assert (x * number).item() == (x.float() * number).to(dtype).item()

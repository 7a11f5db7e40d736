"""Python's operators and protocols on tensors."""

import math
import operator as op

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import ALL, FLOATS, INTEGERS, assert_close, assert_equal, name

import mlx

ARITHMETIC = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"]
BITWISE = ["and_", "or_", "xor"]
SHIFTS = ["lshift", "rshift"]
COMPARISON = ["eq", "ne", "lt", "le", "gt", "ge"]

A = np.array([[1.5, -2.0, 3.0], [4.0, -0.5, 7.0]])
B = np.array([2.0, 3.0, -1.5])
K = np.array([[5, -7, 3], [0, 2, -1]])
J = np.array([2, 3, 1])


def function(operator_name):
    return getattr(op, operator_name)


@pytest.mark.parametrize("operator_name", ["add", "sub", "mul", "truediv", "floordiv", "mod"])
def test_float_arithmetic(operator_name):
    f = function(operator_name)
    assert_close(f(mlx.tensor(A), mlx.tensor(B)), f(A, B))


@pytest.mark.parametrize("operator_name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
def test_integer_arithmetic(operator_name):
    f = function(operator_name)
    assert_close(f(mlx.tensor(K), mlx.tensor(J)), f(K, J), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("operator_name", [*ARITHMETIC, *COMPARISON])
def test_with_a_python_number_on_the_right(operator_name):
    f = function(operator_name)
    assert_close(f(mlx.tensor(A), 2), f(A, 2))


@pytest.mark.parametrize("operator_name", [*ARITHMETIC, *COMPARISON])
def test_with_a_python_number_on_the_left(operator_name):
    f = function(operator_name)
    values = np.abs(A)
    assert_close(f(2.5, mlx.tensor(values)), f(2.5, values))


@pytest.mark.parametrize("operator_name", [*BITWISE, *SHIFTS])
def test_bitwise(operator_name):
    f = function(operator_name)
    assert_equal(f(mlx.tensor(K), mlx.tensor(J)), f(K, J), mlx.int64)


@pytest.mark.parametrize("operator_name", [*BITWISE, *SHIFTS])
def test_bitwise_with_a_number_on_either_side(operator_name):
    f = function(operator_name)
    assert_equal(f(mlx.tensor(J), 2), f(J, 2))
    assert_equal(f(2, mlx.tensor(J)), f(2, J))


@pytest.mark.parametrize("operator_name", BITWISE)
def test_logic_of_bool(operator_name):
    f = function(operator_name)
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    assert_equal(f(mlx.tensor(a), mlx.tensor(b)), f(a, b), mlx.bool)


@pytest.mark.parametrize("operator_name", COMPARISON)
def test_comparison(operator_name):
    f = function(operator_name)
    a, b = np.array([1.0, 2.0, np.nan, np.inf]), np.array([1.0, 3.0, np.nan, -np.inf])
    assert_equal(f(mlx.tensor(a), mlx.tensor(b)), f(a, b), mlx.bool)


@pytest.mark.parametrize("operator_name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"])
def test_in_place(operator_name):
    f = function(operator_name)
    t, array = mlx.tensor(np.abs(A)), np.abs(A)
    before = t.data_ptr()
    result = f(t, 2)
    assert result is t
    assert t.data_ptr() == before
    assert_close(t, f(array, 2))


@pytest.mark.parametrize("operator_name", ["iand", "ior", "ixor", "ilshift", "irshift"])
def test_in_place_bitwise(operator_name):
    f = function(operator_name)
    t = mlx.tensor(J)
    assert f(t, 2) is t
    assert_equal(t, f(J.copy(), 2))


@pytest.mark.parametrize("operator_name", ["neg", "pos", "abs"])
def test_unary(operator_name):
    f = function(operator_name)
    assert_equal(f(mlx.tensor(A)), f(A))


def test_invert():
    assert (~mlx.tensor([0, 5])).tolist() == [-1, -6]
    assert (~mlx.tensor([True, False])).tolist() == [False, True]
    assert (~mlx.tensor([5], dtype=mlx.uint8)).tolist() == [250]


def test_invert_of_a_float_is_an_error():
    with pytest.raises((RuntimeError, TypeError), match=r"(?i)float|bitwise|integer"):
        ~mlx.ones(2)


def test_negative_of_bool_is_an_error():
    with pytest.raises(RuntimeError, match="bool"):
        -mlx.tensor([True])


def test_subtraction_of_bools_is_an_error():
    with pytest.raises(RuntimeError, match="bool"):
        mlx.tensor([True]) - mlx.tensor([False])


def test_matmul_operator():
    assert_close(mlx.tensor(A) @ mlx.tensor(B), A @ B)


def test_in_place_matmul_is_not_in_place():
    a = b = mlx.eye(2)
    a @= mlx.ones(2, 2)
    assert b.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS], ids=name)
def test_floor_division_rounds_down(dtype):
    a = mlx.tensor([7, 7, 0], dtype=dtype)
    assert (a // 2).tolist() == [3, 3, 0]


def test_remainder_has_the_divisors_sign():
    assert (mlx.tensor([5, -5, 5, -5]) % mlx.tensor([3, 3, -3, -3])).tolist() == [2, 1, -1, -2]


def test_integer_division_by_zero_is_an_error():
    with pytest.raises(RuntimeError, match="(?i)zero"):
        mlx.tensor([1]) // mlx.tensor([0])


def test_float_division_by_zero_is_infinite():
    assert (mlx.tensor([1.0, -1.0]) / 0).tolist() == [math.inf, -math.inf]


def test_power_of_a_negative_integer_exponent_is_an_error():
    with pytest.raises(RuntimeError, match="(?i)negative"):
        mlx.tensor([2]) ** -1


def test_uint8_wraps():
    assert (mlx.tensor([255], dtype=mlx.uint8) + 1).item() == 0


def test_unknown_operand_is_a_type_error():
    with pytest.raises(TypeError):
        mlx.ones(2) + "a"


def test_other_types_may_answer():
    class Answer:
        def __radd__(self, other):
            return "answered"

    assert mlx.ones(2) + Answer() == "answered"


def test_equality_with_another_type_is_false():
    assert (mlx.ones(1) == "a") is False
    assert (mlx.ones(1) != None) is True  # noqa: E711


@pytest.mark.parametrize("dtype", ALL, ids=name)
@pytest.mark.parametrize("convert", [bool, int, float, complex])
def test_conversion_of_one_element(convert, dtype):
    if dtype.is_complex and convert in (int, float):
        with pytest.raises((RuntimeError, TypeError)):
            convert(mlx.tensor([1 + 1j], dtype=dtype))
        return
    assert convert(mlx.ones(1, 1, dtype=dtype)) == convert(1)


def test_int_truncates():
    assert int(mlx.tensor(-1.9)) == -1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_int_of_a_non_finite_value_is_an_error(value):
    with pytest.raises((RuntimeError, ValueError, OverflowError)):
        int(mlx.tensor(value))


@pytest.mark.parametrize("convert", [bool, int, float, complex])
def test_conversion_of_two_elements_is_an_error(convert):
    with pytest.raises((RuntimeError, ValueError, TypeError), match="2|one|scalar"):
        convert(mlx.ones(2))


def test_bool_of_an_empty_tensor_is_an_error():
    with pytest.raises((RuntimeError, ValueError)):
        bool(mlx.ones(0))


def test_index_protocol():
    assert [10, 20, 30][mlx.tensor(1)] == 20


def test_index_protocol_refuses_floats():
    with pytest.raises(TypeError):
        op.index(mlx.tensor(1.0))


@pytest.mark.parametrize(
    ("dtype", "kind"), [(mlx.bool, bool), (mlx.int16, int), (mlx.float16, float), (mlx.complex64, complex)]
)
def test_item_type(dtype, kind):
    assert type(mlx.ones((), dtype=dtype).item()) is kind


def test_item_of_two_elements_is_an_error():
    with pytest.raises(RuntimeError, match="2"):
        mlx.ones(2).item()


def test_len():
    assert len(mlx.ones(3, 2)) == 3


def test_len_of_a_zero_dimensional_tensor_is_an_error():
    with pytest.raises(TypeError):
        len(mlx.tensor(1))


def test_iteration():
    assert [row.tolist() for row in mlx.arange(4).reshape(2, 2)] == [[0, 1], [2, 3]]


def test_iteration_gives_views():
    t = mlx.zeros(2)
    for row in t:
        row.fill_(1)
    assert t.tolist() == [1, 1]


def test_iteration_over_a_zero_dimensional_tensor_is_an_error():
    with pytest.raises(TypeError):
        iter(mlx.tensor(1))


def test_unpacking():
    a, b = mlx.tensor([1, 2])
    assert (a.item(), b.item()) == (1, 2)


def test_reversed():
    assert reversed(mlx.arange(3)).tolist() == [2, 1, 0]


def test_contains():
    t = mlx.tensor([[1, 2], [3, 4]])
    assert 3 in t
    assert 5 not in t


def test_hash_is_identity():
    a, b = mlx.ones(1), mlx.ones(1)
    assert len({a, b, a}) == 2


def test_is_weakly_referable():
    import weakref

    t = mlx.ones(1)
    assert weakref.ref(t)() is t


def test_has_attributes():
    t = mlx.ones(1)
    t.note = "kept"
    assert t.note == "kept"


def test_format_of_a_scalar():
    assert f"{mlx.tensor(3.14159):.2f}" == "3.14"


def test_round_method():
    assert mlx.tensor([0.5, 1.5, -0.5, 2.5]).round().tolist() == [0, 2, 0, 2]


def test_broadcasting_is_numpys():
    a, b = np.ones((3, 1, 4)), np.arange(10.0).reshape(2, 1, 5, 1)
    assert_equal(mlx.tensor(a) + mlx.tensor(b), a + b)


shapes = st.lists(st.sampled_from([0, 1, 3]), max_size=3).map(tuple)


@given(shapes, shapes)
def test_broadcast_or_error_as_numpy(s1, s2):
    try:
        expected = np.broadcast_shapes(s1, s2)
    except ValueError:
        with pytest.raises(RuntimeError):
            mlx.ones(s1) + mlx.ones(s2)
        return
    assert (mlx.ones(s1) + mlx.ones(s2)).shape == expected


@given(st.lists(st.integers(-(2**31), 2**31), min_size=1), st.integers(1, 1000))
def test_quotient_and_remainder_rebuild_the_dividend(values, divisor):
    t = mlx.tensor(values)
    assert ((t // divisor) * divisor + t % divisor).tolist() == values


@given(st.lists(st.integers(0, 255), min_size=1), st.sampled_from(["add", "sub", "mul"]))
def test_uint8_is_arithmetic_modulo_256(values, operator_name):
    f = function(operator_name)
    t = mlx.tensor(values, dtype=mlx.uint8)
    assert f(t, t.flip(0)).tolist() == [f(a, b) % 256 for a, b in zip(values, reversed(values), strict=True)]


@pytest.mark.parametrize("dtype", [*INTEGERS, *FLOATS], ids=name)
def test_alpha_does_not_widen_the_result(dtype):
    x, mask = mlx.ones(2, dtype=dtype), mlx.tensor([True, False])
    out = mlx.add(x, mask, alpha=2)
    assert out.dtype == dtype and out.tolist() == [3, 1]
    for other in (mask, True):
        assert mlx.add(mask, other, alpha=2).dtype == mlx.bool
    assert mlx.add(mask, mask, alpha=2).tolist() == [True, False]


@pytest.mark.parametrize("add", [mlx.add, mlx.sub, mlx.rsub, mlx.Tensor.add_, mlx.Tensor.sub_])
@pytest.mark.parametrize(
    "value, alpha, kind", [(1, 1.5, "integral"), (1, True, "Boolean"), (1.0, 1j, "complex")]
)
def test_alpha_is_of_the_kind_of_the_result(add, value, alpha, kind):
    with pytest.raises(RuntimeError, match=kind):
        add(mlx.tensor([value]), value, alpha=alpha)

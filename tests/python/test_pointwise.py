"""Pointwise functions against NumPy and SciPy, over dtypes, layouts and special values."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.special as sp
from hypothesis import given
from hypothesis import strategies as st
from support import (
    FLOATS,
    HALVES,
    INTEGERS,
    NUMPY,
    TOLERANCE,
    assert_close,
    double,
    from_numpy,
    name,
    sample,
    strided,
    to_numpy,
)

import mlx
import mlx.nn.functional as F

gradcheck, gradgradcheck = mlx.autograd.gradcheck, mlx.autograd.gradgradcheck


@dataclass(frozen=True)
class Unary:
    """A function, its reference in float64, and the interval of its arguments."""

    reference: object
    low: float = -3.0
    high: float = 3.0
    smooth: bool = True  # has a useful gradient
    integers: bool = True  # also takes integers, as floats


def softplus(x):
    return np.logaddexp(x, 0)


UNARY = {
    "abs": Unary(np.abs),
    "acos": Unary(np.arccos, -0.9, 0.9, integers=False),
    "acosh": Unary(np.arccosh, 1.1, 5, integers=False),
    "asin": Unary(np.arcsin, -0.9, 0.9, integers=False),
    "asinh": Unary(np.arcsinh),
    "atan": Unary(np.arctan),
    "atanh": Unary(np.arctanh, -0.9, 0.9, integers=False),
    "ceil": Unary(np.ceil, smooth=False),
    "cos": Unary(np.cos),
    "cosh": Unary(np.cosh),
    "deg2rad": Unary(np.deg2rad),
    "erf": Unary(sp.erf),
    "erfc": Unary(sp.erfc),
    "erfinv": Unary(sp.erfinv, -0.9, 0.9, integers=False),
    "exp": Unary(np.exp),
    "exp2": Unary(np.exp2),
    "expm1": Unary(np.expm1),
    "floor": Unary(np.floor, smooth=False),
    "frac": Unary(lambda x: x - np.trunc(x), integers=False),
    "lgamma": Unary(sp.gammaln, 0.5, 5),
    "digamma": Unary(sp.digamma, 0.5, 5),
    "log": Unary(np.log, 0.1, 5),
    "log10": Unary(np.log10, 0.1, 5),
    "log1p": Unary(np.log1p, -0.5, 5),
    "log2": Unary(np.log2, 0.1, 5),
    "logit": Unary(sp.logit, 0.1, 0.9, integers=False),
    "neg": Unary(np.negative),
    "rad2deg": Unary(np.rad2deg),
    "reciprocal": Unary(np.reciprocal, 0.5, 5),
    "relu": Unary(lambda x: np.maximum(x, 0)),
    "round": Unary(np.round, smooth=False),
    "rsqrt": Unary(lambda x: 1 / np.sqrt(x), 0.5, 5),
    "sigmoid": Unary(sp.expit),
    "sign": Unary(np.sign, smooth=False),
    "sin": Unary(np.sin),
    "sinc": Unary(np.sinc),
    "sinh": Unary(np.sinh),
    "sqrt": Unary(np.sqrt, 0.1, 5),
    "square": Unary(np.square),
    "tan": Unary(np.tan, -1.2, 1.2),
    "tanh": Unary(np.tanh),
    "trunc": Unary(np.trunc, smooth=False),
}

ACTIVATIONS = {
    "gelu": lambda x: x * sp.ndtr(x),
    "silu": lambda x: x * sp.expit(x),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.01 * x),
    "logsigmoid": lambda x: -softplus(-x),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "relu6": lambda x: np.clip(x, 0, 6),
    "hardtanh": lambda x: np.clip(x, -1, 1),
    "hardsigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "selu": lambda x: (
        1.0507009873554804934193349852946
        * np.where(x > 0, x, 1.6732632423543772848170429916717 * np.expm1(x))
    ),
    "tanhshrink": lambda x: x - np.tanh(x),
    "softshrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "hardshrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
}

BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "pow": lambda a, b: np.abs(a) ** b,
    "atan2": np.arctan2,
    "hypot": np.hypot,
    "fmod": np.fmod,
    "remainder": np.remainder,
    "floor_divide": np.floor_divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "fmax": np.fmax,
    "fmin": np.fmin,
    "logaddexp": np.logaddexp,
    "logaddexp2": np.logaddexp2,
    "copysign": np.copysign,
    "xlogy": lambda a, b: sp.xlogy(a, np.abs(b)),
    "nextafter": np.nextafter,
}
# Piecewise constant, or with steps that a difference may straddle.
NO_GRADIENT = {"floor_divide", "nextafter"}

SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-40, 1e30, -1e30])


def loose(dtype):
    """Tolerances of a function in `dtype`: a few units in the last place."""
    return 4 * TOLERANCE[dtype]


def call_binary(case, a, b):
    if case == "pow":
        return mlx.pow(a.abs(), b)
    if case == "xlogy":
        return mlx.xlogy(a, b.abs())
    return getattr(mlx, case)(a, b)


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
@pytest.mark.parametrize("case", UNARY)
def test_unary(case, dtype):
    entry = UNARY[case]
    t = from_numpy(sample(5, 67, low=entry.low, high=entry.high), dtype)
    with np.errstate(all="ignore"):
        expected = entry.reference(to_numpy(t).astype(np.float64))
    assert_close(getattr(mlx, case)(t), expected, rtol=loose(dtype), atol=loose(dtype))


@pytest.mark.parametrize("case", [c for c in UNARY if UNARY[c].integers])
@pytest.mark.parametrize("dtype", INTEGERS, ids=name)
def test_unary_of_integers(case, dtype):
    t = mlx.tensor([1, 2, 1], dtype=dtype)
    with np.errstate(all="ignore"):
        if case == "reciprocal":
            expected = np.array([1, 0.5, 1])
        else:
            expected = UNARY[case].reference(t.numpy().astype(np.float64))
    if case == "neg" and dtype == mlx.uint8:
        expected = expected % 256
    assert_close(getattr(mlx, case)(t), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("case", UNARY)
def test_unary_of_a_strided_tensor(case):
    t = from_numpy(sample(6, 7, low=UNARY[case].low, high=UNARY[case].high))
    f = getattr(mlx, case)
    assert_close(f(strided(t).t()), to_numpy(f(t)).T, rtol=1e-14)


@pytest.mark.parametrize("case", UNARY)
@pytest.mark.parametrize("shape", [(0,), (3, 0, 2), (), (1,)])
def test_unary_keeps_any_shape(case, shape):
    t = mlx.full(shape, UNARY[case].high)
    assert getattr(mlx, case)(t).shape == shape


@pytest.mark.parametrize(
    "case", [c for c in UNARY if c not in {"lgamma", "digamma", "sinc", "erfinv", "frac"}]
)
def test_unary_of_special_values(case):
    with np.errstate(all="ignore"):
        expected = UNARY[case].reference(SPECIAL)
        if case == "logit":
            expected = np.where((SPECIAL < 0) | (SPECIAL > 1), np.nan, expected)
        if case == "sign":
            expected = np.nan_to_num(expected)  # PyTorch's sign of NaN is 0
    t = mlx.tensor(SPECIAL)
    # Whether 1e30 is reduced by pi with enough bits is not the question here.
    if case in {"sin", "cos", "tan"}:
        t, expected = t[:8], expected[:8]
    assert_close(getattr(mlx, case)(t), expected, rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("case", UNARY)
def test_unary_in_place(case):
    t = from_numpy(sample(10, low=UNARY[case].low, high=UNARY[case].high))
    expected = getattr(mlx, case)(t)
    assert getattr(t, f"{case}_")() is t
    assert t.equal(expected)


@pytest.mark.parametrize("case", UNARY)
def test_unary_out(case):
    t = from_numpy(sample(10, low=UNARY[case].low, high=UNARY[case].high))
    if case == "relu":
        pytest.skip("PyTorch's relu takes no out=")
    out = mlx.empty(10, dtype=mlx.float64)
    assert getattr(mlx, case)(t, out=out) is out
    assert out.equal(getattr(mlx, case)(t))


@pytest.mark.parametrize("case", [c for c in UNARY if UNARY[c].smooth])
def test_unary_gradient(case):
    x = double(2, 3, low=UNARY[case].low, high=UNARY[case].high)
    assert gradcheck(getattr(mlx, case), x)


@pytest.mark.parametrize("case", [c for c in UNARY if UNARY[c].smooth])
def test_unary_second_gradient(case):
    x = double(3, low=UNARY[case].low, high=UNARY[case].high)
    assert gradgradcheck(getattr(mlx, case), x)


@pytest.mark.parametrize("case", [c for c in UNARY if not UNARY[c].smooth])
def test_step_function_has_zero_gradient(case):
    x = double(4)
    getattr(mlx, case)(x).sum().backward()
    assert x.grad.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
@pytest.mark.parametrize("case", ACTIVATIONS)
def test_activation(case, dtype):
    t = from_numpy(sample(200, low=-7, high=7), dtype)
    expected = ACTIVATIONS[case](to_numpy(t).astype(np.float64))
    assert_close(getattr(F, case)(t), expected, rtol=8 * TOLERANCE[dtype], atol=4 * TOLERANCE[dtype])


@pytest.mark.parametrize("case", ACTIVATIONS)
def test_activation_gradient(case):
    assert gradcheck(getattr(F, case), double(7, low=-5, high=5))


def test_gelu_tanh():
    x = sample(50)
    expected = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    assert_close(F.gelu(mlx.tensor(x), approximate="tanh"), expected, rtol=1e-13)


def test_softplus_beta_and_threshold():
    x = np.array([-1.0, 0.5, 30.0])
    assert_close(
        F.softplus(mlx.tensor(x), beta=2, threshold=20), [np.log1p(np.exp(-2)) / 2, np.log1p(np.e) / 2, 30]
    )


@pytest.mark.parametrize("dtype", FLOATS, ids=name)
@pytest.mark.parametrize("case", BINARY)
def test_binary(case, dtype):
    if case == "nextafter" and dtype in HALVES:
        pytest.skip("the neighbour in half precision is another number than in double")
    a, b = from_numpy(sample(5, 67), dtype), from_numpy(sample(67, seed=1), dtype)
    with np.errstate(all="ignore"):
        wide = np.float32 if case == "nextafter" and dtype == mlx.float32 else np.float64
        expected = BINARY[case](to_numpy(a).astype(wide), to_numpy(b).astype(wide))
    if case in {"fmod", "remainder", "floor_divide"} and dtype != mlx.float64:
        pytest.skip("an exact quotient of rounded operands is checked in float64")
    assert_close(call_binary(case, a, b), expected, rtol=loose(dtype), atol=loose(dtype))


@pytest.mark.parametrize("case", BINARY)
def test_binary_of_strided_tensors(case):
    a, b = from_numpy(sample(6, 7)), from_numpy(sample(6, 7, seed=1))
    assert_close(
        call_binary(case, strided(a), b.t().contiguous().t()), to_numpy(call_binary(case, a, b)), rtol=1e-13
    )


@pytest.mark.parametrize("case", [c for c in BINARY if c not in NO_GRADIENT])
def test_binary_gradient(case):
    def function(a, b):
        return call_binary(case, a, b)

    assert gradcheck(function, (double(2, 3), double(3, seed=5)))


@pytest.mark.parametrize(
    "case", ["maximum", "minimum", "fmax", "fmin", "add", "mul", "div", "hypot", "logaddexp"]
)
def test_binary_of_special_values(case):
    a, b = np.repeat(SPECIAL, SPECIAL.size), np.tile(SPECIAL, SPECIAL.size)
    with np.errstate(all="ignore"):
        expected = BINARY[case](a, b)
    assert_close(getattr(mlx, case)(mlx.tensor(a), mlx.tensor(b)), expected, rtol=1e-14, atol=0)


@pytest.mark.parametrize("case", ["maximum", "minimum"])
def test_tie_shares_the_gradient(case):
    a = mlx.tensor([1.0], requires_grad=True)
    b = mlx.tensor([1.0], requires_grad=True)
    getattr(mlx, case)(a, b).backward()
    assert (a.grad.item(), b.grad.item()) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("mode", "reference"), [("trunc", np.trunc), ("floor", np.floor), (None, lambda x: x)]
)
def test_div_rounding_mode(mode, reference):
    a, b = sample(50), sample(50, seed=1)
    assert_close(mlx.div(mlx.tensor(a), mlx.tensor(b), rounding_mode=mode), reference(a / b))


def test_add_alpha():
    assert mlx.add(mlx.tensor([1.0]), mlx.tensor([2.0]), alpha=3).tolist() == [7]


def test_addcmul_and_addcdiv():
    one, two, four = (mlx.tensor([v]) for v in (1.0, 2.0, 4.0))
    assert mlx.addcmul(one, two, four, value=0.5).item() == 5
    assert mlx.addcdiv(one, four, two, value=0.5).item() == 2


def test_where_picks_by_condition():
    c = mlx.tensor([True, False])
    assert mlx.where(c, mlx.tensor([1, 2]), mlx.tensor([3, 4])).tolist() == [1, 4]


def test_where_takes_numbers():
    t = mlx.where(mlx.tensor([True, False]), 1.0, mlx.tensor([3.0, 4.0]))
    assert t.tolist() == [1, 4]


def test_where_does_not_leak_nan_into_the_gradient():
    x = mlx.tensor([0.0, 2.0], requires_grad=True)
    mlx.where(x > 1, x * 3, x).sum().backward()
    assert x.grad.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"min": -1}, [-1, 0, 2]),
        ({"max": 1}, [-2, 0, 1]),
        ({"min": -1, "max": 1}, [-1, 0, 1]),
        ({"min": 1, "max": -1}, [-1, -1, -1]),
    ],
)
def test_clamp(arguments, expected):
    assert mlx.tensor([-2, 0, 2]).clamp(**arguments).tolist() == expected


def test_clamp_keeps_nan():
    assert mlx.tensor([float("nan")]).clamp(0, 1).isnan().item()


def test_clamp_by_tensors():
    t = mlx.tensor([-2.0, 0.0, 2.0])
    assert t.clamp(mlx.tensor([0.0, 0.0, 0.0]), mlx.tensor([1.0, 1.0, 1.0])).tolist() == [0, 0, 1]


def test_clamp_without_limits_is_an_error():
    with pytest.raises(RuntimeError):
        mlx.ones(1).clamp()


def test_clamp_passes_the_gradient_at_its_limits():
    x = mlx.tensor([-1.0, 0.0, 1.0, 2.0], requires_grad=True)
    x.clamp(0, 1).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]


def test_lerp():
    assert mlx.lerp(mlx.tensor([0.0]), mlx.tensor([10.0]), 0.25).item() == 2.5


def test_lerp_gradient():
    assert gradcheck(mlx.lerp, (double(3), double(3, seed=1), double(3, seed=2)))


@pytest.mark.parametrize("predicate", ["isnan", "isinf", "isfinite", "signbit"])
def test_predicates(predicate):
    assert_close(getattr(mlx, predicate)(mlx.tensor(SPECIAL)), getattr(np, predicate)(SPECIAL))


@pytest.mark.parametrize("case", ["logical_and", "logical_or", "logical_xor"])
def test_logic_of_numbers(case):
    a, b = np.array([0.0, 2.0, 0.0, np.nan]), np.array([0.0, 0.0, -1.0, 1.0])
    assert_close(getattr(mlx, case)(mlx.tensor(a), mlx.tensor(b)), getattr(np, case)(a, b))


def test_isclose():
    a, b = np.array([1.0, np.nan, np.inf, 1.0]), np.array([1 + 1e-9, np.nan, np.inf, 2.0])
    assert mlx.isclose(mlx.tensor(a), mlx.tensor(b), equal_nan=True).tolist() == [True, True, True, False]


def test_nan_to_num():
    t = mlx.tensor([float("nan"), float("inf"), -float("inf")])
    assert t.nan_to_num(1.0, 2.0, 3.0).tolist() == [1, 2, 3]


def test_round_decimals():
    assert_close(mlx.round(mlx.tensor([1.2345, 123.45], dtype=mlx.float64), decimals=2), [1.23, 123.45])


@pytest.mark.parametrize(
    "case", ["exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sqrt", "asin", "acos", "atan"]
)
def test_complex_functions(case):
    z = sample(20) + 1j * sample(20, seed=1)
    reference = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}.get(case, case)
    assert_close(getattr(mlx, case)(mlx.tensor(z)), getattr(np, reference)(z), rtol=1e-12)


@pytest.mark.parametrize(
    "case", ["exp", "log", "sin", "tanh", "sqrt", "abs", "conj", "angle", "reciprocal", "sgn"]
)
def test_complex_gradients(case):
    z = from_numpy(sample(4) + 1j * sample(4, seed=1), requires_grad=True)
    assert gradcheck(getattr(mlx, case), z)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=70))
def test_tanh_is_odd_and_bounded(values):
    t = mlx.tensor(values, dtype=mlx.float64)
    assert (t.tanh() + (-t).tanh()).eq(0).all()
    assert t.tanh().abs().le(1).all()


@given(st.lists(st.floats(-700, 700), min_size=1, max_size=70))
def test_log_undoes_exp(values):
    t = mlx.tensor(values, dtype=mlx.float64)
    np.testing.assert_allclose(t.exp().log().numpy(), values, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("case", ["exp", "log", "sin", "cos", "tanh", "erf", "sigmoid", "log1p", "expm1"])
def test_float32_is_within_two_units_in_the_last_place(case):
    scale = np.random.default_rng(0).uniform(-20, 4, 100_000)
    x = np.exp2(scale).astype(np.float32)
    exact = UNARY[case].reference(x.astype(np.float64))
    actual = getattr(mlx, case)(mlx.from_numpy(x)).numpy().astype(np.float64)
    ulp = np.spacing(np.abs(exact).astype(np.float32)).astype(np.float64)
    assert (np.abs(actual - exact) <= 2 * ulp).all()


@pytest.mark.parametrize("length", [1, 3, 7, 8, 9, 15, 17, 31, 33, 63, 65, 255, 257, 1025, 100_003])
def test_every_tail_length(length):
    x = sample(length)
    assert_close(mlx.from_numpy(x).exp(), np.exp(x))


@pytest.mark.parametrize("dtype", INTEGERS, ids=name)
def test_divisors_and_multiples_of_integers(dtype):
    a, b = (g.flatten() for g in np.meshgrid(np.arange(-6, 7), np.arange(-4, 9)))
    if dtype == mlx.uint8:
        a, b = abs(a), abs(b)
    a, b = a.astype(NUMPY[dtype]), b.astype(NUMPY[dtype])
    np.testing.assert_array_equal(mlx.gcd(from_numpy(a), from_numpy(b)).numpy(), np.gcd(a, b))
    np.testing.assert_array_equal(mlx.lcm(from_numpy(a), from_numpy(b)).numpy(), np.lcm(a, b))


@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "floor_divide", "remainder"])
def test_a_number_may_come_first(op):
    t = mlx.tensor([3.0, 5.0])
    assert getattr(mlx, op)(7, t).tolist() == getattr(mlx, op)(mlx.tensor(7.0), t).tolist()


def test_arithmetic_of_numbers_alone_gives_plain_tensors():
    out = mlx.mul(2.0, 3)
    assert out.item() == 6 and out.dtype == mlx.float32
    # Not a number any more, which would leave the other's dtype alone.
    assert (out + mlx.ones(1, dtype=mlx.int64)).dtype == mlx.float32


@pytest.mark.parametrize("op", [mlx.pow, mlx.float_power, mlx.xlogy, mlx.remainder, mlx.special.zeta])
def test_other_ops_need_a_tensor(op):
    with pytest.raises(TypeError, match="must be Tensor"):
        op(2, 3)


@pytest.mark.parametrize("op", [mlx.logical_and, mlx.logical_or, mlx.logical_xor])
def test_logic_is_between_tensors(op):
    with pytest.raises(TypeError, match="Tensor"):
        op(mlx.ones(2), 2)


def test_numbers_keep_their_precision_in_gradients_and_products():
    x = mlx.tensor([1.5], dtype=mlx.float64, requires_grad=True)
    mlx.lerp(x, mlx.zeros(1, dtype=mlx.float64), 0.3).backward()
    assert x.grad.item() == 1 - 0.3
    assert mlx.add(mlx.zeros(1, dtype=mlx.float64), 0.3, alpha=0.3).item() == 0.3 * 0.3
    z = mlx.tensor([1.0], dtype=mlx.complex128, requires_grad=True)
    (z * 0.1j).imag.backward()
    assert z.grad.item() == -0.1j * 1j


def test_the_gradient_of_atan2_is_zero_at_the_origin():
    y, x = mlx.zeros(2, requires_grad=True), mlx.zeros(2, requires_grad=True)
    mlx.atan2(y, x).sum().backward()
    assert y.grad.tolist() == x.grad.tolist() == [0, 0]


@pytest.mark.parametrize("dtype, tolerance", [(mlx.float32, 2e-5), (mlx.float64, 1e-13)])
def test_the_gradient_of_sinc_near_zero(dtype, tolerance):
    """d sinc(x) / dx = -pi j1(pi x), with the spherical Bessel function."""
    points = np.array([0.0, 1e-30, 1e-4, 1e-3, -0.02, 0.079, 0.08, -0.3, 1.5])
    x = mlx.tensor(points, dtype=dtype, requires_grad=True)
    mlx.sinc(x).sum().backward()
    expected = -np.pi * sp.spherical_jn(1, np.pi * np.abs(points)) * np.sign(points)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=tolerance)


def test_an_out_that_overlaps_itself_is_refused():
    with pytest.raises(RuntimeError, match="single memory location"):
        mlx.add(mlx.ones(3), 1, out=mlx.zeros(1).expand(3))


def test_magnitudes_of_complex_numbers_are_not_taken_in_place():
    with pytest.raises(RuntimeError, match="In-place abs is not supported"):
        mlx.ones(2, dtype=mlx.complex64).abs_()


@pytest.mark.parametrize("exponent", [-2, -1, -0.5, 0, 0.5, 1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [mlx.float32, mlx.float64], ids=name)
def test_powers_with_formulas_of_their_own_are_powers(exponent, dtype):
    x = sample(50, low=0.1)
    assert_close(from_numpy(x).to(dtype) ** exponent, x**exponent, rtol=4 * TOLERANCE[dtype])
    if dtype == mlx.float64:
        t = double(5, low=0.1)
        assert gradcheck(lambda t: t**exponent, (t,)) and gradgradcheck(lambda t: t**exponent, (t,))


def test_cubes_of_integers_wrap():
    x = np.arange(-130, 130, dtype=np.int32) * 1000
    assert (from_numpy(x) ** 3).tolist() == (x**3).tolist()


@pytest.mark.parametrize("row", [127, 128, 1000, 1025, 2100])
@pytest.mark.parametrize("dtype", [mlx.float32, mlx.bfloat16, mlx.int16], ids=name)
def test_long_rows_are_read_and_written_where_they_lie(row, dtype):
    """Rows that are parts of longer ones, columns that repeat along them, rows that repeat, backwards too."""
    x = np.arange(7 * (row + 3)).reshape(7, row + 3) % 30
    column, line = np.arange(7).reshape(7, 1), np.arange(row) % 9
    t, c, r = (from_numpy(v).to(dtype) for v in (x, column, line))
    expected = x[:, 1 : row + 1] * column + line - x[:, row + 2 : 2 : -1][:, :row]
    got = t[:, 1 : row + 1] * c + r - t.flip(1)[:, :row]
    assert got.dtype == dtype and got.tolist() == expected.tolist()
    t[:, 2 : row + 2] += c
    x[:, 2 : row + 2] += column
    assert t.tolist() == x.tolist()


@pytest.mark.parametrize("dtype", [mlx.float16, mlx.bfloat16, mlx.float32, mlx.float64])
def test_ldexp_with_integers_keeps_the_dtype(dtype):
    out = mlx.ldexp(mlx.tensor(3.0, dtype=dtype), mlx.tensor([-1, 0, 4]))
    assert out.dtype == dtype and out.tolist() == [1.5, 3, 48]


@pytest.mark.cpu  # Metal has no wider type
def test_the_power_of_ldexp_may_leave_the_range():
    x, exponent = mlx.tensor([1e-30, 3.0]), mlx.tensor([200, -150])
    expected = np.ldexp(x.numpy(), exponent.numpy())
    assert mlx.ldexp(x, exponent).tolist() == expected.tolist()


def test_copy_of_a_number():
    x = mlx.zeros(2, dtype=mlx.int32)
    assert x.copy_(3).tolist() == [3, 3] and x.copy_(True).tolist() == [1, 1]


def test_equal_compares_across_dtypes():
    assert mlx.equal(mlx.tensor([1, 2]), mlx.tensor([1.0, 2.0]))
    assert not mlx.equal(mlx.tensor([1.1]), mlx.tensor([1.1], dtype=mlx.float64))

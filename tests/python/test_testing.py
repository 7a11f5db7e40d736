"""mlx.testing: what is close, and what the error says when it is not."""

import numpy as np
import pytest

import mlx
from mlx.testing import assert_close


def test_values_within_the_tolerance_pass():
    assert_close(mlx.tensor([1.0, 2.0]), mlx.tensor([1.0, 2.0 + 2e-6]))
    assert_close({"a": [mlx.ones(2), None], "b": 1.0}, {"a": [mlx.ones(2), None], "b": 1.0})
    assert_close(np.ones(2), np.ones(2))
    assert_close(mlx.ones(2), mlx.full((2,), 1.4), rtol=0.0, atol=0.5)


def test_the_error_tells_how_far_off_tensors_are():
    with pytest.raises(AssertionError) as error:
        assert_close(mlx.tensor([1.0, 2.0, 3.0]), mlx.tensor([1.0, 2.0, 4.0]))
    assert str(error.value) == (
        "Tensor-likes are not close!\n\nMismatched elements: 1 / 3 (33.3%)\n"
        "Greatest absolute difference: 1.0 at index (2,) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 0.25 at index (2,) (up to 1.3e-06 allowed)"
    )


@pytest.mark.parametrize(
    ("actual", "expected", "options", "message"),
    [
        (1.0, 1.5, {}, "Expected 1.5 but got 1.0"),
        (mlx.tensor([1, 2]), mlx.tensor([1, 3]), {}, "Tensor-likes are not equal"),
        (mlx.ones(2), mlx.ones(3), {}, "attribute 'shape'"),
        (mlx.ones(2), mlx.ones(2).half(), {}, "attribute 'dtype'"),
        (mlx.ones(2, 2), mlx.ones(2, 2).t(), {"check_stride": True}, "attribute 'stride"),
        ([mlx.ones(1)], [mlx.zeros(1)], {}, r"item \[0\]"),
        ([1], [1, 2], {}, "length of the sequences"),
        ({"a": 1}, {"b": 1}, {}, r"Missing keys in the actual mapping: \['b'\]"),
        (mlx.tensor([float("nan")]), mlx.tensor([float("nan")]), {}, "not close"),
        (1.0, 2.0, {"msg": lambda m: "note: " + m}, "^note: Scalars"),
    ],
)
def test_what_differs_is_named(actual, expected, options, message):
    with pytest.raises(AssertionError, match=message):
        assert_close(actual, expected, **options)


def test_options_that_let_more_pass():
    assert_close(mlx.tensor([float("nan")]), mlx.tensor([float("nan")]), equal_nan=True)
    assert_close(mlx.ones(2), mlx.ones(2).half(), check_dtype=False)


def test_values_that_cannot_be_compared():
    with pytest.raises(TypeError, match="No comparison pair"):
        assert_close(mlx.ones(2), "a")
    with pytest.raises(ValueError, match="rtol and atol"):
        assert_close(1.0, 1.0, rtol=0.1)

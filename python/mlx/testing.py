"""Comparison of tensors, for tests.

>>> import mlx
>>> mlx.testing.assert_close(mlx.tensor([1.0, 2.0]), mlx.tensor([1.0, 2.0 + 1e-6]))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import mlx
from mlx import _C
from mlx._C import Tensor

__all__ = ["assert_close"]

# rtol and atol of each dtype; integers and booleans must be equal.
_TOLERANCES = {
    _C.float16: (1e-3, 1e-5),
    _C.bfloat16: (1.6e-2, 1e-5),
    _C.float32: (1.3e-6, 1e-5),
    _C.float64: (1e-7, 1e-7),
    _C.complex64: (1.3e-6, 1e-5),
    _C.complex128: (1e-7, 1e-7),
}


def _differing(what: str, actual: Any, expected: Any) -> str:
    return f"The values for attribute '{what}' do not match: {actual} != {expected}."


class _Comparison:
    """How two values are compared, and where in nested ones it stands."""

    def __init__(
        self, rtol: float | None, atol: float | None, equal_nan: bool, checks: dict[str, bool], msg: Any
    ) -> None:
        if (rtol is None) != (atol is None):
            raise ValueError("rtol and atol must both be specified or both be unspecified, not one alone")
        self.rtol, self.atol, self.equal_nan, self.checks, self.msg = rtol, atol, equal_nan, checks, msg

    def fail(self, message: str, path: tuple) -> None:
        if path:
            message += f"\n\nThe failure occurred for item {''.join(f'[{p!r}]' for p in path)}"
        if self.msg is not None:
            message = self.msg(message) if callable(self.msg) else self.msg
        raise AssertionError(message)

    def compare(self, actual: Any, expected: Any, path: tuple, allow_subclasses: bool) -> None:
        if isinstance(actual, Mapping) and isinstance(expected, Mapping):
            self._compare_mappings(actual, expected, path, allow_subclasses)
        elif _is_sequence(actual) and _is_sequence(expected):
            if len(actual) != len(expected):
                self.fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", path)
            for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
                self.compare(a, e, (*path, i), allow_subclasses)
        elif actual is None and expected is None:
            return
        else:
            self._compare_leaves(actual, expected, path, allow_subclasses)

    def _compare_mappings(
        self, actual: Mapping, expected: Mapping, path: tuple, allow_subclasses: bool
    ) -> None:
        missing, additional = expected.keys() - actual.keys(), actual.keys() - expected.keys()
        if missing or additional:
            self.fail(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(missing, key=str)}\n"
                f"Additional keys in the actual mapping: {sorted(additional, key=str)}",
                path,
            )
        for key in actual:
            self.compare(actual[key], expected[key], (*path, key), allow_subclasses)

    def _compare_leaves(self, actual: Any, expected: Any, path: tuple, allow_subclasses: bool) -> None:
        kinds = (bool, np.bool_), (int, float, complex, np.number), (Tensor, np.ndarray)
        for kind in kinds:
            if isinstance(actual, kind) and isinstance(expected, kind):
                break
        else:
            raise TypeError(
                f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
            )
        if type(actual) is not type(expected) and not allow_subclasses:
            raise TypeError(
                f"Except for containers and tensors, type equality is required: {type(actual)} and "
                f"{type(expected)}"
            )
        scalars = not isinstance(actual, (Tensor, np.ndarray))
        self.compare_tensors(_as_tensor(actual), _as_tensor(expected), path, scalars)

    def compare_tensors(self, actual: Tensor, expected: Tensor, path: tuple, scalars: bool) -> None:
        if actual.shape != expected.shape:
            self.fail(_differing("shape", actual.shape, expected.shape), path)
        for name, what in (("device", "device"), ("dtype", "dtype"), ("stride", "stride()")):
            a, e = (t.stride() if name == "stride" else getattr(t, name) for t in (actual, expected))
            if self.checks[name] and a != e and not scalars:
                self.fail(_differing(what, a, e), path)
        rtol, atol = self._tolerances(actual, expected)
        widest = mlx.promote_types(actual.dtype, expected.dtype)
        actual, expected = (t.detach().cpu().to(widest) for t in (actual, expected))
        if actual.dtype is _C.bool or not (rtol or atol):
            wrong = ~_equal(actual, expected, self.equal_nan)
        else:
            wrong = ~_C.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=self.equal_nan)
        if bool(wrong.any()):
            exact = widest is _C.bool or not (rtol or atol)
            describe = _describe_scalars if actual.dim() == 0 or scalars else _describe_tensors
            self.fail(describe(actual, expected, wrong, None if exact else (rtol, atol)), path)

    def _tolerances(self, actual: Tensor, expected: Tensor) -> tuple[float, float]:
        if self.rtol is not None and self.atol is not None:
            return self.rtol, self.atol
        defaults = [_TOLERANCES.get(t.dtype, (0.0, 0.0)) for t in (actual, expected)]
        return max(r for r, _ in defaults), max(a for _, a in defaults)


def _is_sequence(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _as_tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, float):
        return _C.tensor(value, dtype=_C.float64)
    if isinstance(value, complex):
        return _C.tensor(value, dtype=_C.complex128)
    return mlx.as_tensor(value)


def _equal(actual: Tensor, expected: Tensor, equal_nan: bool) -> Tensor:
    same = actual == expected
    return same | (actual.isnan() & expected.isnan()) if equal_nan else same


def _differences(actual: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
    """Absolute and relative ones, in double precision (or integers)."""
    if actual.dtype is _C.bool:
        actual, expected = actual.long(), expected.long()
    elif actual.is_floating_point():
        actual, expected = actual.double(), expected.double()
    absolute = (actual - expected).abs()
    return absolute, absolute / expected.abs()


def _allowed(tolerance: float | None) -> str:
    return "" if tolerance is None else f" (up to {tolerance} allowed)"


def _describe_scalars(actual: Tensor, expected: Tensor, wrong: Tensor, tolerances: Any) -> str:
    absolute, relative = (d.item() for d in _differences(actual, expected))
    rtol, atol = tolerances or (None, None)
    return (
        f"Scalars are not {'close' if tolerances else 'equal'}!\n\n"
        f"Expected {expected.item()} but got {actual.item()}.\n"
        f"Absolute difference: {absolute}{_allowed(atol)}\n"
        f"Relative difference: {relative}{_allowed(rtol)}"
    )


def _describe_tensors(actual: Tensor, expected: Tensor, wrong: Tensor, tolerances: Any) -> str:
    rtol, atol = tolerances or (None, None)
    count, total = int(wrong.sum()), wrong.numel()
    lines = [
        f"Tensor-likes are not {'close' if tolerances else 'equal'}!",
        "",
        f"Mismatched elements: {count} / {total} ({count / total:.1%})",
    ]
    # Of the elements that do match, the difference is not of interest.
    for name, difference, tolerance in zip(
        ("absolute", "relative"), _differences(actual, expected), (atol, rtol), strict=True
    ):
        at = int(difference.masked_fill(~wrong, 0).argmax())
        index = tuple(int(i) for i in np.unravel_index(at, tuple(actual.shape)))
        lines.append(
            f"Greatest {name} difference: {difference.flatten()[at].item()} at index {index}"
            f"{_allowed(tolerance)}"
        )
    return "\n".join(lines)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Assert that `abs(actual - expected) <= atol + rtol * abs(expected)` everywhere.

    Args:
        actual, expected: tensors, NumPy arrays or numbers, nested alike in sequences and mappings.
        rtol, atol: the tolerances; both or none. By default they suit the wider dtype of the two, and are
            zero for integers.
        equal_nan: whether NaN is close to NaN.
        check_device, check_dtype, check_stride: whether these must be the same too.
        check_layout: accepted for compatibility.
        msg: the error's message, or a function that makes it from the usual one.

    Raises:
        AssertionError: that says how far off they are, and where. TypeError: for values that cannot be
            compared.

    >>> import mlx
    >>> mlx.testing.assert_close(mlx.ones(2), mlx.ones(3))
    Traceback (most recent call last):
        ...
    AssertionError: The values for attribute 'shape' do not match: mlx.Size([2]) != mlx.Size([3]).
    """
    checks = {"device": check_device, "dtype": check_dtype, "stride": check_stride}
    comparison = _Comparison(rtol, atol, equal_nan, checks, msg)
    comparison.compare(actual, expected, (), allow_subclasses)

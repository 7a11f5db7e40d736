"""Branches and loops as functions, for programs that are written for PyTorch's compiler."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlx._C import Tensor

__all__ = ["cond", "while_loop"]


def _decided(op: str, pred: Any) -> bool:
    """The value of a condition. In a compiled function that of a tensor is not known: TraceError."""
    if isinstance(pred, Tensor):
        if pred.numel() != 1:
            raise RuntimeError(f"{op}(): Expected pred to be bool or single-element tensor, but got {pred}.")
        return bool(pred)
    if not isinstance(pred, bool | int | float):
        raise RuntimeError(f"{op}(): Expected pred to be bool or tensor, but got {pred}.")
    return bool(pred)


def cond(pred: Any, true_fn: Callable, false_fn: Callable, operands: Sequence[Any] = ()) -> Any:
    """`true_fn(*operands)` where `pred` holds, else `false_fn(*operands)`.

    Args:
        pred: a bool, or a tensor of one element. A compiled function cannot branch on a tensor that it
            computes: compute both and choose by `where`.

    >>> import mlx
    >>> mlx.cond(mlx.tensor(True), lambda x: x + 1, lambda x: x - 1, (mlx.tensor(1.0),))
    tensor(2.)
    """
    if not callable(true_fn) or not callable(false_fn):
        raise RuntimeError("cond(): Expect both branches to be callable.")
    if not isinstance(operands, tuple | list):
        raise RuntimeError(f"cond(): Expect operands to be a tuple or a list of tensors, got {operands}.")
    return true_fn(*operands) if _decided("cond", pred) else false_fn(*operands)


def while_loop(cond_fn: Callable, body_fn: Callable, carried_inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Call `body_fn` on `carried_inputs`, then on what it returned, as long as `cond_fn` of that holds.

    Args:
        cond_fn: takes the carried values, returns a bool or a tensor of one element.
        body_fn: takes them, returns a tuple of as many, tensors of the same shapes and dtypes.

    >>> import mlx
    >>> mlx.while_loop(lambda x: x < 10, lambda x: (x * 2,), (mlx.tensor(1),))
    (tensor(16),)
    """
    if not callable(cond_fn) or not callable(body_fn):
        raise RuntimeError("while_loop(): Expect cond_fn and body_fn to be callable.")
    if not isinstance(carried_inputs, tuple | list):
        raise RuntimeError(
            f"while_loop(): Expect carried_inputs to be a tuple or a list, got {type(carried_inputs)}."
        )
    carried = tuple(carried_inputs)
    while _decided("while_loop", cond_fn(*carried)):
        after = body_fn(*carried)
        if not isinstance(after, tuple | list):
            after = (after,)
        _check_carried(carried, after)
        carried = tuple(after)
    return carried


def _check_carried(before: Sequence[Any], after: Sequence[Any]) -> None:
    if len(before) != len(after):
        raise RuntimeError(
            f"while_loop(): body_fn should return the same number of elements as carried_inputs, expected "
            f"{len(before)}, got {len(after)}."
        )
    for i, (a, b) in enumerate(zip(before, after, strict=True)):
        if isinstance(a, Tensor) != isinstance(b, Tensor):
            raise RuntimeError(
                f"while_loop(): body_fn returned a {type(b).__name__} as value {i}, expected a "
                f"{type(a).__name__}."
            )
        if isinstance(a, Tensor) and (a.shape, a.dtype, a.device) != (b.shape, b.dtype, b.device):
            raise RuntimeError(
                f"while_loop(): body_fn returned {tuple(b.shape)} of {b.dtype} on {b.device} as value {i}, "
                f"expected {tuple(a.shape)} of {a.dtype} on {a.device}."
            )

"""Nested arguments and results, taken apart into tensors and a hashable description of the rest."""

from __future__ import annotations

import dataclasses
from typing import Any

from mlx._C import Tensor


class Same:
    """Stands for an object that cannot be hashed by value: equal to itself alone."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)

    def __repr__(self) -> str:
        return type(self.value).__name__


TENSOR = "tensor"  # the description of a leaf


def flatten(value: Any, leaves: list[Tensor]) -> Any:
    """Append the tensors in `value` to `leaves`; return what `unflatten` makes it again from."""
    if isinstance(value, Tensor):
        leaves.append(value)
        return TENSOR
    kind = type(value)
    if kind in (int, float, bool, str, type(None)):
        return (kind, value) if kind is not float else (kind, value.hex())
    if kind in (list, tuple):
        return (kind, *[flatten(v, leaves) for v in value])
    if isinstance(value, dict):
        return (kind, tuple(value), *[flatten(v, leaves) for v in value.values()])
    if isinstance(value, tuple) and (hasattr(value, "_fields") or hasattr(value, "n_sequence_fields")):
        return (kind, *[flatten(v, leaves) for v in value])
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [f.name for f in dataclasses.fields(value)]
        return (kind, tuple(names), *[flatten(getattr(value, n), leaves) for n in names])
    if kind is slice:
        return (kind, *[flatten(v, leaves) for v in (value.start, value.stop, value.step)])
    return (Same, Same(value))


def unflatten(spec: Any, leaves: Any) -> Any:
    """The value that `flatten` described, with the next tensors of the iterator `leaves`."""
    if spec is TENSOR:
        return next(leaves)
    kind, *rest = spec
    if kind is float:
        return float.fromhex(rest[0])
    if kind in (int, bool, str, type(None)):
        return rest[0]
    if kind is Same:
        return rest[0].value
    if kind in (list, tuple):
        return kind(unflatten(s, leaves) for s in rest)
    if kind is slice:
        return slice(*[unflatten(s, leaves) for s in rest])
    if issubclass(kind, dict):
        items = zip(rest[0], [unflatten(s, leaves) for s in rest[1:]], strict=True)
        if hasattr(kind, "__missing__"):  # a defaultdict's factory is not part of the description
            return dict(items)
        return kind(items)
    if issubclass(kind, tuple):
        values = [unflatten(s, leaves) for s in rest]
        return kind(*values) if hasattr(kind, "_fields") else kind(values)
    instance = object.__new__(kind)  # a dataclass; its __init__ may do more than assign
    for name, s in zip(rest[0], rest[1:], strict=True):
        object.__setattr__(instance, name, unflatten(s, leaves))
    return instance

"""Nested containers, taken apart into leaves and built again: the arguments and results of transforms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

__all__: list[str] = []


def _is_named_tuple(value: Any) -> bool:
    return isinstance(value, tuple) and hasattr(value, "_fields")


def leaves(value: Any) -> list[Any]:
    """What is not a list, tuple or dict, from left to right."""
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in leaves(v)]
    if isinstance(value, (list, tuple)):
        return [leaf for v in value for leaf in leaves(v)]
    return [] if value is None else [value]


def rebuilt(value: Any, new: Iterator[Any]) -> Any:
    """`value` with each leaf replaced by the next of `new`."""
    if isinstance(value, dict):
        made = value.copy()  # keeps the order and, for a defaultdict, its factory
        for key, v in value.items():
            made[key] = rebuilt(v, new)
        return made
    if isinstance(value, (list, tuple)):
        parts = [rebuilt(v, new) for v in value]
        return type(value)(*parts) if _is_named_tuple(value) else type(value)(parts)
    return None if value is None else next(new)


def mapped(function: Callable[[Any], Any], value: Any) -> Any:
    """`value` with `function` applied to each leaf."""
    return rebuilt(value, map(function, leaves(value)))


def spread(prefix: Any, value: Any, what: str) -> list[Any]:
    """An element of `prefix` for each leaf of `value`: one that stands above several is theirs in common.

    Raises:
        ValueError: when the two do not fit together.
    """
    if not isinstance(prefix, (list, tuple, dict)):
        return [prefix] * len(leaves(value))
    if isinstance(prefix, dict):
        fits = isinstance(value, dict) and prefix.keys() == value.keys()
        pairs: Iterable[tuple[Any, Any]] = [(prefix[k], value[k]) for k in value] if fits else ()
    else:
        fits = isinstance(value, (list, tuple)) and len(prefix) == len(value)
        pairs = zip(prefix, value, strict=True) if fits else ()
    if not fits:
        raise ValueError(f"{what} {prefix!r} does not have the structure of what it describes")
    return [element for p, v in pairs for element in spread(p, v, what)]

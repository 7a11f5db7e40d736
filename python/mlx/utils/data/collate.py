"""Samples into batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import mlx
from mlx._C import Tensor

__all__ = ["default_collate", "default_convert"]


def _rebuilt(elem: Any, items: list[Any]) -> Any:
    """`items` as a sequence of the type of `elem`; a list where that type is not made from one."""
    if isinstance(elem, tuple) and hasattr(elem, "_fields"):
        return type(elem)(*items)
    try:
        return type(elem)(items)
    except TypeError:
        return items


def _mapped(elem: Mapping[Any, Any], fn: Callable[[Any], Any]) -> Any:
    """The mapping of each key to `fn(key)`, of the type of `elem` where that type is made from a dict."""
    items = {key: fn(key) for key in elem}
    try:
        return type(elem)(items)  # type: ignore[call-arg]
    except TypeError:
        return items


def _is_array(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.number, np.bool_)) and value.dtype.kind in "biufc"


def default_convert(data: Any) -> Any:
    """Arrays to tensors, inside mappings and sequences too; everything else as it is."""
    if isinstance(data, Tensor):
        return data
    if _is_array(data):
        return mlx.as_tensor(data)
    if isinstance(data, Mapping):
        return _mapped(data, lambda key: default_convert(data[key]))
    if isinstance(data, tuple) and not hasattr(data, "_fields"):
        return [default_convert(item) for item in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt(data, [default_convert(item) for item in data])
    return data


def default_collate(batch: Sequence[Any]) -> Any:
    """One batch of a list of samples: tensors are stacked along a new first dimension.

    Arrays and numbers become tensors (floats of float64), texts a list; mappings and sequences are collated
    entry by entry.

    Raises:
        TypeError: for other types. RuntimeError: when sequences or tensors differ in size.

    >>> import mlx
    >>> mlx.utils.data.default_collate([{"x": mlx.zeros(2), "y": 1}, {"x": mlx.ones(2), "y": 2}])
    {'x': tensor([[0., 0.],
            [1., 1.]]), 'y': tensor([1, 2])}
    """
    elem = batch[0]
    if isinstance(elem, Tensor):
        return mlx.stack(list(batch))
    if _is_array(elem):
        return mlx.stack([mlx.as_tensor(item) for item in batch])
    if isinstance(elem, float):
        return mlx.tensor(batch, dtype=mlx.float64)
    if isinstance(elem, int):
        return mlx.tensor(batch)
    if isinstance(elem, (str, bytes)):
        return batch
    if isinstance(elem, Mapping):
        return _mapped(elem, lambda key: default_collate([item[key] for item in batch]))
    if isinstance(elem, Sequence):
        if any(len(item) != len(elem) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        items = [default_collate(column) for column in zip(*batch, strict=True)]
        if isinstance(elem, tuple) and not hasattr(elem, "_fields"):
            return items
        return _rebuilt(elem, items)
    raise TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; "
        f"found {type(elem)}"
    )

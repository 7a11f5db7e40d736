"""From the numbers of samples to a batch, in this process or in a worker."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from mlx.utils.data.dataset import IterableDataset

__all__ = ["Fetcher", "make_fetcher"]

Fetcher = Callable[[Any], Any]


def make_fetcher(
    dataset: Any, auto_collation: bool, collate_fn: Callable[[Any], Any], drop_last: bool
) -> Fetcher:
    """A function from what a sampler gives to a batch. Raises StopIteration when an iterable dataset ends."""
    if isinstance(dataset, IterableDataset):
        return _iterable_fetcher(dataset, auto_collation, collate_fn, drop_last)

    def samples(index: Any) -> Any:
        if not auto_collation:
            return dataset[index]
        if callable(getattr(dataset, "__getitems__", None)):
            return dataset.__getitems__(index)
        return [dataset[i] for i in index]

    def fetch(index: Any) -> Any:
        try:
            return collate_fn(samples(index))
        except StopIteration as error:  # would end the loop as if all samples had come
            raise RuntimeError(f"fetching {index} raised StopIteration") from error

    return fetch


def _iterable_fetcher(
    dataset: Any, auto_collation: bool, collate_fn: Callable[[Any], Any], drop_last: bool
) -> Fetcher:
    samples = iter(dataset)

    def fetch(index: Any) -> Any:
        if not auto_collation:
            return collate_fn(next(samples))
        batch = list(itertools.islice(samples, len(index)))
        if not batch or (drop_last and len(batch) < len(index)):
            raise StopIteration
        return collate_fn(batch)

    return fetch

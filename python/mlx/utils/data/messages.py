"""What the main process and its workers tell each other."""

from __future__ import annotations

import pickle
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Ended", "Epoch", "Failure", "Job", "WorkerInfo", "get_worker_info", "set_worker_info"]


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker process knows of itself.

    Attributes:
        id: its number, from 0. num_workers: how many there are. seed: of its random generators.
        dataset: its copy of the dataset.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """The worker that this process is, None in the main process."""
    return _info


def set_worker_info(info: WorkerInfo) -> None:
    """Say that this process is a worker."""
    global _info
    _info = info


class Job(NamedTuple):
    """What a worker needs to know; sent once."""

    dataset: Any
    auto_collation: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool
    worker_init_fn: Callable[[int], Any] | None
    base_seed: int
    num_workers: int


class Epoch(NamedTuple):
    """Says that another epoch begins; iterable datasets start anew."""

    number: int


class Ended(NamedTuple):
    """Says that this worker's iterable dataset has ended."""


class Failure(NamedTuple):
    """An exception on its way to the main process."""

    kind: type[BaseException]
    text: str

    @staticmethod
    def caught(where: str) -> Failure:
        """The exception that is being handled."""
        kind = sys.exc_info()[0] or RuntimeError
        text = f"Caught {kind.__name__} {where}.\nOriginal {traceback.format_exc()}"
        try:
            pickle.dumps(kind)
        except Exception:  # a local class
            kind = RuntimeError
        return Failure(kind, text)

    def reraise(self) -> None:
        """Raise it here: the same class, with the traceback of there in its message."""
        text = _Verbatim(self.text) if self.kind is KeyError else self.text
        try:
            error = self.kind(text)
        except Exception:  # a class that is not made from a message
            error = RuntimeError(self.text)
        raise error


class _Verbatim(str):
    """A text that KeyError, which shows the repr of its argument, shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)

"""Where the time of a program goes, by the regions that it names.

>>> import mlx
>>> from mlx.profiler import profile, record_function
>>> with profile() as prof:
...     with record_function("sum"):
...         _ = mlx.ones(4).sum()
>>> [(e.key, e.count) for e in prof.key_averages()]
[('sum', 1)]
"""

from __future__ import annotations

import enum
import functools
import time
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["FunctionEvent", "ProfilerActivity", "profile", "record_function"]


class ProfilerActivity(enum.Enum):
    """What a profile is of; mlx measures on the host."""

    CPU = 0
    CUDA = 2
    MPS = 5


class FunctionEvent:
    """The calls of one region: how many, and their time in microseconds."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.count = 0
        self.cpu_time_total = 0.0

    @property
    def cpu_time(self) -> float:
        """The mean of a call."""
        return self.cpu_time_total / max(self.count, 1)


class EventList(list):
    """The regions of a profile."""

    def table(self, sort_by: str | None = None, row_limit: int = 100, **options: Any) -> str:
        """The regions as text, the longest first when `sort_by` names a time."""
        rows = sorted(self, key=lambda e: -e.cpu_time_total) if sort_by and "time" in sort_by else list(self)
        lines = [f"{'Name':40s} {'CPU total':>14s} {'CPU time avg':>14s} {'# of Calls':>12s}"]
        lines += [
            f"{e.key:40.40s} {e.cpu_time_total:12.3f}us {e.cpu_time:12.3f}us {e.count:12d}"
            for e in rows[:row_limit]
        ]
        return "\n".join(lines)


_active: list[profile] = []


class record_function:
    """Names a region: a context manager, or a decorator. Outside of a profile it does nothing."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exc: object) -> None:
        for running in _active:
            running._note(self.name, time.perf_counter() - self._start)

    def __call__(self, func: Callable) -> Callable:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)(self.name):
                return func(*args, **kwargs)

        return wrapped


class profile:
    """Measures the regions that `record_function` names while it is entered.

    Args:
        activities, record_shapes, profile_memory, with_stack, with_flops: accepted for compatibility.
        on_trace_ready: called with the profile when it ends.
    """

    def __init__(
        self,
        activities: Iterable[ProfilerActivity] | None = None,
        *,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
    ) -> None:
        self._events: dict[str, FunctionEvent] = {}
        self._on_trace_ready = on_trace_ready

    def _note(self, name: str, seconds: float) -> None:
        event = self._events.setdefault(name, FunctionEvent(name))
        event.count += 1
        event.cpu_time_total += seconds * 1e6

    def start(self) -> None:
        """Begin to measure."""
        _active.append(self)

    def stop(self) -> None:
        """Stop measuring."""
        _active.remove(self)
        if self._on_trace_ready is not None:
            self._on_trace_ready(self)

    def step(self) -> None:
        """Accepted for compatibility: all steps are measured together."""

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def key_averages(self, **options: Any) -> EventList:
        """The regions, in the order of their first end."""
        return EventList(self._events.values())

"""Timing of short pieces of code, and tables that compare them.

>>> from mlx.utils.benchmark import Compare, Timer
>>> results = [
...     Timer("x.sum()", "x = mlx.ones(n)", globals={"n": n}, sub_label=f"n = {n}", description="sum")
...     for n in (10, 1000)
... ]
>>> Compare([timer.blocked_autorange(min_run_time=0.01) for timer in results]).print()  # doctest: +SKIP
"""

from __future__ import annotations

import math
import statistics
import time
import timeit
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import mlx

__all__ = ["Compare", "Measurement", "TaskSpec", "Timer", "select_unit", "timer"]

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
_NAMES = {"ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds"}
_GREEN, _RED, _PLAIN = "\033[32m", "\033[31m", "\033[0m"


def timer() -> float:
    """The time in seconds, when the GPU, if there is one, has done what it was given."""
    if mlx.accelerator.is_available():
        mlx.accelerator.synchronize()
    return time.perf_counter()


def select_unit(t: float) -> tuple[str, float]:
    """The unit that suits a time in seconds, and its length.

    >>> select_unit(0.002)
    ('ms', 0.001)
    """
    unit = next((u for u in ("s", "ms", "us") if t >= _UNITS[u]), "ns")
    return unit, _UNITS[unit]


@dataclass(frozen=True)
class TaskSpec:
    """What was timed."""

    stmt: str
    setup: str = ""
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        if self.label is None:
            return self.stmt
        return self.label + (f": {self.sub_label}" if self.sub_label else "")

    @property
    def as_row_name(self) -> str:
        return self.sub_label or self.stmt or "[Unknown]"

    def setup_str(self) -> str:
        return "" if self.setup in ("", "pass") else f"setup: {self.setup}"


@dataclass
class Measurement:
    """The times of several blocks of runs.

    Args:
        number_per_run: the runs in each block.
        raw_times: the seconds that each block took.
        task_spec: what was timed.
    """

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None

    @property
    def times(self) -> list[float]:
        """The seconds of one run, from each block."""
        return [t / self.number_per_run for t in self.raw_times]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.times)

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def iqr(self) -> float:
        """The width of the range that the middle half of the times lies in."""
        if len(self.times) < 2:
            return 0.0
        low, _, high = self._quartiles()
        return high - low

    def _quartiles(self) -> list[float]:
        return statistics.quantiles(self.times, n=4, method="inclusive")

    @property
    def significant_figures(self) -> int:
        """How many digits of the median mean something.

        Those above the width of the range that it lies in with nine chances in ten, if times scatter as
        normal ones of this `iqr` do.
        """
        if len(self.times) < 2 or not self.iqr or not self.median:
            return 5 if len(self.times) > 1 else 2
        half_width = 1.645 * (self.iqr / 1.349) * 1.2533 / math.sqrt(len(self.times))
        return min(max(math.floor(-math.log10(2 * half_width / self.median)) + 1, 1), 5)

    @property
    def has_warnings(self) -> bool:
        """Whether the middle half of the times spreads over more than a tenth of the median."""
        return len(self.times) > 1 and self.iqr > 0.1 * self.median

    def meets_confidence(self, threshold: float = 0.1) -> bool:
        """Whether there are enough times, and their `iqr` is below a share of the median."""
        return len(self.times) >= 4 and self.iqr < threshold * self.median

    def __getattr__(self, name: str) -> Any:
        if name in (*TaskSpec.__dataclass_fields__, "title", "as_row_name"):
            return getattr(self.task_spec, name)
        raise AttributeError(f"'Measurement' object has no attribute {name!r}")

    @staticmethod
    def merge(measurements: Iterable[Measurement]) -> list[Measurement]:
        """One measurement for each task, from those of equal tasks and equal numbers of runs."""
        joined: dict[Any, Measurement] = {}
        for m in measurements:
            key = (m.task_spec, m.number_per_run)
            before = joined.get(key)
            times = (before.raw_times if before else []) + m.raw_times
            joined[key] = replace(m, raw_times=times)
        return list(joined.values())

    def __repr__(self) -> str:
        spec = self.task_spec
        unit, length = select_unit(self.median)
        lines = [object.__repr__(self), spec.title, spec.description, spec.setup_str()]
        if len(self.times) > 1:
            low, _, high = (t / length for t in self._quartiles())
            lines.append(f"  Median: {self.median / length:.2f} {unit}")
            lines.append(f"  IQR:    {self.iqr / length:.2f} {unit} ({low:.2f} to {high:.2f})")
        else:
            lines.append(f"  {self.median / length:.2f} {unit}")
        blocks, threads = len(self.times), spec.num_threads
        lines.append(
            f"  {blocks} measurement{'s'[: blocks > 1]}, {self.number_per_run} runs per measurement, "
            f"{threads} thread{'s'[: threads > 1]}"
        )
        if self.has_warnings:
            lines.append(f"  WARNING: Interquartile range is {self.iqr / self.median:.1%} of the median.")
        return "\n".join(line for line in lines if line)


class Timer:
    """Times a statement.

    Args:
        stmt: what to time.
        setup: what runs once before each block of runs.
        global_setup: must be empty: there is no compiled code to set up.
        timer: gives the time in seconds.
        globals: the names that the statement sees, beside `mlx` and `torch` (both this library).
        label, sub_label, description, env: what reports and tables call it.
        num_threads: the threads that ops may use meanwhile.
        language: must be Python.

    Raises:
        ValueError: for another language, or a global setup.

    >>> Timer("x + x", "x = mlx.ones(3)").timeit(100).median < 0.01
    True
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: str = "python",
    ) -> None:
        if not isinstance(stmt, str):
            raise ValueError(f"Timer: stmt must be a string, not {type(stmt).__name__}")
        if str(language).lower() not in ("python", "py") or global_setup:
            raise ValueError("Timer: only statements of Python can be timed, without a global_setup")
        names = {"mlx": mlx, "torch": mlx, **(globals or {})}
        stmt, setup = _dedented(stmt), _dedented(setup)
        self._timer = timeit.Timer(stmt, setup, timer, names)
        self._task_spec = TaskSpec(stmt, setup, "", label, sub_label, description, env, num_threads)

    def _measured(self, number: int, repeats: Iterable[float]) -> Measurement:
        return Measurement(number, list(repeats), self._task_spec)

    def _time(self, number: int) -> float:
        threads = mlx.get_num_threads()
        mlx.set_num_threads(self._task_spec.num_threads)
        try:
            return max(self._timer.timeit(number), 1e-9)
        finally:
            mlx.set_num_threads(threads)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One block of so many runs, after a few that are not counted."""
        self._time(max(number // 100, 2))
        return self._measured(number, [self._time(number)])

    def repeat(self, repeat: int = -1, number: int = -1) -> None:
        raise NotImplementedError("See `Timer.blocked_autorange`.")

    def autorange(self, callback: Callable[[int, float], None] | None = None) -> None:
        raise NotImplementedError("See `Timer.blocked_autorange`.")

    def _block(self, shortest: float) -> int:
        """A number of runs that takes at least so many seconds."""
        number = 1
        while (taken := self._time(number)) < shortest:
            number *= 10 if taken * 10 < shortest else 2
        return number

    def blocked_autorange(
        self, callback: Callable[[int, float], None] | None = None, min_run_time: float = 0.2
    ) -> Measurement:
        """Blocks of as many runs as make the cost of reading the time small, for at least `min_run_time`
        seconds. `callback` sees the number of runs and the seconds of each block."""
        number = self._block(min_run_time / 100)
        times: list[float] = []
        while sum(times) < min_run_time:
            times.append(self._time(number))
            if callback is not None:
                callback(number, times[-1])
        return self._measured(number, times)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Callable[[int, float], None] | None = None,
    ) -> Measurement:
        """Blocks until their times agree (see `Measurement.meets_confidence`), or `max_run_time` is over."""
        number = self._block(min_run_time / 10)
        measured = self._measured(number, [])
        while sum(measured.raw_times) < max_run_time:
            measured.raw_times.append(self._time(number))
            if callback is not None:
                callback(number, measured.raw_times[-1])
            if sum(measured.raw_times) >= min_run_time and measured.meets_confidence(threshold):
                break
        return measured


def _dedented(code: str) -> str:
    import textwrap

    return textwrap.dedent(code).strip() or "pass"


class Compare:
    """A table of measurements: a row for each `sub_label` (within each number of threads), a column for each
    `description`, a table for each `label`."""

    def __init__(self, results: Iterable[Measurement]) -> None:
        self._results: list[Measurement] = []
        self._trims = self._colours = self._rowwise = self._warns = False
        self.extend_results(results)

    def extend_results(self, results: Iterable[Measurement]) -> None:
        """Add measurements. ValueError for anything else."""
        for r in results:
            if not isinstance(r, Measurement):
                raise ValueError(f"Expected an instance of `Measurement`, got {type(r)} instead.")
            self._results.append(r)

    def trim_significant_figures(self) -> None:
        """Show no more digits than mean something."""
        self._trims = True

    def colorize(self, rowwise: bool = False) -> None:
        """Show times that are near the best of their column (or row) green, and those of twice it red."""
        self._colours, self._rowwise = True, rowwise

    def highlight_warnings(self) -> None:
        """Mark times that scatter much by their spread."""
        self._warns = True

    def print(self) -> None:
        print(str(self))

    def __str__(self) -> str:
        tables: dict[str, list[Measurement]] = {}
        for m in Measurement.merge(self._results):
            tables.setdefault(m.task_spec.label or m.task_spec.stmt, []).append(m)
        return "\n".join(self._table(label, results) for label, results in tables.items())

    def _table(self, label: str, results: list[Measurement]) -> str:
        unit, length = select_unit(min(m.median for m in results))
        columns = list(dict.fromkeys(m.task_spec.description or "" for m in results))
        cells = {(_row(m), m.task_spec.description or ""): m for m in results}
        rows = sorted(dict.fromkeys(_row(m) for m in results), key=lambda r: r[0])
        texts = {key: self._text(m, length) for key, m in cells.items()}
        first = max(len(f"      {name}") for _, name in rows)
        widths = [max(len(c), *(len(texts.get((r, c), "")) for r in rows)) for c in columns]

        def line(name: str, values: list[str]) -> str:
            return name.ljust(first) + "".join(f"  |  {v}" for v in values)

        head = line("", [c.center(w) for c, w in zip(columns, widths, strict=True)])
        lines, threads = [f"[{f' {label} '.center(max(len(head) - 2, 0), '-')}]", head], None
        for row in rows:
            if row[0] != threads:
                threads = row[0]
                lines.append(f"{threads} threads: ".ljust(len(head), "-"))
            shown = [self._coloured(cells, row, c, texts, w) for c, w in zip(columns, widths, strict=True)]
            lines.append(line(f"      {row[1]}", shown))
        return "\n".join([*lines, "", f"Times are in {_NAMES[unit]} ({unit}).", ""])

    def _text(self, m: Measurement, length: float) -> str:
        value = m.median / length
        places = 1
        if self._trims:
            places = m.significant_figures - 1 - math.floor(math.log10(value))
            value = round(value, places)
        spread = f" (! {m.iqr / m.median:.0%})" if self._warns and m.has_warnings else ""
        return f"{value:.{max(places, 0)}f}{spread}"

    def _coloured(
        self, cells: dict[Any, Measurement], row: Any, column: str, texts: dict[Any, str], width: int
    ) -> str:
        text = texts.get((row, column), "").rjust(width)
        if not self._colours or (row, column) not in cells:
            return text
        rivals = [m for (r, c), m in cells.items() if (r == row if self._rowwise else c == column)]
        share = cells[row, column].median / min(m.median for m in rivals)
        colour = _GREEN if share < 1.1 else _RED if share > 2 else ""
        return f"{colour}{text}{_PLAIN}" if colour else text


def _row(m: Measurement) -> tuple[int, str]:
    env = f" ({m.task_spec.env})" if m.task_spec.env else ""
    return m.task_spec.num_threads, m.task_spec.as_row_name + env

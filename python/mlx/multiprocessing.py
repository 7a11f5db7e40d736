"""Python's `multiprocessing`, and processes that are started together. Tensors are copied on their way."""

from __future__ import annotations

import multiprocessing as _python
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing import *
from multiprocessing.connection import wait
from typing import Any

__all__ = [
    *_python.__all__,
    "ProcessContext",
    "ProcessException",
    "ProcessExitedException",
    "ProcessRaisedException",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]

_MOST_TEXT = 30_000  # of a traceback, so that it fits into a pipe that nobody reads yet
_sharing_strategy = "file_system"


class ProcessException(Exception):  # noqa: N818
    """A process that was started with others has failed: the `error_index`-th, whose id was `error_pid`."""

    def __init__(self, msg: str, error_index: int, pid: int) -> None:
        super().__init__(msg)
        self.msg, self.error_index, self.error_pid = msg, error_index, pid


class ProcessRaisedException(ProcessException):
    """The process has raised an exception; the message holds its traceback."""


class ProcessExitedException(ProcessException):
    """The process has ended with an exit code, or by a signal."""

    def __init__(
        self, msg: str, error_index: int, error_pid: int, exit_code: int, signal_name: str | None = None
    ) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code, self.signal_name = exit_code, signal_name


def _run(fn: Callable[..., Any], index: int, args: tuple, errors: Any) -> None:
    try:
        fn(index, *args)
    except KeyboardInterrupt:
        pass  # the process that started this one was interrupted too
    except Exception:
        errors.put(traceback.format_exc()[-_MOST_TEXT:])
        sys.exit(1)


class ProcessContext:
    """Processes that were started together, and end together when one of them fails."""

    def __init__(self, processes: list[Any], errors: list[Any]) -> None:
        self.processes, self._errors = processes, errors
        self._running = {process.sentinel: i for i, process in enumerate(processes)}

    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait until a process ends, or for so many seconds; whether all have ended.

        Raises:
            ProcessRaisedException, ProcessExitedException: when one has failed; the others are terminated.
        """
        failed = None
        for sentinel in wait(list(self._running), timeout) if self._running else ():
            index = self._running.pop(sentinel)
            self.processes[index].join()
            if self.processes[index].exitcode != 0 and failed is None:
                failed = index
        if failed is None:
            return not self._running
        for process in self.processes:
            if process.is_alive():
                process.terminate()
            process.join()
        raise self._error(failed)

    def _error(self, index: int) -> ProcessException:
        process = self.processes[index]
        if not self._errors[index].empty():
            text = self._errors[index].get()
            return ProcessRaisedException(
                f"\n\n-- Process {index} terminated with the following error:\n{text}", index, process.pid
            )
        code = process.exitcode
        if code < 0:
            name = signal.Signals(-code).name
            text = f"process {index} terminated with signal {name}"
            return ProcessExitedException(text, index, process.pid, code, name)
        text = f"process {index} terminated with exit code {code}"
        return ProcessExitedException(text, index, process.pid, code)


def start_processes(
    fn: Callable[..., Any],
    args: tuple = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Call `fn(i, *args)` in `nprocs` processes, i from 0 on.

    Args:
        fn: a function of a module, which the processes import.
        join: whether to wait for all of them; else the `ProcessContext` is returned.

    Raises:
        ProcessRaisedException, ProcessExitedException: when one has failed, while waiting.
    """
    context: Any = _python.get_context(start_method)
    processes, errors = [], []
    for i in range(nprocs):
        errors.append(context.SimpleQueue())
        processes.append(context.Process(target=_run, args=(fn, i, args, errors[i]), daemon=daemon))
        processes[i].start()
    started = ProcessContext(processes, errors)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any],
    args: tuple = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """`start_processes` by new interpreters."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)


def get_all_sharing_strategies() -> set[str]:
    """The names that `set_sharing_strategy` takes."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy() -> str:
    return _sharing_strategy


def set_sharing_strategy(new_strategy: str) -> None:
    """Remembered and without effect: tensors are copied between processes."""
    global _sharing_strategy
    if new_strategy not in get_all_sharing_strategies():
        raise ValueError(f"expected one of {sorted(get_all_sharing_strategies())}, not {new_strategy!r}")
    _sharing_strategy = new_strategy

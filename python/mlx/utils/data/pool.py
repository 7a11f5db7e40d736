"""The worker processes of a loader, seen from the main process.

Each worker has a pipe for its tasks and a socket for its answers, shared with nobody: one that is killed in
the middle of a message damages no other, and its end of the socket tells that it is gone.
"""

from __future__ import annotations

import itertools
import os
import signal
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from mlx.utils.data import transport
from mlx.utils.data.messages import Ended, Epoch, Job
from mlx.utils.data.worker import work

__all__ = ["WorkerPool"]

# How long a worker may take to finish the batch it is at, when it is told to stop.
SECONDS_TO_STOP = 2.0


class _Worker:
    """One process, and our ends of its pipes."""

    def __init__(self, number: int, job: Job, context: BaseContext) -> None:
        their_tasks, self.tasks = context.Pipe(duplex=False)
        self.answers, their_answers = context.Pipe(duplex=True)
        # A forked worker closes its copies of our ends: else its pipe would never close when we are gone.
        # (Its copies of earlier workers' ends close with it, so the last to start is the first to end.)
        inherited = [self.tasks, self.answers] if context.get_start_method() == "fork" else []
        self.ended = False  # its iterable dataset has ended, for this epoch
        self.process: BaseProcess = context.Process(  # type: ignore[attr-defined]
            target=work, args=(number, job, their_tasks, their_answers, inherited), daemon=True
        )
        try:
            self.process.start()
        except BaseException:
            self.close_pipes()
            raise
        finally:
            # Only the worker holds these from here on, so that they close when it dies.
            their_tasks.close()
            their_answers.close()

    def close_pipes(self) -> None:
        self.tasks.close()
        self.answers.close()

    def why_it_ended(self) -> str:
        self.process.join(SECONDS_TO_STOP)
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            more = " (perhaps by the system, for lack of memory)" if name == "SIGKILL" else ""
            return f"(pid {self.process.pid}) was killed by signal {name}{more}"
        return f"(pid {self.process.pid}) exited unexpectedly with exit code {code}"


def _stop(workers: list[_Worker], owner: int) -> None:
    """End all workers: kindly, then firmly."""
    if os.getpid() != owner:  # a fork of the main process has a copy of the pool, not of the workers
        return
    for worker in workers:
        with suppress(OSError, ValueError):
            worker.tasks.send(None)
        worker.close_pipes()
    patience = time.monotonic() + SECONDS_TO_STOP
    for worker in workers:
        worker.process.join(max(patience - time.monotonic(), 0))
        for end in (worker.process.terminate, worker.process.kill):
            if worker.process.is_alive():
                end()
                worker.process.join(1)


class WorkerPool:
    """Hands out tasks to workers and puts their answers in order."""

    def __init__(self, job: Job, context: BaseContext, prefetch: int) -> None:
        self.epoch = 0
        self._prefetch = max(prefetch, 1)
        self._workers: list[_Worker] = []
        self._stop = weakref.finalize(self, _stop, self._workers, os.getpid())
        try:
            for number in range(job.num_workers):
                self._workers.append(_Worker(number, job, context))
        except BaseException:
            self.close()
            raise

    @property
    def closed(self) -> bool:
        return not self._stop.alive

    def close(self) -> None:
        """End the workers; does nothing the second time."""
        self._stop()

    def begin_epoch(self, order: Iterator[Any]) -> None:
        """Begin with a new order; answers for an earlier one are dropped when they come."""
        self.epoch += 1
        self._order = order
        self._positions = itertools.count()
        self._turns = itertools.cycle(self._workers)
        self._waiting: deque[int] = deque()  # positions handed out and not given back, in order
        self._owner: dict[int, _Worker] = {}
        self._ready: dict[int, Any] = {}
        for worker in self._workers:
            worker.ended = False
            if self.epoch > 1:
                self._send(worker, Epoch(self.epoch))
        for _ in range(self._prefetch * len(self._workers)):
            self._hand_out()

    def _hand_out(self) -> None:
        """Give the next task to the next worker that has not ended."""
        worker = next((w for w in itertools.islice(self._turns, len(self._workers)) if not w.ended), None)
        if worker is None:
            return
        try:
            index = next(self._order)
        except StopIteration:
            return
        position = next(self._positions)
        self._waiting.append(position)
        self._owner[position] = worker
        self._send(worker, (self.epoch, position, index))

    def _send(self, worker: _Worker, task: Any) -> None:
        # A worker that is gone is noticed when its answers are read, after those that it gave.
        with suppress(BrokenPipeError, ConnectionResetError):
            worker.tasks.send(task)

    def next_batch(self, epoch: int, timeout: float, in_order: bool) -> Any:
        """The next batch, or the Failure that came of it.

        Raises:
            StopIteration: at the end of the epoch. RuntimeError: when a worker has died or is late.
        """
        if epoch != self.epoch:
            raise RuntimeError(
                "another iteration over this DataLoader has begun, and its workers are at work on that one; "
                "with persistent_workers=False each iteration has workers of its own"
            )
        deadline = time.monotonic() + timeout if timeout else None
        while self._waiting:
            position = self._waiting[0] if in_order else next(iter(self._ready), None)
            if position not in self._ready:
                self._receive(deadline, timeout)
                continue
            self._waiting.remove(position)
            worker = self._owner.pop(position)
            batch = self._ready.pop(position)
            if isinstance(batch, Ended):
                worker.ended = True
                self._hand_out()
                continue
            self._hand_out()
            return batch
        raise StopIteration

    def _receive(self, deadline: float | None, timeout: float) -> None:
        """Take in one answer at least."""
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        by_answers = {worker.answers: worker for worker in self._workers}
        readable = connection.wait(list(by_answers), left)
        if not readable:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
        for answers in readable:
            worker = by_answers[answers]  # type: ignore[index]
            try:
                epoch, position, batch = transport.receive(worker.answers)
            except (EOFError, ConnectionResetError):
                raise RuntimeError(f"DataLoader worker {worker.why_it_ended()}") from None
            if epoch == self.epoch:
                self._ready[position] = batch

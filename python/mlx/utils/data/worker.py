"""What a worker process of the loader does."""

from __future__ import annotations

import os
import queue
import random
import signal
import threading
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

import mlx
from mlx.utils.data import transport
from mlx.utils.data.fetch import Fetcher, make_fetcher
from mlx.utils.data.messages import Ended, Epoch, Failure, Job, WorkerInfo, set_worker_info

__all__ = ["work"]


def _read_tasks(tasks: Connection, inbox: queue.SimpleQueue[Any]) -> None:
    """Move tasks from the pipe to a queue, so that the main process never waits for this one to read.

    Ends with None, which the main process sends last; if that process is gone, so is this.
    """
    while True:
        try:
            task = tasks.recv()
        except (EOFError, OSError):
            os._exit(1)
        inbox.put(task)
        if task is None:
            return


def work(
    number: int, job: Job, tasks: Connection, results: Connection, inherited: Iterable[Connection]
) -> None:
    """Answer tasks until there are no more.

    A task is an Epoch, or `(epoch, position, index)`; the answer is `(epoch, position, batch)`.

    Args:
        inherited: the main process's ends of the pipes, when this process is its fork.
    """
    for end in inherited:
        end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the main process too, which ends this one
    mlx.set_num_threads(1)
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read_tasks, args=(tasks, inbox), daemon=True).start()
    where = f"in DataLoader worker process {number}"
    fetch: Fetcher | Failure = _prepare(number, job, where)
    while (task := inbox.get()) is not None:
        if isinstance(task, Epoch):
            fetch = _start(job, where)
            continue
        epoch, position, index = task
        try:
            _answer(results, (epoch, position), _fetched(fetch, index, where), where)
        except (BrokenPipeError, ConnectionResetError):  # the main process has stopped listening
            return


def _prepare(number: int, job: Job, where: str) -> Fetcher | Failure:
    seed = job.base_seed + number
    random.seed(seed)
    mlx.manual_seed(seed)
    np.random.seed(seed % 2**32)
    set_worker_info(WorkerInfo(number, job.num_workers, seed, job.dataset))
    try:
        if job.worker_init_fn is not None:
            job.worker_init_fn(number)
    except Exception:
        return Failure.caught(where)
    return _start(job, where)


def _start(job: Job, where: str) -> Fetcher | Failure:
    try:
        return make_fetcher(job.dataset, job.auto_collation, job.collate_fn, job.drop_last)
    except Exception:
        return Failure.caught(where)


def _fetched(fetch: Fetcher | Failure, index: Any, where: str) -> Any:
    if isinstance(fetch, Failure):
        return fetch
    try:
        return fetch(index)
    except StopIteration:
        return Ended()
    except Exception:
        return Failure.caught(where)


def _answer(results: Connection, head: tuple[int, int], batch: Any, where: str) -> None:
    try:
        transport.send(results, (*head, batch))
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception:  # it cannot be pickled, and nothing was sent
        transport.send(results, (*head, Failure.caught(where)))

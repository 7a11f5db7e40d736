"""Processes that are started together."""

import os
import signal
import sys
import time

import pytest

import mlx
import mlx.multiprocessing as mp

pytestmark = pytest.mark.cpu


def put_sum(index, queue, tensor):
    queue.put((index, (tensor + index).sum().item()))


def fail(index):
    if index == 1:
        raise ValueError("no luck")
    time.sleep(60)


def leave(index):
    sys.exit(3)


def die(index):
    os.kill(os.getpid(), signal.SIGKILL)


def test_each_process_has_its_number():
    queue = mp.get_context("fork").SimpleQueue()
    assert mp.start_processes(put_sum, (queue, mlx.ones(3)), nprocs=2, start_method="fork") is None
    assert sorted(queue.get() for _ in range(2)) == [(0, 3.0), (1, 6.0)]


def test_new_interpreters_get_tensors():
    queue = mp.get_context("spawn").SimpleQueue()
    context = mp.spawn(put_sum, (queue, mlx.ones(2)), join=False)
    assert len(context.pids()) == 1
    while not context.join():
        pass
    assert queue.get() == (0, 2.0)


def test_one_failure_ends_all():
    start = time.monotonic()
    with pytest.raises(mp.ProcessRaisedException, match="no luck") as caught:
        mp.start_processes(fail, nprocs=3, start_method="fork")
    assert caught.value.error_index == 1 and time.monotonic() - start < 30


def test_exit_codes_and_signals():
    with pytest.raises(mp.ProcessExitedException, match="exit code 3") as caught:
        mp.start_processes(leave, start_method="fork")
    assert caught.value.exit_code == 3 and caught.value.signal_name is None
    with pytest.raises(mp.ProcessExitedException, match="SIGKILL"):
        mp.start_processes(die, start_method="fork")


def test_the_standard_library_is_there():
    assert mp.cpu_count() >= 1 and mp.Process and mp.Queue and mp.current_process().name
    assert mp.get_sharing_strategy() in mp.get_all_sharing_strategies()
    with pytest.raises(ValueError, match="file_system"):
        mp.set_sharing_strategy("telepathy")

"""Worker processes: batches, errors, deaths, and that nothing is left behind."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest
from loading import (
    START_METHODS,
    Computing,
    Counting,
    Marked,
    Misbehaving,
    Pids,
    Seeds,
    Squares,
    identity,
    mark,
)

import mlx
from mlx.utils.data import DataLoader

pytestmark = pytest.mark.cpu  # processes share the CPU's memory

fork_and_spawn = pytest.mark.parametrize("method", START_METHODS)


def loader(dataset, method="fork", workers=2, **options):
    return DataLoader(dataset, num_workers=workers, multiprocessing_context=method, **options)


def state(pid):
    """The letter of a process's state: Z if it has ended and was not waited for, none if it is not there."""
    if not os.path.isdir("/proc"):  # macOS
        ps = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
        return ps.stdout[:1]
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def alive(pid):
    return state(pid) not in ("", "Z")


def gone_soon(pids):
    for _ in range(100):
        if not any(alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


@fork_and_spawn
def test_the_same_batches_as_without_workers(method):
    here = [(x.tolist(), y.tolist()) for x, y in DataLoader(Squares(), 3)]
    there = [(x.tolist(), y.tolist()) for x, y in loader(Squares(), method, batch_size=3)]
    assert there == here


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("prefetch", [1, 2, 4])
def test_order_for_any_number_of_workers(workers, prefetch):
    batches = loader(Squares(23), workers=workers, batch_size=4, prefetch_factor=prefetch)
    assert [i for _, y in batches for i in y.tolist()] == list(range(23))


def test_large_batches_come_through_shared_memory():
    for i, (x, _) in enumerate(loader(Squares(4, width=100_000), batch_size=2)):
        assert x.shape == (2, 100_000)
        assert x[1].eq((2 * i + 1) ** 2).all()
        x.zero_()  # the memory is this process's to write to


def test_large_batches_may_all_be_kept():
    batches = list(loader(Squares(400, width=20_000)))
    assert all(x.eq(i * i).all() for i, (x, _) in enumerate(batches))


def test_every_dtype_travels():
    from support import ALL

    samples = [mlx.arange(4).to(dtype) for dtype in ALL] + [mlx.empty(0, 2), mlx.tensor(3).t()]
    for before, after in zip(samples, loader(samples, batch_size=None), strict=True):
        assert after.dtype == before.dtype
        assert after.equal(before)


def test_parameters_and_strided_tensors_travel():
    samples = [mlx.nn.Parameter(mlx.arange(3.0)), mlx.arange(6.0).view(2, 3).t()]
    parameter, strided = loader(samples, batch_size=None)
    assert isinstance(parameter, mlx.nn.Parameter)
    assert parameter.requires_grad
    assert strided.equal(samples[1])


def test_workers_compute_on_several_threads():
    mlx.ones(1000, 1000) @ mlx.ones(1000, 1000)  # the parent's pool has started
    assert [t.item() for t in loader(Computing(), batch_size=None)] == [27e6 * i * i for i in range(4)]


# ---- errors


@fork_and_spawn
def test_an_error_carries_the_workers_traceback(method):
    with pytest.raises(ValueError, match=r"(?s)worker process \d.*in __getitem__.*a bad sample"):
        list(loader(Misbehaving("ValueError"), method))


@pytest.mark.parametrize(
    ("deed", "kind"),
    [
        ("KeyError", KeyError),
        ("OddError", RuntimeError),
        ("StopIteration", RuntimeError),
        ("unpicklable", TypeError),
    ],
)
def test_errors_of_awkward_kinds(deed, kind):
    with pytest.raises(kind, match=r"(?s)worker process \d"):
        list(loader(Misbehaving(deed), collate_fn=identity))


def test_after_an_error_the_other_batches_come():
    batches = iter(loader(Misbehaving("ValueError")))
    assert [next(batches).item() for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="bad sample"):
        next(batches)
    assert [b.item() for b in batches] == [6, 7]


@fork_and_spawn
@pytest.mark.parametrize(
    ("deed", "message"),
    [("exit", "exit code 3"), ("sys.exit", "exit code 4"), ("kill", "SIGKILL")],
)
def test_a_worker_that_dies(method, deed, message):
    with pytest.raises(RuntimeError, match=rf"worker \(pid \d+\).*{message}"):
        list(loader(Misbehaving(deed), method))


def test_a_worker_that_is_late():
    with pytest.raises(RuntimeError, match="timed out after 0.3 seconds"):
        list(loader(Misbehaving("sleep"), timeout=0.3))


def test_an_error_in_worker_init_fn():
    with pytest.raises(ZeroDivisionError, match="worker process"):
        list(loader(Squares(), worker_init_fn=lambda worker: 1 / 0))


def test_a_dataset_that_spawn_cannot_pickle():
    with pytest.raises((AttributeError, TypeError, Exception), match="pickle"):
        list(loader([lambda: 0], "spawn"))


# ---- what workers know


@fork_and_spawn
def test_worker_init_fn_and_info(method):
    batches = loader(Marked(), method, batch_size=None, worker_init_fn=mark)
    assert [tuple(b) for b in batches] == [(0, 0, 2), (1, 1, 2), (0, 0, 2), (1, 1, 2)]


def test_seeds_differ_between_workers_and_follow_the_generator():
    def run():
        generator = mlx.Generator()
        generator.manual_seed(5)
        return [tuple(b) for b in loader(Seeds(), batch_size=None, generator=generator)]

    first = run()
    assert run() == first
    assert len({value for sample in first for value in sample[:3]}) == 12


def test_workers_give_their_share_of_an_iterable_dataset():
    batches = list(loader(Counting(10), batch_size=2))
    assert sorted(i for b in batches for i in b.tolist()) == list(range(10))
    assert batches[0].tolist() == [0, 2]


def test_an_iterable_dataset_without_shares_warns_of_repetitions():
    class Sized(Counting):
        def __len__(self):
            return self.n

    with pytest.warns(UserWarning, match="get_worker_info"):
        assert len(list(loader(Sized(4, share=False), batch_size=2))) == 4


def test_batches_as_they_are_ready():
    batches = loader(Squares(9), batch_size=2, in_order=False)
    assert sorted(i for _, y in batches for i in y.tolist()) == list(range(9))


# ---- persistent workers


@fork_and_spawn
def test_persistent_workers_stay(method):
    batches = loader(Pids(), method, batch_size=None, persistent_workers=True)
    assert set(batches) == set(batches)
    assert len(set(batches)) == 2


def test_workers_that_do_not_stay():
    batches = loader(Pids(), batch_size=None)
    assert not set(batches) & set(batches)


def test_persistent_workers_after_a_break():
    batches = loader(Squares(20), batch_size=2, persistent_workers=True)
    for _ in batches:
        break
    assert [i for _, y in batches for i in y.tolist()] == list(range(20))


def test_persistent_workers_of_an_iterable_dataset_start_anew():
    batches = loader(Counting(6), batch_size=None, persistent_workers=True)
    assert sorted(batches) == sorted(batches) == list(range(6))


def test_two_iterations_at_once_over_persistent_workers():
    batches = loader(Squares(), persistent_workers=True)
    first, second = iter(batches), iter(batches)
    next(second)
    with pytest.raises(RuntimeError, match="another iteration"):
        next(first)


def test_two_iterations_at_once():
    batches = loader(Squares(4))
    assert [(a.item(), b.item()) for (_, a), (_, b) in zip(batches, batches, strict=True)] == [
        (i, i) for i in range(4)
    ]


# ---- nothing is left behind


@fork_and_spawn
def test_no_worker_is_left_after_a_break(method):
    pids = set()
    for pid in loader(Pids(), method, batch_size=None):
        pids.add(pid)
        if len(pids) == 2:
            break
    del pid
    gc.collect()
    assert gone_soon(pids)


def test_no_worker_is_left_after_an_error():
    pids = []
    with pytest.raises(ValueError, match="mine"):
        for pid in loader(Pids(), batch_size=None):
            pids.append(pid)
            raise ValueError("mine")
    gc.collect()
    assert gone_soon(pids)


def test_no_descriptor_is_left():
    list(loader(Squares(4, width=50_000)))
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    for _ in range(3):
        list(loader(Squares(4, width=50_000)))
    gc.collect()
    assert len(os.listdir("/dev/fd")) <= before


PROGRAM = """
import os, sys, time
sys.path.insert(0, {folder!r})
from loading import Pids, Misbehaving
from mlx.utils.data import DataLoader

if __name__ == "__main__":
    batches = iter(DataLoader(Pids(), None, num_workers=2, multiprocessing_context={method!r},
                              persistent_workers={stay}))
    print(next(batches), next(batches), flush=True)
    {then}
"""


def run(method, then, stay=False):
    """Start a program that has two workers and then does something; the process and the workers' ids."""
    program = PROGRAM.format(folder=os.path.dirname(__file__), method=method, then=then, stay=stay)
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    return process, [int(pid) for pid in process.stdout.readline().split()]


@pytest.mark.parametrize("then", ["pass", "raise ValueError('mine')", "sys.exit(0)"])
@pytest.mark.parametrize("stay", [False, True])
def test_the_program_ends_with_workers_at_work(then, stay):
    process, pids = run("fork", then, stay)
    _, errors = process.communicate(timeout=20)
    assert len(pids) == 2
    assert process.returncode == (1 if "raise" in then else 0)
    assert (b"mine" in errors) == ("raise" in then)
    assert b"Exception ignored" not in errors
    assert gone_soon(pids)


def test_control_c():
    process, pids = run("fork", "time.sleep(60)")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, errors = process.communicate(timeout=20)
    assert errors.count(b"Traceback") == 1
    assert b"KeyboardInterrupt" in errors
    assert gone_soon(pids)


@pytest.mark.parametrize("method", START_METHODS)
def test_workers_do_not_outlive_a_program_that_is_killed(method):
    process, pids = run(method, "time.sleep(60)")
    process.kill()
    process.communicate(timeout=20)
    assert gone_soon(pids)


# ---- forks without a loader


def in_a_fork(work):
    """The exit code of a child that runs `work`, -1 when it hangs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's, of forks beside threads
        pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        try:
            os._exit(0 if work() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def product():
    a = mlx.ones(600, 600)
    return (a @ a).sum().item() == 600**3 and (mlx.ones(1_000_000) * 2).sum().item() == 2_000_000


def test_the_engine_computes_in_both_processes_after_a_fork():
    mlx.set_num_threads(2)
    assert product()
    assert in_a_fork(product) == 0
    assert product()
    assert in_a_fork(lambda: in_a_fork(product) == 0 and product()) == 0


def test_a_fork_while_other_threads_compute():
    mlx.set_num_threads(2)
    stop = threading.Event()

    def compute():
        while not stop.is_set():
            mlx.rand(200_000).exp().sum().item()

    threads = [threading.Thread(target=compute) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert [in_a_fork(product) for _ in range(10)] == [0] * 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_backward_in_a_fork():
    def work():
        x = mlx.ones(1000, requires_grad=True)
        (x * x).sum().backward()
        return x.grad.eq(2).all().item()

    work()
    assert in_a_fork(work) == 0

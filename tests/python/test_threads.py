"""Threads: how many there are, and that results do not depend on it."""

import threading

import numpy as np
import pytest
from support import sample

import mlx
import mlx.nn.functional as F

pytestmark = pytest.mark.cpu  # about the CPU's threads

N = 1_000_003


def test_default_is_at_least_one():
    assert mlx.get_num_threads() >= 1


@pytest.mark.parametrize("count", [1, 2, 5])
def test_set_num_threads(count):
    mlx.set_num_threads(count)
    assert mlx.get_num_threads() == count


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_thread_is_an_error(count):
    with pytest.raises((RuntimeError, ValueError), match=str(count)):
        mlx.set_num_threads(count)


CASES = {
    "pointwise": lambda t: t.exp() * t,
    "strided": lambda t: t[:1_000_000].view(1000, 1000).t() + 1,
    "sort": lambda t: t.sort().values,
    "matmul": lambda t: t[:250_000].view(500, 500) @ t[:250_000].view(500, 500),
    "softmax": lambda t: t[:1_000_000].view(1000, 1000).softmax(1),
    "gather": lambda t: t[mlx.arange(N).flip(0)],
    "argmax": lambda t: t.argmax(),
    "conv2d": lambda t: F.conv2d(t[:160_000].view(1, 4, 200, 200), t[:36].view(1, 4, 3, 3)),
}


@pytest.mark.parametrize("case", CASES)
def test_result_does_not_depend_on_the_number_of_threads(case):
    t = mlx.from_numpy(sample(N))
    results = []
    for count in (1, 2, 4):
        mlx.set_num_threads(count)
        results.append(CASES[case](t))
    np.testing.assert_allclose(results[1].numpy(), results[0].numpy(), rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(results[2].numpy(), results[0].numpy(), rtol=1e-11, atol=1e-10)


@pytest.mark.parametrize("case", ["pointwise", "sort", "softmax", "gather"])
def test_result_is_the_same_every_time(case):
    t = mlx.from_numpy(sample(N))
    first = CASES[case](t)
    assert all(CASES[case](t).equal(first) for _ in range(3))


def in_threads(work, count=4):
    """Run work(i) in `count` Python threads; return results in order, errors raised."""
    results = [None] * count

    def run(i):
        try:
            results[i] = work(i)
        except Exception as error:  # carried to the caller's thread
            results[i] = error

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def test_python_threads_compute_at_once():
    t = mlx.from_numpy(sample(300_000))
    results = in_threads(lambda i: sum((t * i).sum().item() for _ in range(20)))
    total = t.sum().item()
    np.testing.assert_allclose(results, [20 * i * total for i in range(4)], rtol=1e-9, atol=1e-9)


def test_python_threads_go_backward_at_once():
    def work(i):
        x = mlx.full((1000,), float(i), requires_grad=True)
        for _ in range(20):
            (x * x).sum().backward()
        return x.grad[0].item()

    assert in_threads(work) == [0, 40, 80, 120]


def test_python_threads_may_share_a_leaf():
    w = mlx.ones(1000, requires_grad=True)
    in_threads(lambda i: [(w * 2).sum().backward() for _ in range(50)])
    assert w.grad.eq(400).all()


def test_other_python_threads_run_during_a_kernel():
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.wait(0.001):
            ticks.append(1)

    thread = threading.Thread(target=tick)
    a = mlx.from_numpy(sample(1500, 1500))
    thread.start()
    for _ in range(5):
        a @ a
    stop.set()
    thread.join()
    assert len(ticks) > 5

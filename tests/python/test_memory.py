"""The caching allocator: what it holds, gives back and refuses."""

import gc
import os

import pytest

import mlx

pytestmark = pytest.mark.cpu  # about the CPU's allocator

HUGE = 2**60


def allocated():
    gc.collect()
    return mlx.memory_stats()["allocated_bytes"]


def test_allocation_is_counted():
    before = allocated()
    t = mlx.empty(1_000_000)
    assert allocated() - before >= 4_000_000
    del t


def test_release_is_counted():
    before = allocated()
    t = mlx.empty(1_000_000)
    del t
    assert allocated() == before


def test_view_allocates_nothing():
    t = mlx.empty(1_000_000)
    before = allocated()
    views = [t[i:] for i in range(100)]
    assert allocated() == before
    del views


def test_view_keeps_its_base_alive():
    before = allocated()
    view = mlx.empty(1_000_000)[:1]
    assert allocated() - before >= 4_000_000
    del view


def test_stats_are_integers():
    assert all(isinstance(value, int) for value in mlx.memory_stats().values())


def test_empty_cache_gives_back_what_is_cached():
    mlx.empty(10_000_000).fill_(1)
    mlx.empty_cache()
    assert mlx.memory_stats()["cached_bytes"] == 0


def test_released_block_is_used_again():
    mlx.empty_cache()
    t = mlx.empty(1_000_000)
    address = t.data_ptr()
    del t
    assert mlx.empty(1_000_000).data_ptr() == address


def test_cached_block_is_not_handed_out_twice():
    a = mlx.empty(1_000_000)
    b = mlx.empty(1_000_000)
    assert abs(a.data_ptr() - b.data_ptr()) >= 4_000_000


def test_memory_is_aligned():
    assert all(mlx.empty(n).data_ptr() % 64 == 0 for n in (1, 3, 17, 1000, 100_000))


def test_cache_is_bounded_by_a_quarter_of_memory():
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    blocks = [mlx.empty(total * 15 // 100 + i, dtype=mlx.uint8) for i in range(3)]
    del blocks
    assert mlx.memory_stats()["cached_bytes"] <= total // 4


def test_a_small_request_does_not_take_a_large_block():
    mlx.empty_cache()
    t = mlx.empty(10_000_000)
    del t
    before = allocated()
    small = mlx.empty(1_000_000)
    assert allocated() - before < 10_000_000
    del small


def test_training_does_not_leak():
    w = mlx.ones(100, 100, requires_grad=True)

    def step():
        (mlx.ones(10, 100) @ w).tanh().sum().backward()
        w.grad = None

    step()
    before = allocated()
    for _ in range(50):
        step()
    assert allocated() == before


@pytest.mark.parametrize(
    "allocate",
    [
        lambda: mlx.empty(HUGE, dtype=mlx.uint8),
        lambda: mlx.zeros(2**30, 2**30, dtype=mlx.uint8),
        lambda: mlx.ones(1, dtype=mlx.uint8).expand(HUGE).contiguous(),
        lambda: mlx.arange(HUGE // 8),
    ],
    ids=["empty", "zeros", "contiguous", "arange"],
)
def test_impossible_allocation_is_a_memory_error(allocate):
    with pytest.raises(MemoryError, match=str(HUGE)):
        allocate()
    assert mlx.ones(2).sum().item() == 2


def test_size_that_overflows_64_bits_is_an_error():
    with pytest.raises((RuntimeError, MemoryError, OverflowError)):
        mlx.empty(2**40, 2**40)


def test_zero_bytes():
    assert mlx.empty(0).numel() == 0

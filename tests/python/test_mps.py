"""The Metal device: where tensors lie, what waits, how errors arrive, and what is left to the CPU."""

import ctypes
import gc
import os
import threading

import numpy as np
import pytest

import mlx
import mlx.nn.functional as F

pytestmark = pytest.mark.skipif(not mlx.backends.mps.is_available(), reason="no Metal device")

EMULATOR = os.environ.get("MLX_METAL_EMULATOR")
emulated = pytest.mark.skipif(not EMULATOR, reason="asks the emulator")

# What GPUs have no kernel for. Each is done by the CPU in the same memory; the list may only shrink.
LEFT_TO_CPU = {
    *("check", "host_call", "count_nonzero_pieces", "nonzero", "row_order"),
    *("random_bernoulli", "random_permutation", "random_choice", "random_count"),
    *("lu_factor", "lu_solve", "ldl_factor", "ldl_solve", "cholesky_factor", "triangular_solve", "qr_factor"),
    *("householder_product", "householder_multiply", "svd", "eigen_hermitian", "eigen"),
    # The compiler makes it for the CPU alone.
    "fused_rows",
    # Division of integers by zero raises at once.
    *(
        f"pointwise: {f}, {t}"
        for f in ("div_floor", "fmod", "remainder")
        for t in ("uint8", "int32", "int64")
    ),
    "pointwise: pow, complex64",
    *(f"pointwise: chebyshev_{kind}, float32" for kind in "tuvw"),
    *(f"pointwise: {f}, float32" for f in ("airy_ai", "igamma", "igammac", "polygamma", "zeta")),
}


@pytest.fixture
def emulator():
    library = ctypes.CDLL(EMULATOR)
    library.metal_emulator_live_objects.restype = ctypes.c_size_t
    return library


# ---- devices


def test_names():
    t = mlx.ones(2, device="mps")
    assert str(t.device) == "mps:0" and t.is_mps and not t.is_cpu
    for name in ("mps", "mps:0", "metal"):
        assert mlx.zeros(1, device=name).device == t.device
    with pytest.raises(RuntimeError, match="mps:0"):
        mlx.zeros(1, device="mps:1")
    assert "device='mps:0'" in repr(t)


def test_there_and_back():
    t = mlx.arange(6).reshape(2, 3)
    there = t.to("mps")
    assert there.device.type == "mps" and there.to("mps") is there
    assert there.t().cpu().tolist() == t.t().tolist()
    assert there.cpu().device.type == "cpu"


def test_modules_move():
    model = mlx.nn.Linear(3, 2, device="cpu").to("mps")
    assert {p.device.type for p in model.parameters()} == {"mps"}
    assert model(mlx.ones(4, 3, device="mps")).device.type == "mps"


def test_default_device():
    before = mlx.get_default_device()
    with mlx.device("mps"):
        assert mlx.ones(1).device.type == mlx.tensor([1.0]).device.type == "mps"
        with mlx.device("cpu"):
            assert mlx.ones(1).device.type == "cpu"
    assert mlx.get_default_device() == before


def test_a_factory_asks_first():
    assert mlx.rand(2, device="cpu").device.type == "cpu"


@pytest.mark.parametrize("dtype", [mlx.float64, mlx.complex128])
def test_types_that_metal_lacks(dtype):
    with pytest.raises(TypeError, match=r"Metal has no .*float32|Metal has no .*complex64"):
        mlx.ones(2, dtype=dtype, device="cpu").to("mps")


@pytest.mark.parametrize("op", [mlx.add, mlx.matmul, F.linear, lambda a, b: mlx.cat([a, b])])
def test_devices_do_not_mix(op):
    with pytest.raises(RuntimeError, match=r"(?s)mps:0.*cpu|cpu.*mps:0"):
        op(mlx.ones(2, 2, device="mps"), mlx.ones(2, 2, device="cpu"))


def test_numbers_of_the_cpu_may_join():
    t = mlx.ones(2, device="mps") * mlx.tensor(3.0, device="cpu") + 1
    assert t.device.type == "mps" and t.tolist() == [4, 4]


# ---- memory that the host sees


def test_numpy_shares_memory():
    t = mlx.zeros(3, device="mps")
    array = t.numpy()
    array[0] = 5
    assert t.tolist() == [5, 0, 0]
    t += 1
    assert array.tolist() == [6, 1, 1]


def test_memory_is_counted():
    gc.collect()
    before = mlx.mps.current_allocated_memory()
    t = mlx.empty(1_000_000, device="mps")
    assert mlx.mps.current_allocated_memory() - before >= t.numel() * 4
    del t
    assert mlx.mps.current_allocated_memory() == before
    assert mlx.mps.driver_allocated_memory() >= before


def test_a_freed_block_is_not_overwritten_before_it_was_read():
    for i in range(50):
        t = mlx.full((1000,), float(i), device="mps")
        doubled = t * 2
        del t
        other = mlx.tensor(np.full(1000, -1.0, np.float32)).to("mps")
        assert doubled[-1].item() == 2 * i and other[0].item() == -1


def test_threads_share_the_queue():
    results = {}

    def work(i):
        x = mlx.full((64, 64), float(i), device="mps")
        for _ in range(20):
            x = x @ mlx.eye(64, device="mps") + 1
        results[i] = x.mean().item()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == {i: i + 20 for i in range(4)}


@emulated
def test_no_object_is_left_behind(emulator):
    def work():
        x = mlx.randn(32, 32, device="mps", requires_grad=True)
        (x @ x).softmax(-1).sum().backward()
        return x.grad.sum().item()

    def live():
        gc.collect()
        mlx.synchronize()
        mlx.empty_cache()
        return emulator.metal_emulator_live_objects(None)

    work()
    before = live()
    for _ in range(5):
        work()
    assert live() == before


# ---- errors


@emulated
def test_a_failure_of_the_device_names_the_op(emulator):
    mlx.synchronize()
    x = mlx.ones(4, device="mps")
    mlx.synchronize()
    emulator.metal_emulator_fail_next_command_buffer(b"page fault")
    y = x.exp()
    with pytest.raises(RuntimeError, match="exp.*page fault"):
        mlx.synchronize()
    assert (x + 1).tolist() == [2, 2, 2, 2]
    del y


@pytest.mark.parametrize("index", [3, -4])
def test_indices_are_checked(index):
    table, at = mlx.ones(3, 2, device="mps"), mlx.tensor([0, index], device="mps")
    with pytest.raises(IndexError, match="out of bounds"):
        table[at]
    with pytest.raises(IndexError):
        F.embedding(mlx.tensor([0, 7], device="mps"), table)


def test_integers_divided_by_zero_raise():
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        mlx.ones(2, dtype=mlx.int32, device="mps") // 0


# ---- what is left to the CPU


def test_the_list_of_what_is_left_to_the_cpu_only_shrinks():
    assert set(mlx._C._kernels_left_to_cpu()) <= LEFT_TO_CPU


def test_fallbacks_are_counted():
    a = mlx.eye(3, device="mps") * 2
    before = mlx.backends.fallbacks().get("lu_factor", 0)
    assert mlx.linalg.solve(a, mlx.ones(3, device="mps")).tolist() == [0.5] * 3
    assert mlx.backends.fallbacks()["lu_factor"] == before + 1


# ---- the same numbers as the CPU's


def on_both(f, *inputs):
    """f on the CPU and on the device."""
    with mlx.device("cpu"):
        first = f(*(t.cpu() for t in inputs))
    with mlx.device("mps"):
        second = f(*(t.to("mps") for t in inputs))
    assert second.device.type == "mps"
    return first.numpy(), second.numpy()


@pytest.mark.parametrize(
    "draw",
    [
        lambda: mlx.rand(1001),
        lambda: mlx.randint(0, 1000, (77,)),
        lambda: mlx.randperm(50),
        lambda: mlx.bernoulli(mlx.full((100,), 0.3)),
        lambda: F.dropout(mlx.ones(500), 0.4),
    ],
)
def test_random_numbers_are_the_cpus(draw):
    def seeded():
        mlx.manual_seed(5)
        return draw()

    first, second = on_both(seeded)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "dtype", [mlx.float32, mlx.float16, mlx.bfloat16, mlx.int32, mlx.int64, mlx.complex64]
)
@pytest.mark.parametrize("shapes", [((65, 130), (130, 70)), ((3, 1, 5, 7), (2, 7, 9)), ((1, 300), (300, 1))])
def test_products(dtype, shapes):
    with mlx.device("cpu"):
        a, b = (mlx.randint(-4, 5, s).to(dtype) for s in shapes)
    first, second = on_both(lambda a, b: (a @ b).to(mlx.complex64 if a.is_complex() else mlx.float32), a, b)
    np.testing.assert_allclose(second, first, rtol=1e-5)
    first, second = on_both(
        lambda a, b: (b.mT @ a.mT).float() if not a.is_complex() else a[..., :1, :1], a, b
    )
    np.testing.assert_allclose(second, first, rtol=1e-5)


def test_a_large_sum_is_as_exact_as_the_cpus():
    with mlx.device("cpu"):
        x = mlx.rand(1_000_000)
    exact = x.numpy().astype(np.float64).sum()
    assert x.to("mps").sum().item() == pytest.approx(exact, rel=1e-7)


def test_a_compiled_training_step_runs_there():
    def train(device, compiled):
        mlx.manual_seed(0)
        with mlx.device("cpu"):
            model = mlx.nn.Sequential(mlx.nn.Linear(6, 16), mlx.nn.GELU(), mlx.nn.Linear(16, 3))
            x, y = mlx.randn(8, 6), mlx.randint(0, 3, (8,))
        model, x, y = model.to(device), x.to(device), y.to(device)
        optimizer = mlx.optim.Adam(model.parameters(), lr=1e-2)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        run = mlx.jit(step) if compiled else step
        return [run(x, y).item() for _ in range(4)]

    want = train("cpu", False)
    for compiled in (False, True):
        np.testing.assert_allclose(train("mps", compiled), want, rtol=1e-5)


@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop"])
def test_a_compiled_step_of_an_optimizer_is_not_left_to_the_cpu(name):
    with mlx.device("mps"):
        weight = mlx.nn.Parameter(mlx.ones(4))
        options = {} if name == "Adam" else {"momentum": 0.9}
        optimizer = getattr(mlx.optim, name)([weight], lr=0.1, **options)
        schedule = mlx.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=9)

        @mlx.jit
        def step():
            optimizer.zero_grad()
            (weight**2).sum().backward()
            optimizer.step()

        before = dict(mlx.backends.fallbacks())
        for _ in range(4):
            step()
            schedule.step()
        assert weight[0].item() < 1
        assert mlx.backends.fallbacks() == before

"""What programs set and ask at their start: precision, determinism, devices that are not there, scripting."""

import pytest

import mlx

pytestmark = pytest.mark.cpu  # about the process


def test_precision_of_products_is_remembered():
    mlx.set_float32_matmul_precision("high")
    assert mlx.get_float32_matmul_precision() == "high"
    with pytest.warns(UserWarning, match="not one of"):
        mlx.set_float32_matmul_precision("low")
    mlx.set_float32_matmul_precision("highest")


def test_determinism_is_remembered():
    mlx.use_deterministic_algorithms(True, warn_only=True)
    assert mlx.are_deterministic_algorithms_enabled() and mlx.get_deterministic_debug_mode() == 1
    mlx.set_deterministic_debug_mode("default")
    assert not mlx.are_deterministic_algorithms_enabled()
    with pytest.raises(RuntimeError, match="debug_mode"):
        mlx.set_deterministic_debug_mode("loud")


def test_the_accelerator_is_the_gpu_or_none():
    accelerator, there = mlx.accelerator, mlx.backends.mps.is_available()
    assert accelerator.is_available() == there and accelerator.device_count() == int(there)
    assert accelerator.current_accelerator() == (mlx.device("mps") if there else None)
    with accelerator.device_index(None):
        pass
    if there:
        accelerator.synchronize()
        with accelerator.device_index(0):
            assert accelerator.current_device_index() == 0
    else:
        for call in (accelerator.synchronize, accelerator.current_device_index):
            with pytest.raises(RuntimeError, match="when none is available"):
                call()
    with pytest.raises(RuntimeError):
        accelerator.set_device_index(3)


def test_cuda_is_not_there():
    assert mlx.cuda.device_count() == 0 and not mlx.cuda.is_bf16_supported()
    mlx.cuda.manual_seed_all(0)
    mlx.cuda.empty_cache()
    assert mlx.cuda.max_memory_allocated() == 0
    with pytest.raises(AssertionError, match="without CUDA"):
        mlx.cuda.synchronize()


def test_settings_of_backends():
    mlx.backends.cudnn.benchmark = True
    mlx.backends.cuda.matmul.allow_tf32 = True
    mlx.backends.cuda.enable_flash_sdp(False)
    assert not mlx.backends.cuda.flash_sdp_enabled() and not mlx.backends.cudnn.is_available()
    mlx.backends.cuda.enable_flash_sdp(True)


def test_mixed_precision_under_its_older_names():
    with pytest.warns(UserWarning, match="CUDA is not available"):
        scaler, region = mlx.cuda.amp.GradScaler(), mlx.cuda.amp.autocast()
    with region:
        assert mlx.ones(1).dtype is mlx.float32
    assert not scaler.is_enabled()


def test_processes_do_not_work_together():
    assert not mlx.distributed.is_available() and not mlx.distributed.is_initialized()


def test_random_numbers_go_on_after_a_fork():
    mlx.manual_seed(3)
    with mlx.random.fork_rng():
        mlx.manual_seed(4)
        mlx.rand(5)
    assert mlx.initial_seed() == 3


def test_what_is_scripted_is_python():
    @mlx.jit.script
    def double(x):
        return x if mlx.jit.is_scripting() else 2 * x

    @mlx.jit.ignore(drop=True)
    def triple(x):
        return 3 * x

    assert double(mlx.ones(1)).item() == 2 and triple(mlx.ones(1)).item() == 3
    assert not mlx.compiler.is_compiling()
    assert mlx.jit(lambda x: x * (2 if mlx.compiler.is_compiling() else 1))(mlx.ones(1)).item() == 2


def test_a_profile_counts_regions():
    @mlx.profiler.record_function("inner")
    def inner():
        return mlx.ones(2).sum()

    seen = []
    with mlx.profiler.profile(on_trace_ready=seen.append) as profile:
        for _ in range(3):
            inner()
    inner()
    (event,) = profile.key_averages()
    assert (event.key, event.count) == ("inner", 3) and event.cpu_time_total > 0
    assert "inner" in profile.key_averages().table(sort_by="cpu_time_total") and seen == [profile]


def test_attention_of_any_kind_is_attention():
    from mlx.nn.attention import SDPBackend, sdpa_kernel

    q = mlx.ones(1, 2, 4)
    with sdpa_kernel([SDPBackend.MATH, SDPBackend.FLASH_ATTENTION]):
        assert mlx.nn.functional.scaled_dot_product_attention(q, q, q).shape == q.shape
    with pytest.raises(AssertionError), sdpa_kernel([]):
        pass

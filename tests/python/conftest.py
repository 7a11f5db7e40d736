"""Settings of the whole suite: reproducible samples and the options each test may rely on."""

import pytest
from hypothesis import HealthCheck, settings

import mlx

settings.register_profile(
    "mlx", derandomize=True, max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mlx")


@pytest.fixture(autouse=True)
def _fresh_global_state():
    """Every test starts from the same seed and leaves the global options as it found them."""
    mlx.manual_seed(0)
    threads = mlx.get_num_threads()
    yield
    mlx.set_default_dtype(mlx.float32)
    mlx.set_printoptions(profile="default")
    mlx.set_grad_enabled(True)
    if mlx.get_num_threads() != threads:
        mlx.set_num_threads(threads)

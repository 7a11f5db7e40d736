"""Settings of the whole suite: reproducible samples, the options each test may rely on, and `--device`."""

import contextlib

import pytest
from hypothesis import HealthCheck, settings

import mlx

settings.register_profile(
    "mlx", derandomize=True, max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("mlx")


def pytest_addoption(parser):
    parser.addoption("--device", default="cpu", help="where tensors are made: cpu (the default) or mps")


def pytest_configure(config):
    config.addinivalue_line("markers", "cpu: about the CPU; left out on other devices")
    # Before the tests are collected: some make tensors as they are imported.
    mlx.set_default_device(config.getoption("--device"))


def pytest_collection_modifyitems(config, items):
    if config.getoption("--device") == "cpu":
        return
    elsewhere = pytest.mark.skip(reason="about the CPU")
    for item in items:
        if item.get_closest_marker("cpu"):
            item.add_marker(elsewhere)


@contextlib.contextmanager
def skipped_without_dtype(config):
    """A test that needs a type which the device lacks is skipped, once it is told so."""
    try:
        yield
    except TypeError as error:
        if config.getoption("--device") != "cpu" and str(error).startswith("Metal has no"):
            pytest.skip(str(error))
        raise


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    with skipped_without_dtype(pyfuncitem.config):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef, request):
    with skipped_without_dtype(request.config):
        return (yield)


@pytest.fixture(autouse=True)
def _fresh_global_state(pytestconfig):
    """Every test starts from the same seed and leaves the global options as it found them."""
    mlx.manual_seed(0)
    threads = mlx.get_num_threads()
    yield
    mlx.set_default_device(pytestconfig.getoption("--device"))
    mlx.set_default_dtype(mlx.float32)
    mlx.set_printoptions(profile="default")
    mlx.set_grad_enabled(True)
    if mlx.get_num_threads() != threads:
        mlx.set_num_threads(threads)

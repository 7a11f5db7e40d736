"""What `import mlx` brings in, and what it leaves until it is asked for."""

import subprocess
import sys

import pytest

import mlx

pytestmark = pytest.mark.cpu  # about the module

LAZY_MODULES = [
    "amp",
    "compiler",
    "distributions",
    "func",
    "masked",
    "serialization",
    "testing",
    "utils",
]
LAZY_NAMES = {
    "GradScaler": "mlx.amp.grad_scaler",
    "autocast": "mlx.amp.autocast_mode",
    "compile": "mlx.compiler.optimized",
    "vmap": "mlx.func.vectorize",
    "jit": "mlx.compiler.function",
    "load": "mlx.serialization",
    "load_safetensors": "mlx.serialization.safetensors",
    "save": "mlx.serialization",
    "save_safetensors": "mlx.serialization.safetensors",
}


def output(program):
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_heavy_modules_wait():
    heavy = {f"mlx.{name}" for name in LAZY_MODULES} | {
        "multiprocessing",
        "socket",
        "ssl",
        "zipfile",
        "asyncio",
    }
    loaded = output(
        "import numpy, sys; before = set(sys.modules); import mlx; print(*(set(sys.modules) - before))"
    )
    assert "mlx.nn" in loaded.split()
    assert heavy.isdisjoint(loaded.split())


@pytest.mark.parametrize("name", LAZY_MODULES)
def test_a_module_comes_when_asked_for(name):
    assert output(f"import mlx; print(mlx.{name}.__name__)") == f"mlx.{name}\n"


@pytest.mark.parametrize("name", LAZY_NAMES)
def test_a_function_comes_when_asked_for(name):
    assert output(f"from mlx import {name}; print({name}.__module__)") == f"{LAZY_NAMES[name]}\n"


def test_names_that_wait_are_listed():
    assert {*LAZY_MODULES, *LAZY_NAMES} <= set(dir(mlx))


def test_names_that_wait_come_with_a_star():
    names = output("from mlx import *; print(*globals())").split()
    assert {*LAZY_MODULES, *LAZY_NAMES, "tensor", "nn"} <= set(names)


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="module 'mlx' has no attribute 'tensr'"):
        mlx.tensr  # noqa: B018


@pytest.mark.parametrize(
    ("path", "name", "home"),
    [
        ("autograd.variable", "Variable", "mlx.autograd"),
        ("nn.modules.module", "register_module_forward_hook", "mlx.nn.modules.hooks"),
        ("distributions.normal", "Normal", "mlx.distributions"),
        ("distributions.studentT", "StudentT", "mlx.distributions"),
        ("nn.modules.activation", "MultiheadAttention", "mlx.nn"),
        ("nn.modules.flatten", "Unflatten", "mlx.nn"),
        ("jit", "script", "mlx.compiler.scripting"),
        ("jit", "Final", "typing"),
        ("utils.hooks", "RemovableHandle", "mlx.nn.modules.hooks"),
        ("optim.adamw", "AdamW", "mlx.optim"),
        ("utils.data._utils.collate", "default_collate", "mlx.utils.data"),
    ],
)
def test_modules_that_pytorch_has(path, name, home):
    program = f"from mlx.{path} import {name} as a; import mlx.{path}; import {home}; "
    assert output(f"{program} print(a is {home}.{name} is mlx.{path}.{name})") == "True\n"


def test_jit_stays_a_function_that_waits():
    program = "import sys, mlx.jit; waits = 'mlx.compiler' not in sys.modules; import mlx.jit as j; "
    assert output(f"{program} print(waits, j is mlx.jit, mlx.jit(lambda: 3)())") == "True True 3\n"
    with pytest.raises(ImportError):
        from mlx.jit import nothing  # noqa: F401


def test_types_for_annotations():
    from mlx.nn.common_types import _size_2_t
    from mlx.types import Device, Number

    assert _size_2_t == int | tuple[int, int]
    assert isinstance(mlx.device("cpu"), Device) and isinstance(2.5, Number) and not isinstance("a", Number)

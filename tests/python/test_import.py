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
        ("nn.modules.flatten", "Unflatten", "mlx.nn"),
        ("optim.adamw", "AdamW", "mlx.optim"),
        ("utils.data._utils.collate", "default_collate", "mlx.utils.data"),
    ],
)
def test_modules_that_pytorch_has(path, name, home):
    program = f"from mlx.{path} import {name} as a; import mlx.{path}; import {home}; "
    assert output(f"{program} print(a is {home}.{name} is mlx.{path}.{name})") == "True\n"


def test_types_of_sizes():
    from mlx.nn.common_types import _size_2_t

    assert _size_2_t == int | tuple[int, int]

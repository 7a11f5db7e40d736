"""mlx: tensors with automatic differentiation, PyTorch's API and meaning, on a small C++ core.

>>> import mlx
>>> x = mlx.tensor([2.0, 3.0], requires_grad=True)
>>> (x**2 + 3 * x).backward()
>>> x.grad
tensor([7., 9.])
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

# First: how the extension module is loaded matters.
from mlx._core import _C  # isort: skip

from mlx import _memory, _tensor
from mlx._aliases import *
from mlx._C import *
from mlx._calculus import *
from mlx._constants import *
from mlx._control_flow import *
from mlx._decompositions import *
from mlx._functions import *
from mlx._histograms import *
from mlx._interchange import *
from mlx._legacy import *
from mlx._modules import importable as _importable
from mlx._numbers import *
from mlx._printing import *
from mlx._random import *
from mlx._recurrent import *
from mlx._removed import *
from mlx._segments import *
from mlx._sets import *
from mlx._settings import *
from mlx._shaping import *
from mlx._spectral import *
from mlx.autograd.grad_mode import *

from mlx import autograd as autograd, nn as nn, optim as optim  # isort: skip
from mlx._native import *
from mlx.nn._pooling import adaptive_avg_pool1d as adaptive_avg_pool1d
from mlx.nn._pooling import adaptive_max_pool1d as adaptive_max_pool1d
from mlx.nn._pooling import max_pool1d as max_pool1d
from mlx.nn._pooling import max_pool2d as max_pool2d
from mlx.nn._pooling import max_pool3d as max_pool3d
from mlx.nn._resampling import grid_sampler as grid_sampler
from mlx.nn._resampling import grid_sampler_2d as grid_sampler_2d
from mlx.nn._resampling import grid_sampler_3d as grid_sampler_3d

from mlx import fft as fft, linalg as linalg, signal as signal, special as special  # isort: skip

if TYPE_CHECKING:
    from mlx import accelerator as accelerator
    from mlx import amp as amp
    from mlx import backends as backends
    from mlx import compiler as compiler
    from mlx import cpu as cpu
    from mlx import cuda as cuda
    from mlx import distributed as distributed
    from mlx import distributions as distributions
    from mlx import func as func
    from mlx import hub as hub
    from mlx import masked as masked
    from mlx import mps as mps
    from mlx import multiprocessing as multiprocessing
    from mlx import overrides as overrides
    from mlx import profiler as profiler
    from mlx import random as random
    from mlx import serialization as serialization
    from mlx import testing as testing
    from mlx import types as types
    from mlx import utils as utils
    from mlx import version as version
    from mlx.amp.autocast_mode import autocast as autocast
    from mlx.amp.autocast_mode import get_autocast_dtype as get_autocast_dtype
    from mlx.amp.autocast_mode import is_autocast_enabled as is_autocast_enabled
    from mlx.compiler import compile as compile
    from mlx.compiler import jit as jit
    from mlx.func import vmap as vmap
    from mlx.serialization import load as load
    from mlx.serialization import load_safetensors as load_safetensors
    from mlx.serialization import save as save
    from mlx.serialization import save_safetensors as save_safetensors

__version__ = "0.1.0"


# Imported when asked for, to keep `import mlx` quick: modules, and names with the module that has them.
_LAZY_MODULES = (
    "accelerator",
    "amp",
    "backends",
    "compiler",
    "cpu",
    "cuda",
    "distributed",
    "distributions",
    "func",
    "hub",
    "masked",
    "mps",
    "multiprocessing",
    "overrides",
    "profiler",
    "random",
    "serialization",
    "testing",
    "types",
    "utils",
    "version",
)
_LAZY_NAMES = {
    "GradScaler": "amp.grad_scaler",
    "autocast": "amp.autocast_mode",
    "compile": "compiler",
    "get_autocast_dtype": "amp.autocast_mode",
    "is_autocast_enabled": "amp.autocast_mode",
    "jit": "compiler",
    "load": "serialization",
    "load_safetensors": "serialization",
    "save": "serialization",
    "save_safetensors": "serialization",
    "vmap": "func",
}


_importable("mlx.jit")


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES:
        return importlib.import_module(f"mlx.{name}")
    if name in _LAZY_NAMES:
        module = importlib.import_module(f"mlx.{_LAZY_NAMES[name]}")
        value = globals()[name] = getattr(module, name)
        return value
    raise AttributeError(f"module 'mlx' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY_MODULES, *_LAZY_NAMES})


# `from mlx import *` gives the lazy names too.
__all__ = [name for name in __dir__() if not name.startswith("_")]

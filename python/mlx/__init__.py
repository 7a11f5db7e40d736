"""mlx: tensors with automatic differentiation, PyTorch's API and meaning, on a small C++ core.

>>> import mlx
>>> x = mlx.tensor([2.0, 3.0], requires_grad=True)
>>> (x**2 + 3 * x).backward()
>>> x.grad
tensor([7., 9.])
"""

from __future__ import annotations

# First: how the extension module is loaded matters.
from mlx._core import _C  # isort: skip

from mlx import _tensor
from mlx._C import *
from mlx._C import Size, Tensor, device, dtype
from mlx._constants import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    e,
    inf,
    layout,
    memory_format,
    nan,
    newaxis,
    pi,
    preserve_format,
    strided,
)
from mlx._functions import *
from mlx._interchange import asarray, from_dlpack, frombuffer
from mlx._numbers import finfo, iinfo
from mlx._printing import set_printoptions
from mlx._random import default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state
from mlx._sets import *
from mlx._shaping import *
from mlx.autograd.grad_mode import enable_grad, inference_mode, no_grad, set_grad_enabled

from mlx import autograd, nn, optim  # isort: skip
from mlx import linalg, special

__version__ = "0.1.0"

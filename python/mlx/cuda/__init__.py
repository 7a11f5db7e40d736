"""CUDA devices, for programs that ask for them; this build has none.

What programs do whether or not there is a device (seeding, emptying caches, asking for memory) does nothing;
what needs one raises.

>>> import mlx
>>> "cuda" if mlx.cuda.is_available() else "cpu"
'cpu'
"""

from __future__ import annotations

from typing import Any, NoReturn

from mlx.backends.cuda import is_available as is_available
from mlx.cuda import amp as amp


def device_count() -> int:
    """The number of CUDA devices.

    >>> import mlx
    >>> mlx.cuda.device_count()
    0
    """
    return int(is_available())


def is_initialized() -> bool:
    """Whether CUDA is in use: no."""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether the current CUDA device computes in bfloat16: no, there is none."""
    return False


def manual_seed(seed: int) -> None:
    """Seed the current CUDA device, if there is one. Its numbers are those of `mlx.manual_seed`."""


def manual_seed_all(seed: int) -> None:
    """Seed all CUDA devices, of which there are none."""


def empty_cache() -> None:
    """Give cached memory of CUDA devices back, of which there is none."""


def memory_allocated(device: Any = None) -> int:
    """The bytes that tensors use on a CUDA device: 0."""
    return 0


def max_memory_allocated(device: Any = None) -> int:
    """The most bytes that tensors have used on a CUDA device: 0."""
    return 0


def memory_reserved(device: Any = None) -> int:
    """The bytes that a CUDA device has given out: 0."""
    return 0


def max_memory_reserved(device: Any = None) -> int:
    """The most bytes that a CUDA device has given out: 0."""
    return 0


def reset_peak_memory_stats(device: Any = None) -> None:
    """Count the peak of memory from here on."""


def _refuse() -> NoReturn:
    raise AssertionError("mlx is built without CUDA; ask mlx.cuda.is_available() first")


def synchronize(device: Any = None) -> None:
    """Wait for a CUDA device. AssertionError, since there is none."""
    _refuse()


def current_device() -> int:
    """The number of the current CUDA device. AssertionError, since there is none."""
    _refuse()


def set_device(device: Any) -> None:
    """Choose a CUDA device. AssertionError, since there is none."""
    _refuse()


def get_device_name(device: Any = None) -> str:
    """The name of a CUDA device. AssertionError, since there is none."""
    _refuse()


def get_device_properties(device: Any = None) -> Any:
    """What a CUDA device can do. AssertionError, since there is none."""
    _refuse()

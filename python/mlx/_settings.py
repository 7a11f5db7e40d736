"""Settings that programs make at their start. Most choose what mlx always does; they are remembered."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType
from typing import Any

from mlx import _C

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_deterministic_debug_mode",
    "get_device_module",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_anomaly_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]

_PRECISIONS = ("highest", "high", "medium")
_DEBUG_MODES = ("default", "warn", "error")

_precision = "highest"
_debug_mode = 0
_interop_threads = 1
_warn_always = False


def set_float32_matmul_precision(precision: str) -> None:
    """How much precision products of float32 may give up: "highest", "high" or "medium".

    mlx gives up none, whatever is allowed.
    """
    global _precision
    if precision not in _PRECISIONS:
        warnings.warn(
            f"{precision} is not one of 'highest', 'high' or 'medium'; the current setting is used.",
            stacklevel=2,
        )
        return
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What set_float32_matmul_precision() was last given."""
    return _precision


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for the same result from the same input every time; mlx's results are so anyway.

    Args:
        mode: whether.
        warn_only: whether an op that cannot do so warns, rather than raise.
    """
    global _debug_mode
    _debug_mode = (1 if warn_only else 2) if mode else 0


def are_deterministic_algorithms_enabled() -> bool:
    """What use_deterministic_algorithms() was last given."""
    return _debug_mode > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether deterministic algorithms were asked for with `warn_only`."""
    return _debug_mode == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """The same as use_deterministic_algorithms(): "default" or 0, "warn" or 1, "error" or 2."""
    global _debug_mode
    if isinstance(debug_mode, str):
        if debug_mode not in _DEBUG_MODES:
            raise RuntimeError(
                f"invalid value of debug_mode, expected one of {_DEBUG_MODES}, but got {debug_mode}"
            )
        debug_mode = _DEBUG_MODES.index(debug_mode)
    if not 0 <= debug_mode <= 2:
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1 or 2, but got {debug_mode}")
    _debug_mode = debug_mode


def get_deterministic_debug_mode() -> int:
    """0 when deterministic algorithms were not asked for, 1 with `warn_only`, else 2."""
    return _debug_mode


def set_num_interop_threads(num: int) -> None:
    """How many ops may run at the same time; in mlx they run one after the other."""
    global _interop_threads
    if num <= 0:
        raise RuntimeError(f"Expected a positive number of threads, but got {num}")
    _interop_threads = num


def get_num_interop_threads() -> int:
    """What set_num_interop_threads() was last given."""
    return _interop_threads


def set_flush_denormal(mode: bool) -> bool:
    """Ask for very small numbers to become zero. Returns whether that was done: False, unless it is off."""
    return not mode


def set_warn_always(mode: bool) -> None:
    """Whether warnings that are given once should be given every time; mlx leaves that to `warnings`."""
    global _warn_always
    _warn_always = bool(mode)


def is_warn_always_enabled() -> bool:
    """What set_warn_always() was last given."""
    return _warn_always


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Turn anomaly mode on or off; see `autograd.set_detect_anomaly`."""
    _C._set_anomaly(mode, check_nan)


def get_device_module(device: Any = None) -> ModuleType:
    """The module of a kind of device, `mlx.cpu` or `mlx.mps`.

    Args:
        device: a device or its name; by default Metal where there is one, else the CPU.
    """
    if device is None:
        name = "mps" if _C._has_device("mps") else "cpu"
    elif isinstance(device, str | _C.device):
        name = _C.device(device).type
    else:
        raise RuntimeError(f"Invalid value of device '{device}', expect mlx.device, str, or None")
    return importlib.import_module(f"mlx.{name}")

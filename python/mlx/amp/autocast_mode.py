"""autocast: a region in which operations choose the precision that suits them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import mapped
from mlx._precision import HALVES

__all__ = [
    "autocast",
    "custom_bwd",
    "custom_fwd",
    "get_autocast_dtype",
    "is_autocast_available",
    "is_autocast_enabled",
]


def _device_type(device: Any) -> str:
    if not isinstance(device, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device)}`")
    return _C.device(device).type


def is_autocast_available(device_type: str) -> bool:
    """Whether there is automatic mixed precision for a kind of device."""
    return _device_type(device_type) in ("cpu", "mps", "cuda")


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether this is a region of mixed precision for a kind of device."""
    return _C._autocast_setting(_device_type(device_type))[0]


def get_autocast_dtype(device_type: str) -> Any:
    """The lower precision of a kind of device."""
    return _C._autocast_setting(_device_type(device_type))[1]


class autocast:
    """A context manager, and a decorator, within which operations choose their precision.

    Products (`matmul`, `linear`, convolutions, attention, recurrent layers) take their float32 arguments in
    the lower precision; losses, and on GPUs sums, exponentials and normalisations, take half-precision ones
    in float32; `cat` and `stack` take the widest dtype among their arguments. Other operations run in the
    dtype they are given, float64 stays what it is, and the backward pass of an operation runs in the dtypes
    of its forward pass.

    Args:
        device_type: "cpu", "mps" or "cuda": the devices whose tensors are meant.
        dtype: the lower precision, bfloat16 or float16. By default bfloat16 on the CPU, float16 on GPUs.
        enabled: False makes a region without mixed precision within one that has it.
        cache_enabled: accepted for compatibility.
    """

    def __init__(
        self,
        device_type: str,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        self.device = _device_type(device_type)
        self.fast_dtype = get_autocast_dtype(self.device) if dtype is None else dtype
        self._enabled = bool(enabled)
        if self._enabled and not _C._has_device(self.device):
            warnings.warn(
                f"User provided device_type of '{self.device}', but {self.device.upper()} is not available. "
                "Disabling",
                stacklevel=2,
            )
            self._enabled = False
        if self._enabled and self.fast_dtype not in HALVES:
            warnings.warn(
                f"In {self.device} autocast, but the target dtype {self.fast_dtype} is not supported. "
                "Disabling autocast; supported are bfloat16 and float16.",
                stacklevel=2,
            )
            self._enabled = False
        self._before: list[tuple] = []

    def __enter__(self) -> autocast:
        self._before.append(_C._autocast_setting(self.device))
        _C._set_autocast(self.device, self._enabled, self.fast_dtype)
        return self

    def __exit__(self, *exc: object) -> None:
        _C._set_autocast(self.device, *self._before.pop())

    def __call__(self, func: Callable) -> Callable:
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return wrapped


def custom_fwd(fwd: Callable | None = None, *, device_type: str = "cuda", cast_inputs: Any = None) -> Any:
    """Decorates the `forward` of a `mlx.autograd.Function` that is used within autocast.

    Args:
        device_type: the devices that are meant.
        cast_inputs: a dtype that floating-point tensors on them are cast to; `forward` then runs without
            autocast. Without it, `forward` runs as its surroundings do.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    device = _device_type(device_type)

    @functools.wraps(fwd)
    def wrapped(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        enabled, dtype = _C._autocast_setting(device)
        ctx._autocast_dtype = dtype
        if cast_inputs is None:
            ctx._autocast_enabled = enabled
            return fwd(ctx, *args, **kwargs)
        ctx._autocast_enabled = False
        if not enabled:
            return fwd(ctx, *args, **kwargs)

        def cast(value: Any) -> Any:
            eligible = (
                isinstance(value, Tensor)
                and value.dtype.is_floating_point
                and value.dtype is not _C.float64
                and value.device.type == device
            )
            return value.to(cast_inputs) if eligible else value

        args, kwargs = mapped(cast, args), mapped(cast, kwargs)
        with autocast(device, enabled=False):
            return fwd(ctx, *args, **kwargs)

    return wrapped


def custom_bwd(bwd: Callable | None = None, *, device_type: str = "cuda") -> Any:
    """Decorates the `backward` beside a `forward` with `custom_fwd`: it runs in the same autocast mode."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    device = _device_type(device_type)

    @functools.wraps(bwd)
    def wrapped(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        with autocast(device, enabled=ctx._autocast_enabled, dtype=ctx._autocast_dtype):
            return bwd(ctx, *args, **kwargs)

    return wrapped

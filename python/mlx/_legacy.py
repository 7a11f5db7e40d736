"""Typed tensors: `mlx.FloatTensor` and its like, from before tensors had a dtype argument."""

from __future__ import annotations

from typing import Any

from mlx import _C
from mlx._C import Tensor

__all__ = [
    "BFloat16Tensor",
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "HalfTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "set_default_tensor_type",
]


class _TypedTensor(type):
    """The type of these classes: calling one makes an ordinary tensor of its dtype, on the CPU."""

    dtype: Any

    def __call__(cls, *args: Any) -> Tensor:
        if len(args) == 1 and not isinstance(args[0], int):
            return _C.tensor(args[0], dtype=cls.dtype, device="cpu")
        return _C.empty(args or (0,), dtype=cls.dtype, device="cpu")

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype and instance.device.type == "cpu"


def _typed(name: str, dtype: Any) -> Any:
    text = f"CPU tensors of {str(dtype).split('.')[-1]}: made from a sequence, or from sizes."
    return _TypedTensor(name, (), {"dtype": dtype, "__doc__": text, "__module__": "mlx"})


FloatTensor = _typed("FloatTensor", _C.float32)
DoubleTensor = _typed("DoubleTensor", _C.float64)
HalfTensor = _typed("HalfTensor", _C.float16)
BFloat16Tensor = _typed("BFloat16Tensor", _C.bfloat16)
ByteTensor = _typed("ByteTensor", _C.uint8)
CharTensor = _typed("CharTensor", _C.int8)
ShortTensor = _typed("ShortTensor", _C.int16)
IntTensor = _typed("IntTensor", _C.int32)
LongTensor = _typed("LongTensor", _C.int64)
BoolTensor = _typed("BoolTensor", _C.bool)

_TYPES = (
    FloatTensor,
    DoubleTensor,
    HalfTensor,
    BFloat16Tensor,
    ByteTensor,
    CharTensor,
    ShortTensor,
    IntTensor,
    LongTensor,
    BoolTensor,
)
_NAMES = {t.dtype: t.__name__ for t in _TYPES}
_NAMES |= {_C.complex64: "ComplexFloatTensor", _C.complex128: "ComplexDoubleTensor"}


def _dtype_named(name: str) -> tuple[Any, str]:
    """The dtype and the kind of device that the name of a typed tensor stands for."""
    package, _, rest = name.partition(".")
    device, _, kind = rest.rpartition(".")
    for dtype, known in _NAMES.items():
        if package in ("torch", "mlx") and kind == known:
            return dtype, device or "cpu"
    raise ValueError(f"invalid type: '{name}'")


def type_of(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type, as PyTorch has it; or the tensor as another type.

    Args:
        dtype: a dtype, a typed tensor such as `mlx.LongTensor`, or its name, "torch.LongTensor".
    """
    if dtype is None:
        device = "" if self.device.type == "cpu" else f"{self.device.type}."
        return f"torch.{device}{_NAMES[self.dtype]}"
    if isinstance(dtype, str):
        wanted, device = _dtype_named(dtype)
        return self.to(device, wanted)
    if isinstance(dtype, _TypedTensor):
        return self.to("cpu", dtype.dtype)
    return self.to(dtype)


type_of.__name__ = "type"
Tensor.type = type_of  # type: ignore[attr-defined]


def set_default_tensor_type(t: Any) -> None:
    """Make tensors of a typed tensor's dtype and device when none is named.

    Args:
        t: a typed tensor such as `mlx.DoubleTensor`, or its name, "torch.DoubleTensor".
    """
    dtype, device = _dtype_named(t) if isinstance(t, str) else (t.dtype, "cpu")
    _C.set_default_dtype(dtype)
    _C.set_default_device(device)

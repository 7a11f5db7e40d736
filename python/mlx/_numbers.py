"""finfo and iinfo: the limits of the numeric dtypes."""

from __future__ import annotations

import numpy as np

from mlx import _C
from mlx._C import dtype

__all__ = ["finfo", "iinfo"]

# eps, largest and smallest normal number of bfloat16: 8 bits of exponent, 7 of fraction.
_BFLOAT16 = {
    "bits": 16,
    "eps": 2.0**-7,
    "max": (2 - 2.0**-7) * 2.0**127,
    "tiny": 2.0**-126,
    "resolution": 0.01,
}


class finfo:
    """The limits of a floating-point dtype (of the parts, for a complex one).

    Args:
        type: the dtype; by default the default dtype.

    >>> import mlx
    >>> mlx.finfo(mlx.float32).eps
    1.1920928955078125e-07
    """

    def __init__(self, type: dtype | None = None) -> None:
        real = (type or _C.get_default_dtype()).to_real()
        if not real.is_floating_point:
            raise TypeError(
                f"mlx.finfo() requires a floating point dtype, not {real}; use mlx.iinfo to handle mlx.iinfo"
            )
        self.dtype = str(real).split(".")[-1]
        if real is _C.bfloat16:
            limits = _BFLOAT16
        else:
            info = np.finfo(self.dtype)
            limits = {
                "bits": info.bits,
                "eps": float(info.eps),
                "max": float(info.max),
                "tiny": float(info.tiny),
                "resolution": float(info.resolution),
            }
        self.bits: int = int(limits["bits"])
        self.eps = limits["eps"]
        self.max = limits["max"]
        self.min = -self.max
        self.tiny = self.smallest_normal = limits["tiny"]
        self.resolution = limits["resolution"]

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, eps={self.eps:g}, "
            f"smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer dtype.

    Args:
        type: the dtype.

    >>> import mlx
    >>> mlx.iinfo(mlx.int8).max
    127
    """

    def __init__(self, type: dtype) -> None:
        if type.is_floating_point or type.is_complex or type is _C.bool:
            raise TypeError(
                f"mlx.iinfo() requires an integer dtype, not {type}; use mlx.finfo for floating point"
            )
        self.dtype = str(type).split(".")[-1]
        info = np.iinfo(self.dtype)
        self.bits, self.min, self.max = info.bits, int(info.min), int(info.max)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"

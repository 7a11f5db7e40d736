"""Names of the types of arguments, for annotations."""

from __future__ import annotations

import builtins
from typing import TypeAlias

from mlx._C import Size, device, dtype
from mlx._constants import layout

__all__ = ["Device", "Number"]

Number: TypeAlias = builtins.int | builtins.float | builtins.bool
Device: TypeAlias = device | builtins.str | builtins.int | None
_int: TypeAlias = builtins.int
_float: TypeAlias = builtins.float
_bool: TypeAlias = builtins.bool
_complex: TypeAlias = builtins.complex
_dtype: TypeAlias = dtype
_device: TypeAlias = device
_layout: TypeAlias = layout
_size: TypeAlias = Size | list[builtins.int] | tuple[builtins.int, ...]

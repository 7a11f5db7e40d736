"""The compiler behind `mlx.jit`: tracing, guards, programs. The passes are in C++ (cpp/jit)."""

from __future__ import annotations

from mlx._C import _TraceError as TraceError
from mlx.compiler import scripting
from mlx.compiler.function import CacheInfo, CompiledFunction, disabled, jit
from mlx.compiler.optimized import OptimizedModule, compile, disable, is_compiling, reset

jit.TraceError = TraceError  # type: ignore[attr-defined]
jit.disabled = disabled  # type: ignore[attr-defined]
for _name in ("Final", "annotate", "export", "ignore", "is_scripting", "is_tracing", "script", "unused"):
    setattr(jit, _name, getattr(scripting, _name))

__all__ = [
    "CacheInfo",
    "CompiledFunction",
    "OptimizedModule",
    "TraceError",
    "compile",
    "disable",
    "disabled",
    "is_compiling",
    "jit",
    "reset",
]

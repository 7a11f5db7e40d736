"""The compiler behind `mlx.jit`: tracing, guards, programs. The passes are in C++ (cpp/jit)."""

from __future__ import annotations

from mlx._C import _TraceError as TraceError
from mlx.compiler.function import CacheInfo, CompiledFunction, disabled, jit
from mlx.compiler.optimized import OptimizedModule, compile

jit.TraceError = TraceError  # type: ignore[attr-defined]
jit.disabled = disabled  # type: ignore[attr-defined]

__all__ = ["CacheInfo", "CompiledFunction", "OptimizedModule", "TraceError", "compile", "disabled", "jit"]

"""The profiler under its older name; see `mlx.profiler`."""

from __future__ import annotations

from mlx.profiler import profile, record_function

__all__ = ["profile", "record_function"]

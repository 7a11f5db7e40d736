"""Names that PyTorch has taken away: calling one says what to call instead."""

from __future__ import annotations

from typing import Any

from mlx._C import Tensor

__all__ = ["eig", "lstsq", "matrix_rank", "solve", "symeig"]

_INSTEAD = {
    "eig": "`mlx.linalg.eig`, whose results are complex,",
    "lstsq": "`mlx.linalg.lstsq`, of (A, B), which gives more results,",
    "matrix_rank": "`mlx.linalg.matrix_rank`, whose `symmetric` is called `hermitian`,",
    "solve": "`mlx.linalg.solve`, of (A, B), which gives no LU factors,",
    "symeig": "`mlx.linalg.eigh`, or `mlx.linalg.eigvalsh` for eigenvalues alone,",
}


def _removed(name: str) -> Any:
    def function(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(f"{name}() was removed from PyTorch: {_INSTEAD[name]} takes its place")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Removed from PyTorch: RuntimeError. {_INSTEAD[name]} takes its place."
    return function


eig, lstsq, matrix_rank, solve, symeig = map(_removed, _INSTEAD)

for _name in ("eig", "lstsq", "solve", "symeig"):
    setattr(Tensor, _name, globals()[_name])

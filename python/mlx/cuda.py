"""CUDA devices, for programs that ask for them; this build has none.

>>> import mlx
>>> "cuda" if mlx.cuda.is_available() else "cpu"
'cpu'
"""

from __future__ import annotations

from mlx.backends.cuda import is_available as is_available


def device_count() -> int:
    """The number of CUDA devices.

    >>> import mlx
    >>> mlx.cuda.device_count()
    0
    """
    return int(is_available())

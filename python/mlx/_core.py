"""Loads the extension module.

The OpenBLAS that comes with it is called from the threads of mlx's own pool. Left alone it would start
threads of its own as it is loaded, which spin for a while and take the cores from the first kernels, so it
is told otherwise for the moment of loading; other copies of OpenBLAS in the process are not touched.
"""

from __future__ import annotations

import os

_VARIABLE = "OPENBLAS_NUM_THREADS"

_before = os.environ.get(_VARIABLE)
os.environ[_VARIABLE] = "1"
try:
    from mlx import _C
finally:
    if _before is None:
        del os.environ[_VARIABLE]
    else:
        os.environ[_VARIABLE] = _before

__all__ = ["_C"]

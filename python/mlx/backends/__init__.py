"""What the devices of this build can do.

>>> import mlx
>>> mlx.backends.mps.is_available() in (True, False)
True
"""

from __future__ import annotations

from mlx import _C
from mlx.backends import cuda as cuda
from mlx.backends import cudnn as cudnn
from mlx.backends import mps as mps


def fallbacks() -> dict[str, int]:
    """How often each kernel was left to the CPU by a GPU so far, by the kernel's name.

    Such work is done by the CPU's kernel in the same memory, after queued work on its operands has finished;
    for a pointwise kernel the name says which formula: ``"pointwise: lgamma"``.

    >>> import mlx
    >>> isinstance(mlx.backends.fallbacks(), dict)
    True
    """
    return _C._fallbacks()

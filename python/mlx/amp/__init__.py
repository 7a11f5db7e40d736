"""Automatic mixed precision.

>>> import mlx
>>> a = mlx.ones(2, 2)
>>> with mlx.autocast("cpu", dtype=mlx.bfloat16):
...     product = a @ a
>>> product.dtype
mlx.bfloat16
"""

from mlx.amp.autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from mlx.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]

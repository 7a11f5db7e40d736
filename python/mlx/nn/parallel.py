"""Wrappers for training on several devices, of which mlx uses one."""

from __future__ import annotations

from typing import Any

from mlx.nn.modules.module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """A module that would share out its batch over several GPUs; with at most one, it calls the module.

    >>> import mlx
    >>> list(mlx.nn.DataParallel(mlx.nn.Linear(2, 1)).state_dict())
    ['module.weight', 'module.bias']
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.module = module
        self.dim = dim
        self.device_ids: list[Any] = []

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)

"""Layouts of the weights of convolutions, which mean nothing here."""

from __future__ import annotations

from typing import Any, TypeVar

from mlx.nn.modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]

M = TypeVar("M", bound=Module)


def convert_conv2d_weight_memory_format(module: M, memory_format: Any) -> M:
    """The module itself: weights are row-major whatever the format."""
    return module


def convert_conv3d_weight_memory_format(module: M, memory_format: Any) -> M:
    """The module itself: weights are row-major whatever the format."""
    return module

"""The CPU as a device, for programs that treat all devices alike.

>>> import mlx
>>> mlx.get_device_module("cpu").is_available()
True
"""

from __future__ import annotations

from typing import Any


def is_available() -> bool:
    """Whether there is a CPU: yes."""
    return True


def is_initialized() -> bool:
    """Whether it is in use: yes."""
    return True


def device_count() -> int:
    """The number of CPU devices: one, of whatever number of cores."""
    return 1


def current_device() -> str:
    """Its name."""
    return "cpu"


def set_device(device: Any) -> None:
    """Does nothing: there is one."""


def synchronize(device: Any = None) -> None:
    """Does nothing: ops are done when they return."""

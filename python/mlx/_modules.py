"""Modules that PyTorch has and that mlx keeps together with others, so that programs may import from both."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

__all__ = ["add_modules", "importable"]


class _Attribute(ModuleType):
    """What a package has under a name, for programs that import it as if it were a module."""

    def __getattr__(self, name: str) -> Any:
        package, _, own = self.__name__.rpartition(".")
        return getattr(getattr(sys.modules[package], own), name)


def importable(name: str) -> None:
    """Let programs import an attribute as if it were a module: `from mlx.jit import script`, where `mlx.jit`
    is a function. The attribute is looked up when something is asked of it, so a lazy one stays lazy.
    """
    sys.modules[name] = _Attribute(name)


def add_modules(package: str, contents: dict[str, Iterable[str]], source: str | None = None) -> None:
    """Make modules of a package that hold what `source`, or the package itself, holds under the same names.

    >>> import mlx
    >>> from mlx.optim.adamw import AdamW
    >>> AdamW is mlx.optim.AdamW
    True
    """
    parent, origin = sys.modules[package], sys.modules[source or package]
    for name, members in contents.items():
        module = ModuleType(f"{package}.{name}", f"Names of `{origin.__name__}`.")
        module.__path__ = []  # it may have modules itself
        vars(module).update({member: getattr(origin, member) for member in members})
        sys.modules[module.__name__] = module
        setattr(parent, name, module)

"""Names of classes and functions, and which of them a file may name.

Finding a class imports nothing but `argparse` and reads no attribute of a foreign module, so a file cannot
make code run.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from enum import Enum
from types import FunctionType
from typing import Any, TypeVar

import mlx
from mlx._C import Tensor
from mlx.serialization.errors import UnknownClassError

__all__ = ["add_safe_globals", "class_name", "find_class", "find_function", "function_name", "register"]

T = TypeVar("T", bound="type | Callable[..., Any]")

# Where functions are looked for that a module keeps as attributes, such as activations.
NAMESPACES = ("mlx.nn.functional", "mlx.special", "mlx.linalg", "mlx")

# Where programs keep their settings. `argparse` is imported when one is met, which most programs never do.
SETTINGS = ("argparse:Namespace", "types:SimpleNamespace")

_registered: dict[str, Any] = {}


def _own_name(obj: Any) -> str:
    return f"{obj.__module__}:{obj.__qualname__}"


def register(obj: T, name: str | None = None) -> T:
    """Allow files to name a class or function. Also a decorator.

    A registered class that is not a Module is stored by its attributes and rebuilt without `__init__`.
    Module subclasses that are imported need no registration.

    Args:
        obj: the class or function.
        name: the name in files, `module:qualified name` when None. An old name, given here, lets files be
            loaded that were saved when the class was called or placed otherwise.

    >>> import mlx
    >>> @mlx.serialization.register
    ... class Config:
    ...     def __init__(self, width):
    ...         self.width = width
    """
    if not isinstance(obj, (type, FunctionType)):
        raise TypeError(f"register(): expected a class or a function, got {type(obj).__name__}")
    _registered[name or _own_name(obj)] = obj
    return obj


def add_safe_globals(safe_globals: list[Any]) -> None:
    """`register` each of some classes and functions, under PyTorch's name for it."""
    for obj in safe_globals:
        register(obj)


# ---- classes


def class_name(cls: type) -> str:
    """The name of a class in a file: `mlx.nn.Linear`, or `package.module:Class.Inner`."""
    if getattr(mlx.nn, cls.__name__, None) is cls:
        return f"mlx.nn.{cls.__name__}"
    return _registered_name(cls) or _own_name(cls)


def _settings_class(name: str) -> type | None:
    module, _, last = name.partition(":")
    return getattr(importlib.import_module(module), last) if name in SETTINGS else None


def _registered_name(obj: Any) -> str | None:
    if _settings_class(_own_name(obj)) is obj:
        return _own_name(obj)
    if _registered.get(_own_name(obj)) is obj:
        return _own_name(obj)
    return next((name for name, value in _registered.items() if value is obj), None)


def is_registered(cls: type) -> bool:
    """Whether instances of a class are stored by their attributes."""
    return _registered_name(cls) is not None


def _subclasses(base: type) -> Iterator[type]:
    direct: list[type] = type.__subclasses__(base)
    for cls in direct:
        yield cls
        yield from _subclasses(cls)


def find_class(name: str, base: type = object) -> type:
    """The subclass of `base` that a file calls `name`.

    Raises:
        UnknownClassError: unless it is registered, in mlx.nn, or a Module, Tensor or Enum that is imported.
    """
    found = _registered.get(name) or _settings_class(name)
    if found is None and base is not object and name.startswith("mlx.nn."):
        found = vars(mlx.nn).get(name.removeprefix("mlx.nn."))
    if found is None and base in (mlx.nn.Module, Enum, Tensor):
        # In a notebook a class may have been defined several times; the last is meant.
        found = next((cls for cls in reversed([*_subclasses(base)]) if _own_name(cls) == name), None)
    if not (isinstance(found, type) and issubclass(found, base)):
        module, _, qualname = name.rpartition(":")
        raise UnknownClassError(
            f"load(): the file holds an object of class {name!r}, which is not known here. Import the module "
            f"{module!r} that defines it before loading, or name the class that takes its place: "
            f"mlx.serialization.register({qualname.rpartition('.')[2] or 'cls'}, {name!r})"
        )
    return found


# ---- functions


def function_name(fn: Any) -> str | None:
    """The name under which a file may hold a function, None when it may not."""
    name = getattr(fn, "__name__", None)
    for namespace in NAMESPACES:
        if isinstance(name, str) and _function_at(namespace, name) is fn:
            return f"{namespace}.{name}"
    return _registered_name(fn) if isinstance(fn, FunctionType) else None


def _function_at(namespace: str, name: str) -> Any:
    value = None if name.startswith("_") else vars(importlib.import_module(namespace)).get(name)
    # Of the top level only ops: the Python functions there include load and save.
    is_python = isinstance(value, FunctionType) and value.__module__ == namespace != "mlx"
    return value if is_python or isinstance(value, type(mlx.relu)) else None


def find_function(name: str) -> Any:
    """The function that a file calls `name`.

    Raises:
        UnknownClassError: unless it is a function of mlx, or registered.
    """
    namespace, _, last = name.rpartition(".")
    found = _registered.get(name)
    if found is None and namespace in NAMESPACES:
        found = _function_at(namespace, last)
    if found is None or isinstance(found, type):
        raise UnknownClassError(
            f"load(): the file names the function {name!r}, which is not one of mlx's; register the function "
            f"that is meant: mlx.serialization.register(fn, {name!r})"
        )
    return found

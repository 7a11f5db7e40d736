"""Classes that take over calls: what libraries with tensors of their own ask for.

A class with a class method `__torch_function__` is asked for the result of every op one of whose arguments
is an object of it. Subclasses of `Tensor` that define none keep their class through ops.

>>> import mlx
>>> class Metres(mlx.Tensor):
...     pass
>>> (Metres([1.0, 2.0]) * 2).sum()
Metres(6.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._tensor import _PLAIN

__all__ = [
    "get_default_nowrap_functions",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "wrap_torch_function",
]


def is_tensor_like(inp: Any) -> bool:
    """Whether `inp` is a tensor, or an object whose class has a `__torch_function__`."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether the class of one of these arguments overrides ops.

    >>> import mlx
    >>> mlx.overrides.has_torch_function((mlx.ones(1), mlx.nn.Parameter(mlx.ones(1)), 2))
    False
    """
    return bool(_C._overriding(tuple(relevant_args)))


def has_torch_function_unary(arg: Any) -> bool:
    """`has_torch_function` of one argument."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of arguments that are not in a tuple."""
    return has_torch_function(args)


def handle_torch_function(
    public_api: Callable, relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """The result of the call `public_api(*args, **kwargs)` by the override of one of `relevant_args`.

    Raises:
        TypeError: when all overrides return NotImplemented.
    """
    asked = _C._overriding(tuple(relevant_args))
    types = tuple(map(type, asked))
    for argument in asked:
        result = argument.__torch_function__(public_api, types, args, kwargs)
        if result is not NotImplemented:
            return result
    name = f"{public_api.__module__}.{public_api.__name__}"
    raise TypeError(
        f"no implementation found for '{name}' on types that implement __torch_function__: {list(types)}"
    )


def wrap_torch_function(dispatcher: Callable) -> Callable[[Callable], Callable]:
    """A decorator that makes a function one that can be overridden.

    Args:
        dispatcher: takes the function's arguments and returns those that may override it.
    """

    def decorate(function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return wrapped

    return decorate


def get_default_nowrap_functions() -> set[Callable]:
    """The attributes that `Tensor.__torch_function__` returns as they are: `grad` and `_base`."""
    return set(_PLAIN)


def is_tensor_method_or_property(func: Callable) -> bool:
    """Whether `func` is a method of Tensor, or the getter of one of its attributes."""
    return func.__name__ == "__get__" or getattr(Tensor, func.__name__, None) is func

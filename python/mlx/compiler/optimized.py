"""mlx.compile: PyTorch's way to ask for compiled code, which never refuses a program."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import _TraceError as TraceError
from mlx.compiler.function import CompiledFunction
from mlx.nn.modules.module import Module

__all__ = ["OptimizedModule", "compile", "disable", "is_compiling", "reset"]

_MOST_LAYOUTS = 8  # that are compiled before a function that keeps changing them runs eagerly


class _Compiled:
    """A function that runs as compiled programs where that is possible, and else as it is."""

    def __init__(self, function: Callable, fullgraph: bool) -> None:
        self._function = function
        self._compiled: CompiledFunction | None = CompiledFunction(function, warns=False)
        self._fullgraph = fullgraph
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        compiled = self._compiled
        if compiled is None or _C._is_tracing():
            return self._function(*args, **kwargs)
        try:
            result = compiled(*args, **kwargs)
        except TraceError:
            if self._fullgraph:
                raise
            self._compiled = None  # a failed trace has left no mark, so the call can be made again
            return self._function(*args, **kwargs)
        if not self._fullgraph and self._is_unsuitable(compiled):
            self._compiled = None
        return result

    @staticmethod
    def _is_unsuitable(compiled: CompiledFunction) -> bool:
        """Whether programs would leave out what Python does beside, or are made anew all the time."""
        info = compiled.cache_info()
        return compiled.has_side_effects or (info.misses >= _MOST_LAYOUTS and info.hits < info.misses)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)


class OptimizedModule(Module):
    """A module whose calls are compiled; it shares everything else with the one that it was made from."""

    def __init__(self, module: Module, fullgraph: bool = False) -> None:
        super().__init__()
        self._orig_mod = module
        del self.__dict__["training"]  # the module's own is meant
        self.__dict__["_compiled_call"] = _Compiled(module, fullgraph)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled_call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self.__dict__["_modules"]["_orig_mod"]
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_orig_mod" or "_compiled_call" not in self.__dict__:
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __repr__(self) -> str:
        return f"OptimizedModule(\n  (_orig_mod): {repr(self._orig_mod).replace(chr(10), chr(10) + '  ')}\n)"


def compile(
    model: Callable | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """Compile a function or a module by `mlx.jit`, as far as it can be.

    What cannot be traced, since it looks at the elements of a tensor, runs eagerly; so does a function that
    changes plain Python values, a counter say, and one whose arguments never keep their shapes. Use `mlx.jit`
    to be told instead, and for whole training steps.

    Args:
        model: what to compile. Without it, `compile()` is a decorator.
        fullgraph: whether what cannot be traced raises `mlx.jit.TraceError`.
        backend: "eager" compiles nothing; other values are accepted for compatibility.
        dynamic, mode, options: accepted for compatibility.
        disable: whether to return `model` as it is.

    Returns:
        A function; for a module an `OptimizedModule`, whose parameters are the module's own.

    >>> import mlx
    >>> @mlx.compile
    ... def scaled(x):
    ...     return x / x.sum() if x.sum() > 0 else x
    >>> scaled(mlx.ones(2))
    tensor([0.5000, 0.5000])
    """
    if mode is not None and options is not None:
        raise RuntimeError(
            "Either mode or options can be specified, but both can't be specified at the same time."
        )
    if model is None:
        return functools.partial(
            compile,
            fullgraph=fullgraph,
            dynamic=dynamic,
            backend=backend,
            mode=mode,
            options=options,
            disable=disable,
        )
    if not callable(model):
        raise TypeError(f"compile(): expected a function or a module, not {type(model).__name__}")
    if disable or backend == "eager":
        return model
    if isinstance(model, Module):
        return OptimizedModule(model, fullgraph)
    return _Compiled(model, fullgraph)


def is_compiling() -> bool:
    """Whether the code that asks is being traced."""
    return _C._is_tracing()


def disable(fn: Callable | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Decorates a function that should not be compiled by itself.

    Within a compiled function it is traced like everything else, or makes all of it run eagerly.
    """
    if fn is None:
        return functools.partial(disable, recursive=recursive)
    return fn._function if isinstance(fn, _Compiled) else fn


def reset() -> None:
    """Accepted for compatibility: programs belong to the functions that they were compiled for."""

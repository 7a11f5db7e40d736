"""mlx.jit: functions whose calls run compiled programs."""

from __future__ import annotations

import functools
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from mlx import _C
from mlx._C import Tensor
from mlx.compiler.lowered import Lowered
from mlx.compiler.program import Program, SharedMemoryError
from mlx.compiler.tree import flatten

MOST_PROGRAMS = 64  # that a function keeps
_RECOMPILES_BEFORE_WARNING = 8

_enabled = True


class CacheInfo(NamedTuple):
    """How a compiled function's calls found their programs."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


class CompiledFunction:
    """A function that is traced for each layout of its arguments and runs as a program; see `jit`."""

    def __init__(self, function: Callable, warns: bool = True) -> None:
        self._function, self._warns = function, warns
        self._programs: OrderedDict[Any, list[Program]] = OrderedDict()
        self._last_key: Any = None
        self.clear_cache()
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not _enabled or _C._is_tracing():
            return self._function(*args, **kwargs)
        leaves, spec = _taken_apart(args, kwargs)
        key = (spec, _C._layouts(leaves), _C._modes())
        programs = self._programs.get(key, ())
        try:
            for program in programs:
                if program.fits():
                    self._hits += 1
                    return program(leaves)
            return self._compile(key, spec, leaves)
        except SharedMemoryError:
            return self._function(*args, **kwargs)

    def _compile(self, key: Any, spec: Any, leaves: list[Tensor]) -> Any:
        self._misses += 1
        self._warn_of_recompiling(key)
        program = Program(self._function, spec, leaves)
        self.has_side_effects |= program.has_side_effects
        if program.is_repeatable:
            self._programs.setdefault(key, []).append(program)
            self._programs.move_to_end(key)
            self._drop_oldest()
        self._last_key = key
        return program.first_call(leaves)

    def _drop_oldest(self) -> None:
        while sum(map(len, self._programs.values())) > MOST_PROGRAMS:
            key, programs = next(iter(self._programs.items()))
            programs.pop(0)
            if not programs:
                del self._programs[key]

    def _warn_of_recompiling(self, key: Any) -> None:
        if not self._warns or self._misses % _RECOMPILES_BEFORE_WARNING or self._hits > 4 * self._misses:
            return
        warnings.warn(
            f"{self._name()} was compiled {self._misses} times in {self._hits + self._misses} calls; what "
            f"changed last: {self._difference(key)}. A number that changes from call to call is better "
            "passed as a tensor.",
            RuntimeWarning,
            stacklevel=4,
        )

    def _difference(self, key: Any) -> str:
        """What tells this call from the last one that was compiled."""
        if key in self._programs:
            return self._programs[key][-1].guards.failure
        if self._last_key is None:
            return "nothing"
        (before, _, mode), (now, _, new_mode) = self._last_key, key
        if mode != new_mode:
            return "the grad mode or the default dtype"
        return (
            _first_difference(before, now, "argument") or "the shape, strides or dtype of a tensor argument"
        )

    def _name(self) -> str:
        return getattr(self._function, "__qualname__", type(self._function).__name__)

    def cache_info(self) -> CacheInfo:
        """How many calls found a program, how many had to compile one, and how many there are."""
        count = sum(map(len, self._programs.values()))
        return CacheInfo(self._hits, self._misses, MOST_PROGRAMS, count)

    def clear_cache(self) -> None:
        """Forget all programs."""
        self._programs.clear()
        self._hits = self._misses = 0
        self.has_side_effects = False  # whether plain values changed that later calls leave alone
        self._last_key = None

    def lower(self, *args: Any, **kwargs: Any) -> Lowered:
        """The program for these arguments, without running it: print it, or draw it by `.svg()`."""
        leaves, spec = _taken_apart(args, kwargs)
        program = Program(self._function, spec, leaves)
        program.abandon()
        return Lowered(program.forward, program.backward)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_function":
            raise AttributeError(name)
        return getattr(self._function, name)

    def __repr__(self) -> str:
        return f"<mlx.jit of {self._name()}>"


@functools.cache
def _spec_of_tensors(count: int) -> Any:
    return flatten(((_C.zeros(0),) * count, {}), [])


def _taken_apart(args: tuple, kwargs: dict[str, Any]) -> tuple[list[Tensor], Any]:
    """The tensors of a call's arguments, and the description of the rest."""
    if not kwargs and all(type(a) is Tensor for a in args):
        return list(args), _spec_of_tensors(len(args))
    leaves: list[Tensor] = []
    return leaves, flatten((args, kwargs), leaves)


def _first_difference(before: Any, now: Any, name: str) -> str:
    """The place, in words, where two descriptions of arguments differ; empty if they do not."""
    if before == now:
        return ""
    if isinstance(before, tuple) and isinstance(now, tuple) and len(before) == len(now) > 1:
        if before[0] != now[0]:
            return f"the type of {name}"
        for i, (a, b) in enumerate(zip(before[1:], now[1:], strict=True)):
            if a != b:
                if before[0] in (int, float, bool, str):
                    return f"{name}, from {a} to {b}"
                if isinstance(a, tuple) and isinstance(b, tuple):
                    return _first_difference(a, b, f"{name}[{i}]") or f"{name}[{i}]"
    return name


def jit(function: Callable | None = None) -> Any:
    """Compile a function: its first call with arguments of a layout is traced, later ones run the program.

    The function may take and return nested lists, tuples, dicts and dataclasses of tensors, use modules and
    tensors by closure, and do a whole training step with `backward()` and `optimizer.step()`. Everything is
    left as the eager call would leave it. Python itself runs only while tracing: a `print` shows once.

    Args:
        function: what to compile; also a module. Without it, `jit()` is a decorator.

    Returns:
        A callable with the same arguments and results, with `cache_info()`, `clear_cache()` and `lower()`.

    Raises:
        mlx.jit.TraceError: at a call, when the function needs the elements of a tensor: to branch, by
            `.item()` or `.numpy()`, or for the shape of a result.

    >>> import mlx
    >>> @mlx.jit
    ... def scaled(x, factor):
    ...     return (x * factor).sum()
    >>> scaled(mlx.ones(3), 2.0)
    tensor(6.)
    >>> scaled.cache_info().misses
    1
    """
    if function is None:
        return jit
    if not callable(function):
        raise TypeError(f"jit(): expected a function or a module, not {type(function).__name__}")
    return CompiledFunction(function)


@contextmanager
def disabled() -> Iterator[None]:
    """Within this, compiled functions run eagerly, line by line: for debugging.

    >>> import mlx
    >>> square = mlx.jit(lambda x: x * x)
    >>> with mlx.jit.disabled():
    ...     _ = square(mlx.ones(2))
    >>> square.cache_info().misses
    0
    """
    global _enabled
    before, _enabled = _enabled, False
    try:
        yield
    finally:
        _enabled = before

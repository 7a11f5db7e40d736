"""What a function reaches without being given it: the tensors and values that hang on its closure.

A walk starts at the function and follows cells, the globals that its code names, bound objects, modules,
optimizers, containers and plain objects. It yields slots: places where Python keeps a value. Which of them a
compiled program depends on is decided by the names that the code which ran while tracing uses.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mlx import _C
from mlx._C import Generator, Tensor

ITEM, ATTRIBUTE, CELL, GRADIENT, LENGTH = range(5)  # as in cpp/bindings/compiler.cpp
MISSING = _C._missing

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_OPAQUE_ROOTS = {"mlx", "numpy"} | set(sys.stdlib_module_names)
_LONGEST = 4096  # elements of a list that is looked through
_MOST_NUMBERS = 64  # of a list whose numbers are guarded


@dataclass
class Slot:
    """A place that holds a value: an item, an attribute, a closure's cell, a tensor's gradient."""

    kind: int
    container: Any
    key: Any
    value: Any
    strict: bool  # matters whatever names the code uses

    @property
    def place(self) -> tuple[int, int, Any]:
        key = id(self.key) if isinstance(self.key, Tensor) else self.key
        return self.kind, id(self.container), key

    def assign(self, value: Any) -> None:
        if self.kind == GRADIENT:
            self.container.grad = value
        elif self.kind == CELL:
            self.container.cell_contents = value
        elif self.kind == ATTRIBUTE:
            setattr(self.container, self.key, value)
        elif value is MISSING:
            self.container.pop(self.key, None)
        else:
            self.container[self.key] = value


def names_of(code: types.CodeType) -> set[str]:
    """The names and texts that a function's code uses, and those of functions defined in it."""
    out = set(code.co_names) | set(code.co_freevars)
    for constant in code.co_consts:
        if isinstance(constant, str):
            out.add(constant)
        elif isinstance(constant, types.CodeType):
            out |= names_of(constant)
        elif isinstance(constant, tuple):
            out.update(c for c in constant if isinstance(c, str))
    return out


class NamesUsed:
    """While it is entered, gathers the names that running Python code uses."""

    def __init__(self) -> None:
        self.codes: set[types.CodeType] = set()

    def __enter__(self) -> NamesUsed:
        self._before = sys.getprofile()
        sys.setprofile(self._note)
        return self

    def _note(self, frame: types.FrameType, event: str, arg: object) -> None:
        if event == "call":
            self.codes.add(frame.f_code)

    def __exit__(self, *exc: object) -> None:
        sys.setprofile(self._before)

    def names(self) -> set[str]:
        out: set[str] = set()
        for code in self.codes:
            out |= names_of(code)
        return out


def _is_opaque(cls: type) -> bool:
    """Whether a class belongs to Python, NumPy or mlx: its instances hold nothing of the user's by name."""
    module = getattr(cls, "__module__", None)
    return not isinstance(module, str) or module.partition(".")[0] in _OPAQUE_ROOTS


def _is_filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not MISSING
    except ValueError:  # the variable is not assigned yet
        return False


class Walk:
    """The slots that are reached from some roots, in a fixed order."""

    def __init__(self, roots: list[Any]) -> None:
        self.slots: list[Slot] = []
        self.generators: list[Generator] = [_C.default_generator]
        self.optimizers: list[Any] = []
        self.containers: set[int] = set()
        self._kept: list[Any] = []  # so that ids stay those of living objects
        self._seen: set[int] = set()
        self._pending: list[tuple[Any, bool]] = [(r, False) for r in reversed(roots)]
        while self._pending:
            value, strict = self._pending.pop()
            self._visit(value, strict)

    def _visit(self, value: Any, strict: bool) -> None:
        if isinstance(value, (*_PLAIN, Tensor)) or id(value) in self._seen:
            return
        self._seen.add(id(value))
        self._kept.append(value)
        found = list(self._parts(value, strict))
        if found:
            self.containers.update(id(slot.container) for slot in found)
        self.slots += found
        for slot in reversed(found):
            if slot.kind != LENGTH:
                self._pending.append((slot.value, slot.strict))

    def _parts(self, value: Any, strict: bool) -> Iterator[Slot]:
        from mlx.compiler.function import CompiledFunction
        from mlx.nn import Module
        from mlx.optim import Optimizer

        if isinstance(value, Generator):
            if all(g is not value for g in self.generators):
                self.generators.append(value)
        elif isinstance(value, (Module, Optimizer)):
            if isinstance(value, Optimizer):
                self.optimizers.append(value)
            yield from self._object(value, strict=False)
        elif isinstance(value, CompiledFunction):
            yield Slot(ATTRIBUTE, value, "_function", value._function, True)
        elif isinstance(value, dict):
            yield from self._items(value, value.items(), strict)
        elif isinstance(value, (list, tuple)):
            yield from self._sequence(value, strict)
        elif isinstance(value, functools.partial):
            yield Slot(ATTRIBUTE, value, "func", value.func, False)
            yield Slot(ATTRIBUTE, value, "args", value.args, False)
            yield Slot(ATTRIBUTE, value, "keywords", value.keywords, False)
        elif isinstance(value, types.MethodType):
            yield Slot(ATTRIBUTE, value, "__self__", value.__self__, False)
            yield Slot(ATTRIBUTE, value, "__func__", value.__func__, False)
        elif isinstance(value, types.FunctionType):
            yield from self._function(value)
        elif isinstance(value, types.ModuleType):
            return  # the globals that code names are followed one by one
        elif isinstance(value, type):
            if not _is_opaque(value):
                for name, v in list(vars(value).items()):
                    if isinstance(v, (*_PLAIN, Tensor)) and not name.startswith("__"):
                        yield Slot(ATTRIBUTE, value, name, v, False)
        elif not _is_opaque(type(value)):
            yield from self._object(value, strict=False)

    def _object(self, value: Any, strict: bool) -> Iterator[Slot]:
        attributes = getattr(value, "__dict__", None)
        if isinstance(attributes, dict):
            for name, v in list(attributes.items()):
                stores = name in ("_parameters", "_buffers", "_modules", "state", "param_groups")
                if isinstance(v, (dict, list)) and stores:
                    yield Slot(ITEM, attributes, name, v, True)
                else:
                    yield Slot(ITEM, attributes, name, v, strict)
        for cls in type(value).__mro__:
            names = cls.__dict__.get("__slots__", ())
            for name in (names,) if isinstance(names, str) else names:
                if hasattr(value, name) and name not in ("__dict__", "__weakref__"):
                    yield Slot(ATTRIBUTE, value, name, getattr(value, name), strict)

    def _items(self, container: Any, items: Any, strict: bool) -> Iterator[Slot]:
        if len(container) > _LONGEST:
            return
        if strict:
            yield Slot(LENGTH, container, "length", len(container), True)
        for key, v in list(items):
            yield Slot(ITEM, container, key, v, strict)

    def _sequence(self, value: Any, strict: bool) -> Iterator[Slot]:
        numbers = sum(isinstance(v, _PLAIN) for v in value[: _MOST_NUMBERS + 1])
        if numbers <= _MOST_NUMBERS:
            yield from self._items(value, enumerate(value), strict)

    def _function(self, fn: types.FunctionType) -> Iterator[Slot]:
        if fn.__module__ and fn.__module__.partition(".")[0] == "mlx":
            return
        for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
            if _is_filled(cell):
                yield Slot(CELL, cell, name, cell.cell_contents, True)
        for name in sorted(names_of(fn.__code__) & fn.__globals__.keys()):
            value = fn.__globals__[name]
            if not isinstance(value, types.ModuleType):
                yield Slot(ITEM, fn.__globals__, name, value, True)
            elif value.__name__.partition(".")[0] not in _OPAQUE_ROOTS:
                yield from self._module(value, fn.__code__)
        if fn.__defaults__:
            yield Slot(ATTRIBUTE, fn, "__defaults__", fn.__defaults__, True)
        if fn.__kwdefaults__:
            yield Slot(ATTRIBUTE, fn, "__kwdefaults__", fn.__kwdefaults__, True)

    def _module(self, module: types.ModuleType, code: types.CodeType) -> Iterator[Slot]:
        for name in sorted(names_of(code) & vars(module).keys()):
            if not isinstance(vars(module)[name], types.ModuleType):
                yield Slot(ITEM, vars(module), name, vars(module)[name], True)


def is_guarded(slot: Slot, names: set[str], touched: Callable[[Tensor], bool]) -> bool:
    """Whether a program depends on what the slot holds."""
    named = slot.strict or not isinstance(slot.key, str) or slot.key in names
    if isinstance(slot.value, Tensor):
        return named or touched(slot.value)
    return named

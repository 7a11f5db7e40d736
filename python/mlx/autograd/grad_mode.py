"""Whether ops are recorded: context managers that are decorators too."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from mlx import _C

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]


class _Mode:
    """A context manager whose instances decorate functions and generators."""

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, *exc: object) -> None:
        raise NotImplementedError

    def clone(self) -> _Mode:
        return type(self)()

    def __call__(self, func: Callable) -> Callable:
        if inspect.isgeneratorfunction(func):
            return self._wrap_generator(func)

        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.clone():
                return func(*args, **kwargs)

        return wrapped

    def _wrap_generator(self, func: Callable) -> Callable:
        # The mode holds while the generator runs, not while its consumer does.
        @functools.wraps(func)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            generator = func(*args, **kwargs)
            sent = None
            while True:
                with self.clone():
                    try:
                        item = generator.send(sent)
                    except StopIteration as stop:
                        return stop.value
                try:
                    sent = yield item
                except GeneratorExit:
                    generator.close()
                    raise

        return wrapped


class _NoArguments(_Mode):
    """Allows `@no_grad` beside `@no_grad()`."""

    def __new__(cls, func: Callable | None = None) -> Any:
        self = super().__new__(cls)
        return self if func is None else _Mode.__call__(self, func)


class no_grad(_NoArguments):
    """Ops inside are not recorded.

    >>> import mlx
    >>> x = mlx.ones(2, requires_grad=True)
    >>> with mlx.no_grad():
    ...     y = 2 * x
    >>> y.requires_grad
    False
    """

    def __enter__(self) -> None:
        self._before = _C.is_grad_enabled()
        _C._set_grad_enabled(False)

    def __exit__(self, *exc: object) -> None:
        _C._set_grad_enabled(self._before)


class enable_grad(_NoArguments):
    """Ops inside are recorded, also within `no_grad`."""

    def __enter__(self) -> None:
        self._before = _C.is_grad_enabled()
        _C._set_grad_enabled(True)

    def __exit__(self, *exc: object) -> None:
        _C._set_grad_enabled(self._before)


class set_grad_enabled(_Mode):
    """Turns recording on or off at once, and back when used as a context manager.

    Args:
        mode: whether to record.
    """

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise TypeError(f"set_grad_enabled(): mode must be bool, not {type(mode).__name__}")
        self._before = _C.is_grad_enabled()
        self.mode = mode
        _C._set_grad_enabled(self.mode)

    def __call__(self, func: Callable) -> Callable:
        _C._set_grad_enabled(self._before)
        return super().__call__(func)

    def __enter__(self) -> None:
        _C._set_grad_enabled(self.mode)

    def __exit__(self, *exc: object) -> None:
        _C._set_grad_enabled(self._before)

    def clone(self) -> set_grad_enabled:
        return type(self)(self.mode)


class inference_mode(_Mode):
    """Nothing is recorded inside, and tensors made inside can never be recorded.

    Args:
        mode: False leaves everything as it is outside any inference mode.
    """

    def __new__(cls, mode: bool | Callable = True) -> Any:
        if callable(mode):
            return cls()(mode)
        return super().__new__(cls)

    def __init__(self, mode: bool = True) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self._before = _C.is_grad_enabled(), _C.is_inference_mode_enabled()
        if self.mode:
            _C._set_grad_enabled(False)
        _C._set_inference_mode(self.mode)

    def __exit__(self, *exc: object) -> None:
        grad, inference = self._before
        _C._set_grad_enabled(grad)
        _C._set_inference_mode(inference)

    def clone(self) -> inference_mode:
        return type(self)(self.mode)


class set_multithreading_enabled(_Mode):
    """Accepted for compatibility: a backward pass always runs on the thread that calls it."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc: object) -> None:
        pass

    def clone(self) -> set_multithreading_enabled:
        return type(self)(self.mode)

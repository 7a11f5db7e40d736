"""Hooks of modules: functions that are called around forward, backward, and the saving of state."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any

from mlx._C import Tensor
from mlx.autograd import Function

if TYPE_CHECKING:
    from mlx.nn.modules.module import Module

__all__ = [
    "RemovableHandle",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
]


class RemovableHandle:
    """Removes a hook: by `remove()`, or at the end of a `with` block."""

    _ids = itertools.count()

    def __init__(self, hooks: MutableMapping[int, Any], *flags: set[int]) -> None:
        self._stores: tuple[Any, ...] = (hooks, *flags)
        self.id = next(self._ids)

    def remove(self) -> None:
        """Take the hook away; once more does nothing."""
        for store in self._stores:
            if isinstance(store, set):
                store.discard(self.id)
            else:
                store.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


class CallHooks:
    """The hooks around a module's call, and what runs between them. A module has none until the first is
    registered, so that a call without hooks pays for one look."""

    def __init__(self) -> None:
        self.forward_pre: OrderedDict[int, Callable] = OrderedDict()
        self.forward: OrderedDict[int, Callable] = OrderedDict()
        self.backward_pre: OrderedDict[int, Callable] = OrderedDict()
        self.backward: OrderedDict[int, Callable] = OrderedDict()
        self.with_kwargs: set[int] = set()
        self.always_called: set[int] = set()
        self.in_use = False  # whether there ever was one
        self.compiled: Callable | None = None  # runs in the place of the module's forward

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "compiled": None}  # which is bound to the module: a copy has its own

    def __bool__(self) -> bool:
        """Whether there is one now."""
        return any((self.forward_pre, self.forward, self.backward_pre, self.backward))

    def add(
        self, kind: str, hook: Callable, prepend: bool, with_kwargs: bool = False, always: bool = False
    ) -> RemovableHandle:
        hooks: OrderedDict[int, Callable] = getattr(self, kind)
        handle = RemovableHandle(hooks, self.with_kwargs, self.always_called)
        hooks[handle.id] = hook
        self.in_use = True
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        if with_kwargs:
            self.with_kwargs.add(handle.id)
        if always:
            self.always_called.add(handle.id)
        return handle


# The hooks of all modules; they run before a module's own.
GLOBAL_HOOKS = CallHooks()
_NO_HOOKS = CallHooks()


def call_with_hooks(module: Module, own: CallHooks | None, args: tuple, kwargs: dict[str, Any]) -> Any:
    """`module.forward`, between the hooks."""
    levels = (GLOBAL_HOOKS, own or _NO_HOOKS)
    waiting = {i: (hook, level) for level in levels for i, hook in level.forward.items()}
    try:
        args, kwargs = _run_pre_hooks(module, levels, args, kwargs)
        # Those count too that a hook before the call has registered for it.
        waiting = {i: (hook, level) for level in levels for i, hook in level.forward.items()}
        watch = _BackwardWatch.around(module, levels)
        if watch is not None:
            args = watch.enter(args)
        forward = module.forward if own is None or own.compiled is None else own.compiled
        result = forward(*args, **kwargs)
        for i, (hook, level) in list(waiting.items()):
            del waiting[i]
            result = _run_forward_hook(module, hook, i in level.with_kwargs, args, kwargs, result)
        return result if watch is None else watch.leave(result)
    except Exception:
        # Hooks that asked for it see a failed call too; their own failures would hide the reason.
        for i, (hook, level) in waiting.items():
            if i in level.always_called:
                try:
                    _run_forward_hook(module, hook, i in level.with_kwargs, args, kwargs, None)
                except Exception:
                    continue
        raise


def _run_pre_hooks(
    module: Module, levels: tuple[CallHooks, ...], args: tuple, kwargs: dict[str, Any]
) -> tuple[tuple, dict[str, Any]]:
    for level in levels:
        for i, hook in list(level.forward_pre.items()):
            if i not in level.with_kwargs:
                changed = hook(module, args)
                if changed is not None:
                    args = changed if isinstance(changed, tuple) else (changed,)
                continue
            changed = hook(module, args, kwargs)
            if changed is None:
                continue
            if not (isinstance(changed, tuple) and len(changed) == 2):
                raise RuntimeError(
                    "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {changed}"
                )
            args, kwargs = changed
    return args, kwargs


def _run_forward_hook(
    module: Module, hook: Callable, with_kwargs: bool, args: tuple, kwargs: dict[str, Any], result: Any
) -> Any:
    changed = hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
    return result if changed is None else changed


class _Gate(Function):
    """The identity of several tensors, whose gradients a function sees together, and may replace."""

    @staticmethod
    def forward(ctx: Any, on_gradients: Callable, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.on_gradients = on_gradients
        ctx.set_materialize_grads(False)
        return tuple(t.view_as(t) for t in tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple:
        return None, *ctx.on_gradients(grads)


class _BackwardWatch:
    """Two gates around one call of a module: gradients of the results pass the outer one, those of the
    arguments the inner one, and the hooks see both."""

    def __init__(self, module: Module, levels: tuple[CallHooks, ...]) -> None:
        self.module = module
        self.pre_hooks = [h for level in levels for h in level.backward_pre.values()]
        self.hooks = [h for level in levels for h in level.backward.values()]
        self.inputs = 0
        self.input_places: list[int] | None = None
        self.grad_output: tuple = ()

    @classmethod
    def around(cls, module: Module, levels: tuple[CallHooks, ...]) -> _BackwardWatch | None:
        if any(level.backward_pre or level.backward for level in levels):
            return cls(module, levels)
        return None

    @staticmethod
    def _through_gate(values: tuple, on_gradients: Callable) -> tuple[tuple, list[int] | None]:
        """The values with their tensors behind a gate, and where those are; None if none needs a gradient."""
        places = [i for i, v in enumerate(values) if isinstance(v, Tensor)]
        if not any(values[i].requires_grad for i in places):
            return values, None
        passed = list(values)
        for i, t in zip(places, _Gate.apply(on_gradients, *(values[i] for i in places)), strict=True):
            passed[i] = t
        return tuple(passed), places

    def enter(self, args: tuple) -> tuple:
        self.inputs = len(args)
        if not self.hooks:
            return args
        args, self.input_places = self._through_gate(args, self._inner)
        return args

    def leave(self, result: Any) -> Any:
        values = result if isinstance(result, tuple) else (result,)
        count = len(values)
        places: list[int] | None = None

        def outer(grads: tuple) -> tuple:
            assert places is not None
            seen: list[Tensor | None] = [None] * count
            for i, g in zip(places, grads, strict=True):
                seen[i] = g
            grad_output = self._run_pre_hooks(tuple(seen))
            self.grad_output = grad_output
            if self.input_places is None:
                for hook in self.hooks:
                    if hook(self.module, (None,) * self.inputs, grad_output) is not None:
                        raise RuntimeError(
                            "backward hook for Modules where no input requires gradient should always return "
                            "None or None for all gradients."
                        )
            return tuple(grad_output[i] for i in places)

        values, places = self._through_gate(values, outer)
        return values if isinstance(result, tuple) else values[0]

    def _run_pre_hooks(self, grad_output: tuple) -> tuple:
        for hook in self.pre_hooks:
            changed = hook(self.module, grad_output)
            if changed is not None:
                grad_output = self._checked(changed, len(grad_output), "Backward pre hook")
        return grad_output

    def _inner(self, grads: tuple) -> tuple:
        places = self.input_places or []
        seen: list[Tensor | None] = [None] * self.inputs
        for i, g in zip(places, grads, strict=True):
            seen[i] = g
        grad_input = tuple(seen)
        for hook in self.hooks:
            changed = hook(self.module, grad_input, self.grad_output)
            if changed is not None:
                grad_input = self._checked(changed, len(grad_input), "Backward hook")
        return tuple(grad_input[i] for i in places)

    @staticmethod
    def _checked(changed: Any, count: int, kind: str) -> tuple:
        changed = changed if isinstance(changed, tuple) else (changed,)
        if len(changed) != count:
            raise RuntimeError(
                f"{kind} returned an invalid number of grad, got {len(changed)}, but expected {count}"
            )
        return changed


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, args)` before each forward of every module."""
    return GLOBAL_HOOKS.add("forward_pre", hook, prepend=False)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call `hook(module, args, output)` after each forward of every module."""
    return GLOBAL_HOOKS.add("forward", hook, False, with_kwargs, always_call)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_output)` before the gradients of every module are computed."""
    return GLOBAL_HOOKS.add("backward_pre", hook, prepend=False)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call `hook(module, grad_input, grad_output)` when the gradients of every module are computed."""
    return GLOBAL_HOOKS.add("backward", hook, prepend=False)

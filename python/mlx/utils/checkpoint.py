"""Checkpointing: activations are computed again in the backward pass instead of being kept.

>>> import mlx
>>> from mlx.utils.checkpoint import checkpoint
>>> x = mlx.tensor([1.0, 2.0], requires_grad=True)
>>> checkpoint(lambda x: (x * x).sin().sum(), x, use_reentrant=False).backward()
>>> mlx.allclose(x.grad, 2 * x.detach() * (x.detach() ** 2).cos())
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import leaves, mapped
from mlx.amp.autocast_mode import autocast
from mlx.autograd.function import Function
from mlx.autograd.grad_mode import enable_grad
from mlx.nn.modules.module import Module

__all__ = ["checkpoint", "checkpoint_sequential", "noop_context_fn"]


def noop_context_fn() -> tuple[Any, Any]:
    """Two context managers that do nothing: for the first and for the second run of the function."""
    return nullcontext(), nullcontext()


class _Region:
    """A call whose tape is thrown away after the first run, and made anew when gradients ask for it."""

    def __init__(self, function: Callable, arguments: tuple, preserve_rng_state: bool, second: Any) -> None:
        self.function, self.second = function, second
        # The places of tensors are left empty: the tape keeps those.
        self.arguments = mapped(lambda v: _TENSOR if isinstance(v, Tensor) else v, arguments)
        self.random = _C.default_generator._state() if preserve_rng_state else None
        self.autocast = [(d, *_C._autocast_setting(d)) for d in ("cpu", "mps", "cuda")]

    def run_again(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The outputs once more, recorded from `tensors`."""
        feed = iter(tensors)
        args, kwargs = mapped(lambda v: next(feed) if v is _TENSOR else v, self.arguments)
        now = _C.default_generator._state()
        if self.random is not None:
            _C.default_generator._set_state(*self.random)
        try:
            with ExitStack() as stack:
                for device, enabled, dtype in self.autocast:
                    stack.enter_context(autocast(device, dtype=dtype, enabled=enabled))
                stack.enter_context(self.second)
                stack.enter_context(enable_grad())
                return tensors_in(self.function(*args, **kwargs))
        finally:
            if self.random is not None:
                _C.default_generator._set_state(*now)


_TENSOR = object()


def tensors_in(value: Any) -> list[Tensor]:
    return [t for t in leaves(value) if isinstance(t, Tensor)]


class _Checkpoint(Function):
    """What stands on the tape for a region: outputs that hold no graph."""

    @staticmethod
    def forward(ctx: Any, region: _Region, outputs: list[Tensor], count: int, *tensors: Tensor) -> tuple:
        """`tensors`: the `count` of the arguments, then leaves that the function reaches by closure."""
        ctx.region, ctx.count, ctx.captured = region, count, tensors[count:]
        ctx.save_for_backward(*tensors)  # the captured ones too, to notice when they are changed
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*[t for t in outputs if not t.requires_grad])
        return tuple(t.detach() if t.requires_grad else t for t in outputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple:
        recording = _C.is_grad_enabled()
        inputs = list(ctx.saved_tensors[: ctx.count])
        if not recording:
            inputs = [t.detach().requires_grad_(t.requires_grad) for t in inputs]
        outputs = ctx.region.run_again(inputs)
        if len(outputs) != len(grads):
            raise RuntimeError(
                f"checkpoint: the function returned {len(grads)} tensors, but {len(outputs)} the second time"
            )
        pairs = [(o, g) for o, g in zip(outputs, grads, strict=True) if g is not None and o.requires_grad]
        wanted = [*inputs, *ctx.captured]
        numbers = [i for i, t in enumerate(wanted) if t.requires_grad]
        results: list[Tensor | None] = [None] * len(wanted)
        if pairs:
            roots, cotangents = zip(*pairs, strict=True)
            variables = tuple(wanted[i] for i in numbers)
            found = _C._gradients(roots, cotangents, variables, recording, recording, True)
            for i, g in zip(numbers, found, strict=True):
                results[i] = g
        return (None, None, None, *results)


def _captured_leaves(outputs: list[Tensor], inputs: list[Tensor], start: int) -> list[Tensor] | None:
    """The leaves that outputs were recorded from, beside `inputs`: the parameters.

    None when something else that was recorded before the region is among what they come from.
    """
    own = {id(t) for t in inputs}
    ends = {t.grad_fn for t in inputs if t.grad_fn is not None}
    found: dict[int, Tensor] = {}
    pending = [t.grad_fn for t in outputs if t.grad_fn is not None]
    seen: set[Any] = set(ends)
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.name() == "AccumulateGrad":
            if id(node.variable) not in own:
                found[id(node.variable)] = node.variable
            continue
        if node._sequence < start:
            return None
        pending += [n for n, _ in node.next_functions if n is not None]
    return list(found.values())


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """Call a function without keeping its activations; the backward pass calls it again.

    Args:
        function: takes and returns tensors, nested in lists, tuples and dicts as it likes.
        args, kwargs: its arguments.
        use_reentrant, determinism_check, debug, early_stop: accepted for compatibility; there is one
            implementation, which treats gradients as an ordinary call does.
        context_fn: returns two context managers, for the first and the second run.
        preserve_rng_state: whether the second run draws the same random numbers.

    A function that uses by closure what was computed before it, and is not a leaf, is called as it is, with
    everything kept; and so is every function within `mlx.jit`, which plans memory itself.
    """
    first, second = context_fn()
    if not _C.is_grad_enabled() or _C._is_tracing():
        with first:
            return function(*args, **kwargs)
    region = _Region(function, (args, kwargs), preserve_rng_state, second)
    inputs = tensors_in((args, kwargs))
    mark = _C.zeros(0, requires_grad=True).view(0).grad_fn
    assert mark is not None
    with first:
        result = function(*args, **kwargs)
    outputs = tensors_in(result)
    if any(o is t for o in outputs for t in inputs):
        return result
    captured = _captured_leaves(outputs, inputs, mark._sequence)
    if captured is None or not any(o.grad_fn is not None for o in outputs):
        return result
    made = iter(_Checkpoint.apply(region, outputs, len(inputs), *inputs, *captured))
    return mapped(lambda v: next(made) if isinstance(v, Tensor) else v, result)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Call functions one after the other, in segments of which all but the last are checkpoints.

    Args:
        functions: a `mlx.nn.Sequential`, or a list of modules or functions.
        segments: into how many parts of equal length they are divided.
        input: what the first of them is called with.
        kwargs: `preserve_rng_state`, as for `checkpoint`.
    """
    steps = list(functions.children()) if isinstance(functions, Module) else list(functions)

    def run(part: list[Callable]) -> Callable:
        def forward(value: Any) -> Any:
            for step in part:
                value = step(value)
            return value

        return forward

    size = len(steps) // segments
    for i in range(segments - 1):
        part = steps[i * size : (i + 1) * size]
        input = checkpoint(run(part), input, use_reentrant=use_reentrant, **kwargs)
    return run(steps[(segments - 1) * size :])(input)

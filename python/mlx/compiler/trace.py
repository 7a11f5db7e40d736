"""Tracing: a function is called with tensors that have no elements, and what it would launch is recorded."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from mlx import _C, autograd
from mlx._C import Tensor
from mlx._C import _TraceError as TraceError
from mlx.compiler.closure import GRADIENT, MISSING, NamesUsed, Slot, Walk, is_guarded
from mlx.compiler.learning_rates import LearningRates
from mlx.compiler.tree import flatten, unflatten

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def is_symbol(value: Any) -> bool:
    """Whether `value` is a tensor that a trace made."""
    return isinstance(value, Tensor) and _C._is_symbol(value)


def leaves_behind(outputs: list[Tensor], placeholders: list[Tensor], first_node: int) -> list[Tensor]:
    """The leaves from outside of a trace that its outputs depend on.

    Raises:
        TraceError: when they depend on an operation that was recorded before the trace.
    """
    own = {id(t) for t in placeholders}
    found: dict[int, Tensor] = {}
    pending, seen = [t.grad_fn for t in outputs], set()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == "AccumulateGrad":
            if id(node.variable) not in own:
                found[id(node.variable)] = node.variable
        elif node._sequence < first_node:
            raise TraceError(
                f"the function uses the result of an operation recorded outside of it ({node.name()}); "
                "pass it as an argument, or detach() it"
            )
        pending += [n for n, _ in node.next_functions]
    return list(found.values())


class Trace:
    """What one call of a function does: its launches, its results, and what it changes in Python.

    Args:
        function: what to call.
        spec: its arguments as `tree.flatten` describes them: (args, kwargs).
        leaves: the tensors in them.

    Raises:
        TraceError: when the function needs the elements of a tensor. What else the function raises passes
            through. In both cases everything that Python holds is as it was before.
    """

    def __init__(self, function: Callable, spec: Any, leaves: list[Tensor]) -> None:
        args, kwargs = unflatten(spec, iter(leaves))
        self._roots = [function, *args, *kwargs.values()]
        self.before = Walk(self._roots)
        self.rates = LearningRates(self.before.optimizers)
        self.raw = _C._Trace(self.before.generators)
        try:
            with NamesUsed() as used:
                self._run(function, spec, leaves)
            self.after = Walk(self._roots)
            self.raw.stop()
            self.changed = self._changes()
        except BaseException as error:
            self.raw.stop()
            self.rates.restore()
            self.undo()
            if isinstance(error, TraceError):
                raise _located(error, error) from None
            if writes_to_recorded(error, leaves):
                raise _located(_RECORDED_ARGUMENT, error) from None
            raise
        self._names = used.names()

    def _run(self, function: Callable, spec: Any, leaves: list[Tensor]) -> None:
        self.raw.start()
        self.placeholders = [self.raw.placeholder(t).requires_grad_(t.requires_grad) for t in leaves]
        required = [t.requires_grad for t in leaves]
        self.rates.replace(self.raw)
        args, kwargs = unflatten(spec, iter(self.placeholders))
        self.results: list[Tensor] = []
        self.result_spec = flatten(function(*args, **kwargs), self.results)
        self.rates.restore()
        # What requires_grad_() does to an argument is seen outside, as every change of it is.
        self.required = {
            i: t.requires_grad
            for i, t in enumerate(self.placeholders)
            if t.is_leaf and t.requires_grad != required[i]
        }
        self._refuse_histories()
        self.mark = self.raw.mark()  # here the forward pass ends
        self._differentiate()

    def _refuse_histories(self) -> None:
        """No tensor from outside may have got a history, in place: it would end at this call."""
        changed = {}
        for slot in self.before.slots:
            node = slot.value.grad_fn if isinstance(slot.value, Tensor) else None
            if node is not None and node._sequence >= self.raw.first_node:
                changed[slot.key] = slot.value.detach_()
        for key in changed:
            raise TraceError(
                f"an operation in place makes the tensor that is kept as {key!r} require a gradient "
                "through this call; detach() what is written to it"
            )

    # ---- the gradients of the results, traced behind the function itself

    def _differentiate(self) -> None:
        own = {id(t) for t in self.placeholders}
        self.differentiable = [
            i for i, t in enumerate(self.results) if t.requires_grad and is_symbol(t) and id(t) not in own
        ]
        self.needed = [i for i, t in enumerate(self.placeholders) if t.requires_grad]
        self.reached: list[Tensor] = []  # tensors outside of the trace that gradients flow to
        self.cotangents: list[Tensor] = []
        self.gradients: list[Tensor | None] = []
        self.used_up: str | None = None  # why the results cannot be differentiated
        outputs = [self.results[i] for i in self.differentiable]
        if not outputs:
            return
        self.reached = leaves_behind(outputs, self.placeholders, self.raw.first_node)
        inputs = [self.placeholders[i] for i in self.needed] + self.reached
        cotangents = [_C.empty(t.shape, dtype=t.dtype, device=t.device) for t in outputs]
        try:
            self.gradients = list(
                autograd.grad(outputs, inputs, cotangents, retain_graph=True, allow_unused=True)
            )
            self.cotangents = cotangents
        except TraceError:
            raise
        except RuntimeError as error:  # the function has run its backward pass itself
            self.raw.rewind(self.mark)
            self.used_up = str(error)

    # ---- what changed in Python

    def _changes(self) -> list[Slot]:
        """The slots that hold tensors of the trace now, and gradients that were set or dropped."""
        changed = [slot for slot in self.after.slots if is_symbol(slot.value)]
        for leaf, old in self.raw.touched_grads():
            if leaf.grad is not old and not is_symbol(leaf):
                changed.append(Slot(GRADIENT, leaf, "grad", leaf.grad, True))
        for slot in changed:
            if isinstance(slot.value, Tensor) and not is_symbol(slot.value):
                raise TraceError("a gradient is set to a tensor from outside the function; clone() it first")
            if isinstance(slot.value, Tensor) and slot.value.grad_fn is not None:
                raise TraceError(
                    f"the tensor that is kept as {slot.key!r} requires a gradient through this call; "
                    "detach() it before it is kept"
                )
        return changed

    @property
    def is_repeatable(self) -> bool:
        """Whether a later call can make the same changes: in containers that were there before."""
        return all(
            slot.kind == GRADIENT or id(slot.container) in self.before.containers for slot in self.changed
        )

    def argument_gradients(self) -> list[tuple[int, Tensor]]:
        """The gradients that the function has computed of its arguments."""
        return [(i, p.grad) for i, p in enumerate(self.placeholders) if is_symbol(p.grad)]

    def guards(self) -> list[tuple[int, Any, Any, Any]]:
        """The slots, with their values before the trace, that a later call has to find the same."""
        after = {slot.place: slot.value for slot in self.after.slots}
        known = {slot.place for slot in self.before.slots}
        touched = self._touched_storages()
        self.has_side_effects = False
        guards = []
        for slot in self.before.slots:
            now = after.get(slot.place, MISSING)
            # A side effect on a plain value, say a count of calls, happens while tracing and never again.
            side_effect = now is not slot.value and not isinstance(slot.value, Tensor) and not is_symbol(now)
            if side_effect or self.rates.covers(slot):
                self.has_side_effects |= side_effect
                continue
            if is_guarded(slot, self._names, lambda t: _C._storage_key(t) in touched):
                guards.append((slot.kind, slot.container, slot.key, slot.value))
        new = (s for s in self.changed if s.kind != GRADIENT and s.place not in known)
        guards += [(slot.kind, slot.container, slot.key, MISSING) for slot in new]
        grads = self.raw.touched_grads()
        return guards + [(GRADIENT, leaf, "grad", grad) for leaf, grad in grads if not is_symbol(leaf)]

    def _touched_storages(self) -> set[int]:
        return {_C._storage_key(self.raw.external_tensor(e)) for e in self.raw.externals()}

    def undo(self) -> None:
        """Put what Python holds back to what it was before."""
        for leaf, grad in self.raw.touched_grads():
            leaf.grad = grad
        before = {slot.place: slot for slot in self.before.slots}
        now = Walk(self._roots)
        for slot in now.slots:
            if is_symbol(slot.value):
                slot.assign(before[slot.place].value if slot.place in before else MISSING)
        places = {slot.place: slot.value for slot in now.slots}
        for place, slot in before.items():
            if isinstance(slot.value, Tensor) and places.get(place) is not slot.value:
                slot.assign(slot.value)


_RECORDED_ARGUMENT = (
    "a compiled function cannot write in place to an argument that an operation with gradients has "
    "made; write to a clone() of it and return that"
)


def writes_to_recorded(error: BaseException, leaves: list[Tensor]) -> bool:
    """Whether this is the error of writing to a leaf, while the argument itself is none."""
    recorded = any(t.requires_grad and not t.is_leaf for t in leaves)
    return recorded and isinstance(error, RuntimeError) and "a leaf Variable" in str(error)


def _located(message: object, error: BaseException) -> TraceError:
    """The message with the line of the user's program that the error comes from."""
    import linecache  # here, to keep the first `mlx.jit` quick
    import traceback

    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith(_PACKAGE):
            line = linecache.getline(frame.filename, frame.lineno or 0).strip()
            where = f'File "{frame.filename}", line {frame.lineno}, in {frame.name}'
            return TraceError(f"{message}\n  {where}\n    {line}")
    return TraceError(str(message))

"""A compiled program of a function, and what a call of it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx import _C, autograd
from mlx._C import Tensor
from mlx._C import _TraceError as TraceError
from mlx.autograd.function import Function
from mlx.compiler.closure import GRADIENT
from mlx.compiler.higher_order import RecordedBackward, RecordedCall, obstacle
from mlx.compiler.trace import Trace, is_symbol
from mlx.compiler.tree import unflatten


class SharedMemoryError(Exception):
    """A program writes to tensors that share memory, which it did not when it was traced."""


class Program:
    """What runs when a function is called with arguments of certain layouts, in a certain state.

    A call has four kinds of inputs: the storages of its arguments, learning rates, tensors that the function
    reaches by closure, and constants; and four kinds of results: what the function returns, what it leaves in
    Python's slots, gradients of its arguments, and what its backward pass will need.
    """

    def __init__(self, function: Callable, spec: Any, leaves: list[Tensor]) -> None:
        trace = Trace(function, spec, leaves)
        try:
            self._compile(trace)
        except BaseException:
            trace.undo()
            raise
        self.recorded_backward = RecordedBackward(function, spec, trace.needed, trace.differentiable)
        self._symbols = [slot.value if is_symbol(slot.value) else None for slot in self.changed]
        self._undo: Callable | None = trace.undo

    def _compile(self, trace: Trace) -> None:
        raw = trace.raw
        self.is_repeatable = trace.is_repeatable
        self.changed, self.rates, self._required = trace.changed, trace.rates, trace.required
        self.guards = _C._Guards(trace.guards())
        self.has_side_effects = trace.has_side_effects
        # The externals as numbers of the guards; -1 for those that no slot holds.
        self._externals = [self.guards.with_storage_of(raw.external_tensor(e)) for e in raw.externals()]
        self._reached = [self.guards.number_of(t) for t in trace.reached]
        self._reached_fixed = [
            t if n < 0 else None for t, n in zip(trace.reached, self._reached, strict=True)
        ]
        self._describe_results(trace)
        self._compile_passes(trace)

    def _compile_passes(self, trace: Trace) -> None:
        raw = trace.raw
        # Arguments that share a storage are one input.
        buffers = [raw.buffer(t) for t in trace.placeholders]
        self._arguments = [i for i, b in enumerate(buffers) if b not in buffers[:i]]
        arguments = [buffers[i] for i in self._arguments]
        returned = [t for t in trace.results if is_symbol(t)]
        state = [slot.value for slot in self.changed if is_symbol(slot.value)]
        gradients = trace.argument_gradients()
        self._gradients_of = [i for i, _ in gradients]
        carried = raw.carried_over(trace.mark)
        results = [*returned, *state, *[g for _, g in gradients]]
        self._returned, self._kept = len(returned), len(results)
        inputs = [*arguments, *[raw.buffer(t) for t in trace.rates.symbols]]
        self.forward = raw.compile(0, trace.mark, inputs, results, carried)
        self.forward.forget_external(self._externals)
        self.backward = None
        self.used_up, self._needed = trace.used_up, trace.needed
        if trace.cotangents:
            cotangents = [raw.buffer(t) for t in trace.cotangents]
            present = [g for g in trace.gradients if g is not None]
            self._has_gradient = [g is not None for g in trace.gradients]
            self.backward = raw.compile(trace.mark, raw.mark(), [*carried, *inputs, *cotangents], present)
            self.backward.forget_external(self._externals)
            self._cotangents = len(cotangents)
            self._uses = self.backward.used_inputs()

    def _describe_results(self, trace: Trace) -> None:
        """Where each tensor of the result comes from: an argument, the program, or outside."""
        places = {id(t): i for i, t in enumerate(trace.placeholders)}
        self._result_spec = trace.result_spec
        self._sources: list[tuple[str, Any]] = []
        made = 0
        self._differentiable: list[int] = []  # numbers of what the program returns
        for i, t in enumerate(trace.results):
            if id(t) in places:
                self._sources.append(("argument", places[id(t)]))
            else:
                self._sources.append(("made", made) if is_symbol(t) else ("outside", t))
            if i in trace.differentiable:
                self._differentiable.append(made)
            made += is_symbol(t)

    # ---- calls

    def fits(self) -> bool:
        """Whether what the function reaches is as the program expects it."""
        return self.guards.check() and self.rates.fit()

    def still_fits(self) -> bool:
        """`fits()` between calls, which keeps nothing of what it found."""
        fits = self.fits()
        self.guards.take([], [])
        return fits

    def first_call(self, leaves: list[Tensor]) -> Any:
        """The call that was traced: the tensors that the trace left in Python get their elements."""
        try:
            return self._call(leaves, self._materialize)
        except BaseException:
            self.abandon()
            raise
        finally:
            self._undo = None
            self._symbols = [None] * len(self._symbols)
            for slot in self.changed:
                slot.value = slot.value is not None  # a tensor comes here, or nothing; not which one

    def abandon(self) -> None:
        """Give up the call that was traced."""
        if self._undo is not None:
            self._undo()
            self._undo = None

    def __call__(self, leaves: list[Tensor]) -> Any:
        """A call whose state was found to fit."""
        return self._call(leaves, self._assign)

    def _call(self, leaves: list[Tensor], store: Callable[[list[Tensor]], None]) -> Any:
        reached, externals = self.guards.take(self._reached, self._externals)
        inputs = [*[leaves[i] for i in self._arguments], *self.rates.tensors(), *externals]
        if self.forward.may_interfere(inputs):
            raise SharedMemoryError
        for i, required in self._required.items():
            leaves[i].requires_grad_(required)
        if self.backward is not None:
            needed = [leaves[i] for i in self._needed]
            reached = [t if n is None else n for t, n in zip(reached, self._reached_fixed, strict=True)]
            call = RecordedCall(leaves, reached, inputs)
            rest: list[Tensor] = []
            returned = list(_Recorded.apply(self, call, inputs, rest, *needed, *reached))
        else:
            self._drop_old_gradients()
            outputs = self.forward.run(inputs)
            returned, rest = outputs[: self._returned], outputs[self._returned : self._kept]
            if self.used_up is not None:
                for i in self._differentiable:
                    returned[i] = _refusing(self.used_up, returned[i])
        store(rest)
        for i, grad in zip(self._gradients_of, rest[len(rest) - len(self._gradients_of) :], strict=True):
            autograd.backward([leaves[i]], [grad])
        return self._result(returned, leaves)

    def _drop_old_gradients(self) -> None:
        """Make room for gradients that replace others; those that are read first are among the inputs."""
        if self._undo is None:
            for slot in self.changed:
                if slot.kind == GRADIENT:
                    slot.container.grad = None

    def _materialize(self, rest: list[Tensor]) -> None:
        made = iter(rest)
        for symbol in self._symbols:
            if symbol is not None:
                _C._materialize(symbol, next(made))

    def _assign(self, rest: list[Tensor]) -> None:
        made = iter(rest)
        for slot in self.changed:
            slot.assign(next(made) if slot.value else None)

    def _result(self, returned: list[Tensor], leaves: list[Tensor]) -> Any:
        tensors = [
            leaves[what] if kind == "argument" else returned[what] if kind == "made" else what
            for kind, what in self._sources
        ]
        return unflatten(self._result_spec, iter(tensors))

    # ---- the recorded form

    def run_forward(self, ctx: Any, inputs: list[Tensor], rest: list[Tensor]) -> tuple[Tensor, ...]:
        ctx.program, ctx.starts = self, self.forward.starts()
        outputs = self.forward.run(inputs)
        rest += outputs[self._returned : self._kept]
        returned, carried = outputs[: self._returned], outputs[self._kept :]
        before = [*carried, *inputs[: len(inputs) - len(self._externals)]]
        behind = inputs[len(inputs) - len(self._externals) :]
        # What the backward program reads; the cotangents come between.
        uses = self._uses[: len(before)] + self._uses[len(before) + self._cotangents :]
        ctx.save_for_backward(*[t if u else None for t, u in zip([*before, *behind], uses, strict=True)])
        ctx.before = len(before)
        plain = [t for i, t in enumerate(returned) if i not in self._differentiable]
        ctx.mark_non_differentiable(*plain)
        ctx.differentiable = self._differentiable
        return tuple(returned)

    def run_backward(self, ctx: Any, grads: tuple[Tensor, ...]) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        cotangents = [grads[i].contiguous() for i in ctx.differentiable]
        assert self.backward is not None
        inputs = [*saved[: ctx.before], *cotangents, *saved[ctx.before :]]
        made = iter(self.backward.run(inputs, ctx.starts))
        return tuple(next(made) if present else None for present in self._has_gradient)


class _Recorded(Function):
    """A call on the tape: its backward pass is the compiled one, or one that is recorded itself."""

    @staticmethod
    def forward(
        ctx: Any,
        program: Program,
        call: RecordedCall,
        inputs: list[Tensor],
        rest: list[Tensor],
        *needed: Tensor,
    ) -> Any:
        ctx.call = call
        return program.run_forward(ctx, inputs, rest)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Any:
        if not _C.is_grad_enabled():
            return (None, None, None, None, *ctx.program.run_backward(ctx, grads))
        why = obstacle(ctx.program, ctx.call)
        if why is None:
            cotangents = [grads[i] for i in ctx.differentiable]
            results = ctx.program.recorded_backward(ctx.call, cotangents)
        else:
            with autograd.no_grad():
                results = ctx.program.run_backward(ctx, grads)
            message = _NO_SECOND_DERIVATIVE.format(why)
            results = tuple(None if r is None else _refusing(message, r) for r in results)
        return (None, None, None, None, *results)


_NO_SECOND_DERIVATIVE = (
    "a compiled function has no second derivative here, since {}; to differentiate it twice, call it within "
    "mlx.jit.disabled()"
)


def _refusing(message: str, result: Tensor) -> Tensor:
    """The same tensor as one that requires grad, but whose backward pass raises."""
    return _Refusing.apply(message, result, _C.zeros(0, requires_grad=True))


class _Refusing(Function):
    @staticmethod
    def forward(ctx: Any, message: str, result: Tensor, anchor: Tensor) -> Tensor:
        ctx.message = message
        return result.view_as(result)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        raise RuntimeError(ctx.message)


__all__ = ["Program", "SharedMemoryError", "TraceError"]

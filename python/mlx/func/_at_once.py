"""A function for all samples of a batch at once: traced with one of them, launched for all."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import leaves, rebuilt
from mlx.autograd.function import Function
from mlx.func._batch import Batch, Results
from mlx.func._scope import Scope, gradients

# How many elements of gradients of what samples share a backward pass makes before it adds them up.
_SHARED_GRADIENTS = 1 << 24

Run = Callable[[Callable, Batch], Results]


def all_at_once(func: Callable, batch: Batch, run: Run) -> Results:
    """Call `func` with tensors that stand for one sample, and launch what it launches for the whole batch.

    Args:
        run: runs another function over another batch, in the backward pass.

    Raises:
        TraceError: when the function looks at elements, draws random numbers, or changes more than what it
            returns. Nothing is changed then.
    """
    from mlx.compiler.trace import leaves_behind, writes_to_recorded

    trace = _C._BatchTrace(batch.size)
    recorded = _C.is_grad_enabled()
    placeholders: list[Tensor] = []

    def placeholder(value: Any, dim: int | None) -> Any:
        if not isinstance(value, Tensor):
            return value
        made = trace.placeholder(value, dim).requires_grad_(recorded and value.requires_grad)
        placeholders.append(made)
        return made

    trace.start()
    try:
        result = batch.call(func, placeholder)
    except RuntimeError as error:
        if writes_to_recorded(error, batch.values):
            raise _C._TraceError("vmap: the function writes to an argument that has a history") from None
        raise
    finally:
        trace.stop()
        changed = [(leaf, grad) for leaf, grad in trace.touched_grads() if leaf.grad is not grad]
        for leaf, grad in changed:
            leaf.grad = grad
    found = Results.tensors(result)
    differentiable = [i for i, t in enumerate(found) if t.requires_grad]
    leaks = any(p.grad_fn is not None for p in placeholders) or any(
        found[i].is_leaf and not _C._is_symbol(found[i]) for i in differentiable
    )
    if changed or leaks or trace.draws():
        raise _C._TraceError("vmap: the function changes gradients or histories, or draws random numbers")
    if not differentiable:
        return Results(result, trace.run(found))
    reached = leaves_behind([found[i] for i in differentiable], placeholders, trace.first_node)
    inputs = [v for v in batch.values if isinstance(v, Tensor)]
    plan = _Plan(func, batch, differentiable, run)
    return Results(result, list(_Mapped.apply(plan, trace.run(found), *inputs, *reached)))


class _Plan:
    """What the backward pass of a mapped function needs beside tensors."""

    def __init__(self, func: Callable, batch: Batch, differentiable: list[int], run: Run) -> None:
        self.func, self.batch, self.differentiable, self.run = func, batch, differentiable, run

    def gradients(self, inputs: list[Tensor], needed: list[int], cotangents: list[Tensor]) -> list[Tensor]:
        """Of the inputs with these numbers; inputs are the batch's tensors, then leaves that are reached."""
        places = [i for i, v in enumerate(self.batch.values) if isinstance(v, Tensor)]
        variables = [places[n] for n in needed if n < len(places)]
        reached = [inputs[n] for n in needed if n >= len(places)]

        def pull(args: Any, kwargs: Any, cotangents: list[Tensor]) -> list[Tensor]:
            """The gradients of one sample."""
            values = leaves((args, kwargs))
            scope = Scope([values[i] for i in variables])
            for i, variable in zip(variables, scope.variables, strict=True):
                values[i] = variable
            args, kwargs = rebuilt((args, kwargs), iter(values))
            found = Results.tensors(scope.call(self.func, args, kwargs))
            outputs = [found[i] for i in self.differentiable]
            wanted = [*scope.variables, *reached]
            return gradients(outputs, wanted, cotangents, keep=scope.recording, create_graph=scope.recording)

        batch = copy.copy(self.batch)
        batch.nested = ((*self.batch.nested, cotangents), {})
        batch.values = list(self.batch.values)
        for place, value in zip(places, inputs, strict=False):
            batch.values[place] = value
        batch.values += cotangents
        batch.dims = self.batch.dims + [0] * len(cotangents)
        dims = [batch.dims[i] for i in variables] + [None] * len(reached)
        shared = sum(inputs[n].numel() for n, d in zip(needed, dims, strict=True) if d is None)
        chunk = max(1, _SHARED_GRADIENTS // max(1, shared))
        parts = [self.run(pull, part).columns for part in batch.chunks(chunk)]
        return [_gathered(column, d) for column, d in zip(zip(*parts, strict=True), dims, strict=True)]


def _gathered(parts: tuple[Tensor, ...], dim: int | None) -> Tensor:
    """The gradient of an input from those of the samples: added up where they share it."""
    if dim is None:
        return sum((p.sum(0) for p in parts[1:]), parts[0].sum(0))
    return (parts[0] if len(parts) == 1 else _C.cat(parts)).movedim(0, dim)


class _Mapped(Function):
    """The results of a mapped function; backwards, that is traced with one sample again and run for all."""

    @staticmethod
    def forward(ctx: Any, plan: _Plan, columns: list[Tensor], *inputs: Tensor) -> tuple[Tensor, ...]:
        ctx.plan = plan
        ctx.save_for_backward(*inputs)
        ctx.mark_non_differentiable(*(c for i, c in enumerate(columns) if i not in plan.differentiable))
        return tuple(columns)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        needed = [n for n, needs in enumerate(ctx.needs_input_grad[2:]) if needs]
        cotangents = [grads[i] for i in ctx.plan.differentiable]
        found = dict(zip(needed, ctx.plan.gradients(ctx.saved_tensors, needed, cotangents), strict=True))
        return None, None, *(found.get(n) for n in range(len(ctx.needs_input_grad) - 2))

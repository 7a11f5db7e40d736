"""Derivatives of second and higher order of compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlx import autograd
from mlx._C import Tensor
from mlx.compiler.tree import flatten, unflatten

if TYPE_CHECKING:
    from mlx.compiler.program import Program


class RecordedCall:
    """What a call of a program ran on. While it is unchanged, the call can be computed anew."""

    def __init__(self, leaves: list[Tensor], reached: list[Tensor], inputs: list[Tensor | None]) -> None:
        self.leaves, self.reached = leaves, reached
        self._inputs = [t for t in inputs if t is not None]
        self._versions = [t._version for t in self._inputs]

    def is_unchanged(self) -> bool:
        """Whether no tensor that the program read was written to since."""
        return [t._version for t in self._inputs] == self._versions


class RecordedBackward:
    """The backward pass of a program as a compiled function of the arguments and the results' gradients.

    It does not use what the forward pass kept, but computes it again, so that its own results can be
    differentiated in their turn. Compiled when it is first called.

    Args:
        function, spec: what was traced, and its arguments as `tree.flatten` describes them.
        needed: which tensors of the arguments get gradients, by number.
        differentiable: which tensors of the result pass gradients on, by number.
    """

    def __init__(self, function: Callable, spec: Any, needed: list[int], differentiable: list[int]) -> None:
        self._function, self._spec = function, spec
        self._needed, self._differentiable = needed, differentiable
        self._reached: list[Tensor] = []
        self._compiled: Callable | None = None

    def __call__(self, call: RecordedCall, cotangents: list[Tensor]) -> tuple[Tensor | None, ...]:
        same = [id(t) for t in call.reached] == [id(t) for t in self._reached]
        if self._compiled is None or not same:
            from mlx.compiler.function import jit  # which needs this module

            self._reached = call.reached
            self._compiled = jit(self._backward)
        return self._compiled(call.leaves, cotangents)

    def _backward(self, leaves: list[Tensor], cotangents: list[Tensor]) -> tuple[Tensor | None, ...]:
        args, kwargs = unflatten(self._spec, iter(leaves))
        results: list[Tensor] = []
        flatten(self._function(*args, **kwargs), results)
        outputs = [results[i] for i in self._differentiable]
        inputs = [leaves[i] for i in self._needed] + self._reached
        return autograd.grad(outputs, inputs, cotangents, create_graph=True, allow_unused=True)


def obstacle(program: Program, call: RecordedCall) -> str | None:
    """Why the backward pass of this call cannot be run anew, if it cannot."""
    if program.changed or program.forward.writes or program.has_side_effects:
        return "it changes state"
    if program.forward.draws:
        return "it draws random numbers"
    if not program.still_fits() or not call.is_unchanged():
        return "what it read has changed since the call"
    return None

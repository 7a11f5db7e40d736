"""The inputs of a transformed function as leaves of a tape of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import leaves, mapped
from mlx.autograd.grad_mode import enable_grad


class Scope:
    """One transform of a function: it differentiates with respect to `variables`, fresh tensors that hold
    what the function is called with.

    An input that is itself differentiated further out stays connected to there, and so do tensors that the
    function reaches by closure; results are recorded only when there is such a connection.
    """

    def __init__(self, inputs: Any) -> None:
        self.recording = _C.is_grad_enabled()
        self.variables: list[Tensor] = []
        self.inputs = mapped(self._variable, inputs)
        self._own = {id(v) for v in self.variables}

    def _variable(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if value.requires_grad and self.recording:
            with enable_grad():
                variable = value.view_as(value)
        elif value.dtype.is_floating_point or value.dtype.is_complex:
            variable = value.detach().requires_grad_()
        else:
            raise RuntimeError(f"only floating-point and complex inputs have gradients, not {value.dtype}")
        self.variables.append(variable)
        return variable

    def call(self, function: Callable, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """The function's result, recorded whatever the mode around is."""
        with enable_grad():
            return function(*args, **kwargs)

    def reaches_out(self, outputs: Sequence[Any]) -> bool:
        """Whether what was computed depends on a leaf that is not one of this scope's variables."""
        if not self.recording:
            return False
        stack = [t.grad_fn for t in outputs if isinstance(t, Tensor) and t.grad_fn is not None]
        if any(
            isinstance(t, Tensor) and t.grad_fn is None and t.requires_grad and id(t) not in self._own
            for t in outputs
        ):
            return True
        seen = set(stack)
        while stack:
            for node, _ in stack.pop().next_functions:
                if node is None or node in seen:
                    continue
                seen.add(node)
                if not node.next_functions and id(getattr(node, "variable", None)) not in self._own:
                    return True
                stack.append(node)
        return False

    def released(self, value: Any, outward: bool) -> Any:
        """Results as the caller gets them: without this scope's tape, unless it leads further out."""
        if outward:
            return value
        return mapped(lambda t: t.detach() if isinstance(t, Tensor) else t, value)


def gradients(
    outputs: Sequence[Tensor],
    variables: Sequence[Tensor],
    cotangents: Sequence[Tensor] | None,
    *,
    keep: bool,
    create_graph: bool,
) -> list[Tensor]:
    """Of outputs that may not be recorded at all; zeros where nothing depends on a variable."""
    pairs = [(o, None if cotangents is None else cotangents[i]) for i, o in enumerate(outputs)]
    pairs = [(o, c) for o, c in pairs if o.requires_grad]
    if not pairs:
        return [_C.zeros_like(v) for v in variables]
    with enable_grad():
        found = _C._gradients(
            tuple(o for o, _ in pairs),
            () if cotangents is None else tuple(c for _, c in pairs),
            tuple(variables),
            keep,
            create_graph,
            True,
        )
    return [_C.zeros_like(v) if g is None else g for g, v in zip(found, variables, strict=True)]


def tensors_of(result: Any, name: str) -> list[Tensor]:
    """The leaves of a function's result, which must be tensors."""
    found = leaves(result)
    for leaf in found:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(
                f"{name}: expected the function to return tensors (nested in lists, tuples and dicts), not a "
                f"{type(leaf).__name__}"
            )
    return found


def split_aux(result: Any, has_aux: bool, name: str) -> tuple[Any, Any]:
    """A function's output, and what it returns beside."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(f"{name}: with has_aux=True the function must return a tuple (output, aux)")
    return result

"""autograd.Function: operations whose forward and backward are written in Python."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor


class FunctionContext:
    """What `forward` leaves for `backward`: the `ctx` of a Function's methods."""

    def __init__(self, function: type[Function], needs_input_grad: tuple[bool, ...]) -> None:
        self._function = function
        self.needs_input_grad = needs_input_grad
        self.materialize_grads = True
        self._to_save: tuple = ()
        self._saved: tuple | None = None  # once recorded: what the tape keeps
        self._node: Any = None  # while backward runs
        self._released = False
        self._dirty: tuple = ()
        self._non_differentiable: tuple = ()
        self._input_is_tensor: list[bool] = []
        self._output_count = 1

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for backward; changing one in place before then is detected."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument is {type(t).__name__}"
                )
        self._to_save = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accepted for compatibility; forward mode is not there."""

    @property
    def saved_tensors(self) -> tuple:
        if self._released:
            raise RuntimeError(
                "trying to backward through the graph a second time (or to read saved tensors after they "
                "have been freed); specify retain_graph=True in the first call of backward() or "
                "autograd.grad()"
            )
        if self._saved is None:  # not recorded, or still in forward
            return self._to_save
        return tuple(None if s is None else s.get(self._node) for s in self._saved)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say that forward changed these inputs in place; they must be returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say that these outputs have no gradient."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward sees zeros (the default) or None for outputs that got no gradient."""
        self.materialize_grads = value

    # What the tape calls.

    @property
    def _saves_nothing(self) -> bool:
        return not self._saved

    def _release(self) -> None:
        self._released = True
        self._saved = ()

    def _keep(self, outputs: list) -> None:
        """Hand the saved tensors to the tape: outputs without their history, which would be a cycle."""
        numbers = {id(out): i for i, out in enumerate(outputs)}
        self._saved = tuple(
            None if t is None else _C._SavedTensor(t, numbers.get(id(t), -1)) for t in self._to_save
        )
        self._to_save = ()

    def _run_backward(self, node: Any, *grads: Tensor | None) -> tuple:
        self._node = node
        try:
            results = self._function.backward(self, *grads)
        finally:
            self._node = None
        if not isinstance(results, tuple):
            results = (results,)
        count = len(self.needs_input_grad)
        if len(results) < count or any(r is not None for r in results[count:]):
            raise RuntimeError(
                f"function {self._function.__name__}Backward returned an incorrect number of gradients "
                f"(expected {count}, got {len(results)})"
            )
        for i, r in enumerate(results[:count]):
            if r is not None and not isinstance(r, Tensor):
                raise TypeError(
                    f"function {self._function.__name__}Backward returned "
                    f"{type(r).__name__} as gradient {i}; "
                    "expected a Tensor or None"
                )
        return tuple(r for r, is_tensor in zip(results, self._input_is_tensor, strict=False) if is_tensor)


FunctionCtx = FunctionContext  # PyTorch's name


class Function:
    """An operation with a derivative of its own: subclass it, write `forward` and `backward` as
    static methods, and call `apply`.

    >>> import mlx
    >>> class Cube(mlx.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x**3
    ...
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x**2 * grad
    >>> x = mlx.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the outputs. The first argument is `ctx`, unless the class defines `setup_context`."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Any) -> None:
        """Fill `ctx` after a `forward` that does not take it."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradient of each input of `forward`, from those of its outputs."""
        raise NotImplementedError("You must implement the backward function for custom autograd.Function.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(f"{type(self).__name__} should not be instantiated; call its static method apply")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Run `forward` and record the function on the tape."""
        is_tensor = [isinstance(a, Tensor) for a in args]
        needs = tuple(t and a.requires_grad for a, t in zip(args, is_tensor, strict=True))
        ctx = FunctionContext(cls, needs)
        ctx._input_is_tensor = is_tensor
        recording = _C.is_grad_enabled() and any(needs)
        outputs = cls._run_forward(ctx, args)
        single = not isinstance(outputs, tuple)
        results = [outputs] if single else list(outputs)
        if recording:
            results = cls._record(ctx, args, results)
        return results[0] if single else tuple(results)

    @classmethod
    def _run_forward(cls, ctx: FunctionContext, args: tuple) -> Any:
        before = _C.is_grad_enabled()
        _C._set_grad_enabled(False)
        try:
            if cls.setup_context is Function.setup_context:
                return cls.forward(ctx, *args)
            outputs = cls.forward(*args)
            cls.setup_context(ctx, args, outputs)
            return outputs
        finally:
            _C._set_grad_enabled(before)

    @classmethod
    def _record(cls, ctx: FunctionContext, args: tuple, outputs: list) -> list:
        inputs = [a for a in args if isinstance(a, Tensor)]
        ids = {id(t) for t in inputs}
        dirty = {id(t) for t in ctx._dirty}
        plain = {id(t) for t in ctx._non_differentiable}
        results: list = []
        for out in outputs:
            if not isinstance(out, Tensor) or id(out) in plain:
                results.append(out.detach() if isinstance(out, Tensor) and id(out) in ids else out)
            elif id(out) in dirty and out.is_leaf and out.requires_grad:
                raise RuntimeError(
                    "a leaf Variable that requires grad is being used in an in-place operation."
                )
            elif id(out) in ids and id(out) not in dirty:
                results.append(
                    out.view_as(out).detach()
                )  # an input returned as it is: another tensor, same memory
            else:
                results.append(out)
        recorded = [r if isinstance(r, Tensor) and id(r) not in plain else None for r in results]
        ctx._keep(outputs)
        ctx._output_count = len(outputs)
        _C._set_python_history(ctx, f"{cls.__name__}Backward", inputs, recorded)
        return results


def once_differentiable(backward: Callable) -> Callable:
    """Decorates a `backward` that is not itself differentiable: a second derivative raises."""

    @functools.wraps(backward)
    def wrapper(ctx: FunctionContext, *grads: Tensor | None) -> Any:
        before = _C.is_grad_enabled()
        _C._set_grad_enabled(False)
        try:
            results = backward(ctx, *grads)
        finally:
            _C._set_grad_enabled(before)
        if not before or not any(g is not None and g.requires_grad for g in grads):
            return results
        single = not isinstance(results, tuple)
        refused = tuple(
            _NotDifferentiable.apply(r, *grads) if isinstance(r, Tensor) else r
            for r in ((results,) if single else results)
        )
        return refused[0] if single else refused

    return wrapper


class _NotDifferentiable(Function):
    """The identity, whose backward raises."""

    @staticmethod
    def forward(ctx: Any, result: Tensor, *grads: Any) -> Tensor:
        return result.clone()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )

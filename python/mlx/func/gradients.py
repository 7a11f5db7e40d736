"""Gradients, and products with Jacobians from either side."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import leaves, rebuilt
from mlx.autograd.grad_mode import enable_grad
from mlx.func._scope import Scope, gradients, split_aux, tensors_of

__all__ = ["grad", "grad_and_value", "jvp", "linearize", "vjp"]

Argnums = int | tuple[int, ...]


def chosen(args: tuple, argnums: Argnums, name: str) -> tuple[int, ...]:
    """The positions that `argnums` names, from the front."""
    wanted = (argnums,) if isinstance(argnums, int) else tuple(argnums)
    for n in wanted:
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"{name}: argnums={argnums}, but {len(args)} positional arguments were given")
    return tuple(n % len(args) for n in wanted)


def with_replaced(args: tuple, positions: tuple[int, ...], values: Any) -> list[Any]:
    """`args`, with other values at some positions."""
    changed = list(args)
    for position, value in zip(positions, values, strict=True):
        changed[position] = value
    return changed


def grad_and_value(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """A function that computes the gradient of a scalar function, and its value.

    Args:
        func: returns a tensor of one element; with `has_aux`, beside it anything else.
        argnums: the positional argument, or several, that the gradient is taken for; each may be nested.
        has_aux: whether `func` returns a pair (output, aux).

    Returns:
        A function of the same arguments that returns (gradient, value), or (gradient, (value, aux)).

    >>> import mlx
    >>> mlx.func.grad_and_value(lambda x: x**3)(mlx.tensor(2.0))
    (tensor(12.), tensor(8.))
    """

    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        positions = chosen(args, argnums, "grad")
        scope = Scope([args[p] for p in positions])
        result = scope.call(func, with_replaced(args, positions, scope.inputs), kwargs)
        output, aux = split_aux(result, has_aux, "grad")
        if not isinstance(output, Tensor):
            raise RuntimeError(f"grad: expected the function to return a Tensor, not {type(output).__name__}")
        if output.numel() != 1 or output.dim():
            raise RuntimeError(
                "grad: expected the function to return a scalar tensor, not one of shape "
                f"{tuple(output.shape)}"
            )
        outward = scope.reaches_out([output, *leaves(aux)])
        found = gradients([output], scope.variables, None, keep=outward, create_graph=outward)
        made = rebuilt(scope.inputs, iter(found))
        value, aux = scope.released((output, aux), outward)
        return made[0] if isinstance(argnums, int) else tuple(made), (value, aux) if has_aux else value

    return transformed


def grad(func: Callable, argnums: Argnums = 0, has_aux: bool = False) -> Callable:
    """A function that computes the gradient of a scalar function; see `grad_and_value`.

    Returns:
        A function of the same arguments that returns the gradient, or (gradient, aux).

    >>> import mlx
    >>> mlx.func.grad(mlx.func.grad(mlx.sin))(mlx.tensor(0.5)) == -mlx.sin(mlx.tensor(0.5))
    tensor(True)
    """
    compute = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        found, value = compute(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return transformed


def vjp(func: Callable, *primals: Any, has_aux: bool = False) -> Any:
    """The value of a function, and a function that multiplies cotangents with its Jacobian.

    Args:
        func: returns tensors; with `has_aux`, a pair (output, aux).
        primals: its arguments.

    Returns:
        (output, vjp_fn), or (output, vjp_fn, aux). `vjp_fn` takes cotangents of the structure of the output
        and returns a tuple with the gradient of each primal.

    >>> import mlx
    >>> value, pull = mlx.func.vjp(lambda x: x * x, mlx.tensor([1.0, 2.0]))
    >>> pull(mlx.tensor([1.0, 10.0]))
    (tensor([ 2., 40.]),)
    """
    scope = Scope(list(primals))
    output, aux = split_aux(scope.call(func, scope.inputs, {}), has_aux, "vjp")
    outputs = tensors_of(output, "vjp")
    outward = scope.reaches_out([*outputs, *leaves(aux)])

    def pull(*cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        given = leaves(cotangents[0] if len(cotangents) == 1 else cotangents)
        if len(given) != len(outputs):
            raise RuntimeError(f"vjp: got {len(given)} cotangents for {len(outputs)} outputs")
        for g, o in zip(given, outputs, strict=True):
            if g.shape != o.shape:
                raise RuntimeError(
                    f"vjp: a cotangent of shape {tuple(g.shape)} does not fit an output of {tuple(o.shape)}"
                )
        recorded = _C.is_grad_enabled() and (outward or any(g.requires_grad for g in given))
        if create_graph is not None:
            recorded = create_graph
        found = gradients(outputs, scope.variables, given, keep=retain_graph, create_graph=recorded)
        return tuple(rebuilt(scope.inputs, iter(found)))

    value, aux = scope.released((output, aux), outward)
    return (value, pull, aux) if has_aux else (value, pull)


def _pushforward(scope: Scope, outputs: list[Tensor]) -> Callable[[list[Tensor], bool, bool], list[Tensor]]:
    """Multiplies tangents with the Jacobian: the gradient of the linear map from cotangents to gradients."""
    with enable_grad():
        dummies = [_C.zeros_like(o).requires_grad_() for o in outputs]
    pulled = gradients(outputs, scope.variables, dummies, keep=True, create_graph=True)

    def push(tangents: list[Tensor], keep: bool, create_graph: bool) -> list[Tensor]:
        return gradients(pulled, dummies, tangents, keep=keep, create_graph=create_graph)

    return push


def _checked_tangents(primals: list[Tensor], tangents: Any) -> list[Tensor]:
    given = leaves(tangents)
    if len(given) != len(primals):
        raise RuntimeError(f"jvp: got {len(given)} tangents for {len(primals)} primals")
    for p, t in zip(primals, given, strict=True):
        if p.shape != t.shape:
            raise RuntimeError(
                f"jvp: a tangent of shape {tuple(t.shape)} does not fit a primal of {tuple(p.shape)}"
            )
    return given


def jvp(func: Callable, primals: Any, tangents: Any, *, strict: bool = False, has_aux: bool = False) -> Any:
    """The value of a function, and the product of its Jacobian with tangents.

    It is computed by two backward passes, so every operation of the function must be differentiable twice.

    Args:
        func: returns tensors; with `has_aux`, a pair (output, aux).
        primals: a tuple of its arguments.
        tangents: a tuple of the same structure.
        strict: accepted for compatibility.

    Returns:
        (output, tangent of the output), or with a third element aux.

    >>> import mlx
    >>> mlx.func.jvp(mlx.sin, (mlx.tensor(0.0),), (mlx.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError("jvp: primals and tangents must be tuples, with one element an argument")
    scope = Scope(list(primals))
    given = _checked_tangents(scope.variables, tangents)
    output, aux = split_aux(scope.call(func, scope.inputs, {}), has_aux, "jvp")
    outputs = tensors_of(output, "jvp")
    outward = scope.reaches_out([*outputs, *given, *leaves(aux)])
    pushed = _pushforward(scope, outputs)(given, outward, outward)
    value, aux, tangent = scope.released((output, aux, rebuilt(output, iter(pushed))), outward)
    return (value, tangent, aux) if has_aux else (value, tangent)


def linearize(func: Callable, *primals: Any) -> tuple[Any, Callable]:
    """The value of a function, and its linear approximation there: a function of tangents.

    >>> import mlx
    >>> value, slope = mlx.func.linearize(lambda x: x**2, mlx.tensor(3.0))
    >>> slope(mlx.tensor(1.0)), slope(mlx.tensor(2.0))
    (tensor(6.), tensor(12.))
    """
    scope = Scope(list(primals))
    output = scope.call(func, scope.inputs, {})
    outputs = tensors_of(output, "linearize")
    outward = scope.reaches_out(outputs)
    push = _pushforward(scope, outputs)

    def linear(*tangents: Any) -> Any:
        given = _checked_tangents(scope.variables, tangents)
        recorded = outward or any(t.requires_grad for t in given)
        return scope.released(rebuilt(output, iter(push(given, True, recorded))), recorded)

    return scope.released(output, outward), linear

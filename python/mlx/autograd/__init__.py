"""Automatic differentiation: gradients, custom functions, checks against finite differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx.autograd.anomaly_mode import detect_anomaly, set_detect_anomaly
from mlx.autograd.function import Function, once_differentiable
from mlx.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    no_grad,
    set_grad_enabled,
    set_multithreading_enabled,
)
from mlx.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from mlx.autograd.variable import Variable

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "no_grad",
    "once_differentiable",
    "set_detect_anomaly",
    "set_grad_enabled",
    "set_multithreading_enabled",
]


def __getattr__(name: str) -> Any:
    if name in ("forward_ad", "functional", "graph", "profiler"):
        import importlib

        return importlib.import_module(f"mlx.autograd.{name}")
    raise AttributeError(f"module 'mlx.autograd' has no attribute {name!r}")


Tensors = Tensor | Sequence[Tensor]


def _as_tuple(tensors: Tensors | None) -> tuple:
    if tensors is None:
        return ()
    return (tensors,) if isinstance(tensors, Tensor) else tuple(tensors)


def _check_cotangents(tensors: tuple, grads: tuple, name: str) -> None:
    if grads and len(grads) != len(tensors):
        raise RuntimeError(f"got {len(tensors)} tensors and {len(grads)} gradients")
    for i, g in enumerate(grads):
        if g is not None and not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but {name}[{i}] is {type(g).__name__}")


def backward(
    tensors: Tensors,
    grad_tensors: Tensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Tensors | None = None,
    inputs: Tensors | None = None,
) -> None:
    """Add the gradients of `tensors` to the `.grad` of the leaves they were made from.

    A missing cotangent means ones: the gradient of the sum of all elements.

    Args:
        tensors: what to differentiate.
        grad_tensors: a cotangent of the same shape for each.
        retain_graph: keep what the pass needs, for another one (default: `create_graph`).
        create_graph: record the pass itself, for derivatives of derivatives.
        grad_variables: the old name of `grad_tensors`.
        inputs: accumulate into these tensors only.

    Raises:
        RuntimeError: when a tensor requires no gradient, or its graph was freed by an earlier pass.

    >>> import mlx
    >>> x = mlx.tensor([1.0, 2.0], requires_grad=True)
    >>> mlx.autograd.backward([x * x])
    >>> x.grad
    tensor([2., 4.])
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError("grad_tensors and grad_variables are two names of one argument; give one")
        grad_tensors = grad_variables
    roots, grads = _as_tuple(tensors), _as_tuple(grad_tensors)
    _check_cotangents(roots, grads, "grad_tensors")
    targets = _as_tuple(inputs)
    if inputs is not None and not targets:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    keep = create_graph if retain_graph is None else retain_graph
    _C._run_backward(roots, grads, targets, keep, create_graph)


def grad(
    outputs: Tensors,
    inputs: Tensors,
    grad_outputs: Tensors | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple:
    """The gradients of `outputs` with respect to `inputs`, without touching any `.grad`.

    Args:
        outputs: what to differentiate.
        inputs: with respect to what.
        grad_outputs: a cotangent for each output; missing ones are ones.
        retain_graph: keep what the pass needs, for another one (default: `create_graph`).
        create_graph: record the pass itself, for derivatives of derivatives.
        only_inputs: must be True: gradients of other leaves are not accumulated.
        allow_unused: give None for inputs that the outputs do not depend on, rather than raise.
        is_grads_batched: the cotangents have a leading dimension, and so have the results.
        materialize_grads: give zeros in place of None.

    >>> import mlx
    >>> x = mlx.tensor(3.0, requires_grad=True)
    >>> mlx.autograd.grad(x**3, x)
    (tensor(27.),)
    """
    roots, wanted, grads = _as_tuple(outputs), _as_tuple(inputs), _as_tuple(grad_outputs)
    _check_cotangents(roots, grads, "grad_outputs")
    if not only_inputs:
        raise ValueError("only_inputs=False is not supported; use backward() to accumulate gradients")
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True")
    if not wanted:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    keep = create_graph if retain_graph is None else retain_graph
    unused = bool(allow_unused) or materialize_grads
    if is_grads_batched:
        return _batched_grad(roots, wanted, grads, keep, create_graph, unused)
    results = _C._gradients(roots, grads, wanted, keep, create_graph, unused)
    if materialize_grads:
        results = tuple(_C.zeros_like(x) if g is None else g for g, x in zip(results, wanted, strict=True))
    return results


def _batched_grad(
    roots: tuple, wanted: tuple, grads: tuple, keep: bool, create_graph: bool, unused: bool
) -> tuple:
    """One pass for each row of the cotangents; the results are stacked."""
    count = next(len(g) for g in grads if g is not None)
    passes = [
        _C._gradients(
            roots,
            tuple(None if g is None else g[i] for g in grads),
            wanted,
            keep or i + 1 < count,
            create_graph,
            unused,
        )
        for i in range(count)
    ]
    return tuple(None if rows[0] is None else _C.stack(rows) for rows in zip(*passes, strict=True))

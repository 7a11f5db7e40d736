"""Matrices of derivatives."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import leaves, rebuilt
from mlx.func._scope import Scope, gradients, split_aux, tensors_of
from mlx.func.gradients import Argnums, chosen, with_replaced
from mlx.func.vectorize import vmap

__all__ = ["hessian", "jacfwd", "jacrev"]


# How many elements of cotangents, or of gradients, a backward pass for several rows may have.
_ELEMENTS_AT_ONCE = 1 << 24


def jacobian_of(
    pull: Callable[[Tensor], Sequence[Tensor]],
    output: Tensor,
    inputs: Sequence[Tensor],
    chunk_size: int | None = None,
) -> list[Tensor]:
    """The Jacobian of an output with respect to each input, many rows at once.

    Args:
        pull: gives the gradients of the inputs for a cotangent of the output's shape.
        chunk_size: how many rows at a time; as many as fit into 64 MB of float32 unless given.
    """
    size = output.numel()
    if not size:
        return [_C.zeros((*output.shape, *x.shape), dtype=x.dtype, device=x.device) for x in inputs]
    longest = max([size, *(x.numel() for x in inputs)])
    chunk = min(size, chunk_size or max(1, _ELEMENTS_AT_ONCE // longest))
    parts = []
    for start in range(0, size, chunk):
        basis = _C.zeros((min(chunk, size - start), size), dtype=output.dtype, device=output.device)
        basis.diagonal(start).fill_(1)
        parts.append(vmap(pull)(basis.view((-1, *output.shape))))
    return [_C.cat([part[k] for part in parts]).view((*output.shape, *x.shape)) for k, x in enumerate(inputs)]


def _check_real(tensors: list[Any], what: str) -> None:
    for t in tensors:
        if t.is_complex():
            raise RuntimeError(f"jacrev: expected real {what}, as a Jacobian is real, not {t.dtype}")


def jacrev(
    func: Callable,
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable:
    """A function that computes the Jacobian of a function, by backward passes for the elements of the output.

    Args:
        func: returns tensors; with `has_aux`, a pair (output, aux).
        argnums: the positional argument, or several, that derivatives are taken for.
        has_aux: whether to return aux beside the Jacobian.
        chunk_size: how many rows of a Jacobian to compute at a time.

    Returns:
        A function of the same arguments. Its result has the structure of the output, and within it that of
        the argument; each leaf has the shape of the output's leaf followed by the argument's.

    >>> import mlx
    >>> mlx.func.jacrev(lambda x: x * x)(mlx.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"jacrev: chunk_size must be positive, not {chunk_size}")

    @functools.wraps(func)
    def transformed(*args: Any, **kwargs: Any) -> Any:
        positions = chosen(args, argnums, "jacrev")
        scope = Scope([args[p] for p in positions])
        result = scope.call(func, with_replaced(args, positions, scope.inputs), kwargs)
        output, aux = split_aux(result, has_aux, "jacrev")
        outputs = tensors_of(output, "jacrev")
        _check_real(scope.variables, "inputs")
        _check_real(outputs, "outputs")
        outward = scope.reaches_out([*outputs, *leaves(aux)])

        def arranged(jacobian: list[Tensor]) -> Any:
            made = rebuilt(scope.inputs, iter(jacobian))
            return made[0] if isinstance(argnums, int) else tuple(made)

        def rows(output: Tensor) -> list[Tensor]:
            def pull(cotangent: Tensor) -> list[Tensor]:
                return gradients([output], scope.variables, [cotangent], keep=True, create_graph=outward)

            return jacobian_of(pull, output, scope.variables, chunk_size)

        found = rebuilt(output, iter([arranged(rows(o)) for o in outputs]))
        found, aux = scope.released((found, aux), outward)
        return (found, aux) if has_aux else found

    return transformed


def jacfwd(
    func: Callable,
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable:
    """A function that computes the Jacobian of a function; see `jacrev`, which does the work.

    Args:
        randomness: accepted for compatibility; the function runs once.

    >>> import mlx
    >>> mlx.func.jacfwd(mlx.sin)(mlx.tensor(0.0))
    tensor(1.)
    """
    return jacrev(func, argnums, has_aux=has_aux)


def hessian(func: Callable, argnums: Argnums = 0) -> Callable:
    """A function that computes the matrix of second derivatives, `jacfwd(jacrev(func))`.

    >>> import mlx
    >>> mlx.func.hessian(lambda x: (x**3).sum())(mlx.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)

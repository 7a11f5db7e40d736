"""Functions of the top level that deal in Python objects."""

from __future__ import annotations

from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._out import takes_out

__all__ = [
    "chain_matmul",
    "einsum",
    "is_complex",
    "is_floating_point",
    "is_tensor",
    "numel",
    "tensordot",
    "typename",
]


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floating-point numbers."""
    return input.dtype.is_floating_point


def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex numbers."""
    return input.dtype.is_complex


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


def typename(obj: Any) -> str:
    """The name of an object's type, as PyTorch spells it."""
    return f"{type(obj).__module__}.{type(obj).__qualname__}"


def einsum(*args: Any) -> Tensor:
    """Sums of products over named dimensions.

    Args:
        equation: such as "ij,jk->ik": the dimensions of each operand, and of the result.
        operands: the tensors, one after the other or as one list. Or operands and lists of dimension
            numbers by turns, the last list for the result.

    Raises:
        RuntimeError: when the equation does not fit the operands.

    >>> import mlx
    >>> mlx.einsum("ij,jk->ik", mlx.ones(2, 3), mlx.ones(3, 2))
    tensor([[3., 3.],
            [3., 3.]])
    """
    if len(args) < 2:
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    if isinstance(args[0], Tensor):
        return _einsum_by_numbers(args)
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = list(operands[0])
    return _C._einsum(equation, operands)


def _einsum_by_numbers(args: tuple) -> Tensor:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

    def labels(sublist: Any) -> str:
        return "".join("..." if n is Ellipsis else letters[n] for n in sublist)

    pairs = len(args) // 2 * 2
    equation = ",".join(labels(s) for s in args[1:pairs:2])
    if len(args) > pairs:
        equation += "->" + labels(args[-1])
    return _C._einsum(equation, list(args[0:pairs:2]))


@takes_out
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Sums of products over paired dimensions of two tensors.

    Args:
        a, b: the tensors.
        dims: how many of `a`'s last dimensions pair with `b`'s first, or two lists of dimensions.

    >>> import mlx
    >>> mlx.tensordot(mlx.ones(2, 3), mlx.ones(3, 4), 1).shape
    mlx.Size([2, 4])
    """
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        left, right = list(range(-dims, 0)), list(range(dims))
    else:
        left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    return _C._tensordot(a, b, left, right)


def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of several matrices."""
    product = matrices[0]
    for m in matrices[1:]:
        product = product @ m
    return product

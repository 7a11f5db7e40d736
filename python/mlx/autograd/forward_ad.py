"""Tangents: derivatives that travel along with a computation, from its inputs to its results.

What a dual tensor goes through is recorded as for a backward pass; `unpack_dual` then differentiates that
pass, which gives the product of the Jacobian with the tangents. So a dual tensor requires a gradient, every
operation must be differentiable twice, and what runs under `no_grad` has no tangent.

>>> import mlx
>>> from mlx.autograd import forward_ad as fwd
>>> with fwd.dual_level():
...     x = fwd.make_dual(mlx.tensor([1.0, 2.0]), mlx.tensor([1.0, 10.0]))
...     y = fwd.unpack_dual(x**2)
>>> y.primal, y.tangent
(tensor([1., 4.]), tensor([ 2., 40.]))
"""

from __future__ import annotations

from typing import Any, NamedTuple

from mlx import _C
from mlx._C import Tensor
from mlx.autograd.grad_mode import enable_grad

__all__ = [
    "UnpackedDualTensor",
    "dual_level",
    "enter_dual_level",
    "exit_dual_level",
    "make_dual",
    "unpack_dual",
]


class UnpackedDualTensor(NamedTuple):
    """A tensor and its tangent, None where it has none."""

    primal: Tensor
    tangent: Tensor | None


class _Level:
    """The dual tensors that were made within one context."""

    def __init__(self) -> None:
        self.variables: list[Tensor] = []  # where recording of each begins
        self.tangents: list[Tensor] = []
        self.outward = False  # whether a primal or tangent is differentiated by somebody else, too


_levels: list[_Level] = []


def enter_dual_level() -> int:
    """Begin a level of dual tensors; its number, 0. RuntimeError within another."""
    if _levels:
        raise RuntimeError(
            "Nested forward mode AD is not supported: leave the level around this one, or use mlx.func.jvp"
        )
    _levels.append(_Level())
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level, and with it all its tangents. RuntimeError where there is none."""
    if not _levels or level not in (None, 0):
        raise RuntimeError(f"Trying to exit a forward AD level that was not entered: {level}")
    _levels.pop()


class dual_level:
    """A context within which tensors may have tangents; see `make_dual`."""

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc: object) -> None:
        exit_dual_level()


def _checked(tensor: Any, tangent: Any) -> None:
    for name, value in (("tensor", tensor), ("tangent", tangent)):
        if not isinstance(value, Tensor):
            raise TypeError(f"make_dual(): {name} must be a Tensor, not {type(value).__name__}")
        if not (value.is_floating_point() or value.is_complex()):
            raise ValueError(
                f"make_dual(): expected {name} to be floating point or complex, but got {value.dtype}"
            )
    if tensor.shape != tangent.shape or tensor.dtype != tangent.dtype:
        raise RuntimeError(
            f"make_dual(): a tangent of shape {tuple(tangent.shape)} and {tangent.dtype} does not fit a "
            f"tensor of shape {tuple(tensor.shape)} and {tensor.dtype}"
        )


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """A copy of `tensor` that has a tangent, of the same shape and dtype.

    Raises:
        RuntimeError: outside of a level, where nothing is recorded, or when shapes or dtypes differ.
        ValueError: for integers.
    """
    if not _levels or level not in (None, 0):
        raise RuntimeError(
            "make_dual(): there is no level to make a dual tensor for; enter forward_ad.dual_level() first"
        )
    if not _C.is_grad_enabled():
        raise RuntimeError("make_dual(): tangents need what runs to be recorded; leave no_grad() first")
    _checked(tensor, tangent)
    here = _levels[-1]
    here.outward |= tensor.requires_grad or tangent.requires_grad
    variable = tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
    here.variables.append(variable)
    here.tangents.append(tangent)
    return variable.clone()


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """A tensor and its tangent, which is None for what does not depend on a dual tensor of this level."""
    if not _levels or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    here = _levels[-1]
    with enable_grad():
        cotangent = _C.zeros_like(tensor).requires_grad_()
        pulled = _C._gradients([tensor], [cotangent], here.variables, True, True, True)
    reached = [(p, t) for p, t in zip(pulled, here.tangents, strict=True) if p is not None]
    if not reached:
        return UnpackedDualTensor(tensor, None)
    primal = tensor if here.outward else tensor.detach()
    return UnpackedDualTensor(primal, _pushed(cotangent, reached, here.outward))


def _pushed(cotangent: Tensor, reached: list[tuple[Tensor, Tensor]], outward: bool) -> Tensor:
    """The tangent: gradients are linear in the cotangent, and this is what they multiply tangents by."""
    linear = [(p, t) for p, t in reached if p.requires_grad]
    found = None
    if linear:
        roots, tangents = zip(*linear, strict=True)
        (found,) = _C._gradients(roots, tangents, [cotangent], True, outward, True)
    return _C.zeros_like(cotangent) if found is None else found

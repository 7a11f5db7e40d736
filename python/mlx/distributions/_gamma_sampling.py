"""Samples of the standard gamma distribution, and their derivative by the concentration."""

from __future__ import annotations

from typing import Any

import mlx
from mlx._C import Tensor
from mlx.autograd.function import Function, once_differentiable

__all__ = ["standard_gamma"]

# From this concentration on the derivative comes from an expansion around the normal distribution; its error
# is of the order of the concentration to the power -2.
LARGE = 1000.0
TINY = 1e-300  # the least sample in double precision: its logarithm is finite


def _draw(concentration: Tensor) -> Tensor:
    """The rejection method of Marsaglia and Tsang (2000), all elements at once, in double precision.

    A concentration below 1 is raised by 1, and the sample multiplied by a power of a uniform number.
    """
    small = concentration < 1
    d = mlx.where(small, concentration + 1, concentration) - 1 / 3
    c = 1 / (9 * d).sqrt()
    result = mlx.zeros_like(d)
    open_ = mlx.ones_like(d, dtype=mlx.bool)
    while bool(open_.any()):
        x = mlx.randn_like(d)
        v = (1 + c * x) ** 3
        u = mlx.rand_like(d)
        below = mlx.log(u) < 0.5 * x * x + d - d * v + d * mlx.log(v.clamp(min=TINY))
        accepted = open_ & (v > 0) & below
        result = mlx.where(accepted, d * v, result)
        open_ = open_ & ~accepted
    lift = mlx.where(small, mlx.log(1 - mlx.rand_like(d)) / concentration, 0.0).exp()
    return (result * lift).clamp(min=TINY)


def _derivative(x: Tensor, a: Tensor) -> Tensor:
    """How a sample moves with its concentration when its quantile stays: -(dP/da) / (dP/dx).

    Implicit reparameterisation (Figurnov, Mohamed and Mnih, 2018), with dP/da from the series
    P(a, x) = sum of x^(a+n) e^-x / Gamma(a+n+1), differentiated term by term.
    """
    moderate = a.clamp(max=LARGE)
    at = mlx.where(a < LARGE, x, moderate)
    ratio = at / moderate  # of the n-th term to the density
    weight = mlx.log(at) - mlx.digamma(moderate + 1)
    total = ratio * weight
    n = 1
    while bool((ratio * (weight.abs() + 1) > 1e-17 * total.abs().clamp(min=TINY)).any()):
        ratio = ratio * at / (moderate + n)
        weight = weight - 1 / (moderate + n)
        total = total + ratio * weight
        n += 1
    return mlx.where(a < LARGE, -total, _derivative_of_large(x, a.clamp(min=LARGE)))


def _derivative_of_large(x: Tensor, a: Tensor) -> Tensor:
    """The same from the expansion of Cornish and Fisher, at the quantile z of Wilson and Hilferty (1931)."""
    z = ((x / a) ** (1 / 3) - 1 + 1 / (9 * a)) * 3 * a.sqrt()
    return (
        1 + z / (2 * a.sqrt()) - (z**3 - 7 * z) / (72 * a**1.5) + (6 * z**4 + 14 * z**2 - 32) / (1620 * a**2)
    )


class _StandardGamma(Function):
    @staticmethod
    def forward(ctx: Any, concentration: Tensor) -> Tensor:
        a = concentration.double()
        x = _draw(a)
        sample = x.to(concentration.dtype).clamp(min=mlx.finfo(concentration.dtype).tiny)
        ctx.save_for_backward(concentration, x)
        return sample

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        concentration, x = ctx.saved_tensors
        return grad * _derivative(x, concentration.double()).to(grad.dtype)


def standard_gamma(concentration: Tensor) -> Tensor:
    """Samples of Gamma(concentration, 1), differentiable once by the concentration."""
    return _StandardGamma.apply(concentration)

"""The normal distribution's counterpart on the circle."""

from __future__ import annotations

import math
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.distribution import Shape, open_uniform
from mlx.distributions.location_scale import Centred
from mlx.distributions.utils import broadcast_all

__all__ = ["VonMises"]


class VonMises(Centred):
    """Angles around loc, in radians.

    Args:
        loc: the middle. concentration: how close to it; 0 for all angles alike, large for a normal
            distribution of variance 1 / concentration.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real
    _parameters = ("loc", "concentration")

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        super().__init__(self.loc.shape, (), validate_args)

    @property
    def variance(self) -> Tensor:
        """The circular variance: 1 less the length of the mean direction."""
        return 1 - mlx.special.i1e(self.concentration) / mlx.special.i0e(self.concentration)

    def log_prob(self, value: Tensor) -> Tensor:
        self._validate_sample(value)
        # i0e is I0 scaled by exp(-concentration): the logarithm of I0 itself would overflow.
        away = (value - self.loc).cos() - 1
        return self.concentration * away - math.log(2 * math.pi) - mlx.special.i0e(self.concentration).log()

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """By rejection from a wrapped Cauchy distribution (Best and Fisher, 1979), in double precision."""
        shape = self._shape(sample_shape)
        with mlx.no_grad():
            k = self.concentration.double().expand(shape)
            tau = 1 + (1 + 4 * k**2).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * k)
            # For a small concentration the difference above cancels; its limit is 1 / k.
            r = mlx.where(k < 1e-5, 1 / k + k, (1 + rho**2) / (2 * rho))
            angle = mlx.zeros_like(k)
            waiting = mlx.ones_like(k, dtype=mlx.bool)
            while bool(waiting.any()):
                u1, u2, u3 = (open_uniform(shape, k) for _ in range(3))
                z = (math.pi * u1).cos()
                f = ((1 + r * z) / (r + z)).clamp(-1, 1)
                c = k * (r - f)
                accepted = waiting & ((c * (2 - c) - u2 > 0) | ((c / u2).log() + 1 - c >= 0))
                angle = mlx.where(accepted, (u3 - 0.5).sign() * f.acos(), angle)
                waiting = waiting & ~accepted
            turned = (angle + self.loc.double() + math.pi) % (2 * math.pi) - math.pi
            return turned.to(self.loc.dtype)

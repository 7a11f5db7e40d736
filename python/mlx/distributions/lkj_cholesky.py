"""Random correlation matrices, by their Cholesky factors."""

from __future__ import annotations

import math
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.distribution import Distribution, Shape
from mlx.distributions.gamma import Beta
from mlx.distributions.utils import broadcast_all

__all__ = ["LKJCholesky"]


class LKJCholesky(Distribution):
    """Lower Cholesky factors of correlation matrices C, of density det(C)^(concentration - 1) (Lewandowski,
    Kurowicka and Joe, 2009).

    Args:
        dim: the number of rows. concentration: 1 for all correlation matrices alike, large for matrices close
            to the identity.

    Row i (from 0) has the density (1 - |w|^2)^(concentration - 1 + (dim - 1 - i) / 2) in its i entries w left
    of the diagonal, which follows from the determinant of the map from factors to matrices.

    >>> import mlx
    >>> d = mlx.distributions.LKJCholesky(3, 2.0)
    >>> d.log_prob(mlx.eye(3)).exp()       # 1 / (3 pi / 8 * pi / 2)
    tensor(0.5404)
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky
    _parameters = ("dim", "concentration")

    def __init__(self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None) -> None:
        if dim < 2:
            raise ValueError(f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}.")
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        super().__init__(self.concentration.shape, (dim, dim), validate_args)

    def _powers(self) -> tuple[Tensor, Tensor]:
        """How many entries w the rows after the first have, and their exponents of 1 - |w|^2."""
        i = mlx.arange(1, self.dim, dtype=self.concentration.dtype, device=self.concentration.device)
        return i, self.concentration[..., None] - 1 + (self.dim - 1 - i) / 2

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Random values: the squared length of each row's w is a beta variable, its direction any alike."""
        with mlx.no_grad():
            counts, powers = self._powers()
            squares = Beta(counts / 2, powers + 1, validate_args=False).sample(sample_shape)
            squares = mlx.cat([mlx.zeros_like(squares[..., :1]), squares], -1)
            lower = mlx.randn(self._shape(sample_shape), dtype=squares.dtype, device=squares.device).tril(-1)
            w = mlx.nn.functional.normalize(lower, dim=-1) * squares.sqrt()[..., None]
            least = mlx.finfo(w.dtype).tiny
            return w + mlx.diag_embed((1 - (w**2).sum(-1)).clamp(min=least).sqrt())

    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the density in the entries below the diagonal."""
        self._validate_sample(value)
        counts, powers = self._powers()
        # The integral of (1 - |w|^2)^c over the unit ball of n dimensions.
        balls = counts / 2 * math.log(math.pi) + (powers + 1).lgamma() - (powers + 1 + counts / 2).lgamma()
        diagonal = value.diagonal(dim1=-2, dim2=-1)[..., 1:]
        return (2 * powers * diagonal.log() - balls).sum(-1)

"""Invertible functions with the logarithm of their derivative: they carry distributions over."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import mlx
import mlx.nn.functional as F
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.constraints import Constraint

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "ComposeTransform",
    "CumulativeDistributionTransform",
    "ExpTransform",
    "IndependentTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last `dims` dimensions."""
    return value.sum(list(range(-dims, 0))) if dims else value


class Transform:
    """A function with an inverse: `y = t(x)`, `x = t.inv(y)`.

    `log_abs_det_jacobian(x, y)` is the logarithm of |dy/dx|, summed over the dimensions of one value.
    `sign` is that of the derivative, for functions of one number.
    """

    bijective = True
    domain: Constraint = constraints.real
    codomain: Constraint = constraints.real
    sign: Any = 1

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")

    @property
    def inv(self) -> Transform:
        """The inverse."""
        return _Inverse(self)

    def __call__(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        raise NotImplementedError

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        """The shape of the result for an argument of this shape."""
        return mlx.Size(shape)

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        """The shape of the argument for a result of this shape."""
        return mlx.Size(shape)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and _equal(vars(self), vars(other))

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return bool(mlx.as_tensor(a == b).all())
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    return bool(a == b)


def _sign(value: Any) -> Any:
    """-1, 0 or 1: of a number, or of each element of a tensor."""
    return value.sign() if isinstance(value, Tensor) else (value > 0) - (value < 0)


class _Inverse(Transform):
    """The inverse of a transform."""

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self.transform = transform
        self.bijective = transform.bijective
        self.domain, self.codomain = transform.codomain, transform.domain
        self.sign = transform.sign

    @property
    def inv(self) -> Transform:
        return self.transform

    def __call__(self, x: Tensor) -> Tensor:
        return self.transform._inverse(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.transform(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self.transform.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        return self.transform.inverse_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        return self.transform.forward_shape(shape)

    def __repr__(self) -> str:
        return f"{self.transform!r}.inv"


class ComposeTransform(Transform):
    """Several transforms, the first in the list first."""

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = list(parts)
        self.bijective = all(p.bijective for p in self.parts)
        self.sign = functools.reduce(lambda sign, p: sign * p.sign, self.parts, 1)
        if self.parts:
            self.domain = _widened(self.parts[0].domain, self._event_dims()[0])
            self.codomain = _widened(self.parts[-1].codomain, self._event_dims()[1])

    def _event_dims(self) -> tuple[int, int]:
        """How many dimensions of the argument and of the result form one value, over all parts."""
        if not self.parts:
            return 0, 0
        before = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            before = max(before - part.codomain.event_dim, 0) + part.domain.event_dim
        after = self.parts[0].domain.event_dim
        for part in self.parts:
            after = max(after - part.domain.event_dim, 0) + part.codomain.event_dim
        return before, after

    def __call__(self, x: Tensor) -> Tensor:
        return functools.reduce(lambda value, part: part(value), self.parts, x)

    def _inverse(self, y: Tensor) -> Tensor:
        return functools.reduce(lambda value, part: part._inverse(value), reversed(self.parts), y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        total: Any = 0
        event = self._event_dims()[0]
        for part in self.parts:
            after = part(x)
            own = part.log_abs_det_jacobian(x, after)
            total = total + sum_rightmost(own, event - part.domain.event_dim)
            event += part.codomain.event_dim - part.domain.event_dim
            x = after
        return total if isinstance(total, Tensor) else mlx.zeros_like(x)

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        return functools.reduce(lambda s, part: part.forward_shape(s), self.parts, mlx.Size(shape))

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        return functools.reduce(lambda s, part: part.inverse_shape(s), reversed(self.parts), mlx.Size(shape))

    def __repr__(self) -> str:
        return f"ComposeTransform({self.parts})"


def _widened(constraint: Constraint, event_dim: int) -> Constraint:
    """The constraint with `event_dim` dimensions taken as one value."""
    extra = event_dim - constraint.event_dim
    return constraints.independent(constraint, extra) if extra else constraint


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform whose last dimensions form one value."""

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.bijective = base_transform.bijective
        self.sign = base_transform.sign
        self.domain = constraints.independent(base_transform.domain, reinterpreted_batch_ndims)
        self.codomain = constraints.independent(base_transform.codomain, reinterpreted_batch_ndims)

    def __call__(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform._inverse(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        return self.base_transform.inverse_shape(shape)


class ReshapeTransform(Transform):
    """Another shape of the last dimensions."""

    def __init__(self, in_shape: Sequence[int], out_shape: Sequence[int], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = mlx.Size(in_shape), mlx.Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError(
                f"in_shape {in_shape} and out_shape {out_shape} have different numbers of elements"
            )
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def __call__(self, x: Tensor) -> Tensor:
        return x.reshape(self.forward_shape(x.shape))

    def _inverse(self, y: Tensor) -> Tensor:
        return y.reshape(self.inverse_shape(y.shape))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x.new_zeros(x.shape[: x.dim() - len(self.in_shape)])

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        return _exchanged(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        return _exchanged(shape, self.out_shape, self.in_shape)


def _exchanged(shape: Sequence[int], old: Sequence[int], new: Sequence[int]) -> mlx.Size:
    batch = len(shape) - len(old)
    if batch < 0 or tuple(shape[batch:]) != tuple(old):
        raise ValueError(f"the shape {tuple(shape)} does not end with {tuple(old)}")
    return mlx.Size([*shape[:batch], *new])


class ExpTransform(Transform):
    """exp(x)"""

    codomain = constraints.positive

    def __call__(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class PowerTransform(Transform):
    """x ** exponent, for positive x."""

    domain = codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent
        self.sign = _sign(exponent)

    def __call__(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        return mlx.Size(mlx.broadcast_shapes(tuple(shape), tuple(getattr(self.exponent, "shape", ()))))

    inverse_shape = forward_shape


class AffineTransform(Transform):
    """loc + scale * x

    Args:
        event_dim: how many of the last dimensions form one value.
    """

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale = loc, scale
        self.event_dim = event_dim
        self.sign = _sign(scale)
        self.domain = self.codomain = _widened(constraints.real, event_dim)

    def __call__(self, x: Tensor) -> Tensor:
        return self.loc + self.scale * x

    def _inverse(self, y: Tensor) -> Tensor:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if isinstance(self.scale, Tensor):
            result = self.scale.abs().log().expand(x.shape)
        else:
            result = mlx.full_like(x, math.log(abs(self.scale)))
        return sum_rightmost(result, self.event_dim)

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        own = [tuple(getattr(v, "shape", ())) for v in (self.loc, self.scale)]
        return mlx.Size(mlx.broadcast_shapes(tuple(shape), *own))

    inverse_shape = forward_shape


class SigmoidTransform(Transform):
    """1 / (1 + exp(-x))"""

    codomain = constraints.unit_interval

    def __call__(self, x: Tensor) -> Tensor:
        limits = mlx.finfo(x.dtype)
        return x.sigmoid().clamp(min=limits.tiny, max=1 - limits.eps)

    def _inverse(self, y: Tensor) -> Tensor:
        limits = mlx.finfo(y.dtype)
        y = y.clamp(min=limits.tiny, max=1 - limits.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -F.softplus(-x) - F.softplus(x)


class SoftplusTransform(Transform):
    """log(1 + exp(x))"""

    codomain = constraints.positive

    def __call__(self, x: Tensor) -> Tensor:
        return F.softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -F.softplus(-x)


class TanhTransform(Transform):
    """tanh(x)"""

    codomain = constraints.interval(-1.0, 1.0)

    def __call__(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2 * (math.log(2) - x - F.softplus(-2 * x))


class AbsTransform(Transform):
    """|x|; its inverse gives the positive x."""

    bijective = False
    codomain = constraints.nonnegative

    def __call__(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class SoftmaxTransform(Transform):
    """softmax over the last dimension; its inverse, the logarithm, gives one of many x."""

    bijective = False
    domain = constraints.real_vector
    codomain = constraints.simplex

    def __call__(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """n numbers to n + 1 that sum to 1: each takes its part of what the ones before have left.

    The offsets make x = 0 the middle of the simplex.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex

    @staticmethod
    def _offset(n: int, like: Tensor) -> Tensor:
        return mlx.arange(n, 0, -1, dtype=like.dtype, device=like.device).log()

    def __call__(self, x: Tensor) -> Tensor:
        z = (x - self._offset(x.shape[-1], x)).sigmoid()
        left = F.pad((1 - z).cumprod(-1), (1, 0), value=1.0)
        return F.pad(z, (0, 1), value=1.0) * left

    def _inverse(self, y: Tensor) -> Tensor:
        head = y[..., :-1]
        left = (1 - head.cumsum(-1)).clamp(min=mlx.finfo(y.dtype).tiny)
        return head.log() - left.log() + self._offset(head.shape[-1], y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - self._offset(x.shape[-1], x)
        return (F.logsigmoid(x) - x + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        return mlx.Size([*shape[:-1], shape[-1] + 1])

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        return mlx.Size([*shape[:-1], shape[-1] - 1])


class LowerCholeskyTransform(Transform):
    """Square matrices to lower triangular ones with a positive diagonal, by exp of the diagonal."""

    bijective = False
    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def __call__(self, x: Tensor) -> Tensor:
        return x.tril(-1) + mlx.diag_embed(x.diagonal(dim1=-2, dim2=-1).exp())

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + mlx.diag_embed(y.diagonal(dim1=-2, dim2=-1).log())


class PositiveDefiniteTransform(Transform):
    """Square matrices to positive definite ones: the product of a Cholesky factor made of one with itself."""

    bijective = False
    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def __call__(self, x: Tensor) -> Tensor:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform()._inverse(mlx.linalg.cholesky(y))


class CumulativeDistributionTransform(Transform):
    """The cumulative distribution function of a distribution of numbers."""

    codomain = constraints.unit_interval

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return self.distribution.support

    def __call__(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)


class _PartByPart(Transform):
    """Transforms that each act on a part of their argument along one dimension."""

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int) -> None:
        super().__init__(cache_size)
        self.transforms = list(tseq)
        self.dim = dim
        self.bijective = all(t.bijective for t in self.transforms)

    def _parts(self, x: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError

    def __call__(self, x: Tensor) -> Tensor:
        return self._joined([t(part) for t, part in zip(self.transforms, self._parts(x), strict=True)])

    def _inverse(self, y: Tensor) -> Tensor:
        return self._joined(
            [t._inverse(part) for t, part in zip(self.transforms, self._parts(y), strict=True)]
        )

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        parts = zip(self.transforms, self._parts(x), self._parts(y), strict=True)
        return self._joined([t.log_abs_det_jacobian(a, b) for t, a, b in parts])


class CatTransform(_PartByPart):
    """Transforms that each act on a stretch of a dimension.

    Args:
        tseq: transforms of numbers, in the order of the stretches.
        dim: the dimension.
        lengths: how long the stretches are; each 1, if not given.
    """

    def __init__(
        self,
        tseq: Sequence[Transform],
        dim: int = 0,
        lengths: Sequence[int] | None = None,
        cache_size: int = 0,
    ) -> None:
        super().__init__(tseq, dim, cache_size)
        if any(t.domain.event_dim or t.codomain.event_dim for t in self.transforms):
            raise ValueError("CatTransform takes transforms of numbers, not of vectors or matrices")
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise ValueError(f"{len(self.transforms)} transforms, but {len(self.lengths)} lengths")

    def _parts(self, x: Tensor) -> Sequence[Tensor]:
        return x.split(self.lengths, self.dim)

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        return mlx.cat(list(parts), self.dim)


class StackTransform(_PartByPart):
    """Transforms that each act on one slice of a dimension.

    Args:
        tseq: transforms of numbers, one a slice.
        dim: the dimension.
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(tseq, dim, cache_size)
        if any(t.domain.event_dim or t.codomain.event_dim for t in self.transforms):
            raise ValueError("StackTransform takes transforms of numbers, not of vectors or matrices")

    def _parts(self, x: Tensor) -> Sequence[Tensor]:
        return x.unbind(self.dim)

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        return mlx.stack(list(parts), self.dim)

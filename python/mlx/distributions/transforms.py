"""Invertible functions with the logarithm of their derivative: they carry distributions over."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Sequence
from typing import Any

import mlx
import mlx.nn.functional as F
from mlx import _C
from mlx._C import Tensor
from mlx.distributions import constraints
from mlx.distributions.constraints import Constraint
from mlx.distributions.utils import sum_rightmost, tril_matrix_to_vec, vec_to_tril_matrix

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "ComposeTransform",
    "CorrCholeskyTransform",
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


class Transform:
    """A function with an inverse: `y = t(x)`, `x = t.inv(y)`.

    Subclasses define `_call`, `_inverse` and `log_abs_det_jacobian(x, y)`: the logarithm of |dy/dx|, summed
    over the dimensions of one value.

    Args:
        cache_size: 1 keeps the last argument and its result, so that the inverse of that result is that very
            argument, also where the function has no inverse, or rounding would change it.

    >>> import mlx
    >>> from mlx.distributions.transforms import ExpTransform
    >>> ExpTransform().inv(mlx.tensor(1.0))
    tensor(0.)
    """

    bijective = False
    domain: Constraint
    codomain: Constraint

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._cached: tuple[Any, Any] = (None, None)

    @property
    def inv(self) -> Transform:
        """The inverse."""
        return _Inverse(self)

    @property
    def sign(self) -> Any:
        """The sign of the derivative of a monotone function of one number; NotImplementedError for others."""
        raise NotImplementedError(f"{type(self).__name__} has no sign: it is not said to be monotone")

    @property
    def event_dim(self) -> int:
        """How many trailing dimensions form one value, where arguments and results have the same number."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError("Please use either .domain.event_dim or .codomain.event_dim")
        return self.domain.event_dim

    def with_cache(self, cache_size: int = 1) -> Any:
        """The same transform with a cache of this size."""
        if self._cache_size == cache_size:
            return self
        other = copy.copy(self)
        Transform.__init__(other, cache_size)
        return other

    def __call__(self, x: Tensor) -> Tensor:
        if self._cache_size and x is self._cached[0]:
            return self._cached[1]
        y = self._call(x)
        self._remember(x, y)
        return y

    def _inv_call(self, y: Tensor) -> Tensor:
        if self._cache_size and y is self._cached[1]:
            return self._cached[0]
        x = self._inverse(y)
        self._remember(x, y)
        return x

    def _remember(self, x: Tensor, y: Tensor) -> None:
        if self._cache_size and not (_C._is_traced(x) or _C._is_traced(y)):
            self._cached = (x, y)

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define _call")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no inverse")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """The logarithm of the absolute value of the determinant of the derivative at x, where y = t(x)."""
        raise NotImplementedError(f"{type(self).__name__} has no determinant of a derivative")

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        """The shape of the result for an argument of this shape."""
        return mlx.Size(shape)

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        """The shape of the argument for a result of this shape."""
        return mlx.Size(shape)

    def _settings(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if not k.startswith("_cache")}

    def __eq__(self, other: object) -> bool:
        return (
            type(self) is type(other)
            and isinstance(other, Transform)
            and _equal(self._settings(), other._settings())
        )

    __hash__ = object.__hash__

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_cached": (None, None)}

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
    """The inverse of a transform, whose cache serves both."""

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self.transform = transform

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        return self.transform.bijective

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return self.transform.codomain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return self.transform.domain

    @property
    def inv(self) -> Transform:
        return self.transform

    @property
    def sign(self) -> Any:
        return self.transform.sign

    def with_cache(self, cache_size: int = 1) -> Any:
        return self.transform.with_cache(cache_size).inv

    def __call__(self, x: Tensor) -> Tensor:
        return self.transform._inv_call(x)

    def _inv_call(self, y: Tensor) -> Tensor:
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

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return _widened(self.parts[0].domain, self._event_dims()[0]) if self.parts else constraints.real

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return _widened(self.parts[-1].codomain, self._event_dims()[1]) if self.parts else constraints.real

    @property
    def sign(self) -> Any:
        return functools.reduce(lambda sign, p: sign * p.sign, self.parts, 1)

    def with_cache(self, cache_size: int = 1) -> Any:
        same = self._cache_size == cache_size
        return self if same else ComposeTransform([p.with_cache(cache_size) for p in self.parts], cache_size)

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

    def _call(self, x: Tensor) -> Tensor:
        return functools.reduce(lambda value, part: part(value), self.parts, x)

    def _inverse(self, y: Tensor) -> Tensor:
        return functools.reduce(lambda value, part: part._inv_call(value), reversed(self.parts), y)

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
        parts = ",\n    ".join(repr(part) for part in self.parts)
        return f"{type(self).__name__}(\n    {parts}\n)"


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
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.bijective = base_transform.bijective

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def sign(self) -> Any:
        return self.base_transform.sign

    def with_cache(self, cache_size: int = 1) -> Any:
        same = self._cache_size == cache_size
        return (
            self
            if same
            else IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size)
        )

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform._inv_call(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """Another shape of the last dimensions."""

    bijective = True

    def __init__(self, in_shape: Sequence[int], out_shape: Sequence[int], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = mlx.Size(in_shape), mlx.Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError(
                f"in_shape {in_shape} and out_shape {out_shape} have different numbers of elements"
            )

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return constraints.independent(constraints.real, len(self.in_shape))

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.independent(constraints.real, len(self.out_shape))

    def _call(self, x: Tensor) -> Tensor:
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


class _Monotone(Transform):
    """A one-to-one function of real numbers, which rises where the subclass does not say otherwise."""

    bijective = True
    domain: Constraint = constraints.real
    sign: Any = 1


class ExpTransform(_Monotone):
    """exp(x)"""

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return x.exp()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return x


class PowerTransform(_Monotone):
    """x ** exponent, for positive x."""

    domain = codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = exponent
        self.sign = _sign(exponent)

    def _call(self, x: Tensor) -> Tensor:
        return x**self.exponent

    def _inverse(self, y: Tensor) -> Tensor:
        return y ** (1 / self.exponent)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        return mlx.Size(mlx.broadcast_shapes(tuple(shape), tuple(getattr(self.exponent, "shape", ()))))

    inverse_shape = forward_shape


class AffineTransform(_Monotone):
    """loc + scale * x

    Args:
        event_dim: how many of the last dimensions form one value.
    """

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale = loc, scale
        self._event_dim = event_dim
        self.sign = _sign(scale)

    @property
    def event_dim(self) -> int:
        return self._event_dim

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return _widened(constraints.real, self._event_dim)

    codomain = domain

    def _call(self, x: Tensor) -> Tensor:
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


class SigmoidTransform(_Monotone):
    """1 / (1 + exp(-x))"""

    codomain = constraints.unit_interval

    def _call(self, x: Tensor) -> Tensor:
        limits = mlx.finfo(x.dtype)
        return x.sigmoid().clamp(min=limits.tiny, max=1 - limits.eps)

    def _inverse(self, y: Tensor) -> Tensor:
        limits = mlx.finfo(y.dtype)
        y = y.clamp(min=limits.tiny, max=1 - limits.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -F.softplus(-x) - F.softplus(x)


class SoftplusTransform(_Monotone):
    """log(1 + exp(x))"""

    codomain = constraints.positive

    def _call(self, x: Tensor) -> Tensor:
        return F.softplus(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -F.softplus(-x)


class TanhTransform(_Monotone):
    """tanh(x)"""

    codomain = constraints.interval(-1.0, 1.0)

    def _call(self, x: Tensor) -> Tensor:
        return x.tanh()

    def _inverse(self, y: Tensor) -> Tensor:
        return y.atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return 2 * (math.log(2) - x - F.softplus(-2 * x))


class AbsTransform(Transform):
    """|x|; its inverse gives the positive x."""

    domain = constraints.real
    codomain = constraints.nonnegative

    def _call(self, x: Tensor) -> Tensor:
        return x.abs()

    def _inverse(self, y: Tensor) -> Tensor:
        return y


class SoftmaxTransform(Transform):
    """softmax over the last dimension; its inverse, the logarithm, gives one of many x."""

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Tensor) -> Tensor:
        return x.softmax(-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return y.log()


class StickBreakingTransform(Transform):
    """n numbers to n + 1 that sum to 1: each takes its part of what the ones before have left.

    The offsets make x = 0 the middle of the simplex.
    """

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.simplex

    @staticmethod
    def _offset(n: int, like: Tensor) -> Tensor:
        return mlx.arange(n, 0, -1, dtype=like.dtype, device=like.device).log()

    def _call(self, x: Tensor) -> Tensor:
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


class CorrCholeskyTransform(Transform):
    """n (n - 1) / 2 numbers to the lower Cholesky factor of an n x n correlation matrix.

    tanh makes each a partial correlation. They fill the triangle below the diagonal row by row; each takes
    its part of what the ones to its left leave of the row's length 1, and the diagonal takes the rest
    (Lewandowski, Kurowicka and Joe, 2009).

    >>> import mlx
    >>> from mlx.distributions.transforms import CorrCholeskyTransform
    >>> CorrCholeskyTransform()(mlx.tensor([0.0]))
    tensor([[1., 0.],
            [0., 1.]])
    """

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.corr_cholesky

    def _call(self, x: Tensor) -> Tensor:
        eps = mlx.finfo(x.dtype).eps
        partial = vec_to_tril_matrix(x.tanh().clamp(-1 + eps, 1 - eps), diag=-1)
        left = (1 - partial**2).sqrt().cumprod(-1)
        n = partial.shape[-1]
        return (partial + mlx.eye(n, dtype=x.dtype, device=x.device)) * F.pad(
            left[..., :-1], (1, 0), value=1.0
        )

    @staticmethod
    def _left(y: Tensor) -> Tensor:
        """What is left of each row's squared length to the entries below the diagonal, row by row."""
        left = 1 - (y**2).cumsum(-1).roll(1, -1)
        left = mlx.cat([mlx.ones_like(left[..., :1]), left[..., 1:]], -1)
        return tril_matrix_to_vec(left, diag=-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return (tril_matrix_to_vec(y, diag=-1) / self._left(y).sqrt()).atanh()

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        slope = 2 * (math.log(2) - x.abs() - F.softplus(-2 * x.abs()))  # log(1 - tanh(x)^2)
        return 0.5 * self._left(y).log().sum(-1) + slope.sum(-1)

    def forward_shape(self, shape: Sequence[int]) -> mlx.Size:
        n = round((1 + math.sqrt(1 + 8 * shape[-1])) / 2) if len(shape) else 0
        if n * (n - 1) // 2 != (shape[-1] if len(shape) else -1):
            raise ValueError(f"Input is not a flattened lower-diagonal number: the shape is {tuple(shape)}")
        return mlx.Size([*shape[:-1], n, n])

    def inverse_shape(self, shape: Sequence[int]) -> mlx.Size:
        if len(shape) < 2 or shape[-2] != shape[-1]:
            raise ValueError(f"Input is not square: the shape is {tuple(shape)}")
        return mlx.Size([*shape[:-2], shape[-1] * (shape[-1] - 1) // 2])


class LowerCholeskyTransform(Transform):
    """Square matrices to lower triangular ones with a positive diagonal, by exp of the diagonal."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Tensor) -> Tensor:
        return x.tril(-1) + mlx.diag_embed(x.diagonal(dim1=-2, dim2=-1).exp())

    def _inverse(self, y: Tensor) -> Tensor:
        return y.tril(-1) + mlx.diag_embed(y.diagonal(dim1=-2, dim2=-1).log())


class PositiveDefiniteTransform(Transform):
    """Square matrices to positive definite ones: the product of a Cholesky factor made of one with itself."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Tensor) -> Tensor:
        factor = LowerCholeskyTransform()(x)
        return factor @ factor.mT

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform()._inverse(mlx.linalg.cholesky(y))


class CumulativeDistributionTransform(_Monotone):
    """The cumulative distribution function of a distribution of numbers."""

    codomain = constraints.unit_interval

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return self.distribution.support

    def _call(self, x: Tensor) -> Tensor:
        return self.distribution.cdf(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self.distribution.log_prob(x)


class _PartByPart(Transform):
    """Transforms that each act on a part of their argument along one dimension."""

    def __init__(self, tseq: Sequence[Transform], dim: int, cache_size: int) -> None:
        super().__init__(cache_size)
        self.transforms = [t.with_cache(cache_size) for t in tseq]
        self.dim = dim
        self.bijective = all(t.bijective for t in self.transforms)

    def _parts(self, x: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError

    def _call(self, x: Tensor) -> Tensor:
        return self._joined([t(part) for t, part in zip(self.transforms, self._parts(x), strict=True)])

    def _inverse(self, y: Tensor) -> Tensor:
        return self._joined(
            [t._inv_call(part) for t, part in zip(self.transforms, self._parts(y), strict=True)]
        )

    def _determinants(self, x: Tensor, y: Tensor) -> list[Tensor]:
        parts = zip(self.transforms, self._parts(x), self._parts(y), strict=True)
        return [t.log_abs_det_jacobian(a, b) for t, a, b in parts]


class CatTransform(_PartByPart):
    """Transforms that each act on a stretch of a dimension.

    Args:
        tseq: transforms, in the order of the stretches. Those of vectors may stand beside those of numbers.
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
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.transforms):
            raise ValueError(f"{len(self.transforms)} transforms, but {len(self.lengths)} lengths")

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)

    @property
    def length(self) -> int:
        """How long the dimension is."""
        return sum(self.lengths)

    def with_cache(self, cache_size: int = 1) -> Any:
        same = self._cache_size == cache_size
        return self if same else CatTransform(self.transforms, self.dim, self.lengths, cache_size)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        whole = self.event_dim
        own = [
            sum_rightmost(d, whole - t.event_dim)
            for t, d in zip(self.transforms, self._determinants(x, y), strict=True)
        ]
        dim = (self.dim if self.dim < 0 else self.dim - x.dim()) + whole
        if dim < 0:
            return mlx.cat(own, dim)
        return functools.reduce(mlx.add, own)  # the stretches lie within one value

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

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.stack([t.codomain for t in self.transforms], self.dim)

    def with_cache(self, cache_size: int = 1) -> Any:
        same = self._cache_size == cache_size
        return self if same else StackTransform(self.transforms, self.dim, cache_size)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return self._joined(self._determinants(x, y))

    def _parts(self, x: Tensor) -> Sequence[Tensor]:
        return x.unbind(self.dim)

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        return mlx.stack(list(parts), self.dim)

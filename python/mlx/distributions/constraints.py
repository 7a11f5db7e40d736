"""Sets of values: where parameters and samples may lie."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import mlx
from mlx._C import Tensor

__all__ = [
    "Constraint",
    "MixtureSameFamilyConstraint",
    "boolean",
    "cat",
    "corr_cholesky",
    "dependent",
    "dependent_property",
    "greater_than",
    "greater_than_eq",
    "half_open_interval",
    "independent",
    "integer_interval",
    "interval",
    "is_dependent",
    "less_than",
    "lower_cholesky",
    "lower_triangular",
    "multinomial",
    "nonnegative",
    "nonnegative_integer",
    "one_hot",
    "positive",
    "positive_definite",
    "positive_integer",
    "positive_semidefinite",
    "real",
    "real_vector",
    "simplex",
    "square",
    "stack",
    "symmetric",
    "unit_interval",
]


class Constraint:
    """A set of tensors. `event_dim` trailing dimensions form one value; `check` looks at each value."""

    is_discrete = False
    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        """Whether each value lies in the set: a bool tensor without the last `event_dim` dimensions."""
        raise NotImplementedError

    def __repr__(self) -> str:
        name = "".join(word[:1].upper() + word[1:] for word in type(self).__name__.split("_"))
        bounds = ", ".join(f"{k}={v}" for k, v in vars(self).items() if k.endswith("_bound"))
        return f"{name}({bounds})"


class _Dependent(Constraint):
    """A set that depends on other parameters; a property of an instance says which it is."""

    def __init__(self, is_discrete: bool = False, event_dim: int = 0) -> None:
        self.is_discrete = is_discrete
        self.event_dim = event_dim

    def check(self, value: Tensor) -> Tensor:
        raise ValueError("Cannot determine validity of dependent constraint")


class dependent_property(property, _Dependent):
    """A property that gives a constraint; seen on the class it is a dependent constraint."""

    def __init__(
        self, fn: Callable[[Any], Any] | None = None, *, is_discrete: bool = False, event_dim: int = 0
    ) -> None:
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete, event_dim)

    def __call__(self, fn: Callable[[Any], Any]) -> dependent_property:
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


def is_dependent(constraint: Any) -> bool:
    """Whether what a constraint allows depends on other parameters."""
    return isinstance(constraint, _Dependent)


class Predicate(Constraint):
    """The set of values of which a function says that they belong."""

    def __init__(
        self, name: str, check: Callable[[Tensor], Tensor], event_dim: int = 0, is_discrete: bool = False
    ) -> None:
        self._name = name
        self._check = check
        self.event_dim = event_dim
        self.is_discrete = is_discrete

    def check(self, value: Tensor) -> Tensor:
        return self._check(value)

    def __repr__(self) -> str:
        return self._name


class greater_than(Constraint):
    """(lower_bound, inf]"""

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Tensor) -> Tensor:
        return value > self.lower_bound


class greater_than_eq(Constraint):
    """[lower_bound, inf)"""

    def __init__(self, lower_bound: Any) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Tensor) -> Tensor:
        return value >= self.lower_bound


class less_than(Constraint):
    """[-inf, upper_bound)"""

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Tensor) -> Tensor:
        return value < self.upper_bound


class interval(Constraint):
    """[lower_bound, upper_bound]"""

    def __init__(self, lower_bound: Any, upper_bound: Any) -> None:
        self.lower_bound = lower_bound
        self.upper_bound = upper_bound

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class half_open_interval(interval):
    """[lower_bound, upper_bound)"""

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value < self.upper_bound)


class integer_interval(interval):
    """{lower_bound, ..., upper_bound}"""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & super().check(value)


class integer_greater_than(Constraint):
    """{lower_bound, lower_bound + 1, ...}"""

    is_discrete = True

    def __init__(self, lower_bound: int) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & (value >= self.lower_bound)


class multinomial(Constraint):
    """Counts, at least 0, that sum to at most upper_bound."""

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: int) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Tensor) -> Tensor:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)

    def __repr__(self) -> str:
        return "Multinomial()"


class independent(Constraint):
    """Another constraint, with more trailing dimensions taken as one value."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        ok = self.base_constraint.check(value)
        if ok.dim() < self.reinterpreted_batch_ndims:
            raise ValueError(f"Expected at least {self.event_dim} dimensions, got {value.dim()}")
        if self.reinterpreted_batch_ndims == 0:
            return ok
        return ok.flatten(ok.dim() - self.reinterpreted_batch_ndims).all(-1)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """A constraint on the components of a mixture, which have a dimension that its values lack."""

    def __init__(self, base_constraint: Constraint) -> None:
        self.base_constraint = base_constraint
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim

    def check(self, value: Tensor) -> Tensor:
        """Whether a value may come from each of the components, and so from the mixture."""
        if value.dim() < self.event_dim:
            raise ValueError(f"Expected value.dim() >= {self.event_dim} but got {value.dim()}")
        ok = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return ok.all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


class _PartByPart(Constraint):
    """Constraints that each hold for a part of the values along one dimension."""

    def __init__(self, cseq: Sequence[Constraint], dim: int) -> None:
        self.cseq = list(cseq)
        self.dim = dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return max(c.event_dim for c in self.cseq)

    def _cut(self, value: Tensor) -> Sequence[Tensor]:
        raise NotImplementedError

    def _checked(self, value: Tensor) -> list[Tensor]:
        if not -value.dim() <= self.dim < value.dim():
            raise ValueError(f"{self} has no dimension {self.dim} in a value of {value.dim()} dimensions")
        return [c.check(part) for c, part in zip(self.cseq, self._cut(value), strict=True)]


class cat(_PartByPart):
    """Constraints that each hold for a stretch of a dimension.

    Args:
        cseq: constraints, in the order of the stretches. dim: the dimension.
        lengths: how long the stretches are; each 1, if not given.
    """

    def __init__(
        self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None
    ) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        if len(self.lengths) != len(self.cseq):
            raise ValueError(f"{len(self.cseq)} constraints, but {len(self.lengths)} lengths")

    def _cut(self, value: Tensor) -> Sequence[Tensor]:
        return value.split(self.lengths, self.dim)

    def check(self, value: Tensor) -> Tensor:
        return mlx.cat(self._checked(value), self.dim)


class stack(_PartByPart):
    """Constraints that each hold for one slice of a dimension."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        super().__init__(cseq, dim)

    def _cut(self, value: Tensor) -> Sequence[Tensor]:
        return value.unbind(self.dim)

    def check(self, value: Tensor) -> Tensor:
        return mlx.stack(self._checked(value), self.dim)


def _square(value: Tensor) -> Tensor:
    return mlx.full(value.shape[:-2], value.shape[-2] == value.shape[-1], dtype=mlx.bool, device=value.device)


def _unit_rows(value: Tensor) -> Tensor:
    tolerance = 10 * value.size(-1) * mlx.finfo(value.dtype).eps
    return ((value.detach().norm(dim=-1) - 1).abs() < tolerance).all(-1)


def _lower(value: Tensor) -> Tensor:
    return (value.tril() == value).flatten(-2).all(-1)


def _lower_cholesky(value: Tensor) -> Tensor:
    return _lower(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


def _symmetric(value: Tensor) -> Tensor:
    if value.shape[-2] != value.shape[-1]:
        return _square(value)
    return mlx.isclose(value, value.mT, atol=1e-6).flatten(-2).all(-1)


def _positive_semidefinite(value: Tensor) -> Tensor:
    if value.shape[-2] != value.shape[-1]:
        return _square(value)
    return _symmetric(value) & (mlx.linalg.eigvalsh(value.detach()) >= 0).all(-1)


def _positive_definite(value: Tensor) -> Tensor:
    if value.shape[-2] != value.shape[-1]:
        return _square(value)
    return _symmetric(value) & (mlx.linalg.cholesky_ex(value.detach()).info == 0)


dependent = _Dependent()
boolean = Predicate("Boolean()", lambda v: (v == 0) | (v == 1), is_discrete=True)
real = Predicate("Real()", lambda v: v == v)
real_vector = independent(real, 1)
positive = greater_than(0.0)
nonnegative = greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
nonnegative_integer = integer_greater_than(0)
positive_integer = integer_greater_than(1)
one_hot = Predicate(
    "OneHot()", lambda v: ((v == 0) | (v == 1)).all(-1) & (v.sum(-1) == 1), 1, is_discrete=True
)
simplex = Predicate("Simplex()", lambda v: (v >= 0).all(-1) & ((v.sum(-1) - 1).abs() < 1e-6), 1)
lower_triangular = Predicate("LowerTriangular()", _lower, 2)
lower_cholesky = Predicate("LowerCholesky()", _lower_cholesky, 2)
corr_cholesky = Predicate("CorrCholesky()", lambda v: _lower_cholesky(v) & _unit_rows(v), 2)
square = Predicate("Square()", _square, 2)
symmetric = Predicate("Symmetric()", _symmetric, 2)
positive_semidefinite = Predicate("PositiveSemidefinite()", _positive_semidefinite, 2)
positive_definite = Predicate("PositiveDefinite()", _positive_definite, 2)

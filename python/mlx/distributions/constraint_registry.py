"""Transforms from all real numbers to the values that a constraint allows, for optimizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx.distributions import constraints, transforms
from mlx.distributions.constraints import Constraint
from mlx.distributions.transforms import Transform

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """Finds the transform onto a constraint.

    >>> import mlx
    >>> from mlx.distributions import constraints, transform_to
    >>> transform_to(constraints.positive)(mlx.tensor(0.0))
    tensor(1.)
    """

    def __init__(self) -> None:
        self._by_object: dict[int, Callable[[Any], Transform]] = {}
        self._by_type: dict[type, Callable[[Any], Transform]] = {}

    def register(self, constraint: Any, factory: Callable[[Any], Transform] | None = None) -> Any:
        """Use `factory(constraint)` for a constraint, or for a class of them; without one, a decorator."""
        if factory is None:
            return lambda f: self.register(constraint, f)
        if isinstance(constraint, type):
            self._by_type[constraint] = factory
        else:
            self._by_object[id(constraint)] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        factory = self._by_object.get(id(constraint)) or self._by_type.get(type(constraint))
        if factory is None:
            raise NotImplementedError(f"Cannot transform {constraint} constraints")
        return factory(constraint)


transform_to = ConstraintRegistry()  # onto the constraint
biject_to = ConstraintRegistry()  # and one to one


def _above(c: Any) -> Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(c.lower_bound, 1)]
    )


def _below(c: Any) -> Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(c.upper_bound, -1)]
    )


def _between(c: Any) -> Transform:
    width = c.upper_bound - c.lower_bound
    return transforms.ComposeTransform(
        [transforms.SigmoidTransform(), transforms.AffineTransform(c.lower_bound, width)]
    )


for _registry in (transform_to, biject_to):
    _registry.register(constraints.real, lambda _: transforms.identity_transform)
    _registry.register(constraints.greater_than, _above)
    _registry.register(constraints.greater_than_eq, _above)
    _registry.register(constraints.less_than, _below)
    _registry.register(constraints.interval, _between)
    _registry.register(constraints.half_open_interval, _between)
    _registry.register(constraints.corr_cholesky, lambda _: transforms.CorrCholeskyTransform())
    _registry.register(constraints.lower_cholesky, lambda _: transforms.LowerCholeskyTransform())
    _registry.register(constraints.positive_definite, lambda _: transforms.PositiveDefiniteTransform())
    _registry.register(
        constraints.cat,
        lambda c, registry=_registry: transforms.CatTransform(  # type: ignore[misc]
            [registry(part) for part in c.cseq], c.dim, c.lengths
        ),
    )
    _registry.register(
        constraints.stack,
        lambda c, registry=_registry: transforms.StackTransform(  # type: ignore[misc]
            [registry(part) for part in c.cseq], c.dim
        ),
    )
    _registry.register(
        constraints.independent,
        lambda c, registry=_registry: transforms.IndependentTransform(  # type: ignore[misc]
            registry(c.base_constraint), c.reinterpreted_batch_ndims
        ),
    )
transform_to.register(constraints.simplex, lambda _: transforms.SoftmaxTransform())
biject_to.register(constraints.simplex, lambda _: transforms.StickBreakingTransform())

"""Pruning: parameters whose unimportant elements are held at zero by a mask.

A pruned parameter `weight` becomes the parameter `weight_orig` and the buffer `weight_mask`; `weight` itself
is their product, computed anew before every call of the module. `remove` makes it an ordinary one again.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.nn.modules.module import Module

__all__ = [
    "BasePruningMethod",
    "CustomFromMask",
    "Identity",
    "L1Unstructured",
    "LnStructured",
    "PruningContainer",
    "RandomStructured",
    "RandomUnstructured",
    "custom_from_mask",
    "global_unstructured",
    "identity",
    "is_pruned",
    "l1_unstructured",
    "ln_structured",
    "random_structured",
    "random_unstructured",
    "remove",
]


class BasePruningMethod(ABC):
    """A way to choose the elements that are pruned, and the hook that applies it to a module.

    A subclass says in `compute_mask` which elements stay, and in `PRUNING_TYPE` what it chooses among:
    "unstructured" (elements), "structured" (slices of a dimension) or "global" (elements, counting from the
    whole parameter whatever is pruned already).
    """

    PRUNING_TYPE: str = "unstructured"
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """The mask for `t`: `default_mask`, with zeros where elements are pruned in addition."""

    def apply_mask(self, module: Module) -> Tensor:
        """The product of the original parameter and its mask."""
        original = getattr(module, self._tensor_name + "_orig")
        return getattr(module, self._tensor_name + "_mask").to(original.dtype) * original

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None, **kwargs: Any
    ) -> BasePruningMethod:
        """Prune the parameter `name` of a module, in addition to what is pruned already.

        Args:
            args, kwargs: what the method is made with.
            importance_scores: what stands for the elements when they are compared; without it, they do.
        """
        method: BasePruningMethod = cls(*args, **kwargs)
        method._tensor_name = name
        previous = _method_of(module, name)
        value = getattr(module, name)
        if importance_scores is None:
            importance_scores = value.detach()
        elif importance_scores.shape != value.shape:
            raise ValueError(
                f"importance_scores should have the same shape as parameter {name}: "
                f"{tuple(importance_scores.shape)} is not {tuple(value.shape)}"
            )
        if previous is None:
            original = module._parameters[name]
            assert original is not None, f"{type(module).__name__} has no parameter {name}"
            mask = method.compute_mask(importance_scores, mlx.ones_like(value))
            del module._parameters[name]
            module.register_parameter(name + "_orig", original)
        else:
            key, old = previous
            del module._forward_pre_hooks[key]
            container = old if isinstance(old, PruningContainer) else PruningContainer(old)
            container.add_pruning_method(method)
            method = container
            mask = method.compute_mask(importance_scores, getattr(module, name + "_mask"))
        module.register_buffer(name + "_mask", mask.to(value.dtype))
        setattr(module, name, method.apply_mask(module))
        module.register_forward_pre_hook(method)
        return method

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None
    ) -> Tensor:
        """`t` with the elements at zero that this method prunes."""
        scores = t if importance_scores is None else importance_scores
        if scores.shape != t.shape:
            raise ValueError("importance_scores should have the same shape as tensor t")
        mask = mlx.ones_like(t) if default_mask is None else default_mask
        return t * self.compute_mask(scores.detach(), mask)

    def remove(self, module: Module) -> None:
        """Make the pruned parameter an ordinary one, with the zeros it has."""
        value = self.apply_mask(module)
        original = module._parameters.pop(self._tensor_name + "_orig")
        assert original is not None
        original.data = value.detach()
        del module._buffers[self._tensor_name + "_mask"]
        delattr(module, self._tensor_name)
        module.register_parameter(self._tensor_name, original)


class PruningContainer(BasePruningMethod):
    """Methods that prune one parameter, one after the other: each chooses among what the ones before left."""

    def __init__(self, *args: Any) -> None:
        self._pruning_methods: tuple[BasePruningMethod, ...] = ()
        methods = args[0] if len(args) == 1 and isinstance(args[0], Iterable) else args
        for method in methods:
            self.add_pruning_method(method)

    def add_pruning_method(self, method: BasePruningMethod | None) -> None:
        """Put a method at the end."""
        if not isinstance(method, BasePruningMethod):
            raise TypeError(f"{type(method)} is not a BasePruningMethod subclass")
        if not self._pruning_methods:
            self._tensor_name = method._tensor_name
        elif method._tensor_name != self._tensor_name:
            raise ValueError(
                "Can only add pruning methods acting on the parameter named "
                f"'{self._tensor_name}' to PruningContainer {self}. Found '{method._tensor_name}'"
            )
        self._pruning_methods += (method,)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, index: int) -> BasePruningMethod:
        return self._pruning_methods[index]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """What the last method leaves of the elements (or whole slices) that are not pruned yet."""
        method = self._pruning_methods[-1]
        mask = default_mask.to(t.dtype)
        if method.PRUNING_TYPE == "unstructured":
            left = mask == 1
            new = mask.clone()
            new[left] = method.compute_mask(t[left], mask[left])
            return new
        if method.PRUNING_TYPE == "structured":
            dim = method.dim % t.dim()  # type: ignore[attr-defined]
            left = (mask != 0).transpose(0, dim).reshape(mask.shape[dim], -1).any(1).nonzero().flatten()
            part = method.compute_mask(t.index_select(dim, left), mask.index_select(dim, left))
            return mask.index_copy(dim, left, part)
        if method.PRUNING_TYPE == "global":
            return method.compute_mask(t, mask)
        raise ValueError(f"Unrecognized PRUNING_TYPE {method.PRUNING_TYPE}")


class Identity(BasePruningMethod):
    """Prunes nothing, but makes the mask."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class CustomFromMask(BasePruningMethod):
    """Prunes what a given mask says."""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask * self.mask.to(default_mask.dtype)


class _Amount(BasePruningMethod):
    """A method that prunes a number of elements or slices, or a part of them (a float between 0 and 1)."""

    def __init__(self, amount: float) -> None:
        _check_amount(amount)
        self.amount = amount

    def count(self, size: int) -> int:
        """How many of `size`."""
        if not isinstance(self.amount, int):
            return round(self.amount * size)
        if self.amount > size:
            raise ValueError(
                f"amount={self.amount} should be smaller than the number of parameters to prune={size}"
            )
        return self.amount


class RandomUnstructured(_Amount):
    """Prunes elements at random."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        n = self.count(t.numel())
        return _without(default_mask, mlx.randperm(t.numel(), device=t.device)[:n])


class L1Unstructured(_Amount):
    """Prunes the elements of smallest absolute value."""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        n = self.count(t.numel())
        return _without(default_mask, t.abs().flatten().topk(n, largest=False).indices)


class _Structured(_Amount):
    """A method that prunes whole slices along one dimension."""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        super().__init__(amount)
        self.dim = dim

    def scores(self, t: Tensor) -> Tensor:
        """How important each slice is."""
        raise NotImplementedError

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        if t.dim() < 2:
            raise ValueError(
                "Structured pruning can only be applied to multidimensional tensors. Found tensor of shape "
                f"{tuple(t.shape)} with {t.dim()} dims"
            )
        n = self.count(t.shape[self.dim])
        pruned = self.scores(t).topk(n, largest=False).indices
        return default_mask.index_fill(self.dim, pruned, 0)


class RandomStructured(_Structured):
    """Prunes slices along a dimension at random."""

    def scores(self, t: Tensor) -> Tensor:
        return mlx.rand(t.shape[self.dim], device=t.device)


class LnStructured(_Structured):
    """Prunes the slices along a dimension with the smallest n-norm."""

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        super().__init__(amount, dim)
        self.n = n

    def scores(self, t: Tensor) -> Tensor:
        others = [d for d in range(t.dim()) if d != self.dim % t.dim()]
        return mlx.norm(t, p=self.n, dim=others)


def _without(mask: Tensor, pruned: Tensor) -> Tensor:
    """The mask with zeros at these positions, counted as if it were flat."""
    return mask.flatten().index_fill(0, pruned, 0).view(mask.shape)


def _check_amount(amount: Any) -> None:
    if not isinstance(amount, (int, float)):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if amount < 0 or (isinstance(amount, float) and amount > 1.0):
        raise ValueError(
            f"amount={amount} should either be a float in the range [0.0, 1.0] or a non-negative integer"
        )


def _method_of(module: Module, name: str) -> tuple[int, BasePruningMethod] | None:
    """The key and the hook that prune a parameter."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, BasePruningMethod) and hook._tensor_name == name:
            return key, hook
    return None


def identity(module: Module, name: str) -> Module:
    """Give a parameter a mask that prunes nothing."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements of a parameter at random.

    Args:
        amount: how many, or (a float) which part of them.

    >>> import mlx
    >>> layer = mlx.nn.utils.prune.random_unstructured(mlx.nn.Linear(4, 2), "weight", amount=3)
    >>> (layer.weight == 0).sum()
    tensor(3)
    """
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the elements of a parameter whose absolute value is smallest."""
    L1Unstructured.apply(module, name, amount=amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune slices of a parameter along a dimension at random."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int, importance_scores: Tensor | None = None
) -> Module:
    """Prune the slices of a parameter along a dimension whose n-norm is smallest."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune a parameter where `mask` is zero."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]],
    pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None,
    **kwargs: Any,
) -> None:
    """Prune several parameters as if they were one.

    Args:
        parameters: modules and the names of their parameters.
        pruning_method: the class of an unstructured method; kwargs: what it is made with.
        importance_scores: what stands for the elements of a parameter when they are compared.
    """
    if not isinstance(parameters, Iterable):
        raise TypeError("global_unstructured(): parameters is not an Iterable")
    pairs = list(parameters)
    given = {} if importance_scores is None else importance_scores
    if not isinstance(given, dict):
        raise TypeError("global_unstructured(): importance_scores must be of type dict")
    values = [getattr(module, name).detach() for module, name in pairs]
    scores = [given.get(pair, value) for pair, value in zip(pairs, values, strict=True)]
    masks = [
        getattr(module, name + "_mask", mlx.ones_like(value))
        for (module, name), value in zip(pairs, values, strict=True)
    ]
    method: Any = pruning_method(**kwargs)
    method._tensor_name = "temp"
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(f'only "unstructured" PRUNING_TYPE is supported by global_unstructured, not {method}')
    container = PruningContainer()
    container._tensor_name = "temp"
    container.add_pruning_method(method)
    flat = container.compute_mask(_joined(scores), _joined(masks))
    parts = flat.split([value.numel() for value in values])
    for (module, name), value, part in zip(pairs, values, parts, strict=True):
        custom_from_mask(module, name, part.view(value.shape))


def _joined(tensors: list[Tensor]) -> Tensor:
    return mlx.cat([t.flatten() for t in tensors])


def remove(module: Module, name: str) -> Module:
    """Make a pruned parameter an ordinary one, with the zeros it has.

    Raises:
        ValueError: when the parameter is not pruned.
    """
    found = _method_of(module, name)
    if found is None:
        raise ValueError(
            f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
        )
    key, method = found
    method.remove(module)
    del module._forward_pre_hooks[key]
    return module


def is_pruned(module: Module) -> bool:
    """Whether a parameter of the module, or of a module in it, is pruned.

    >>> import mlx
    >>> mlx.nn.utils.prune.is_pruned(mlx.nn.Linear(1, 1))
    False
    """
    return any(
        isinstance(hook, BasePruningMethod)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )

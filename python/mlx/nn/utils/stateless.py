"""Calls of modules with tensors in the place of their parameters and buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mlx._C import Tensor
from mlx.nn.modules.module import Module

__all__ = ["functional_call"]


@contextmanager
def _replaced(module: Module, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    stores: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for path, tensor in tensors.items():
            parent, _, name = path.rpartition(".")
            owner = module.get_submodule(parent)
            store = next((s for s in (owner._parameters, owner._buffers) if name in s), None)
            if store is None:
                raise RuntimeError(f"{type(owner).__name__} has no parameter or buffer '{name}' ({path})")
            stores.append((store, name, store[name]))
            store[name] = tensor
        yield
    finally:
        for store, name, value in reversed(stores):
            store[name] = value


def functional_call(
    module: Module,
    parameters_and_buffers: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Call a module with the given tensors in the place of those of the same dotted names.

    Args:
        args: the positional arguments; one that is not a tuple is the only one.
        tie_weights: whether a tensor stands for all names of a shared parameter.
        strict: whether all parameters and buffers must be given, and no others.

    >>> import mlx
    >>> layer = mlx.nn.Linear(1, 1, bias=False)
    >>> functional_call(layer, {"weight": mlx.tensor([[3.0]])}, mlx.tensor([2.0]))
    tensor([6.])
    """
    given: dict[str, Tensor] = {}
    for part in (
        [parameters_and_buffers] if isinstance(parameters_and_buffers, Mapping) else parameters_and_buffers
    ):
        repeated = given.keys() & part.keys()
        if repeated:
            raise ValueError(f"the keys {sorted(repeated)} are in several of the dictionaries")
        given |= part
    named: dict[str, Tensor] = {}
    named.update(module.named_parameters(remove_duplicate=False))
    named.update(module.named_buffers(remove_duplicate=False))
    if strict and given.keys() != named.keys():
        missing, unexpected = sorted(named.keys() - given.keys()), sorted(given.keys() - named.keys())
        raise RuntimeError(f"Missing key(s): {missing}. Unexpected key(s): {unexpected}.")
    if tie_weights:
        by_tensor = {id(named[name]): value for name, value in given.items() if name in named}
        tied = {name: by_tensor[id(t)] for name, t in named.items() if id(t) in by_tensor}
        given = tied | given
    arguments = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, given):
        return module(*arguments, **(kwargs or {}))

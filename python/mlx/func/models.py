"""Ensembles of modules, and modules that transforms can take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx.nn import Module
from mlx.nn.modules.batchnorm import _BatchNorm
from mlx.nn.utils import stateless

__all__ = ["functional_call", "replace_all_batch_norm_modules_", "stack_module_state"]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`nn.utils.stateless.functional_call`: a module with the given tensors in the place of its own."""
    return stateless.functional_call(
        module, parameter_and_buffer_dicts, args, kwargs, tie_weights=tie_weights, strict=strict
    )


def _stacked(named: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    for name in named[0]:
        tensors = [d[name] for d in named]
        needs = tensors[0].requires_grad
        if any(t.requires_grad != needs for t in tensors):
            raise RuntimeError(f"stack_module_state: '{name}' requires gradients in some models only")
        made[name] = _C.stack([t.detach() for t in tensors]).requires_grad_(needs)
    return made


def stack_module_state(models: Sequence[Module]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The parameters and the buffers of models of one architecture, each stacked along a new dimension 0.

    >>> import mlx
    >>> models = [mlx.nn.Linear(2, 3) for _ in range(4)]
    >>> params, buffers = mlx.func.stack_module_state(models)
    >>> params["weight"].shape
    mlx.Size([4, 3, 2])
    """
    if not models:
        raise RuntimeError("stack_module_state: expected at least one model")
    if any(type(m) is not type(models[0]) for m in models):
        raise RuntimeError("stack_module_state: expected models of one class")
    if any(m.training != models[0].training for m in models):
        raise RuntimeError("stack_module_state: expected models that are all in training mode, or none")
    return (
        _stacked([dict(m.named_parameters()) for m in models]),
        _stacked([dict(m.named_buffers()) for m in models]),
    )


def replace_all_batch_norm_modules_(root: Module) -> Module:
    """Make all batch normalisations of a module use the statistics of their batch alone, in place."""
    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = None
            module.running_var = None
            module.num_batches_tracked = None
            module.track_running_stats = False
    return root

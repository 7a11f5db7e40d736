"""Averages of weights: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization"
(2018), and exponential moving averages."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.nn.modules.batchnorm import _BatchNorm
from mlx.nn.modules.module import Module
from mlx.optim.lr_scheduler import LRScheduler, _per_group
from mlx.optim.optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Average = Callable[[Tensor, Tensor, Any], Tensor]
MultiAverage = Callable[[list[Tensor], list[Tensor], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """decay * average + (1 - decay) * now."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")

    def average(averaged: Tensor, now: Tensor, num_averaged: Any) -> Tensor:
        return averaged + (now - averaged) * (1 - decay)

    return average


def get_swa_avg_fn() -> Average:
    """The mean of all."""

    def average(averaged: Tensor, now: Tensor, num_averaged: Any) -> Tensor:
        return averaged + (now - averaged) / (int(num_averaged) + 1)

    return average


def _for_lists(average: Average) -> MultiAverage:
    @mlx.no_grad()
    def update(averaged: list[Tensor], now: list[Tensor], num_averaged: Any) -> None:
        for a, b in zip(averaged, now, strict=True):
            a.copy_(average(a, b, num_averaged) if a.is_floating_point() or a.is_complex() else b)

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """`get_ema_avg_fn` for lists of tensors, in place."""
    return _for_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> MultiAverage:
    """`get_swa_avg_fn` for lists of tensors, in place."""
    return _for_lists(get_swa_avg_fn())


class AveragedModel(Module):
    """A copy of a model whose parameters are the average of those that it saw at each `update_parameters`.

    Args:
        avg_fn: `avg_fn(averaged, now, num_averaged)` gives the new average; by default the mean of all.
        multi_avg_fn: the same for lists, in place.
        use_buffers: whether buffers are averaged too; otherwise they are copied.

    >>> import mlx
    >>> model = mlx.nn.Linear(1, 1)
    >>> averaged = AveragedModel(model)
    >>> for value in (1.0, 3.0):
    ...     _ = mlx.nn.init.constant_(model.weight, value)
    ...     averaged.update_parameters(model)
    >>> averaged.module.weight.item()
    2.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", mlx.tensor(0, dtype=mlx.int64, device=device))
        self._update = multi_avg_fn or _for_lists(avg_fn or get_swa_avg_fn())
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @mlx.no_grad()
    def update_parameters(self, model: Module) -> None:
        """Let the present parameters of `model` into the average."""
        averaged: list[Tensor] = list(self.module.parameters())
        now: list[Tensor] = list(model.parameters())
        buffers = list(zip(self.module.buffers(), model.buffers(), strict=True))
        if self.use_buffers:
            averaged += [b for b, _ in buffers]
            now += [b for _, b in buffers]
        pairs = list(zip(averaged, now, strict=True))
        if int(self.n_averaged) == 0:
            for a, b in pairs:
                a.detach().copy_(b.detach())
        else:
            self._update([a.detach() for a, _ in pairs], [b.detach() for _, b in pairs], self.n_averaged)
        if not self.use_buffers:
            for a, b in buffers:
                a.copy_(b)
        self.n_averaged += 1


@mlx.no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of a model's batch normalisations anew, by a pass over the data.

    Args:
        loader: batches, or tuples whose first element is one.
    """
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    if not layers:
        return
    was_training = model.training
    momenta = [m.momentum for m in layers]
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the mean of all batches
    for batch in loader:
        input = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(input if device is None else input.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the present rate to `swa_lr` in `anneal_epochs`, where it stays.

    Args:
        anneal_strategy: "cos" or "linear".
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must by one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        rates = _per_group(optimizer, swa_lr, "swa_lr")
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["swa_lr"] = lr
        self.anneal_epochs = anneal_epochs
        self._anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _part(self, step: int) -> float:
        """How much of the way has been gone."""
        t = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[float]:
        # As in PyTorch the count of steps leads the epoch by one, and 0 epochs mean at once.
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        now, before = self._part(step), self._part(step - 1)
        rates = []
        for group in self.optimizer.param_groups:
            lr, goal = float(group["lr"]), group["swa_lr"]
            first = goal if before == 1 else (lr - goal * before) / (1 - before)
            rates.append(goal * now + first * (1 - now))
        return rates

"""Learning rates of optimizers that a function steps: numbers that schedules change from call to call.

A rate is not a constant of the program but an input: while tracing, a tensor stands in its place.
"""

from __future__ import annotations

from typing import Any

from mlx import _C
from mlx._C import Tensor


class LearningRates:
    """The rates, as floats in the groups of these optimizers, that their steps take as tensors too."""

    def __init__(self, optimizers: list[Any]) -> None:
        self._groups = [
            group
            for optimizer in optimizers
            if optimizer.takes_tensor_lr
            for group in optimizer.param_groups
            if type(group.get("lr")) is float and not group.get("differentiable")
        ]
        self.symbols: list[Tensor] = []
        self._rates: list[float] = []

    def replace(self, trace: Any) -> None:
        """Put the symbol of a tensor in the place of each."""
        self._rates = [group["lr"] for group in self._groups]
        self.symbols = [trace.placeholder(t) for t in self.tensors()]
        for group, symbol in zip(self._groups, self.symbols, strict=True):
            group["lr"] = symbol

    def restore(self) -> None:
        """Undo it, where the function has not put something else there."""
        for group, symbol, rate in zip(self._groups, self.symbols, self._rates, strict=False):
            if group["lr"] is symbol:
                group["lr"] = rate

    def tensors(self) -> list[Tensor]:
        """The rates of this moment."""
        return [_C.scalar_tensor(group["lr"], dtype=_C.float64, device="cpu") for group in self._groups]

    def covers(self, slot: Any) -> bool:
        """Whether the slot is one of them."""
        return slot.key == "lr" and any(slot.container is group for group in self._groups)

    def fit(self) -> bool:
        """Whether they are still numbers."""
        return all(type(group.get("lr")) is float for group in self._groups)

"""Numbers of the optimizers that a function steps, which schedules change from call to call: learning rates,
and the momenta that a schedule moves with them.

Such a number is not a constant of the program but an input: while tracing, a tensor stands in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlx import _C
from mlx._C import Tensor


class Rate:
    """One of them: an option of a group, or the first number of an option (Adam's `betas`)."""

    def __init__(self, group: dict[str, Any], key: str) -> None:
        self._group, self._key = group, key
        self._held = self._put = group[key]

    def number(self) -> Any:
        """What stands there now."""
        option = self._group.get(self._key)
        return option[0] if type(option) is tuple and option else option

    def tensor(self) -> Tensor:
        """The same as a tensor of the host: in double precision, unless it is for a GPU's kernel."""
        on_host = all(p.device.type == "cpu" for p in self._group["params"])
        dtype = _C.float64 if on_host else _C.float32
        return _C.scalar_tensor(self.number(), dtype=dtype, device="cpu")

    def replace(self, symbol: Tensor) -> None:
        """Put a tensor in its place."""
        self._held = self._group[self._key]
        self._put = (symbol, *self._held[1:]) if type(self._held) is tuple else symbol
        self._group[self._key] = self._put

    def restore(self) -> None:
        """Undo it, where the function has not put something else there."""
        if self._group[self._key] is self._put:
            self._group[self._key] = self._held

    def covers(self, slot: Any) -> bool:
        """Whether the slot is this number's."""
        return (slot.container is self._group and slot.key == self._key) or slot.container is self._held

    def fits(self) -> bool:
        """Whether it is still a number that the program may be given: a momentum has to stay one."""
        number, option = self.number(), self._group.get(self._key)
        if type(self._held) is tuple and (type(option) is not tuple or option[1:] != self._held[1:]):
            return False
        return type(number) is float and (self._key == "lr" or number > 0)


def _rates_of(group: dict[str, Any]) -> Iterator[Rate]:
    if not group.get("differentiable"):
        scheduled = ("momentum", "betas") if "max_momentum" in group else ()
        yield from (rate for key in ("lr", *scheduled) if key in group and (rate := Rate(group, key)).fits())


class LearningRates:
    """The rates, as floats in the groups of these optimizers, that their steps take as tensors too."""

    def __init__(self, optimizers: list[Any]) -> None:
        groups = [g for o in optimizers if o.takes_tensor_lr for g in o.param_groups]
        self._rates = [rate for group in groups for rate in _rates_of(group)]
        self.symbols: list[Tensor] = []

    def replace(self, trace: Any) -> None:
        """Put the symbol of a tensor in the place of each."""
        self.symbols = [trace.placeholder(t) for t in self.tensors()]
        for rate, symbol in zip(self._rates, self.symbols, strict=True):
            rate.replace(symbol)

    def restore(self) -> None:
        """Undo it, where the function has not put something else there."""
        for rate in self._rates:
            rate.restore()

    def tensors(self) -> list[Tensor]:
        """The rates of this moment."""
        return [rate.tensor() for rate in self._rates]

    def covers(self, slot: Any) -> bool:
        """Whether the slot is one of them."""
        return any(rate.covers(slot) for rate in self._rates)

    def fit(self) -> bool:
        """Whether they are still numbers that the program takes."""
        return all(rate.fits() for rate in self._rates)

"""Adafactor."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, advance, beside, check_at_least_zero


class Adafactor(Optimizer):
    """Adam whose second moments of a matrix are a column times a row: Shazeer & Stern, "Adafactor: Adaptive
    Learning Rates with Sublinear Memory Cost" (2018).

    Args:
        lr: the largest relative step.
        beta2_decay: the power of the step count with which old moments count less.
        eps: the smallest root mean square of an update, by default the dtype's step from 1, and of a
        parameter. d: updates whose root mean square is larger are scaled down to it.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_at_least_zero(learning_rate=lr, weight_decay_value=weight_decay)
        if beta2_decay > 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and eps[0] < 0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if eps[1] < 0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if d < 1:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        if p.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        state["step"] = mlx.tensor(0.0, device="cpu")
        if p.dim() > 1:
            state["row_var"] = p.new_zeros((*p.shape[:-1], 1))
            state["col_var"] = p.new_zeros((*p.shape[:-2], 1, p.shape[-1]))
        else:
            state["variance"] = mlx.zeros_like(p)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        step = advance(state)
        lr = float(group["lr"])
        least, least_of_p = group["eps"]
        least = mlx.finfo(p.dtype).eps if least is None else least
        fresh = beside(p, step ** group["beta2_decay"])
        size = _root_mean_square(p).clamp(min=least_of_p) * beside(p, _least(1 / step**0.5, lr))
        if group["weight_decay"] != 0:
            p.mul_(1 - lr * group["weight_decay"])
        square = grad * grad
        if p.dim() > 1:
            rows, columns = state["row_var"], state["col_var"]
            rows.lerp_(square.mean(-1, keepdim=True), fresh)
            columns.lerp_(square.mean(-2, keepdim=True), fresh)
            moment = rows @ columns / rows.mean(-2, keepdim=True).clamp(min=least)
        else:
            moment = state["variance"].lerp_(square, fresh)
        update = moment.clamp(min=least * least).rsqrt() * grad
        p.sub_(update * (size / (_root_mean_square(update) / group["d"]).clamp(min=1)).to(p.dtype))


def _root_mean_square(x: Tensor) -> Tensor:
    return x.norm(2) / max(x.numel(), 1) ** 0.5


def _least(value: Any, limit: float) -> Any:
    return value.clamp(max=limit) if isinstance(value, Tensor) else min(value, limit)

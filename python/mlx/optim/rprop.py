"""Resilient backpropagation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, advance, as_real, check_at_least_zero


class Rprop(Optimizer):
    """Resilient backpropagation, which follows the gradient's sign alone: Riedmiller & Braun, "A direct adaptive
    method for faster backpropagation learning" (1993).

    Args:
        lr: the first step of each element.
        etas: what a step is multiplied with when the sign changed, and when it did not.
        step_sizes: the smallest and the largest step.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_at_least_zero(learning_rate=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        lr = float(group["lr"])
        state["step"] = mlx.zeros(())
        state["prev"] = mlx.zeros_like(p)
        state["step_size"] = mlx.full_like(p, complex(lr, lr) if p.is_complex() else lr, requires_grad=False)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        advance(state)
        less, more = group["etas"]
        p, grad, before, size = as_real([p, grad, state["prev"], state["step_size"]])
        turn = (grad * before).sign()
        factor = mlx.where(turn > 0, more, mlx.where(turn < 0, less, 1.0)).to(p.dtype)
        stepped = (size * factor).clamp(*group["step_sizes"])
        # An element whose sign changed went too far: it waits for one step.
        grad = mlx.where(turn < 0, mlx.zeros_like(grad), grad)
        p.sub_(grad.sign() * stepped)
        size.copy_(stepped)
        before.copy_(grad)

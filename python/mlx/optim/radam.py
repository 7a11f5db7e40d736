"""RAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, advance, as_real, beside, check_at_least_zero, check_betas


class RAdam(Optimizer):
    """Adam that adapts only once the variance of its second mean is known well enough: Liu et al., "On the
    Variance of the Adaptive Learning Rate and Beyond" (ICLR 2020)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_at_least_zero(learning_rate=lr, epsilon_value=eps, weight_decay_value=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["step"] = mlx.tensor(0.0, device="cpu")
        state["exp_avg"] = mlx.zeros_like(p)
        state["exp_avg_sq"] = mlx.zeros_like(p)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        t = advance(state)
        lr = group["lr"]
        beta1, beta2 = group["betas"]
        if group["weight_decay"] != 0:
            if group["decoupled_weight_decay"]:
                p.mul_(1 - lr * group["weight_decay"])
            else:
                grad = grad + p * group["weight_decay"]
        p, grad, mean, square = as_real([p, grad, state["exp_avg"], state["exp_avg_sq"]])
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad * (1 - beta2))
        direction = mean / beside(p, 1 - beta1**t)
        # The length of the simple moving average that the exponential one stands for, and its limit.
        limit = 2 / (1 - beta2) - 1
        length = limit - 2 * t * beta2**t / (1 - beta2**t)
        is_long = length > 5
        if isinstance(length, Tensor):
            length = length.clamp(min=5)
        if is_long is not False:
            rectified = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
            factor = beside(p, (rectified * (1 - beta2**t)) ** 0.5)
            scaled = direction / (square.sqrt() + group["eps"]) * factor
            direction = scaled if is_long is True else mlx.where(is_long.to(p.device), scaled, direction)
        p.sub_(direction * lr)

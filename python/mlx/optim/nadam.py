"""NAdam."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, advance, as_real, beside, check_at_least_zero, check_betas, number


class NAdam(Optimizer):
    """Adam with Nesterov's momentum: Dozat, "Incorporating Nesterov Momentum into Adam" (2016)."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_at_least_zero(
            learning_rate=lr,
            epsilon_value=eps,
            weight_decay_value=weight_decay,
            momentum_decay_value=momentum_decay,
        )
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["step"] = mlx.tensor(0.0, device="cpu")
        state["mu_product"] = mlx.ones((), device="cpu")
        state["exp_avg"] = mlx.zeros_like(p)
        state["exp_avg_sq"] = mlx.zeros_like(p)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        step = advance(state)
        lr = group["lr"]
        beta1, beta2 = group["betas"]
        if group["weight_decay"] != 0:
            if group["decoupled_weight_decay"]:
                p.mul_(1 - lr * group["weight_decay"])
            else:
                grad = grad + p * group["weight_decay"]
        p, grad, mean, square = as_real([p, grad, state["exp_avg"], state["exp_avg_sq"]])
        # The momentum's schedule: mu_t = beta1 (1 - 0.96^(t * decay) / 2).
        now, then = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in (step, step + 1))
        state["mu_product"] *= now
        product = number(state["mu_product"])
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad * (1 - beta2))
        denominator = (square / beside(p, 1 - beta2**step)).sqrt() + group["eps"]
        p.sub_(grad / denominator * beside(p, lr * (1 - now) / (1 - product)))
        p.sub_(mean / denominator * beside(p, lr * then / (1 - product * then)))

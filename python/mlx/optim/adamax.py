"""Adamax."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, advance, as_real, beside, check_at_least_zero, check_betas


class Adamax(Optimizer):
    """Adamax, Adam with the largest gradient in place of the mean square: Kingma & Ba, "Adam: A Method for
    Stochastic Optimization" (ICLR 2015), section 7.

    >>> import mlx
    >>> w = mlx.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mlx.optim.Adamax([w], lr=0.5)
    >>> (w**2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.5000, -1.5000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_at_least_zero(learning_rate=lr, epsilon_value=eps, weight_decay_value=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["step"] = mlx.tensor(0.0, device="cpu")
        state["exp_avg"] = mlx.zeros_like(p)
        state["exp_inf"] = mlx.zeros_like(p)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        step = advance(state)
        beta1, beta2 = group["betas"]
        if group["weight_decay"] != 0:
            grad = grad + p * group["weight_decay"]
        p, grad, mean, largest = as_real([p, grad, state["exp_avg"], state["exp_inf"]])
        mean.lerp_(grad, 1 - beta1)
        bound = mlx.maximum(largest * beta2, grad.abs() + group["eps"])
        largest.copy_(bound)
        p.sub_(mean / bound * beside(p, group["lr"] / (1 - beta1**step)))

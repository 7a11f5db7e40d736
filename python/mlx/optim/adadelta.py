"""Adadelta."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, advance, as_real, check_at_least_zero


class Adadelta(Optimizer):
    """Adadelta: Zeiler, "ADADELTA: An Adaptive Learning Rate Method" (2012).

    >>> import mlx
    >>> w = mlx.tensor([1.0], requires_grad=True)
    >>> optimizer = mlx.optim.Adadelta([w], rho=0.75, eps=1.0)
    >>> (w**2).sum().backward()
    >>> optimizer.step()  # w - 2 / sqrt(0.25 * 2**2 + 1)
    >>> w
    tensor([-0.4142], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_at_least_zero(learning_rate=lr, epsilon_value=eps, weight_decay_value=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["step"] = mlx.tensor(0.0)
        state["square_avg"] = mlx.zeros_like(p)
        state["acc_delta"] = mlx.zeros_like(p)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        advance(state)
        rho, eps = group["rho"], group["eps"]
        if group["weight_decay"] != 0:
            grad = grad + p * group["weight_decay"]
        p, grad, square, moved = as_real([p, grad, state["square_avg"], state["acc_delta"]])
        square.mul_(rho).addcmul_(grad, grad, value=1 - rho)
        delta = (moved + eps).sqrt() / (square + eps).sqrt() * grad
        moved.mul_(rho).addcmul_(delta, delta, value=1 - rho)
        p.sub_(delta * group["lr"])

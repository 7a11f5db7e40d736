"""RMSprop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.optim.optimizer import (
    Optimizer,
    advance,
    as_real,
    check_at_least_zero,
    gradients,
    is_symbol,
    steps_of,
)


def _has_momentum(group: dict[str, Any]) -> bool:
    return is_symbol(group["momentum"]) or group["momentum"] > 0


class RMSprop(Optimizer):
    """RMSprop: Hinton, "Neural Networks for Machine Learning", lecture 6 (2012); `centered` as in
    Graves, "Generating Sequences With Recurrent Neural Networks" (2013).

    >>> import mlx
    >>> w = mlx.tensor([1.0], requires_grad=True)
    >>> optimizer = mlx.optim.RMSprop([w], lr=0.01)
    >>> (w**2).sum().backward()
    >>> optimizer.step()  # w - 0.01 * 2 / sqrt(0.01 * 2**2)
    >>> w
    tensor([0.9000], requires_grad=True)
    """

    takes_tensor_lr = True
    counts_on_device = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_at_least_zero(
            learning_rate=lr,
            epsilon_value=eps,
            momentum_value=momentum,
            weight_decay_value=weight_decay,
            alpha_value=alpha,
        )
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["step"] = steps_of(p)
        state["square_avg"] = mlx.zeros_like(p)
        if _has_momentum(group):
            state["momentum_buffer"] = mlx.zeros_like(p)
        if group["centered"]:
            state["grad_avg"] = mlx.zeros_like(p)

    def update_group(self, params: list[Tensor], group: dict[str, Any]) -> None:
        if group["differentiable"]:
            return super().update_group(params, group)
        states = self._states(params, group)
        _C._fused_rmsprop_(
            as_real(params),
            as_real(gradients(params)),
            as_real(s["square_avg"] for s in states),
            as_real(s["momentum_buffer"] for s in states) if _has_momentum(group) else [],
            as_real(s["grad_avg"] for s in states) if group["centered"] else [],
            [s["step"] for s in states],
            lr=group["lr"],
            alpha=group["alpha"],
            eps=group["eps"],
            weight_decay=group["weight_decay"],
            momentum=group["momentum"],
            centered=group["centered"],
            maximize=group["maximize"],
        )

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        advance(state)
        lr, alpha = group["lr"], group["alpha"]
        if group["weight_decay"] != 0:
            grad = grad + p * group["weight_decay"]
        p, grad, square = as_real([p, grad, state["square_avg"]])
        square.mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if group["centered"]:
            (mean,) = as_real([state["grad_avg"]])
            mean.lerp_(grad, 1 - alpha)
            square = square - mean.clone().square()
        scaled = grad / (square.sqrt() + group["eps"])
        if group["momentum"] > 0:
            (buffer,) = as_real([state["momentum_buffer"]])
            scaled = buffer.mul_(group["momentum"]).add_(scaled).clone()
        p.sub_(scaled * lr)

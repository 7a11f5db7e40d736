"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.optim.optimizer import (
    Optimizer,
    as_real,
    check_at_least_zero,
    gradients,
    is_symbol,
)


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum as in Sutskever et al., "On the importance of
    initialization and momentum in deep learning" (ICML 2013).

    >>> import mlx
    >>> w = mlx.tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = mlx.optim.SGD([w], lr=0.5)
    >>> (w**2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0., 0.], requires_grad=True)
    """

    takes_tensor_lr = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_at_least_zero(learning_rate=lr, momentum_value=momentum, weight_decay_value=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def update_group(self, params: list[Tensor], group: dict[str, Any]) -> None:
        if group["differentiable"]:
            return super().update_group(params, group)
        if not is_symbol(group["momentum"]) and group["momentum"] == 0:
            return self._step(params, [], group, group["dampening"])
        begun = [p for p in params if self.state[p].get("momentum_buffer") is not None]
        fresh = [p for p in params if self.state[p].get("momentum_buffer") is None]
        for p in fresh:
            self.state[p]["momentum_buffer"] = mlx.zeros_like(p)
        # A buffer starts as the first gradient: as zeros would go on, if nothing of it were dampened.
        for part, dampening in ((begun, group["dampening"]), (fresh, 0)):
            if part:
                self._step(part, [self.state[p]["momentum_buffer"] for p in part], group, dampening)

    @staticmethod
    def _step(params: list[Tensor], buffers: list[Tensor], group: dict[str, Any], dampening: float) -> None:
        _C._fused_sgd_(
            as_real(params),
            as_real(gradients(params)),
            as_real(buffers),
            lr=group["lr"],
            weight_decay=float(group["weight_decay"]),
            momentum=group["momentum"],
            dampening=dampening,
            nesterov=group["nesterov"],
            maximize=group["maximize"],
        )

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        momentum = group["momentum"]
        if group["weight_decay"] != 0:
            grad = grad + p * group["weight_decay"]
        if momentum != 0:
            buffer = state.get("momentum_buffer")
            if buffer is None:
                buffer = state["momentum_buffer"] = grad.clone()
            else:
                buffer.mul_(momentum).add_(grad, alpha=1 - group["dampening"])
            grad = grad + buffer * momentum if group["nesterov"] else buffer
        p.sub_(grad * group["lr"])

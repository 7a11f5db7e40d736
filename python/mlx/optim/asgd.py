"""Averaged stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, advance, as_real, beside, check_at_least_zero, number


class ASGD(Optimizer):
    """Stochastic gradient descent that keeps the average of its parameters, in the state's `ax`: Polyak &
    Juditsky, "Acceleration of Stochastic Approximation by Averaging" (1992).

    Args:
        lambd: how much of the parameters decays a step, times the step size.
        alpha: the power with which the step size falls.
        t0: the step from which on the average is taken.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_at_least_zero(learning_rate=lr, weight_decay_value=weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["step"] = mlx.zeros((), device="cpu")
        state["eta"] = mlx.tensor(float(group["lr"]), device="cpu")
        state["mu"] = mlx.ones((), device="cpu")
        state["ax"] = mlx.zeros_like(p)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        step = advance(state)
        eta, mu = number(state["eta"]), number(state["mu"])
        if group["weight_decay"] != 0:
            grad = grad + p * group["weight_decay"]
        p, grad, average = as_real([p, grad, state["ax"]])
        p.mul_(beside(p, 1 - group["lambd"] * eta)).sub_(grad * beside(p, eta))
        if isinstance(mu, float) and mu == 1:
            average.copy_(p)
        else:
            average.add_((p - average) * beside(p, mu))
        lr = float(group["lr"])
        eta = lr / (1 + group["lambd"] * lr * step) ** group["alpha"]
        since = step - group["t0"]
        if isinstance(step, Tensor):
            state["eta"], state["mu"] = eta.float(), (1 / since.clamp(min=1)).float()
        else:
            state["eta"] = mlx.tensor(eta, device="cpu")
            state["mu"] = mlx.tensor(1 / max(1.0, since), device="cpu")

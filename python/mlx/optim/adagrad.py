"""Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, advance, as_real, check_at_least_zero, gradients, steps_of


class Adagrad(Optimizer):
    """Adagrad: Duchi, Hazan & Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization" (JMLR 2011).

    >>> import mlx
    >>> w = mlx.tensor([1.0], requires_grad=True)
    >>> optimizer = mlx.optim.Adagrad([w], lr=0.5)
    >>> (w**2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([0.5000], requires_grad=True)
    """

    takes_tensor_lr = True
    counts_on_device = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_at_least_zero(
            learning_rate=lr,
            lr_decay_value=lr_decay,
            weight_decay_value=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            epsilon_value=eps,
        )
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters; their sums of squares start now, not at the first step."""
        super().add_param_group(param_group)
        start = self.param_groups[-1]["initial_accumulator_value"]
        for p in self.param_groups[-1]["params"]:
            value = complex(start, start) if p.is_complex() else start
            self.state[p] = {"step": steps_of(p), "sum": mlx.full_like(p, value, requires_grad=False)}

    def update_group(self, params: list[Tensor], group: dict[str, Any]) -> None:
        if group["differentiable"]:
            return super().update_group(params, group)
        states = [self.state[p] for p in params]
        _C._fused_adagrad_(
            as_real(params),
            as_real(gradients(params)),
            as_real(s["sum"] for s in states),
            [s["step"] for s in states],
            lr=group["lr"],
            lr_decay=group["lr_decay"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=group["maximize"],
        )

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        lr = group["lr"] / (1 + (advance(state) - 1) * group["lr_decay"])
        if group["weight_decay"] != 0:
            grad = grad + p * group["weight_decay"]
        p, grad, total = as_real([p, grad, state["sum"]])
        total.addcmul_(grad, grad)
        p.sub_(grad / (total.sqrt() + group["eps"]) * lr)

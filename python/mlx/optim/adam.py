"""Adam and AdamW."""

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
    check_betas,
    gradients,
    is_symbol,
    steps_of,
)


class Adam(Optimizer):
    """Adam: Kingma & Ba, "Adam: A Method for Stochastic Optimization" (ICLR 2015); `amsgrad` as in
    Reddi et al., "On the Convergence of Adam and Beyond" (ICLR 2018).

    >>> import mlx
    >>> w = mlx.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mlx.optim.Adam([w], lr=0.5)
    >>> (w**2).sum().backward()
    >>> optimizer.step()  # the first step's length is lr, whatever the gradient's size
    >>> w
    tensor([ 0.5000, -1.5000], requires_grad=True)
    """

    takes_tensor_lr = True
    counts_on_device = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_at_least_zero(learning_rate=lr, epsilon_value=eps, weight_decay_value=weight_decay)
        check_betas(betas)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["step"] = steps_of(p)
        state["exp_avg"] = mlx.zeros_like(p)
        state["exp_avg_sq"] = mlx.zeros_like(p)
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = mlx.zeros_like(p)

    def update_group(self, params: list[Tensor], group: dict[str, Any]) -> None:
        if group["differentiable"]:
            return super().update_group(params, group)
        states = self._states(params, group)
        beta1, beta2 = (b if is_symbol(b) else float(b) for b in group["betas"])
        _C._fused_adam_(
            as_real(params),
            as_real(gradients(params)),
            as_real(s["exp_avg"] for s in states),
            as_real(s["exp_avg_sq"] for s in states),
            as_real(s["max_exp_avg_sq"] for s in states) if group["amsgrad"] else [],
            [s["step"] for s in states],
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            decoupled=group["decoupled_weight_decay"],
            amsgrad=group["amsgrad"],
            maximize=group["maximize"],
        )

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
        mean.lerp_(grad, 1 - beta1)
        square.mul_(beta2).addcmul_(grad, grad * (1 - beta2))
        if group["amsgrad"]:
            (largest,) = as_real([state["max_exp_avg_sq"]])
            square = mlx.maximum(largest.clone(), square.clone())
            largest.copy_(square)
        denominator = square.sqrt() / (1 - beta2**step) ** 0.5 + group["eps"]
        p.sub_(mean / denominator * (lr / (1 - beta1**step)))


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: Loshchilov & Hutter, "Decoupled Weight Decay
    Regularization" (ICLR 2019).

    >>> w = mlx.tensor([1.0, -2.0], requires_grad=True)
    >>> optimizer = mlx.optim.AdamW([w], lr=0.5, weight_decay=0.1)
    >>> (w**2).sum().backward()
    >>> optimizer.step()
    >>> w
    tensor([ 0.4500, -1.4000], requires_grad=True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

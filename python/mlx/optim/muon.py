"""Muon."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, check_at_least_zero


class Muon(Optimizer):
    """Momentum whose updates, matrices all, are made nearly orthogonal: Jordan et al., "Muon: An optimizer for
    hidden layers in neural networks" (2024).

    Args:
        ns_coefficients, ns_steps: of the polynomial a x + b x^3 + c x^5 that is applied to the singular values,
            and how often.
        eps: the smallest norm that an update is divided by.
        adjust_lr_fn: "original", which scales by sqrt(max(1, rows / columns)), or "match_rms_adamw", by
            0.2 sqrt(max(rows, columns)).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_at_least_zero(learning_rate=lr, momentum_value=momentum, weight_decay_value=weight_decay)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        if ns_steps >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(ns_coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.dim() != 2:
                    raise ValueError(
                        f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}"
                    )

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        if p.is_complex():
            raise RuntimeError("Muon does not support complex parameters")
        state["momentum_buffer"] = mlx.zeros_like(p)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        lr, momentum = float(group["lr"]), group["momentum"]
        buffer = state["momentum_buffer"].lerp_(grad, 1 - momentum)
        direction = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
        direction = _orthogonalized(direction, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = p.shape
        scale = math.sqrt(max(1, rows / columns))
        if group["adjust_lr_fn"] == "match_rms_adamw":
            scale = 0.2 * math.sqrt(max(rows, columns))
        p.mul_(1 - lr * group["weight_decay"]).add_(direction, alpha=-lr * scale)


def _orthogonalized(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """The matrix with singular values near 1, by Newton and Schulz's iteration in bfloat16."""
    a, b, c = coefficients
    tall = matrix.size(0) > matrix.size(1)
    x = matrix.bfloat16().t() if tall else matrix.bfloat16()
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.t()
        polynomial = mlx.addmm(gram, gram, gram, beta=b, alpha=c)
        x = mlx.addmm(x, polynomial, x, beta=a)
    return x.t() if tall else x

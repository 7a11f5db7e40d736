"""GradScaler: losses scaled up, so that small half-precision gradients do not vanish."""

from __future__ import annotations

import warnings
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx._nested import mapped
from mlx.autograd.grad_mode import no_grad
from mlx.optim.optimizer import Optimizer

__all__ = ["GradScaler"]


class GradScaler:
    """Multiplies losses by a factor and divides gradients by it again, and looks for the right factor.

    A step whose gradients hold an infinity or NaN is left out, and the factor reduced; after enough good
    steps in a row it grows.

    Args:
        device: the kind of device that is trained on.
        init_scale: the factor to begin with.
        growth_factor, backoff_factor: what the factor is multiplied by as it grows or is reduced.
        growth_interval: after how many good steps it grows.
        enabled: False makes all methods do nothing but step the optimizer.

    >>> import mlx
    >>> weight = mlx.nn.Parameter(mlx.ones(1))
    >>> optimizer = mlx.optim.SGD([weight], lr=0.5)
    >>> scaler = mlx.amp.GradScaler("cpu")
    >>> scaler.scale(weight.sum()).backward()
    >>> _ = scaler.step(optimizer)
    >>> scaler.update()
    >>> weight.data
    tensor([0.5000])
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = _C.device(device).type
        if enabled and not _C._has_device(self._device):
            warnings.warn(
                f"GradScaler is enabled, but {self._device.upper()} is not available.  Disabling.",
                stacklevel=2,
            )
            enabled = False
        if enabled and growth_factor <= 1:
            raise AssertionError(f"The growth factor must be > 1.0, not {growth_factor}")
        if enabled and backoff_factor >= 1:
            raise AssertionError(f"The backoff factor must be < 1.0, not {backoff_factor}")
        self._enabled = enabled
        self._scale = float(init_scale)
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        self._used = False  # whether anything was scaled yet
        self._begin_iteration()

    def _begin_iteration(self) -> None:
        self._finite: dict[int, bool] = {}  # optimizers whose gradients are unscaled, by id
        self._stepped: set[int] = set()

    def scale(self, outputs: Any) -> Any:
        """The tensors in `outputs` (one, or nested in lists and tuples) times the factor."""
        if not self._enabled:
            return outputs
        self._used = True

        def scaled(value: Any) -> Tensor:
            if not isinstance(value, Tensor):
                raise ValueError("outputs must be a Tensor or an iterable of Tensors")
            return value * _C.full((), self._scale, dtype=_C.float32, device=value.device)

        return mapped(scaled, outputs)

    def _check_used(self, method: str) -> None:
        if not self._used:
            raise AssertionError(
                f"Attempted {method} before anything was scaled; the backward pass must start from "
                "scaler.scale(loss)"
            )

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the gradients of an optimizer's parameters by the factor, to look at them or clip them.

        Raises:
            RuntimeError: when it is called twice before update(), or after step(). ValueError: for float16
                gradients, which a division makes vanish.
        """
        if not self._enabled:
            return
        self._check_used("unscale_")
        if id(optimizer) in self._stepped:
            raise RuntimeError("unscale_() is being called after step().")
        if id(optimizer) in self._finite:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if any(g.dtype is _C.float16 for g in grads):
            raise ValueError("Attempting to unscale FP16 gradients.")
        with no_grad():
            for grad in grads:
                grad.mul_(1.0 / self._scale)
            self._finite[id(optimizer)] = all(bool(g.isfinite().all()) for g in grads)

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Unscale the gradients, unless that is done, and step the optimizer if they are finite.

        Returns:
            What the optimizer's step() returns; None when it was left out.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_used("step")
        if id(optimizer) in self._stepped:
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._finite:
            self.unscale_(optimizer)
        self._stepped.add(id(optimizer))
        return optimizer.step(*args, **kwargs) if self._finite[id(optimizer)] else None

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adjust the factor to how the steps since the last update() went, or set it."""
        if not self._enabled:
            return
        self._check_used("update")
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not self._finite:
            raise AssertionError("No inf checks were recorded prior to update.")
        elif not all(self._finite.values()):
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._grow()
        self._begin_iteration()

    def _grow(self) -> None:
        grown = self._scale * self._growth_factor
        if grown <= _LARGEST:
            self._scale = grown
        self._growth_tracker = 0

    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self._enabled

    def get_scale(self) -> float:
        """The factor; 1 when it is disabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """The factor and its bookkeeping; empty when disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what state_dict() gave."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of "
                "GradScaler."
            )
        self._scale = float(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = int(state_dict["_growth_tracker"])


_LARGEST = float.fromhex("0x1.fffffep+127")  # of float32, in which losses are scaled

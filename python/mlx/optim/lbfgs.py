"""L-BFGS."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import mlx
from mlx._C import Tensor
from mlx.optim.optimizer import Optimizer, check_at_least_zero

_SUFFICIENT_DECREASE, _CURVATURE = 1e-4, 0.9  # c1 and c2 of Wolfe's conditions


class LBFGS(Optimizer):
    """The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno: Nocedal & Wright, "Numerical
    Optimization" (2006), algorithms 7.4 and 7.5.

    `step` needs a closure that clears the gradients, computes the loss, calls backward and returns the loss.

    Args:
        lr: the step's length, or the first that the line search tries.
        max_iter, max_eval: how many iterations a step takes, and evaluations of the closure (by default 5/4 as
            many).
        tolerance_grad, tolerance_change: a step ends where no gradient is larger, or nothing changes more.
        history_size: how many updates are remembered.
        line_search_fn: "strong_wolfe" or None.

    >>> import mlx
    >>> w = mlx.tensor([3.0, -1.0], requires_grad=True)
    >>> optimizer = mlx.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - 1) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> _ = optimizer.step(closure)
    >>> w.detach()
    tensor([1., 1.])
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_at_least_zero(learning_rate=lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    # The parameters as one vector ------------------------------------------------------------------------

    def _gradient(self) -> Tensor:
        parts = [(mlx.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in self._params]
        return mlx.cat([mlx.view_as_real(g).reshape(-1) if g.is_complex() else g for g in parts])

    def _move(self, length: float, direction: Tensor) -> None:
        start = 0
        for p in self._params:
            real = mlx.view_as_real(p) if p.is_complex() else p
            real.add_(direction[start : start + real.numel()].view_as(real), alpha=length)
            start += real.numel()

    def _evaluate_at(
        self, closure: Callable[[], Any], start: list[Tensor], length: float, direction: Tensor
    ) -> tuple[float, Tensor]:
        """The loss and its gradient at some distance; the parameters come back to where they were."""
        self._move(length, direction)
        loss = float(closure())
        gradient = self._gradient()
        for p, first in zip(self._params, start, strict=True):
            p.copy_(first)
        return loss, gradient

    # The iteration ---------------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take up to `max_iter` iterations; the loss before the first."""
        if closure is None:
            raise TypeError("LBFGS.step() needs a closure that recomputes the loss and its gradients")
        with mlx.no_grad():
            return self._iterate(mlx.enable_grad()(closure))

    def _iterate(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = closure()
        loss, gradient = float(first_loss), self._gradient()
        evaluations = 1
        state["func_evals"] += 1
        if _largest(gradient) <= group["tolerance_grad"]:
            return first_loss
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = self._direction(gradient, state, group["history_size"])
            length = float(group["lr"])
            if state["n_iter"] == 1:
                length *= min(1.0, 1.0 / float(gradient.abs().sum()))
            state.update(d=direction, t=length, prev_flat_grad=gradient, prev_loss=loss)
            slope = float(gradient.dot(direction))
            if slope > -group["tolerance_change"]:
                break
            before = loss
            last = iteration == group["max_iter"]
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                start = [p.clone() for p in self._params]
                found, used = _strong_wolfe(
                    lambda t, d=direction, x=start: self._evaluate_at(closure, x, t, d),
                    direction,
                    _Point(0.0, loss, gradient, slope),
                    length,
                    group["tolerance_change"],
                    group["max_eval"] - evaluations,
                )
                loss, gradient, length = found.loss, found.gradient, found.length
                state["t"] = length
                self._move(length, direction)
            else:
                self._move(length, direction)
                used = 0
                if not last:  # the loss after the last iteration is not needed
                    loss, gradient, used = float(closure()), self._gradient(), 1
            evaluations += used
            state["func_evals"] += used
            if last or evaluations >= group["max_eval"] or _largest(gradient) <= group["tolerance_grad"]:
                break
            moved = _largest(direction) * abs(length)
            if min(moved, abs(loss - before)) < group["tolerance_change"]:
                break
        return first_loss

    @staticmethod
    def _direction(gradient: Tensor, state: dict[str, Any], history_size: int) -> Tensor:
        """Minus the gradient times the inverse of the Hessian that the history stands for."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        change, step = gradient - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = float(change.dot(step))
        if curvature > 1e-10:
            for history, value in ((changes, change), (steps, step), (inverses, 1.0 / curvature)):
                if len(history) == history_size:
                    history.pop(0)
                history.append(value)
            state["H_diag"] = curvature / float(change.dot(change))
        direction = -gradient
        weights = []
        for y, s, rho in zip(reversed(changes), reversed(steps), reversed(inverses), strict=True):
            weights.append(float(s.dot(direction)) * rho)
            direction.sub_(y, alpha=weights[-1])
        direction = direction * state["H_diag"]
        for y, s, rho, weight in zip(changes, steps, inverses, reversed(weights), strict=True):
            direction.add_(s, alpha=weight - float(y.dot(direction)) * rho)
        return direction


def _largest(x: Tensor) -> float:
    return float(x.abs().max())


class _Point(NamedTuple):
    """A place on the line that is searched."""

    length: float
    loss: float
    gradient: Tensor
    slope: float


def _cubic_minimum(a: _Point, b: _Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through both points with their slopes is least, within bounds (Nocedal & Wright, 3.59)."""
    if a.length > b.length:
        a, b = b, a
    low, high = bounds or (a.length, b.length)
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = d1**2 - a.slope * b.slope
    if square < 0:
        return (low + high) / 2
    d2 = square**0.5
    share = (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)
    return min(max(b.length - (b.length - a.length) * share, low), high)


def _strong_wolfe(
    evaluate: Callable[[float], tuple[float, Tensor]],
    direction: Tensor,
    start: _Point,
    length: float,
    tolerance: float,
    most: int,
) -> tuple[_Point, int]:
    """A point that meets the strong Wolfe conditions, and how many evaluations it took (Nocedal & Wright,
    algorithms 3.5 and 3.6)."""

    def at(length: float) -> _Point:
        loss, gradient = evaluate(length)
        return _Point(length, loss, gradient, float(gradient.dot(direction)))

    def too_high(p: _Point) -> bool:
        return p.loss > start.loss + _SUFFICIENT_DECREASE * p.length * start.slope

    def flat(p: _Point) -> bool:
        return abs(p.slope) <= -_CURVATURE * start.slope

    # Steps grow until two points have a good one between them.
    before, now, tries = start, at(length), 0
    while tries < most:
        if too_high(now) or (tries > 1 and now.loss >= before.loss):
            break
        if flat(now):
            return now, tries + 1
        if now.slope >= 0:
            break
        bounds = (now.length + 0.01 * (now.length - before.length), 10 * now.length)
        length = _cubic_minimum(before, now, bounds)
        before, now = now, at(length)
        tries += 1
    else:
        before = start

    # The bracket shrinks around the good point; `low` is the better of its ends.
    low, high = (before, now) if before.loss <= now.loss else (now, before)
    stuck = False
    while tries < most and abs(high.length - low.length) * _largest(direction) >= tolerance:
        length, stuck = _trial(low, high, stuck)
        now = at(length)
        tries += 1
        if too_high(now) or now.loss >= low.loss:
            high = now
            if high.loss < low.loss:
                low, high = high, low
            continue
        if flat(now):
            return now, tries + 1
        if now.slope * (high.length - low.length) >= 0:
            high = low
        low = now
    return low, tries + 1


def _trial(a: _Point, b: _Point, stuck: bool) -> tuple[float, bool]:
    """The next length to try between two points, and whether it lies close to one of them. The second time in
    a row it is moved away, by a tenth of the distance."""
    length = _cubic_minimum(a, b)
    low, high = sorted((a.length, b.length))
    margin = 0.1 * (high - low)
    if min(high - length, length - low) >= margin:
        return length, False
    if not stuck and low < length < high:
        return length, True
    return (high - margin if high - length < length - low else low + margin), False

"""The base of all optimizers: parameter groups, per-parameter state, and their saving and loading."""

from __future__ import annotations

import functools
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from operator import attrgetter
from typing import Any, TypeAlias

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.nn.modules.hooks import RemovableHandle
from mlx.nn.parameter import clear_gradient

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


def check_at_least_zero(**values: Any) -> None:
    """Raise ValueError for the first value below 0 (or NaN); underscores in its name become spaces."""
    for name, value in values.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise ValueError(f"Tensor {name.replace('_', ' ')} must be 1-element")
        if not float(value) >= 0.0:
            raise ValueError(f"Invalid {name.replace('_', ' ')}: {value}")


def check_betas(betas: tuple[Any, Any]) -> None:
    """Raise ValueError unless both decay rates lie in [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= float(beta) < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def number(value: Tensor) -> Any:
    """What a tensor of one element holds; within a compiled function a tensor that stands for it."""
    if not _C._is_traced(value):
        return float(value)
    return value.double() if value.device.type == "cpu" else value


def beside(p: Tensor, value: Any) -> Any:
    """A number as it is; a tensor that stands for one where `p` lies, in its dtype."""
    return value.to(p.device, p.dtype) if isinstance(value, Tensor) else value


def is_symbol(option: Any) -> bool:
    """Whether a tensor stands for the option while a function is compiled, because a schedule changes it."""
    return isinstance(option, Tensor) and _C._is_traced(option)


def advance(state: dict[str, Any]) -> Any:
    """Count one more step in `state["step"]`, a tensor as in PyTorch's files; the new count."""
    state["step"] += 1
    count = number(state["step"])
    return count if isinstance(count, Tensor) else int(count)


def steps_of(p: Tensor) -> Tensor:
    """A new count of steps, where the fused kernels that increase it find it: beside the parameter."""
    return mlx.tensor(0.0, device=p.device)


def check_implementation(group: dict[str, Any]) -> None:
    """Raise RuntimeError for choices of an implementation that exclude one another. (There is but one here,
    a fused kernel, and one of plain ops for `differentiable`.)"""
    if group.get("fused") and group.get("differentiable"):
        raise RuntimeError("`fused` does not support `differentiable`")
    if group.get("fused") and group.get("foreach"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def _by_device(params: list[Tensor]) -> list[list[Tensor]]:
    """The parameters apart by device: one kernel updates those of one device."""
    devices = dict.fromkeys(map(attrgetter("device"), params))
    if len(devices) == 1:
        return [params]
    return [[p for p in params if p.device == device] for device in devices]


def gradients(params: Iterable[Tensor]) -> list[Tensor]:
    """The gradients of parameters that all have one."""
    return [p.grad for p in params if p.grad is not None]


def as_real(tensors: Iterable[Tensor]) -> list[Tensor]:
    """The tensors, complex ones as views on their real and imaginary parts."""
    return [mlx.view_as_real(t) if t.is_complex() else t for t in tensors]


_HOOKS = (
    "step_pre",
    "step_post",
    "state_dict_pre",
    "state_dict_post",
    "load_state_dict_pre",
    "load_state_dict_post",
)


def _between_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """A step that calls the hooks before and after it; one that a step calls itself does not."""

    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._called.add("step")
        before, after = self._hooks["step_pre"], self._hooks["step_post"]
        if self._stepping or not (before or after):
            return step(self, *args, **kwargs)
        self._stepping = True
        try:
            for hook in list(before.values()):
                changed = hook(self, args, kwargs)
                if changed is None:
                    continue
                if not (isinstance(changed, tuple) and len(changed) == 2):
                    raise RuntimeError(
                        f"{hook} must return None or a tuple of (new_args, new_kwargs), but got {changed}."
                    )
                args, kwargs = changed
            result = step(self, *args, **kwargs)
            for hook in list(after.values()):
                hook(self, args, kwargs)
            return result
        finally:
            self._stepping = False

    return hooked


class Optimizer:
    """Base class of the optimizers.

    A subclass defines `update`, which changes one parameter by its gradient; or `update_group`, which does so
    for all of a group at once; or its own `step`.

    Args:
        params: Tensors, `(name, tensor)` pairs, or dicts of a group's `params` and its own options.
        defaults: The options of groups that do not set their own.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _between_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                "but got mlx.Tensor"
            )
        check_implementation(defaults)
        self.defaults = defaults
        self._clear_hooks()
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            if not isinstance(group, dict):
                raise TypeError(f"param_group must be a dict, but got {type(group)}")
            self.add_param_group(dict(group))

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters, with the defaults for the options it does not name."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of "
                "tensors in sets will change between runs. Please use a list instead."
            )
        params = [params] if isinstance(params, Tensor) else list(params)
        pairs = [p for p in params if isinstance(p, tuple)]
        if pairs and len(pairs) != len(params):
            raise ValueError("all optimizer params should be with/without names")
        if pairs:
            param_group["param_names"] = [name for name, _ in pairs]
            params = [p for _, p in pairs]
        if self.param_groups and ("param_names" in param_group) != ("param_names" in self.param_groups[0]):
            raise ValueError("all optimizer param groups should be with/without names")
        self._check_params(params)
        param_group["params"] = params
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    f"parameter group didn't specify a value of required optimization parameter {name}"
                )
            param_group.setdefault(name, default)
        self.param_groups.append(param_group)

    def _check_params(self, params: list[Any]) -> None:
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p)}")
            if not (self.defaults.get("differentiable") or p.is_leaf or p.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        seen = {id(p) for group in self.param_groups for p in group["params"]}
        if len({id(p) for p in params}) != len(params):
            raise ValueError("a parameter group contains duplicate parameters")
        if any(id(p) in seen for p in params):
            raise ValueError("some parameters appear in more than one parameter group")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters: drop them, or fill them with zeros."""
        for group in self.param_groups:
            for p in group["params"]:
                clear_gradient(p, set_to_none)

    def _clear_hooks(self) -> None:
        self._hooks: dict[str, OrderedDict[int, Callable]] = {kind: OrderedDict() for kind in _HOOKS}
        self._stepping = False
        self._called: set[str] = set()  # no plain value, since compiled functions would be guarded by it

    @property
    def _opt_called(self) -> bool:
        """Whether it has made a step, which schedulers ask."""
        return bool(self._called)

    def _add_hook(self, kind: str, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        hooks = self._hooks[kind]
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new arguments."""
        return self._add_hook("step_pre", hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return self._add_hook("step_post", hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[[Any], None], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict`."""
        return self._add_hook("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict`; it may return another."""
        return self._add_hook("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before `load_state_dict`; it may return another."""
        return self._add_hook("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[[Any], None], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after `load_state_dict`."""
        return self._add_hook("load_state_dict_post", hook, prepend)

    @_between_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; the closure's value, if one is given."""
        loss = None
        if closure is not None:
            with mlx.enable_grad():
                loss = closure()
        with mlx.set_grad_enabled(bool(self.defaults.get("differentiable")) and mlx.is_grad_enabled()):
            for group in self.param_groups:
                params = [p for p in group["params"] if p.grad is not None]
                for same_device in _by_device(params):
                    self.update_group(same_device, group)
        return loss

    # Whether `step` takes a learning rate that is a tensor without looking at its value.
    takes_tensor_lr = False
    # Whether step counts lie on the device of their parameters, where a kernel increases them.
    counts_on_device = False

    def update_group(self, params: list[Tensor], group: dict[str, Any]) -> None:
        """Change `params`, those of a group that have gradients, in place by one step."""
        for p, state in zip(params, self._states(params, group), strict=True):
            assert p.grad is not None
            self.update(p, -p.grad if group.get("maximize") else p.grad, group, state)

    def update(self, p: Tensor, grad: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """Change `p` in place by one step against `grad`."""
        raise NotImplementedError(f"{type(self).__name__} defines neither update nor step")

    def _states(self, params: list[Tensor], group: dict[str, Any]) -> list[dict[str, Any]]:
        """The states of parameters, begun where there is none yet."""
        states = [self.state[p] for p in params]
        for p, state in zip(params, states, strict=True):
            if not state:
                self.begin(p, group, state)
        return states

    def begin(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        """Fill the empty `state` of a parameter before its first step."""

    def state_dict(self) -> dict[str, Any]:
        """The state by the parameters' positions, and the groups with positions for parameters."""
        for before in list(self._hooks["state_dict_pre"].values()):
            before(self)
        index: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for p in group["params"]:
                index[id(p)] = len(index)
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [index[id(p)] for p in group["params"]]
            groups.append(packed)
        saved = {"state": {index[id(p)]: s for p, s in self.state.items()}, "param_groups": groups}
        for after in list(self._hooks["state_dict_post"].values()):
            changed = after(self, saved)
            saved = saved if changed is None else changed
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over a `state_dict` of an optimizer with groups of the same sizes."""
        for before in list(self._hooks["load_state_dict_pre"].values()):
            changed = before(self, state_dict)
            state_dict = state_dict if changed is None else changed
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(s["params"]) != len(g["params"]) for s, g in zip(saved, self.param_groups, strict=True)):
            raise ValueError(
                "loaded state dict contains a group that doesn't match the size of optimizer's group"
            )
        indices = chain.from_iterable(group["params"] for group in saved)
        params = chain.from_iterable(group["params"] for group in self.param_groups)
        by_index = dict(zip(indices, params, strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in by_index:
                state[by_index[key]] = self._adapted(by_index[key], value)
            else:
                state[key] = deepcopy(value)
        groups = []
        for old, new in zip(self.param_groups, saved, strict=True):
            group = {"params": old["params"]}
            if "param_names" in old:
                group["param_names"] = old["param_names"]
            group |= {k: deepcopy(v) for k, v in new.items() if k not in ("params", "param_names")}
            for name, default in self.defaults.items():  # options newer than the saved state
                group.setdefault(name, default)
            groups.append(group)
        self.state, self.param_groups = state, groups
        for after in list(self._hooks["load_state_dict_post"].values()):
            after(self)

    def _adapted(self, p: Tensor, saved: dict[str, Any]) -> dict[str, Any]:
        state = {key: _adapt(p, key, value) for key, value in saved.items()}
        if self.counts_on_device and isinstance(state.get("step"), Tensor):
            state["step"] = state["step"].to(p.device)
        return state

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if k not in ("_hooks", "_stepping", "_called")}
        # Positions, not tensors, as keys: a tensor's hash is its identity, which a copy does not keep.
        state["state"] = self.state_dict()["state"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._clear_hooks()
        params = [p for group in self.param_groups for p in group["params"]]
        self.state = defaultdict(dict, {params[i]: s for i, s in state["state"].items()})

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {k}: {group[k]}" for k in sorted(group) if k != "params"]
            if i + 1 < len(self.param_groups):
                lines.append("")
        return "\n".join([*lines, ")"])


# Numbers that the state has of a parameter as a whole, in float32 whatever its dtype.
_COUNTERS = ("step", "mu_product", "eta", "mu")


def _adapt(p: Tensor, key: str, value: Any) -> Any:
    """A copy of a saved value of `p`'s state, in `p`'s dtype and on its device; step counts as they are."""
    if key == "step" and isinstance(value, (int, float)):  # in older files a number
        return mlx.tensor(float(value))
    if not isinstance(value, Tensor) or key in _COUNTERS:
        return deepcopy(value)
    value = value.detach().clone()
    if p.is_floating_point() or p.is_complex():
        return value.to(dtype=p.dtype, device=p.device)
    return value.to(device=p.device)

"""The state of modules: dicts of tensors by dotted name, and how a module takes one over."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import mlx
from mlx._C import Tensor
from mlx.nn.modules.hooks import RemovableHandle
from mlx.nn.parameter import Parameter, is_lazy

__all__ = ["StateOfModule"]

_EXTRA = "_extra_state"


class _IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


class StateDict(OrderedDict[str, Any]):
    """Tensors by name; `_metadata` has the version of each module that they come from."""

    _metadata: dict[str, dict[str, Any]]


class _WithModule:
    """A hook that is called with its module first."""

    def __init__(self, hook: Callable[..., Any]) -> None:
        self.hook = hook


class _WithoutResult:
    """A hook that must not return anything."""

    def __init__(self, hook: Callable[..., None]) -> None:
        self.hook = hook

    def __call__(self, *args: Any) -> None:
        if self.hook(*args) is not None:
            raise RuntimeError("state_dict post-hook must return None")


class StateOfModule:
    """The part of Module that saves and loads its parameters and persistent buffers."""

    # Counts the forms in which a class has saved its state; a subclass that changes its own raises it.
    _version = 1

    # Values are None where a name is kept without a tensor or module.
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_dict_pre_hooks: OrderedDict[int, Callable]
    _state_dict_hooks: OrderedDict[int, Callable]
    _load_state_dict_pre_hooks: OrderedDict[int, Any]
    _load_state_dict_post_hooks: OrderedDict[int, Callable]

    # Saving ----------------------------------------------------------------------------------------------

    def get_extra_state(self) -> Any:
        """What a subclass saves beside its tensors, under the key "_extra_state"."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called: a class that "
            "defines set_extra_state defines get_extra_state too"
        )

    def set_extra_state(self, state: Any) -> None:
        """Take over what `get_extra_state` of a saved module gave."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called: a class that "
            "defines get_extra_state defines set_extra_state too"
        )

    def _persistent_state(self) -> dict[str, Tensor]:
        buffers = {k: b for k, b in self._buffers.items() if k not in self._non_persistent_buffers_set}
        return {k: t for k, t in (*self._parameters.items(), *buffers.items()) if t is not None}

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        """Put this module's own state into `destination`; subclasses may add to it."""
        for name, tensor in self._persistent_state().items():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateOfModule.get_extra_state:
            destination[prefix + _EXTRA] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by dotted name. They share memory with the module's.

        Args:
            destination: a dict to put them into.
            prefix: what their names begin with.
            keep_vars: give the parameters themselves, not detached tensors.
        """
        given = dict(zip(("destination", "prefix", "keep_vars"), args, strict=False))
        destination = given.get("destination", destination)
        prefix, keep_vars = given.get("prefix", prefix), given.get("keep_vars", keep_vars)
        if destination is None:
            destination = StateDict()
            destination._metadata = OrderedDict()
        metadata: dict[str, Any] = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in list(self._state_dict_pre_hooks.values()):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, child in self._modules.items():
            if child is not None:
                child.state_dict(destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars)
        for hook in list(self._state_dict_hooks.values()):
            changed = hook(self, destination, prefix, metadata)
            destination = destination if changed is None else changed
        return destination

    # Loading ---------------------------------------------------------------------------------------------

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy the tensors of a state dict into this module.

        Args:
            state_dict: what `state_dict()` gave.
            strict: whether a missing or an unexpected key is an error.
            assign: take over the given tensors, with their dtype and device, instead of copying them.

        Raises:
            RuntimeError: with all that does not fit: keys, shapes, values that are not tensors.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        metadata = getattr(state_dict, "_metadata", None)
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []

        def load(module: StateOfModule, state: dict[str, Any], prefix: str) -> None:
            local = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local = {**local, "assign_to_params_buffers": True}
            module._load_from_state_dict(state, prefix, local, True, missing, unexpected, errors)
            for name, child in module._modules.items():
                if child is not None:
                    below = f"{prefix}{name}."
                    load(child, {k: v for k, v in state.items() if k.startswith(below)}, below)
            keys = _IncompatibleKeys(missing, unexpected)
            for hook in list(module._load_state_dict_post_hooks.values()):
                if hook(module, keys) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to "
                        "return new values; change incompatible_keys in place"
                    )

        load(self, dict(state_dict), "")
        if strict and unexpected:
            errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
        if strict and missing:
            errors.insert(0, f"Missing key(s) in state_dict: {_quoted(missing)}. ")
        if errors:
            report = "\n\t".join(errors)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{report}")
        return _IncompatibleKeys(missing, unexpected)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Take over this module's own part of `state_dict`, the keys that begin with `prefix`, and append
        what does not fit to the three lists. Subclasses may convert older forms first."""
        for hook in list(self._load_state_dict_pre_hooks.values()):
            args = (state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
            if isinstance(hook, _WithModule):
                hook.hook(self, *args)
            else:
                hook(*args)
        own = self._persistent_state()
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                error = self._take_over(name, key, tensor, state_dict[key], assign)
                if error is not None:
                    error_msgs.append(error)
            elif strict:
                missing_keys.append(key)
        extra = prefix + _EXTRA
        takes_extra = type(self).set_extra_state is not StateOfModule.set_extra_state
        if takes_extra and extra in state_dict:
            self.set_extra_state(state_dict[extra])
        if not strict:
            return
        if takes_extra and extra not in state_dict:
            missing_keys.append(extra)
        elif not takes_extra and extra in state_dict:
            unexpected_keys.append(extra)
        unexpected_keys += [
            key
            for key in state_dict
            if key.startswith(prefix) and key != extra and not self._knows(key[len(prefix) :], own)
        ]

    def _knows(self, name: str, own: dict[str, Tensor]) -> bool:
        head, dot, _ = name.partition(".")
        return head in self._modules if dot else head in own

    def _take_over(self, name: str, key: str, tensor: Tensor, value: Any, assign: bool) -> str | None:
        """Copy or assign one tensor; what is wrong with it, if something is."""
        if not isinstance(value, Tensor):
            return (
                f'While copying the parameter named "{key}", expected mlx.Tensor or Tensor-like object from '
                f"checkpoint but received {type(value)}"
            )
        if not is_lazy(tensor):
            if tensor.dim() == 0 and tuple(value.shape) == (1,):
                value = value[0]  # as old files have single numbers
            if value.shape != tensor.shape:
                return (
                    f"size mismatch for {key}: copying a param with shape {value.shape} from checkpoint, "
                    f"the shape in current model is {tensor.shape}."
                )
        try:
            with mlx.no_grad():
                if assign:
                    self._assign(name, tensor, value)
                else:
                    tensor.copy_(value)
        except Exception as error:
            return (
                f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{tensor.shape} and whose dimensions in the checkpoint are {value.shape}, an exception "
                f"occurred : {error.args}."
            )
        return None

    def _assign(self, name: str, tensor: Tensor, value: Tensor) -> None:
        if name not in self._parameters:
            self._buffers[name] = value
        elif isinstance(value, Parameter):
            self._parameters[name] = value.requires_grad_(tensor.requires_grad)
        else:
            self._parameters[name] = Parameter(value, tensor.requires_grad)

    # Hooks -----------------------------------------------------------------------------------------------

    def _add_state_hook(self, hooks: OrderedDict[int, Any], hook: Any) -> RemovableHandle:
        handle = RemovableHandle(hooks)
        hooks[handle.id] = hook
        return handle

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, prefix, keep_vars)` before the state is collected."""
        return self._add_state_hook(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata)` after it; it may change the dict."""
        return self._add_state_hook(self._state_dict_hooks, _WithoutResult(hook))

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As `register_state_dict_post_hook`, but what the hook returns replaces the dict."""
        return self._add_state_hook(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
        error_msgs)` before the module takes its part of a state dict."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        return self._add_state_hook(
            self._load_state_dict_pre_hooks, _WithModule(hook) if with_module else hook
        )

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call `hook(module, incompatible_keys)` when the module has taken its part; it may change the
        lists."""
        return self._add_state_hook(self._load_state_dict_post_hooks, hook)


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)

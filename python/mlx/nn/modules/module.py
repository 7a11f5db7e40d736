"""Module: the base class of every layer and model."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import mlx
from mlx._C import Tensor
from mlx.nn.modules.hooks import GLOBAL_HOOKS, CallHooks, RemovableHandle, call_with_hooks
from mlx.nn.modules.hooks import register_module_forward_hook as register_module_forward_hook
from mlx.nn.modules.hooks import register_module_forward_pre_hook as register_module_forward_pre_hook
from mlx.nn.modules.hooks import register_module_full_backward_hook as register_module_full_backward_hook
from mlx.nn.modules.hooks import (
    register_module_full_backward_pre_hook as register_module_full_backward_pre_hook,
)
from mlx.nn.modules.state import StateOfModule
from mlx.nn.parameter import Buffer, Parameter, clear_gradient, is_lazy

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Module"]

_STATE_HOOKS = (
    "_state_dict_pre_hooks",
    "_state_dict_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


def _addindent(text: str, spaces: int) -> str:
    """All lines but the first further right. Programs import it for a `__repr__` of their own."""
    return text.replace("\n", "\n" + spaces * " ")


class Module(StateOfModule):
    """The base class of every layer and model.

    A subclass calls `super().__init__()`, assigns its parameters and submodules as attributes, and
    defines `forward`.

    >>> import mlx
    >>> class Scale(mlx.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = mlx.nn.Parameter(mlx.ones(1))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> Scale()(mlx.arange(3.0)).detach()
    tensor([0., 1., 2.])
    >>> list(Scale().state_dict())
    ['factor']
    """

    training: bool
    _call_hooks: CallHooks | None

    def __init__(self) -> None:
        put = super().__setattr__
        put("training", True)
        put("_parameters", {})
        put("_buffers", {})
        put("_modules", {})
        put("_non_persistent_buffers_set", set())
        put("_call_hooks", None)
        for hooks in _STATE_HOOKS:
            put(hooks, OrderedDict())

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; each subclass has its own."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._call_hooks is None and not GLOBAL_HOOKS.in_use:
            return self.forward(*args, **kwargs)
        return call_with_hooks(self, self._call_hooks, args, kwargs)

    # Attributes ------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        for store in ("_parameters", "_buffers", "_modules"):
            items = self.__dict__.get(store)
            if items is not None and name in items:
                return items[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        stores = self.__dict__
        if isinstance(value, Parameter):
            self._forget(name, keep="_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Buffer):
            self._forget(name, keep="_buffers")
            self.register_buffer(name, value, value.persistent)
        elif isinstance(value, Module):
            if "_modules" not in stores:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, keep="_modules")
            self._modules[name] = value
        elif name in stores.get("_parameters", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{mlx.typename(value)}' as parameter '{name}' "
                    "(Parameter or None expected)"
                )
            self._parameters[name] = None
        elif name in stores.get("_modules", ()):
            if value is not None:
                raise TypeError(
                    f"cannot assign '{mlx.typename(value)}' as child module '{name}' "
                    "(Module or None expected)"
                )
            self._modules[name] = None
        elif name in stores.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{mlx.typename(value)}' as buffer '{name}' (Tensor or None expected)"
                )
            self._buffers[name] = value
        else:
            super().__setattr__(name, value)

    def _forget(self, name: str, keep: str) -> None:
        """Take `name` away from every other kind of attribute, so that an assignment can change its kind."""
        for store in ("_parameters", "_buffers", "_modules"):
            if store != keep:
                self.__dict__.get(store, {}).pop(name, None)
        self.__dict__.get("_non_persistent_buffers_set", set()).discard(name)
        self.__dict__.pop(name, None)

    def __delattr__(self, name: str) -> None:
        for store in (self._parameters, self._buffers, self._modules):
            if name in store:
                del store[name]
                self._non_persistent_buffers_set.discard(name)
                return
        super().__delattr__(name)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        # What files of before these were there lack.
        for hooks in _STATE_HOOKS:
            self.__dict__.setdefault(hooks, OrderedDict())
        self.__dict__.setdefault("_call_hooks", None)
        self.__dict__.setdefault("_non_persistent_buffers_set", set())

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    # Registration ----------------------------------------------------------------------------------------

    def _check_name(self, kind: str, name: str, store: str) -> None:
        if store not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {mlx.typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[store]:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None keeps the name without one."""
        self._check_name("parameter", name, "_parameters")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{mlx.typename(param)}' object to parameter '{name}' "
                "(Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(f"Cannot assign non-leaf Tensor to parameter '{name}'.")
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but not trained; only a persistent one is in the state dict."""
        self._check_name("buffer", name, "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{mlx.typename(tensor)}' object to buffer '{name}' (Tensor or None required)"
            )
        self._buffers[name] = tensor
        (self._non_persistent_buffers_set.discard if persistent else self._non_persistent_buffers_set.add)(
            name
        )

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule, reached as the attribute `name`."""
        self._check_name("module", name, "_modules")
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{mlx.typename(module)} is not a Module subclass")
        self._modules[name] = module

    register_module = add_module

    def get_submodule(self, target: str) -> Module:
        """The submodule at a dotted path; the module itself for an empty one."""
        found = self
        for name in filter(None, target.split(".")):
            if not hasattr(found, name):
                raise AttributeError(f"{type(found).__name__} has no attribute `{name}`")
            found = getattr(found, name)
            if not isinstance(found, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return found

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put a module at a dotted path; with `strict` only where there is one already."""
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError("Cannot set the submodule without a target name!")
        owner = self.get_submodule(path)
        if strict and not hasattr(owner, name):
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        if hasattr(owner, name) and not isinstance(getattr(owner, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        if not isinstance(module, Module):
            raise ValueError(f"`{target}` must be an nn.Module, got {type(module)}")
        setattr(owner, name, module)

    def _get_tensor(self, target: str, store: str, kind: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if not hasattr(owner, name):
            raise AttributeError(f"{type(owner).__name__} has no attribute `{name}`")
        if name not in owner.__dict__[store]:
            raise AttributeError(f"`{name}` is not {kind}")
        return owner.__dict__[store][name]

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a dotted path."""
        return self._get_tensor(target, "_parameters", "an nn.Parameter")

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a dotted path."""
        return self._get_tensor(target, "_buffers", "a buffer")

    # Walks -----------------------------------------------------------------------------------------------

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it, each with its dotted name."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, child in self._modules.items():
            if child is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from child.named_modules(memo, path, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, each once, or as often as it is there."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The immediate submodules with their names, each once."""
        seen = set()
        for name, child in self._modules.items():
            if child is not None and child not in seen:
                seen.add(child)
                yield name, child

    def children(self) -> Iterator[Module]:
        """The immediate submodules, each once."""
        for _, child in self.named_children():
            yield child

    def _named_members(
        self, store: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Iterator[tuple[str, Any]]:
        seen = set()
        owners = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, owner in owners:
            for name, tensor in owner.__dict__[store].items():
                if tensor is None or id(tensor) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(tensor))
                yield (f"{path}.{name}" if path else name), tensor

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names."""
        return self._named_members("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, each once."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        return self._named_members("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # Changes to the whole tree ---------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], None]) -> Self:
        """Call `fn` on every module below this one, then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Replace every parameter's data, every gradient and every buffer by `fn` of it."""
        for child in self.children() if recurse else ():
            child._apply(fn)
        for param in self._parameters.values():
            if param is None:
                continue
            grad = param.grad
            changed = fn(param.data)
            if grad is not None:
                # A gradient must match its parameter, so it is away while the parameter changes.
                param.grad = None
                param.data = changed
                grad.data = fn(grad.detach())
                param.grad = grad
            else:
                param.data = changed
        for name, buffer in self._buffers.items():
            if is_lazy(buffer):
                buffer.data = fn(buffer.data)
            elif buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def type(self, dst_type: Any) -> Self:
        """Cast all parameters and buffers to a dtype."""
        return self._apply(lambda t: t.to(dst_type))

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Move to a device without the values of parameters and buffers."""
        return self._apply(lambda t: mlx.empty_like(t, device=device), recurse)

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move to a device, or cast floating-point parameters and buffers; arguments as for `Tensor.to`."""
        # An empty tensor tells what the arguments ask for, in whichever of the three forms they come.
        probe = mlx.empty(0, dtype=mlx.float32).to(*args, **kwargs)
        dtypes = [a for a in (*args, *kwargs.values()) if isinstance(a, mlx.dtype)]
        if dtypes and not (probe.is_floating_point() or probe.is_complex()):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, "
                f"but got desired dtype={probe.dtype}"
            )
        cast = bool(dtypes) or any(isinstance(a, Tensor) for a in (*args, *kwargs.values()))
        moves = any(isinstance(a, (str, mlx.device, Tensor)) for a in (*args, *kwargs.values()))

        def convert(t: Tensor) -> Tensor:
            dtype = probe.dtype if cast and (t.is_floating_point() or t.is_complex()) else t.dtype
            return t.to(probe.device if moves else t.device, dtype)

        return self._apply(convert)

    def _cast(self, dtype: Any) -> Self:
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self) -> Self:
        """Cast floating-point parameters and buffers to float32."""
        return self._cast(mlx.float32)

    def double(self) -> Self:
        """Cast floating-point parameters and buffers to float64."""
        return self._cast(mlx.float64)

    def half(self) -> Self:
        """Cast floating-point parameters and buffers to float16."""
        return self._cast(mlx.float16)

    def bfloat16(self) -> Self:
        """Cast floating-point parameters and buffers to bfloat16."""
        return self._cast(mlx.bfloat16)

    def cpu(self) -> Self:
        """Move to the CPU."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Self:
        """Move to a CUDA device. AssertionError, since this build has none."""
        mlx.cuda._refuse()

    def train(self, mode: bool = True) -> Self:
        """Set training mode, on which dropout and batch normalisation depend."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Set evaluation mode: `train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say whether the parameters are trained."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zero."""
        for param in self.parameters():
            clear_gradient(param, set_to_none)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile the calls of this module, in place; arguments are those of `mlx.compile`. Copies of the
        module are not compiled.

        >>> import mlx
        >>> layer = mlx.nn.ReLU()
        >>> layer.compile()
        >>> layer(mlx.tensor([-1.0, 2.0]))
        tensor([0., 2.])
        """
        self._hooks().compiled = mlx.compile(self.forward, *args, **kwargs)

    # Hooks -----------------------------------------------------------------------------------------------

    def _hooks(self) -> CallHooks:
        if self._call_hooks is None:
            self._call_hooks = CallHooks()
        return self._call_hooks

    # What programs written for PyTorch look into: the hooks by the id of their handle.
    @property
    def _forward_pre_hooks(self) -> OrderedDict[int, Callable]:
        return self._hooks().forward_pre

    @property
    def _forward_hooks(self) -> OrderedDict[int, Callable]:
        return self._hooks().forward

    @property
    def _backward_hooks(self) -> OrderedDict[int, Callable]:
        return self._hooks().backward

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)`, or `hook(module, args, kwargs)`, before each forward; what it returns
        replaces the arguments."""
        return self._hooks().add("forward_pre", hook, prepend, with_kwargs)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)`, or `hook(module, args, kwargs, output)`, after each forward;
        what it returns replaces the output. With `always_call` also after a forward that failed."""
        return self._hooks().add("forward", hook, prepend, with_kwargs, always_call)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_output)` when the gradients of the output are known; what it returns
        replaces them."""
        return self._hooks().add("backward_pre", hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the positional arguments are
        known; what it returns replaces those."""
        return self._hooks().add("backward", hook, prepend)

    register_backward_hook = register_full_backward_hook

    # Printing --------------------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """What stands between the parentheses of the printed module."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        children = [f"({name}): {_addindent(repr(child), 2)}" for name, child in self._modules.items()]
        if not children and len(extra) <= 1:
            return f"{self._get_name()}({''.join(extra)})"
        lines = "".join(f"  {line}\n" for line in [*extra, *children])
        return f"{self._get_name()}(\n{lines})"

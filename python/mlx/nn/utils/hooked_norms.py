"""The older forms of weight and spectral normalisation, which compute the weight in a hook before each call.
`mlx.nn.utils.parametrizations` has the newer ones."""

from __future__ import annotations

from typing import Any

import mlx
from mlx import _C
from mlx._C import Tensor
from mlx.nn.modules.module import Module
from mlx.nn.parameter import Parameter
from mlx.nn.utils.parametrizations import PowerMethod, default_dim, norm_except

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


def _applied(module: Module) -> dict[tuple[type, str], Any]:
    return module.__dict__.setdefault("_hooked_norms", {})


class _HookedNorm:
    """A hook that puts a computed tensor in the place of a parameter."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.handle: Any = None

    def compute(self, module: Module) -> Tensor:
        raise NotImplementedError

    def __call__(self, module: Module, args: Any) -> None:
        module.__dict__[self.name] = weight = self.compute(module)
        if _C._is_tracing() and weight.requires_grad:
            # A compiled call leaves tensors behind, but not what they were recorded from.
            def settle(*_: Any) -> None:
                module.__dict__[self.name] = weight.detach()
                handle.remove()

            handle = module.register_forward_hook(settle)

    def apply(self, module: Module) -> Module:
        key = (type(self), self.name)
        if key in _applied(module):
            raise RuntimeError(
                f"Cannot register two {type(self).__name__} hooks on the same parameter {self.name}"
            )
        weight = module._parameters.pop(self.name)
        if weight is None:
            raise ValueError(f"{type(module).__name__}.{self.name} is None")
        self.take_apart(module, weight)
        module.__dict__[self.name] = self.compute(module)
        self.handle = module.register_forward_pre_hook(self)
        _applied(module)[key] = self
        return module

    def take_apart(self, module: Module, weight: Parameter) -> None:
        raise NotImplementedError

    @classmethod
    def remove_from(cls, module: Module, name: str) -> Module:
        hook = _applied(module).pop((cls, name), None)
        if hook is None:
            raise ValueError(f"{cls.__name__} of '{name}' not found in {module}")
        hook.handle.remove()
        with mlx.no_grad():
            weight = hook.compute(module)
        hook.put_together(module)
        module.__dict__.pop(name, None)
        module.register_parameter(name, Parameter(weight))
        return module

    def put_together(self, module: Module) -> None:
        raise NotImplementedError


class WeightNorm(_HookedNorm):
    """weight = weight_g * weight_v / |weight_v|."""

    def __init__(self, name: str, dim: int | None) -> None:
        super().__init__(name)
        self.dim = dim

    def compute(self, module: Module) -> Tensor:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return v * (g / norm_except(v, self.dim))

    def take_apart(self, module: Module, weight: Parameter) -> None:
        with mlx.no_grad():
            module.register_parameter(f"{self.name}_g", Parameter(norm_except(weight, self.dim)))
            module.register_parameter(f"{self.name}_v", Parameter(weight))

    def put_together(self, module: Module) -> None:
        del module._parameters[f"{self.name}_g"], module._parameters[f"{self.name}_v"]


class SpectralNorm(_HookedNorm):
    """weight = weight_orig / its largest singular value."""

    def __init__(self, name: str, method: PowerMethod) -> None:
        super().__init__(name)
        self.method = method

    def compute(self, module: Module) -> Tensor:
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = self.method.matrix(weight)
        if module.training:  # this form improves v before u
            self.method.improve(matrix.t(), v, u, self.method.iterations)
        return weight / self.method.norm(matrix, u, v, training=False)

    def take_apart(self, module: Module, weight: Parameter) -> None:
        u, v = self.method.first_vectors(self.method.matrix(weight.detach()))
        module.register_parameter(f"{self.name}_orig", weight)
        module.register_buffer(f"{self.name}_u", u)
        module.register_buffer(f"{self.name}_v", v)

    def put_together(self, module: Module) -> None:
        del module._parameters[f"{self.name}_orig"]
        del module._buffers[f"{self.name}_u"], module._buffers[f"{self.name}_v"]


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train `weight_g`, the length, and `weight_v`, the direction of a weight (Salimans & Kingma, 2016).

    >>> import mlx
    >>> sorted(name for name, _ in weight_norm(mlx.nn.Linear(3, 2)).named_parameters())
    ['bias', 'weight_g', 'weight_v']
    """
    return WeightNorm(name, dim).apply(module)


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again."""
    return WeightNorm.remove_from(module, name)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value (Miyato et al., 2018); `weight_orig` is trained."""
    method = PowerMethod(default_dim(module) if dim is None else dim, n_power_iterations, eps)
    return SpectralNorm(name, method).apply(module)


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again."""
    return SpectralNorm.remove_from(module, name)

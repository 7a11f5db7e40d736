"""Batch normalisation, over a batch and its pixels, and instance normalisation, over pixels alone."""

from __future__ import annotations

from typing import Any

import mlx
from mlx._C import Tensor
from mlx.nn import functional as F
from mlx.nn import init
from mlx.nn.modules.module import Module
from mlx.nn.parameter import Parameter

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "InstanceNorm1d",
    "InstanceNorm2d",
    "InstanceNorm3d",
    "SyncBatchNorm",
]


class _NormBase(Module):
    """A normalisation of channels with running statistics."""

    _version = 2
    _ndims: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._make_parameters(bias, device, dtype)
        self.reset_parameters()

    def _make_parameters(self, bias: bool, device: Any, dtype: Any) -> None:
        def empty() -> Tensor:
            return mlx.empty(self.num_features, device=device, dtype=dtype)

        self.register_parameter("weight", Parameter(empty()) if self.affine else None)
        self.register_parameter("bias", Parameter(empty()) if self.affine and bias else None)
        tracked = self.track_running_stats
        self.register_buffer("running_mean", empty() if tracked else None)
        self.register_buffer("running_var", empty() if tracked else None)
        self.register_buffer(
            "num_batches_tracked", mlx.zeros((), dtype=mlx.int64, device=device) if tracked else None
        )

    def reset_running_stats(self) -> None:
        """Forget the statistics of what was seen."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() not in self._ndims:
            wanted = " or ".join(f"{n}D" for n in self._ndims)
            raise ValueError(f"expected {wanted} input (got {input.dim()}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        # Files from before version 2 have no count of batches.
        key = prefix + "num_batches_tracked"
        if (local_metadata.get("version") or 1) < 2 and self.track_running_stats and key not in state_dict:
            count = self.num_batches_tracked
            state_dict[key] = mlx.tensor(0, dtype=mlx.int64) if count is None else count
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


class _BatchNorm(_NormBase):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        mean, var = self.running_mean, self.running_var
        own = self.training or (mean is None and var is None)
        if self.training and not self.track_running_stats:
            mean = var = None
        if self.momentum is None and self.training and mean is not None:
            return self._averaging(input, mean, var)
        return F.batch_norm(input, mean, var, self.weight, self.bias, own, self.momentum or 0.0, self.eps)

    def _averaging(self, input: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        """Running statistics that are the mean of all batches. Their count stays a tensor, so that a compiled
        function reads it at each call."""
        seen = [mean.clone(), var.clone()]
        out = F.batch_norm(input, *seen, self.weight, self.bias, True, 1.0, self.eps)
        share = self.num_batches_tracked.to(mean.dtype).reciprocal()
        with mlx.no_grad():
            for running, now in zip((mean, var), seen, strict=True):
                running.mul_(1 - share).add_(now * share)
        return out


class BatchNorm1d(_BatchNorm):
    """Each channel of (batch, channels) or (batch, channels, length) to mean 0 and variance 1 over the batch,
    then an affine map (Ioffe & Szegedy, 2015).

    In evaluation the running statistics of training are used instead.

    Args:
        momentum: the weight of a new batch in the running statistics; None for the mean of all.

    >>> import mlx
    >>> mlx.nn.BatchNorm1d(1)(mlx.tensor([[1.0], [3.0]])).detach()
    tensor([[-1.0000],
            [ 1.0000]])
    """

    _ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of images (batch, channels, height, width); see `BatchNorm1d`."""

    _ndims = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of volumes (batch, channels, depth, height, width); see `BatchNorm1d`."""

    _ndims = (5,)


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation (batch, channels, ...) over the batches of all processes; see `BatchNorm1d`.

    There are no process groups: the one process has the whole batch.

    Args:
        process_group: must be None.

    >>> import mlx
    >>> model = mlx.nn.Sequential(mlx.nn.Conv2d(1, 4, 3), mlx.nn.BatchNorm2d(4))
    >>> mlx.nn.SyncBatchNorm.convert_sync_batchnorm(model)[1]
    SyncBatchNorm(4, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        if process_group is not None:
            raise ValueError("SyncBatchNorm: there are no process groups; process_group must be None")
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with each batch normalisation in it replaced by one of this class, which has the same
        parameters and buffers."""
        converted = module
        if isinstance(module, _BatchNorm):
            converted = cls(
                module.num_features,
                module.eps,
                module.momentum,
                affine=False,
                track_running_stats=False,
                process_group=process_group,
            )
            converted.affine, converted.track_running_stats = module.affine, module.track_running_stats
            converted.training = module.training
            for name, parameter in module._parameters.items():
                converted._parameters[name] = parameter
            for name, buffer in module._buffers.items():
                converted._buffers[name] = buffer
        for name, child in module.named_children():
            converted.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return converted


class _InstanceNorm(_NormBase):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        channel_dim = input.dim() - self._ndims[0]
        if self.affine and input.size(channel_dim) != self.num_features:
            raise ValueError(
                f"expected input's size at dim={channel_dim} to match num_features ({self.num_features}), "
                f"but got: {input.size(channel_dim)}."
            )
        if channel_dim == 0:
            return self._normalized(input.unsqueeze(0)).squeeze(0)
        return self._normalized(input)

    def _normalized(self, input: Tensor) -> Tensor:
        own = self.training or not self.track_running_stats
        momentum = 0.0 if self.momentum is None else self.momentum
        return F.instance_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, own, momentum, self.eps
        )


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample of (batch, channels, length) or (channels, length) to mean 0 and variance
    1 (Ulyanov, Vedaldi & Lempitsky, 2016)."""

    _ndims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of images (batch, channels, height, width) or without a batch."""

    _ndims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of volumes (batch, channels, depth, height, width) or without a batch."""

    _ndims = (4, 5)

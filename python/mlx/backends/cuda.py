"""CUDA: not there yet; for programs that ask."""

from __future__ import annotations

from mlx import _C


def is_available() -> bool:
    """Whether this machine has a CUDA device that this build can use.

    >>> import mlx
    >>> mlx.backends.cuda.is_available()
    False
    """
    return _C._has_device("cuda")


is_built = is_available


class _MatmulSettings:
    """Settings of products on CUDA devices; remembered, though there are no such devices."""

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _MatmulSettings()

_attention = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True}


def enable_flash_sdp(enabled: bool) -> None:
    """Allow one way to compute attention on CUDA devices; remembered, and without effect elsewhere."""
    _attention["flash"] = bool(enabled)


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Allow one way to compute attention on CUDA devices; remembered, and without effect elsewhere."""
    _attention["mem_efficient"] = bool(enabled)


def enable_math_sdp(enabled: bool) -> None:
    """Allow one way to compute attention on CUDA devices; remembered, and without effect elsewhere."""
    _attention["math"] = bool(enabled)


def enable_cudnn_sdp(enabled: bool) -> None:
    """Allow one way to compute attention on CUDA devices; remembered, and without effect elsewhere."""
    _attention["cudnn"] = bool(enabled)


def flash_sdp_enabled() -> bool:
    """What enable_flash_sdp() was last given."""
    return _attention["flash"]


def mem_efficient_sdp_enabled() -> bool:
    """What enable_mem_efficient_sdp() was last given."""
    return _attention["mem_efficient"]


def math_sdp_enabled() -> bool:
    """What enable_math_sdp() was last given."""
    return _attention["math"]


def cudnn_sdp_enabled() -> bool:
    """What enable_cudnn_sdp() was last given."""
    return _attention["cudnn"]

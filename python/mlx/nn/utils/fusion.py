"""Layers and the batch normalisation behind them as one layer, for evaluation."""

from __future__ import annotations

import copy
from typing import Any

import mlx
from mlx._C import Tensor
from mlx.nn.parameter import Parameter

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]


def _fused(
    weight: Tensor,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
    bn_weight: Tensor | None,
    bn_bias: Tensor | None,
    channel_dim: int,
) -> tuple[Parameter, Parameter]:
    trained = weight.requires_grad
    with mlx.no_grad():
        scale = (var + eps).rsqrt()
        scale = scale if bn_weight is None else scale * bn_weight
        shape = [1] * weight.dim()
        shape[channel_dim] = -1
        shift = -mean if bias is None else bias - mean
        shift = shift * scale if bn_bias is None else shift * scale + bn_bias
        new = weight * scale.reshape(shape)
        dtype = weight.dtype if bias is None else bias.dtype
        return Parameter(new.to(weight.dtype), trained), Parameter(shift.to(dtype), trained)


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """The weight and bias of a convolution (or a transposed one) with the batch normalisation behind it."""
    return _fused(conv_w, conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 1 if transpose else 0)


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """The weight and bias of a linear layer with the batch normalisation behind it."""
    return _fused(linear_w, linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b, 0)


def _check_evaluation(layer: Any, bn: Any) -> None:
    if layer.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if bn.running_mean is None or bn.running_var is None:
        raise ValueError("Expected bn.running_mean and bn.running_var not to be None")


def fuse_conv_bn_eval(conv: Any, bn: Any, transpose: bool = False) -> Any:
    """A convolution that computes what `bn(conv(x))` does; both must be in evaluation mode.

    >>> import mlx
    >>> conv, bn = mlx.nn.Conv1d(2, 3, 1).eval(), mlx.nn.BatchNorm1d(3).eval()
    >>> x = mlx.rand(1, 2, 4)
    >>> mlx.allclose(fuse_conv_bn_eval(conv, bn)(x), bn(conv(x)), atol=1e-6)
    True
    """
    _check_evaluation(conv, bn)
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose
    )
    return fused


def fuse_linear_bn_eval(linear: Any, bn: Any) -> Any:
    """A linear layer that computes what `bn(linear(x))` does; both must be in evaluation mode."""
    _check_evaluation(linear, bn)
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError("To fuse, linear.out_features == bn.num_features or bn.num_features == 1")
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    )
    return fused

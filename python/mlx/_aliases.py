"""Functions of the top level that are methods, or functions of `nn.functional`, by other names."""

from __future__ import annotations

from typing import Any

from mlx import _C
from mlx._C import Tensor, _op_namespaces

_IN_PLACE = """
abs_ acos_ acosh_ arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ asin_ asinh_ atan_ atanh_ ceil_ clamp_
clamp_max_ clamp_min_ clip_ cos_ cosh_ deg2rad_ detach_ erf_ erfc_ exp2_ exp_ expm1_ fill_ fix_ floor_ frac_
gcd_ i0_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_ nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_
round_ rsqrt_ sigmoid_ sin_ sinc_ sinh_ sqrt_ square_ tan_ tanh_ trunc_ xlogy_ zero_
""".split()  # noqa: SIM905
_OF_LAYERS = """
alpha_dropout avg_pool1d bilinear channel_shuffle cosine_embedding_loss cosine_similarity dropout
hinge_embedding_loss kl_div margin_ranking_loss pairwise_distance pixel_shuffle pixel_unshuffle
rms_norm triplet_margin_loss
""".split()  # noqa: SIM905

__all__ = [
    *_IN_PLACE,
    *_OF_LAYERS,
    "embedding",
    "fill",
    "get_device",
    "is_conj",
    "is_inference",
    "is_neg",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "range",
]

globals().update({name: getattr(Tensor, name) for name in _IN_PLACE})
globals().update({name: _op_namespaces["nn.functional"][name] for name in _OF_LAYERS})


def embedding(
    weight: Tensor,
    indices: Tensor,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of `weight` that `indices` names; the arguments of `nn.functional.embedding` in another order.

    >>> import mlx
    >>> mlx.embedding(mlx.tensor([[1.0], [2.0]]), mlx.tensor([1, 0]))
    tensor([[2.],
            [1.]])
    """
    return _op_namespaces["nn.functional"]["embedding"](
        indices,
        weight,
        padding_idx if padding_idx >= 0 else None,
        scale_grad_by_freq=scale_grad_by_freq,
        sparse=sparse,
    )


def fill(input: Tensor, value: Any) -> Tensor:
    """A tensor like `input` whose elements are all `value`."""
    return input.clone().fill_(value)


def range(start: float, end: float | None = None, step: float = 1, **options: Any) -> Tensor:
    """Numbers from `start` to `end`, which is among them; `arange` stops before.

    >>> import mlx
    >>> mlx.range(1, 4)
    tensor([1., 2., 3., 4.])
    """
    first, last = (0, start) if end is None else (start, end)
    options.setdefault("dtype", _C.get_default_dtype())
    count = int((last - first) / step) + 1
    if step == 0 or count < 1:
        raise RuntimeError(f"range(): no step of {step} leads from {first} to {last}")
    return (first + step * _C.arange(count, dtype=_C.float64)).to(**options)


def get_device(input: Tensor) -> int:
    """The number of the tensor's device; -1 for the CPU."""
    return -1 if input.device.type == "cpu" else (input.device.index or 0)


def is_signed(input: Tensor) -> bool:
    """Whether the tensor's dtype has negative numbers."""
    return input.dtype.is_signed


def is_conj(input: Tensor) -> bool:
    """Whether conjugation is put off: never, it is computed at once."""
    return False


def is_neg(input: Tensor) -> bool:
    """Whether negation is put off: never, it is computed at once."""
    return False


def is_inference(input: Tensor) -> bool:
    """Whether the tensor was made in inference mode."""
    return input.is_inference()


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape."""
    return input.shape == other.shape


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element of a tensor is not zero. RuntimeError when it has none or several."""
    if input.numel() != 1:
        raise RuntimeError(
            "Boolean value of Tensor with "
            f"{'no values' if input.numel() == 0 else 'more than one value'} is ambiguous"
        )
    return bool(input)


for _function in (get_device, is_signed, is_conj, is_neg, is_same_size, is_nonzero):
    setattr(Tensor, _function.__name__, _function)

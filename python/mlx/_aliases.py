"""Functions of the top level that are methods, or functions of `nn.functional`, by other names."""

from __future__ import annotations

from typing import Any

from mlx import _C
from mlx._C import Tensor, _op_namespaces
from mlx._memory import UntypedStorage

_METHODS = """
abs_ acos_ acosh_ addmv_ adjoint arccos_ arccosh_ arcsin_ arcsinh_ arctan_ arctanh_ as_strided_ asin_ asinh_
atan_ atanh_ ceil_ celu_ clamp_ clamp_max_ clamp_min_ clip_ conj_physical_ cos_ cosh_ deg2rad_ detach_ erf_
erfc_ exp2_ exp_ expm1_ fill_ fix_ floor_ frac_ gcd_ i0_ lcm_ ldexp_ log10_ log1p_ log2_ log_ logit_
nan_to_num_ neg_ negative_ rad2deg_ reciprocal_ relu_ resize_as_ round_ rsqrt_ selu_ sigmoid_ sin_ sinc_
sinh_ sqrt_ square_ tan_ tanh_ threshold_ trunc_ xlogy_ zero_
""".split()  # noqa: SIM905
_OF_LAYERS = """
avg_pool1d bilinear channel_shuffle cosine_similarity pairwise_distance pixel_shuffle pixel_unshuffle
rms_norm
""".split()  # noqa: SIM905

__all__ = [
    *_METHODS,
    *_OF_LAYERS,
    "embedding",
    "fill",
    "frobenius_norm",
    "get_device",
    "is_conj",
    "is_inference",
    "is_neg",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "is_storage",
    "norm_except_dim",
    "nuclear_norm",
    "range",
]

globals().update({name: getattr(Tensor, name) for name in _METHODS})
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


def is_storage(obj: Any) -> bool:
    """Whether an object is the memory of a tensor."""
    return isinstance(obj, UntypedStorage)


def frobenius_norm(input: Tensor, dim: Any, keepdim: bool = False) -> Tensor:
    """The square root of the sum of squares over the dimensions `dim`, over all if it is empty.

    >>> import mlx
    >>> mlx.frobenius_norm(mlx.tensor([[3.0, 4.0]]), [])
    tensor(5.)
    """
    dims = [dim] if isinstance(dim, int) else list(dim)
    return _op_namespaces["linalg"]["vector_norm"](input, 2, dims or None, keepdim)


def nuclear_norm(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """The sum of the singular values of matrices, in the last two dimensions or in `dim`.

    >>> import mlx
    >>> mlx.nuclear_norm(mlx.eye(3))
    tensor(3.)
    """
    if isinstance(dim, bool):  # nuclear_norm(input, keepdim)
        dim, keepdim = None, dim
    return _op_namespaces["linalg"]["matrix_norm"](input, "nuc", (-2, -1) if dim is None else dim, keepdim)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm over all dimensions but one, which keep the size 1; over all, if `dim` is -1.

    >>> import mlx
    >>> mlx.norm_except_dim(mlx.tensor([[3.0, 4.0], [6.0, 8.0]]))
    tensor([[ 5.],
            [10.]])
    """
    norm = _op_namespaces["linalg"]["vector_norm"]
    if dim == -1:
        return norm(v, pow)
    if not 0 <= dim < v.dim():
        raise IndexError(f"norm_except_dim(): no dimension {dim} in a tensor of {v.dim()} dimensions")
    others = [d for d, _ in enumerate(v.shape) if d != dim]
    return norm(v, pow, others, True) if others else v.abs()


for _function in (get_device, is_signed, is_conj, is_neg, is_same_size, is_nonzero):
    setattr(Tensor, _function.__name__, _function)

"""How a tensor is shown: PyTorch's `repr`, down to the column.

Only the elements that will be shown are read. They are taken out as nested Python lists, in which a
summarised dimension holds `...` in its middle; everything after that is text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlx import Tensor

__all__ = ["set_printoptions"]

# A tensor's elements: nested lists, or a scalar at the bottom; `...` stands for what is left out.
Nested = Any


@dataclass
class PrintOptions:
    """What `set_printoptions` sets."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES: dict[str, dict[str, Any]] = {
    "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
    "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
    "full": {"precision": 4, "threshold": math.inf, "edgeitems": 3, "linewidth": 80},
}

_options = PrintOptions()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are shown.

    Args:
        precision: digits after the decimal point (default 4).
        threshold: tensors of more elements than this are summarised (default 1000).
        edgeitems: elements shown at each end of a summarised dimension (default 3).
        linewidth: characters a line (default 80).
        profile: ``"default"``, ``"short"`` or ``"full"``; the arguments above override it.
        sci_mode: scientific notation always (True), never (False), or where it reads better (None).

    Raises:
        ValueError: for a profile that does not exist.
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(
                f"set_printoptions(): unknown profile {profile!r}; expected one of {', '.join(_PROFILES)}"
            )
        for name, value in _PROFILES[profile].items():
            setattr(_options, name, value)
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None:
            setattr(_options, name, value)
    # Unlike the others, sci_mode goes back to automatic whenever it is not given, as in PyTorch.
    _options.sci_mode = sci_mode


def tensor_repr(t: Tensor) -> str:
    """`repr(t)`: its values, then whatever of device, size, dtype and gradient they do not tell."""
    from mlx import _C, Tensor
    from mlx.nn import Parameter

    heading = "Parameter containing:\n" if isinstance(t, Parameter) else ""
    prefix = "tensor(" if type(t) in (Tensor, Parameter) else f"{type(t).__name__}("
    indent = len(prefix)
    body = prefix + (f"<traced>, size={tuple(t.shape)}" if _C._is_traced(t) else _values(t, indent))
    return heading + _append_suffixes(body, _suffixes(t), indent) + ")"


def _suffixes(t: Tensor) -> list[str]:
    """What the values alone do not say about `t`, as ``name=value``."""
    suffixes = []
    if t.device.type != "cpu":
        suffixes.append(f"device='{t.device}'")
    if t.dim() != 1 if t.numel() == 0 else _options.edgeitems == 0:
        suffixes.append(f"size={tuple(t.shape)}")
    if not _dtype_is_obvious(t):
        suffixes.append(f"dtype={t.dtype}")
    if t.grad_fn is not None:
        suffixes.append(f"grad_fn=<{t.grad_fn.name()}>")
    elif t.requires_grad:
        suffixes.append("requires_grad=True")
    return suffixes


def _dtype_is_obvious(t: Tensor) -> bool:
    """Whether the digits printed, typed into `mlx.tensor`, would give the dtype of `t`."""
    import mlx

    default = mlx.get_default_dtype()
    if t.numel() == 0:
        return t.dtype == default
    default_complex = mlx.complex128 if default == mlx.float64 else mlx.complex64
    return t.dtype in (default, default_complex, mlx.int64, mlx.bool)


def _append_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Put the suffixes after `text`, on a line of their own where they would not fit."""
    # One character more than the line holds: the closing parenthesis (PyTorch counts it so).
    line_length = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if line_length + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            line_length = indent + len(suffix)
        else:
            text += ", " + suffix
            line_length += len(suffix) + 2
    return text


def _values(t: Tensor, indent: int) -> str:
    """The bracketed values of `t`, the lines after the first indented by `indent`."""
    if t.numel() == 0:
        return "[]"
    summarize = t.numel() > _options.threshold
    data = t.detach()
    shown = _edges(data, _options.edgeitems) if summarize else data.tolist()
    return _format_nested(shown, t.dim(), indent, *_element_format(t, shown))


def _edges(data: Tensor, edge: int) -> Nested:
    """`data` as nested lists, dimensions longer than two edges cut to ``[first, ..., last]``."""
    if data.dim() == 0:
        return data.item()
    size = data.shape[0]
    cut = size > 2 * edge
    if data.dim() == 1:
        if not cut:
            return data.tolist()
        return [*data[:edge].tolist(), ..., *data[size - edge :].tolist()]
    rows = [*range(edge), ..., *range(size - edge, size)] if cut else range(size)
    return [row if row is ... else _edges(data[row], edge) for row in rows]


def _scalars(nested: Nested) -> Iterator[Any]:
    """Every value in nested lists."""
    if isinstance(nested, list):
        for item in nested:
            yield from _scalars(item)
    elif nested is not ...:
        yield nested


def _element_format(t: Tensor, shown: Nested) -> tuple[Callable[[Any], str], int]:
    """The function that formats one element of `t`, and the columns it takes."""
    values = list(_scalars(shown))
    if t.dtype.is_complex:
        return _complex_format(values)
    if t.dtype.is_floating_point:
        return _float_format(values)
    width = max((len(str(value)) for value in values), default=1)
    return (lambda value: str(value).rjust(width)), width


def _complex_format(values: list[complex]) -> tuple[Callable[[complex], str], int]:
    """Real and imaginary parts have a format each, like two columns."""
    real, real_width = _float_format([value.real for value in values])
    imag, imag_width = _float_format([value.imag for value in values])

    def show(value: complex) -> str:
        imaginary = imag(value.imag).lstrip() + "j"
        sign = "" if imaginary[0] in "+-" else "+"
        return real(value.real) + sign + imaginary

    return show, real_width + imag_width + 1


def _float_format(values: list[float]) -> tuple[Callable[[float], str], int]:
    """Integers as ``1.``, else fixed or scientific notation, by the range of the finite non-zero values."""
    precision = _options.precision
    finite = [value for value in values if value != 0 and math.isfinite(value)]
    magnitudes = [abs(value) for value in finite]
    smallest, largest = min(magnitudes, default=1.0), max(magnitudes, default=1.0)
    integral = all(value == math.floor(value) for value in finite)
    scientific = largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4
    if finite and _options.sci_mode is not None:
        scientific = _options.sci_mode

    # An integral value is shown with a point after it, which takes one column more than its digits.
    digits, point = (f".{precision}e", 0) if scientific else (".0f", 1) if integral else (f".{precision}f", 0)
    width = max((len(format(value, digits)) + point for value in finite), default=1)

    def show(value: float) -> str:
        text = format(value, digits)
        if point and math.isfinite(value):
            text += "."
        return text.rjust(width)

    return show, width


def _format_nested(nested: Nested, dim: int, indent: int, show: Callable[[Any], str], width: int) -> str:
    """Nested lists of depth `dim` as text: innermost lists wrapped at the line width, outer ones stacked."""
    if dim == 0:
        return show(nested)
    if dim == 1:
        dots = " ..." if len(nested) > 1 else "..."
        items = [dots if item is ... else show(item) for item in nested]
        per_line = max(1, (_options.linewidth - indent) // (width + 2))
        lines = [", ".join(items[i : i + per_line]) for i in range(0, len(items), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [
        "..." if item is ... else _format_nested(item, dim - 1, indent + 1, show, width) for item in nested
    ]
    return "[" + ("," + "\n" * (dim - 1) + " " * (indent + 1)).join(parts) + "]"

"""Gradients held against finite differences.

The convention that makes complex numbers no special case: a cotangent ``v`` of an output ``out`` stands for
the real function ``L = Re(conj(v) * out)``, and the gradient of an input ``x = a + ib`` is
``dL/da + i dL/db``. Taking ``v = 1`` and ``v = i`` for each output element covers its real and imaginary
part, and stepping ``a`` and ``b`` apart covers the input's.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import mlx

if TYPE_CHECKING:
    from mlx import Tensor

Function = Callable[..., Any]


class GradcheckError(RuntimeError):
    """A gradient that differs from what finite differences give."""


@dataclass(frozen=True)
class _Settings:
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_undefined_grad: bool
    check_grad_dtypes: bool
    check_batched_grad: bool
    fast_mode: bool


def gradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` at `inputs` agree with central differences of step `eps`.

    Entries agree when ``|analytic - numeric| <= atol + rtol * |numeric|``. Use float64 or complex128 inputs:
    differences in less precision are mostly rounding.

    Args:
        func: takes `inputs`, returns a tensor or a sequence of them.
        inputs: a tensor or a sequence of arguments; the tensors among them that require grad are checked.
        eps, atol, rtol: the step and the tolerances.
        raise_exception: raise instead of returning False.
        nondet_tol: how far two backward passes over the same values may differ.
        check_undefined_grad: also check that zero cotangents give zero gradients.
        check_grad_dtypes: also check that a gradient has its input's dtype.
        check_batched_grad: also check gradients of a batch of cotangents (``is_grads_batched``).
        check_backward_ad: whether to check at all: all gradients here are those of backward passes.
        fast_mode: compare along one random direction in place of every entry.
        masked: accepted for compatibility; it concerns sparse tensors.

    Raises:
        GradcheckError: a gradient is wrong; the message shows the entry furthest off in both Jacobians.
        NotImplementedError: check_forward_ad or check_batched_forward_grad: there is no forward mode.
        ValueError: no input requires grad.

    >>> x = mlx.tensor([1.0, 2.0], dtype=mlx.float64, requires_grad=True)
    >>> gradcheck(mlx.exp, x)
    True
    """
    if check_forward_ad or check_batched_forward_grad:
        raise NotImplementedError("gradcheck(): there is no forward mode to be checked")
    if not check_backward_ad:
        return True
    settings = _Settings(
        eps, atol, rtol, nondet_tol, check_undefined_grad, check_grad_dtypes, check_batched_grad, fast_mode
    )
    arguments = (inputs,) if isinstance(inputs, mlx.Tensor) else tuple(inputs)
    checked = _checked_inputs(arguments)
    try:
        _check(func, arguments, checked, settings)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the gradients of the gradients of `func` agree with central differences.

    The first gradient, as a function of `inputs` and of the cotangents `grad_outputs` (random where not
    given, and not contiguous with `gen_non_contig_grad_outputs`), goes through :func:`gradcheck`, which
    explains the other arguments.

    Raises:
        GradcheckError: a second gradient is wrong, or the first one is not recorded.
        NotImplementedError: check_fwd_over_rev: there is no forward mode.
        ValueError: no input requires grad.
    """
    if check_fwd_over_rev:
        raise NotImplementedError("gradgradcheck(): there is no forward mode to be checked")
    if not check_rev_over_rev:
        return True
    arguments = (inputs,) if isinstance(inputs, mlx.Tensor) else tuple(inputs)
    _checked_inputs(arguments)
    outputs = _differentiable(func(*arguments))
    if not outputs:
        return True
    if grad_outputs is None:
        cotangents = _random_cotangents(outputs, gen_non_contig_grad_outputs)
    else:
        cotangents = (grad_outputs,) if isinstance(grad_outputs, mlx.Tensor) else tuple(grad_outputs)

    def first_gradient(*args: Any) -> tuple[Tensor, ...]:
        xs, vs = args[: len(arguments)], args[len(arguments) :]
        # A detached argument is a constant here even when the caller's tensor requires grad.
        wanted = [x for x in xs if isinstance(x, mlx.Tensor) and x.requires_grad]
        gradients = mlx.autograd.grad(
            _differentiable(func(*xs)), wanted, vs, create_graph=True, allow_unused=True
        )
        return tuple(g for g in gradients if g is not None)

    return gradcheck(
        first_gradient,
        (*arguments, *cotangents),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
    )


# ---------------------------------------------------------------- inputs and outputs


def _checked_inputs(arguments: Sequence[Any]) -> list[Tensor]:
    """The tensors among the arguments that require grad, once it is certain that they can be stepped."""
    checked = [a for a in arguments if isinstance(a, mlx.Tensor) and a.requires_grad]
    if not checked:
        raise ValueError("gradcheck(): expected at least one input tensor that requires grad, found none")
    for position, x in enumerate(checked):
        if x.dtype not in (mlx.float64, mlx.complex128):
            warnings.warn(
                f"gradcheck(): input {position} has dtype {x.dtype}; finite differences need float64 or "
                "complex128, the check will likely fail",
                stacklevel=3,
            )
        if any(stride == 0 and size > 1 for stride, size in zip(x.stride(), x.shape, strict=True)):
            raise RuntimeError(
                f"gradcheck(): input {position} of shape {tuple(x.shape)} has strides {tuple(x.stride())}: "
                "elements share memory and cannot be stepped one by one; pass a contiguous() copy"
            )
    return checked


def _as_tuple(result: Any) -> tuple[Any, ...]:
    return (result,) if isinstance(result, mlx.Tensor) else tuple(result)


def _differentiable(result: Any) -> tuple[Tensor, ...]:
    """The outputs that gradients flow back from."""
    return tuple(o for o in _as_tuple(result) if isinstance(o, mlx.Tensor) and o.requires_grad)


def _real_or_complex(result: Any) -> tuple[Tensor, ...]:
    """The outputs that could have a derivative, whether or not they record one."""
    return tuple(
        o
        for o in _as_tuple(result)
        if isinstance(o, mlx.Tensor) and (o.dtype.is_floating_point or o.dtype.is_complex)
    )


def _random_like(x: Tensor, generator: Any) -> Tensor:
    return mlx.randn(tuple(x.shape), dtype=x.dtype, generator=generator)


def _random_cotangents(outputs: Sequence[Tensor], non_contiguous: bool) -> tuple[Tensor, ...]:
    # A generator of its own: a check must not move the program's random stream.
    generator = mlx.Generator()
    generator.manual_seed(0)
    cotangents = []
    for output in outputs:
        v = _random_like(output, generator)
        if non_contiguous and v.dim() > 0:
            v = mlx.stack([v, v], -1)[..., 0]
        cotangents.append(v.detach().requires_grad_())
    return tuple(cotangents)


def _indices(x: Tensor) -> Iterator[tuple[int, ...]]:
    return product(*(range(size) for size in x.shape))


def _directions(dtype: Any) -> tuple[complex, ...]:
    """The unit steps of one element: 1, and i where it is complex."""
    return (1.0, 1.0j) if dtype.is_complex else (1.0,)


# ---------------------------------------------------------------- the check itself


def _check(func: Function, arguments: tuple[Any, ...], checked: list[Tensor], settings: _Settings) -> None:
    result = func(*arguments)
    outputs = _differentiable(result)
    if not outputs:
        _check_constant(func, arguments, checked, settings)
        return
    # An output that records no graph may still depend on the inputs; its positions are fixed here once.
    positions = [i for i, o in enumerate(_as_tuple(result)) if isinstance(o, mlx.Tensor) and o.requires_grad]

    def differentiable(*args: Any) -> tuple[Tensor, ...]:
        values = _as_tuple(func(*args))
        return tuple(values[i] for i in positions)

    compare = _compare_along_random_direction if settings.fast_mode else _compare_every_entry
    compare(differentiable, arguments, checked, settings)
    outputs = differentiable(*arguments)
    if settings.check_undefined_grad:
        _check_zero_cotangent(outputs, checked)
    if settings.check_grad_dtypes:
        _check_dtypes(outputs, checked)
    if settings.check_batched_grad:
        _check_batched(outputs, checked, settings)


def _check_constant(
    func: Function, arguments: tuple[Any, ...], checked: list[Tensor], settings: _Settings
) -> None:
    """`func` records nothing, so finite differences must be zero too."""
    for i, x in enumerate(checked):
        for index in _indices(x):
            for step in _directions(x.dtype):
                for o, difference in enumerate(
                    _difference(
                        lambda *a: _real_or_complex(func(*a)), arguments, x, index, step, settings.eps
                    )
                ):
                    if difference.abs().gt(settings.atol).any().item():
                        raise GradcheckError(
                            f"gradcheck(): no output requires grad, yet output {o} changes with input {i} at "
                            f"{index}; its numerical gradient is expected to be zero"
                        )


def _difference(
    func: Function, arguments: tuple[Any, ...], x: Tensor, index: tuple[int, ...], step: complex, eps: float
) -> list[Tensor]:
    """(func(x + eps step) - func(x - eps step)) / (2 eps) for every output, stepping one element of `x`."""
    # The element is stepped in place, through an alias without history, so that `func` sees the input itself
    # with the strides that it has.
    data = x.detach()
    original = data[index].item()
    try:
        sides = []
        for sign in (1, -1):
            data[index] = original + sign * eps * step
            sides.append([o.detach().clone() for o in func(*arguments)])
    finally:
        data[index] = original
    return [(up - down) / (2 * eps) for up, down in zip(*sides, strict=True)]


def _gradients(
    outputs: Sequence[Tensor], cotangents: Sequence[Tensor], checked: list[Tensor]
) -> list[Tensor]:
    """Gradients of the checked inputs, zeros where one is not reached."""
    gradients = mlx.autograd.grad(outputs, checked, cotangents, retain_graph=True, allow_unused=True)
    for i, (g, x) in enumerate(zip(gradients, checked, strict=True)):
        if g is not None and g.shape != x.shape:
            raise GradcheckError(
                f"gradcheck(): the gradient of input {i} has shape {tuple(g.shape)}, "
                f"the input {tuple(x.shape)}"
            )
    return [mlx.zeros_like(x) if g is None else g.detach() for g, x in zip(gradients, checked, strict=True)]


def _unit_cotangents(output: Tensor) -> Iterator[Tensor]:
    """The cotangents that pick out each real component of `output`, in order."""
    for index in _indices(output):
        for step in _directions(output.dtype):
            v = mlx.zeros(tuple(output.shape), dtype=output.dtype)
            v[index] = step
            yield v


def _real_columns(x: Tensor) -> Tensor:
    """`x` flat, a complex number as two real ones, in float64."""
    parts = mlx.stack([x.real, x.imag], -1) if x.dtype.is_complex else x
    return parts.reshape(-1).to(mlx.float64)


def _analytic_jacobian(output: Tensor, checked: list[Tensor]) -> list[Tensor]:
    """For each checked input, d output / d input by backward passes, a real row for each real component."""
    rows: list[list[Tensor]] = [[] for _ in checked]
    for v in _unit_cotangents(output):
        for column, g in zip(rows, _gradients([output], [v], checked), strict=True):
            column.append(_real_columns(g))
    return [
        mlx.stack(r) if r else mlx.zeros(0, _real_columns(x.detach()).numel(), dtype=mlx.float64)
        for r, x in zip(rows, checked, strict=True)
    ]


def _numerical_jacobians(
    func: Function, arguments: tuple[Any, ...], x: Tensor, outputs: Sequence[Tensor], eps: float
) -> list[Tensor]:
    """For each output, d output / d x by central differences, column by column."""
    columns: list[list[Tensor]] = [[] for _ in outputs]
    for index in _indices(x):
        for step in _directions(x.dtype):
            for rows, d in zip(columns, _difference(func, arguments, x, index, step, eps), strict=True):
                rows.append(_real_columns(d))
    return [
        mlx.stack(c, 1) if c else mlx.zeros(_real_columns(o.detach()).numel(), 0, dtype=mlx.float64)
        for c, o in zip(columns, outputs, strict=True)
    ]


def _compare_every_entry(
    func: Function, arguments: tuple[Any, ...], checked: list[Tensor], settings: _Settings
) -> None:
    shapes = func(*arguments)
    numeric = [_numerical_jacobians(func, arguments, x, shapes, settings.eps) for x in checked]
    # Recorded afresh: the steps above changed the inputs in place.
    outputs = func(*arguments)
    for o, output in enumerate(outputs):
        analytic = _analytic_jacobian(output, checked)
        again = _analytic_jacobian(output, checked)
        for i, x in enumerate(checked):
            where = f"output {o} with respect to input {i}"
            if not _close(analytic[i], again[i], settings.nondet_tol, 0.0):
                raise GradcheckError(
                    f"gradcheck(): backward is not reproducible for {where}: two passes over the same values "
                    f"differ by more than nondet_tol={settings.nondet_tol}"
                )
            if not _close(analytic[i], numeric[i][o], settings.atol, settings.rtol):
                raise GradcheckError(_mismatch(where, output, x, analytic[i], numeric[i][o], settings))


def _compare_along_random_direction(
    func: Function, arguments: tuple[Any, ...], checked: list[Tensor], settings: _Settings
) -> None:
    """Compare v^T J u for one random u and v a pair of input and output, at the cost of two calls a pair."""
    generator = mlx.Generator()
    generator.manual_seed(0)
    for i, x in enumerate(checked):
        u = _random_like(x, generator)
        u = u / u.abs().square().sum().sqrt().clamp(min=1e-300)
        differences = _difference_along(func, arguments, x, u, settings.eps)
        for o, output in enumerate(func(*arguments)):
            v = _random_like(output, generator)
            (gradient,) = _gradients([output], [v], [x])
            analytic = (_real_columns(gradient) * _real_columns(u)).sum().item()
            numeric = (_real_columns(v) * _real_columns(differences[o])).sum().item()
            # Errors of atol in every entry add up to this much along u and v.
            atol = settings.atol * _real_columns(u).abs().sum().item() * _real_columns(v).abs().sum().item()
            if not abs(analytic - numeric) <= atol + settings.rtol * abs(numeric):
                raise GradcheckError(
                    f"gradcheck(): Jacobian mismatch for output {o} with respect to input {i} along a random "
                    f"direction: analytic {analytic}, numerical {numeric}; fast_mode=False shows the entries"
                )


def _difference_along(
    func: Function, arguments: tuple[Any, ...], x: Tensor, u: Tensor, eps: float
) -> list[Tensor]:
    """Central difference of every output along the direction `u` of input `x`."""
    data = x.detach()
    original = data.clone()
    try:
        sides = []
        for sign in (1, -1):
            data.copy_(original + sign * eps * u)
            sides.append([o.detach().clone() for o in func(*arguments)])
    finally:
        data.copy_(original)
    return [(up - down) / (2 * eps) for up, down in zip(*sides, strict=True)]


def _close(a: Tensor, b: Tensor, atol: float, rtol: float) -> bool:
    return bool(((a - b).abs() <= atol + rtol * b.abs()).all().item())


def _mismatch(
    where: str, output: Tensor, x: Tensor, analytic: Tensor, numeric: Tensor, settings: _Settings
) -> str:
    """The message for two Jacobians that differ: the entry furthest off, then both whole."""
    error = (analytic - numeric).abs() - settings.rtol * numeric.abs()
    error = mlx.where(error.isnan(), mlx.full_like(error, float("inf")), error)
    row, column = divmod(int(error.argmax().item()), error.shape[1])
    entry = (
        f"d output{_component(output, row)} / d input{_component(x, column)}: "
        f"analytic {analytic[row, column].item()}, numerical {numeric[row, column].item()}"
    )
    return (
        f"gradcheck(): Jacobian mismatch for {where} (atol={settings.atol}, rtol={settings.rtol})\n"
        f"  {entry}\nanalytic:\n{analytic}\nnumerical:\n{numeric}"
    )


def _component(x: Tensor, position: int) -> str:
    """The element, and its part where it is complex, that a row or a column of a Jacobian stands for."""
    part = ""
    if x.dtype.is_complex:
        position, imaginary = divmod(position, 2)
        part = ".imag" if imaginary else ".real"
    index = []
    for size in reversed(x.shape):
        position, remainder = divmod(position, size)
        index.append(remainder)
    return f"{list(reversed(index))}{part}"


# ---------------------------------------------------------------- further properties of a backward pass


def _check_zero_cotangent(outputs: Sequence[Tensor], checked: list[Tensor]) -> None:
    """A gradient is linear in the cotangents, so zeros give zeros, for all outputs and for each alone."""
    groups = [list(outputs)] + ([[o] for o in outputs] if len(outputs) > 1 else [])
    for group in groups:
        zeros = [mlx.zeros_like(o.detach()) for o in group]
        for i, g in enumerate(_gradients(group, zeros, checked)):
            if g.ne(0).any().item():
                raise GradcheckError(
                    f"gradcheck(): zero cotangents give a gradient of input {i} that is not zero: backward "
                    "does not multiply by grad_output"
                )


def _check_dtypes(outputs: Sequence[Tensor], checked: list[Tensor]) -> None:
    ones = [mlx.ones_like(o.detach()) for o in outputs]
    for i, (g, x) in enumerate(zip(_gradients(outputs, ones, checked), checked, strict=True)):
        if g.dtype != x.dtype:
            raise GradcheckError(f"gradcheck(): the gradient of input {i} is {g.dtype}, the input {x.dtype}")


def _check_batched(outputs: Sequence[Tensor], checked: list[Tensor], settings: _Settings) -> None:
    """`is_grads_batched` must give what a loop over the cotangents gives."""
    generator = mlx.Generator()
    generator.manual_seed(0)
    for o, output in enumerate(outputs):
        batch = mlx.stack([_random_like(output, generator) for _ in range(2)])
        together = mlx.autograd.grad(
            output, checked, batch, retain_graph=True, allow_unused=True, is_grads_batched=True
        )
        for k in range(2):
            for i, g in enumerate(_gradients([output], [batch[k]], checked)):
                batched = mlx.zeros_like(g) if together[i] is None else together[i][k].detach()
                if not _close(batched, g, settings.atol, settings.rtol):
                    raise GradcheckError(
                        f"gradcheck(): the batched gradient of output {o} with respect to input {i} differs "
                        "from the one computed alone"
                    )

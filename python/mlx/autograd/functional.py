"""Derivatives of functions of tensors: Jacobians, Hessians, and products with them.

`inputs` is a tensor or a tuple of tensors, and results have the same form. With `create_graph` they can be
differentiated themselves. `strict` raises where the result does not depend on an input; else that derivative
is zero. `vectorize` and `strategy` are accepted for compatibility.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlx import _C
from mlx._C import Tensor
from mlx.autograd.grad_mode import enable_grad

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Tensors = Tensor | tuple[Tensor, ...]


class _Call:
    """A function's value at inputs that are recorded from."""

    def __init__(self, name: str, func: Callable, inputs: Tensors, create_graph: bool, strict: bool) -> None:
        self.name, self.create_graph, self.strict = name, create_graph, strict
        self.single_input = isinstance(inputs, Tensor)
        given = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
        for i, t in enumerate(given):
            if not isinstance(t, Tensor):
                raise TypeError(
                    f"The inputs given to {name} must be either a Tensor or a tuple of Tensors, but the "
                    f"value at index {i} has type {type(t)}."
                )
        with enable_grad():
            self.inputs = tuple(
                t.view_as(t) if create_graph and t.requires_grad else t.detach().requires_grad_()
                for t in given
            )
            out = func(*self.inputs)
        self.single_output = isinstance(out, Tensor)
        self.outputs: tuple[Tensor, ...] = (out,) if isinstance(out, Tensor) else tuple(out)
        if not all(isinstance(t, Tensor) for t in self.outputs):
            raise TypeError(f"The function given to {name} must return either a Tensor or a tuple of Tensors")

    def gradients(
        self, outputs: tuple, inputs: tuple, cotangents: tuple, create_graph: bool, strict: bool
    ) -> tuple[Tensor, ...]:
        pairs = [(o, c) for o, c in zip(outputs, cotangents, strict=True) if o.requires_grad]
        found: Any = [None] * len(inputs)
        if pairs:
            with enable_grad():
                found = _C._gradients(*zip(*pairs, strict=True), inputs, True, create_graph, True)
        for i, g in enumerate(found):
            if g is None and strict:
                raise RuntimeError(
                    f"{self.name}: the output of the user-provided function is independent of input {i}. "
                    "This is not allowed in strict mode."
                )
        return tuple(_C.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True))

    def pulled(self, cotangents: tuple, create_graph: bool, strict: bool = False) -> tuple[Tensor, ...]:
        return self.gradients(self.outputs, self.inputs, cotangents, create_graph, strict)

    def value(self) -> Any:
        """The output, with its history when that was asked for."""
        outputs = self.outputs if self.create_graph else tuple(t.detach() for t in self.outputs)
        return outputs[0] if self.single_output else outputs

    def of_inputs(self, tensors: tuple) -> Any:
        return tensors[0] if self.single_input else tensors

    def of_outputs(self, tensors: tuple) -> Any:
        return tensors[0] if self.single_output else tensors

    def vector(self, v: Any, like: tuple[Tensor, ...], what: str) -> tuple[Tensor, ...]:
        if v is None:
            if len(like) != 1 or like[0].numel() != 1:
                raise RuntimeError(
                    f"{self.name}: the vector v can only be None if the user-provided function {what}."
                )
            return (_C.ones_like(like[0]),)
        vectors = (v,) if isinstance(v, Tensor) else tuple(v)
        if [t.shape for t in vectors] != [t.shape for t in like]:
            raise RuntimeError(
                f"{self.name}: v must have the shapes {[tuple(t.shape) for t in like]}, not "
                f"{[tuple(t.shape) for t in vectors]}"
            )
        return vectors

    def check_scalar(self) -> None:
        if not self.single_output or self.outputs[0].numel() != 1:
            raise RuntimeError(
                f"The Tensor returned by the function given to {self.name} should contain a single element"
            )


def vjp(
    func: Callable, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a function, and the product of `v` with its Jacobian.

    >>> import mlx
    >>> mlx.autograd.functional.vjp(lambda x: x * x, mlx.tensor([1.0, 2.0]), mlx.ones(2))
    (tensor([1., 4.]), tensor([2., 4.]))
    """
    call = _Call("vjp", func, inputs, create_graph, strict)
    cotangents = call.vector(v, call.outputs, "returns a single Tensor with a single element")
    found = call.pulled(cotangents, create_graph, strict)
    return call.value(), call.of_inputs(found)


def jvp(
    func: Callable, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a function, and the product of its Jacobian with `v`, by two backward passes.

    >>> import mlx
    >>> mlx.autograd.functional.jvp(mlx.sin, mlx.tensor(0.0), mlx.tensor(2.0))
    (tensor(0.), tensor(2.))
    """
    call = _Call("jvp", func, inputs, create_graph, strict)
    tangents = call.vector(v, call.inputs, "takes a single Tensor with a single element")
    with enable_grad():
        dummies = tuple(_C.zeros_like(o).requires_grad_() for o in call.outputs)
    pulled = call.pulled(dummies, True, strict)
    found = call.gradients(pulled, dummies, tangents, create_graph, False)
    return call.value(), call.of_outputs(found)


def jacobian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian: for each output and input a tensor of the output's shape followed by the input's.

    >>> import mlx
    >>> mlx.autograd.functional.jacobian(lambda x: x * x, mlx.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    from mlx.func.jacobians import jacobian_of

    call = _Call("jacobian", func, inputs, create_graph, strict)

    def block(number: int) -> Any:
        def pull(cotangent: Tensor) -> tuple[Tensor, ...]:
            cotangents = [_C.zeros_like(o) for o in call.outputs]
            cotangents[number] = cotangent
            return call.pulled(tuple(cotangents), create_graph, strict)

        return call.of_inputs(tuple(jacobian_of(pull, call.outputs[number], call.inputs)))

    return call.of_outputs(tuple(block(i) for i in range(len(call.outputs))))


def hessian(
    func: Callable,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a scalar function: for each pair of inputs a tensor of both shapes.

    >>> import mlx
    >>> mlx.autograd.functional.hessian(lambda x: (x**3).sum(), mlx.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def gradient(*args: Tensor) -> Any:
        call = _Call("hessian", func, args, True, strict)
        call.check_scalar()
        return call.pulled((_C.ones_like(call.outputs[0]),), True, strict)

    single = isinstance(inputs, Tensor)
    found = jacobian(gradient, inputs, create_graph, strict)
    return found[0] if single else found


def _second_order(
    name: str, func: Callable, inputs: Tensors, v: Any, create_graph: bool, strict: bool
) -> tuple[Any, Any]:
    call = _Call(name, func, inputs, create_graph, strict)
    call.check_scalar()
    vectors = call.vector(v, call.inputs, "takes a single Tensor with a single element")
    first = call.pulled((_C.ones_like(call.outputs[0]),), True, strict)
    found = call.gradients(first, call.inputs, vectors, create_graph, strict)
    return call.value(), call.of_inputs(found)


def vhp(
    func: Callable, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a scalar function, and the product of `v` with its Hessian.

    >>> import mlx
    >>> mlx.autograd.functional.vhp(lambda x: (x**3).sum(), mlx.ones(2), mlx.tensor([1.0, 2.0]))
    (tensor(2.), tensor([ 6., 12.]))
    """
    return _second_order("vhp", func, inputs, v, create_graph, strict)


def hvp(
    func: Callable, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The value of a scalar function, and the product of its Hessian with `v`; as `vhp`, by symmetry.

    >>> import mlx
    >>> mlx.autograd.functional.hvp(lambda x: (x**3).sum(), mlx.ones(2), mlx.tensor([1.0, 2.0]))
    (tensor(2.), tensor([ 6., 12.]))
    """
    return _second_order("hvp", func, inputs, v, create_graph, strict)

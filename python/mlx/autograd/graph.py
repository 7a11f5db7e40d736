"""The recorded graph: its nodes and edges, and what becomes of the tensors that it keeps.

Inside a compiled function (`mlx.jit`) hooks see what is recorded while it is traced, and nothing of later
calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from mlx import _C
from mlx._C import Node as Node
from mlx._C import Tensor
from mlx._tensor import RemovableHandle

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class saved_tensors_hooks:
    """Within this context, what ops keep for their backward pass is packed, and unpacked when it is needed.

    Args:
        pack_hook: called with a tensor that is kept (without its history); may return anything. It must not
            change the tensor.
        unpack_hook: called with what `pack_hook` returned, whenever the backward pass reads it; must return
            a tensor with the same elements.

    Raises:
        RuntimeError: when a pack hook changes its input, or where hooks are disabled.
        TypeError: in the backward pass, when the unpack hook returns anything but a tensor.

    Writes to a tensor that was packed are not noticed.

    >>> import mlx
    >>> x = mlx.tensor([1.0, 2.0], requires_grad=True)
    >>> with mlx.autograd.graph.saved_tensors_hooks(lambda t: t.numpy().copy(), mlx.from_numpy):
    ...     y = x * x
    >>> y.sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self) -> None:
        _C._push_saved_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *exc: object) -> None:
        _C._pop_saved_hooks()


class save_on_cpu(saved_tensors_hooks):
    """Within this context, what ops keep for their backward pass lies in the CPU's memory, and comes back to
    its device when it is needed.

    Args:
        pin_memory, device_type: accepted and without effect.

    >>> import mlx
    >>> x = mlx.tensor(3.0, requires_grad=True)
    >>> with mlx.autograd.graph.save_on_cpu():
    ...     y = x**2
    >>> y.backward()
    >>> x.grad
    tensor(6.)
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: (t.device, t.to("cpu", copy=True)), lambda kept: kept[1].to(kept[0]))


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Iterator[None]:
    """Within this context (or a function that it decorates) hooks for saved tensors raise RuntimeError with
    this message.

    >>> import mlx
    >>> with mlx.autograd.graph.disable_saved_tensors_hooks("not here"):
    ...     with mlx.autograd.graph.save_on_cpu():
    ...         pass
    Traceback (most recent call last):
        ...
    RuntimeError: not here
    """
    before = _C._refuse_saved_hooks(error_message)
    try:
        yield
    finally:
        _C._refuse_saved_hooks(before)


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor goes: into output number `output_nr` of `node`."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """The edge of the graph that a tensor's gradient takes: into its `grad_fn`, or into the node that adds to
    a leaf's `.grad`.

    Raises:
        RuntimeError: when the tensor requires no gradient.

    >>> import mlx
    >>> x = mlx.tensor(3.0, requires_grad=True)
    >>> mlx.autograd.graph.get_gradient_edge(x * 2)
    GradientEdge(node=<MulBackward0>, output_nr=0)
    """
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        )
    return GradientEdge(*_C._gradient_edge(tensor))


def increment_version(tensor: Tensor | Sequence[Tensor]) -> None:
    """Tell the tape that memory was written to in a way that it cannot see, as by NumPy: what was kept of it
    is then refused in the backward pass.

    >>> import mlx
    >>> x = mlx.zeros(2)
    >>> mlx.autograd.graph.increment_version(x)
    >>> x._version
    1
    """
    for t in [tensor] if isinstance(tensor, Tensor) else tensor:
        _C._increment_version(t)


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., None], *, mode: str = "all"
) -> RemovableHandle:
    """Call `fn` when the gradients of several tensors have been computed in a backward pass.

    Args:
        tensors: tensors that require gradients.
        fn: with mode "all", called with a list of all gradients (None for tensors that the pass does not
            reach); with mode "any", with the first one that arrives.

    Raises:
        ValueError: for another mode. RuntimeError: when a tensor requires no gradient.

    >>> import mlx
    >>> a, b = (mlx.tensor(v, requires_grad=True) for v in (2.0, 3.0))
    >>> handle = mlx.autograd.graph.register_multi_grad_hook([a, b], print)
    >>> (a * b).backward()
    [tensor(3.), tensor(2.)]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode!r}")
    for t in tensors:
        if not t.requires_grad:
            raise RuntimeError("register_multi_grad_hook(): every tensor must require a gradient")
    hook = _MultiGradHook(tensors, fn, wants_all=mode == "all")
    handles = [t.register_hook(partial(hook, i)) for i, t in enumerate(tensors)]

    def remove() -> None:
        for handle in handles:
            handle.remove()

    return RemovableHandle(remove)


class _MultiGradHook:
    """Counts the gradients of several tensors, anew in each backward pass."""

    def __init__(self, tensors: Sequence[Tensor], fn: Callable[..., None], wants_all: bool) -> None:
        self.tensors, self.fn, self.wants_all = tensors, fn, wants_all
        self.lock = threading.Lock()
        self.number = -1
        self.grads: list[Tensor | None] = []
        self.missing = 0

    def __call__(self, i: int, grad: Tensor) -> None:
        with self.lock:
            self._begin(_C._backward_pass())
            self.grads[i] = grad
            self.missing -= 1
            if self.missing != 0:
                return
            grads, self.grads = self.grads, [None] * len(self.tensors)
        self.fn(grads if self.wants_all else grad)

    def _begin(self, number: int) -> None:
        if number == self.number:
            return
        self.number = number
        self.grads = [None] * len(self.tensors)
        reached = sum(_C._backward_pass_reaches(t) for t in self.tensors)
        self.missing = reached if self.wants_all else 1

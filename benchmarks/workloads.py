"""The timed workloads, written once for every library with PyTorch's API.

A workload is a function of the library that prepares its operands and returns `step`, the work to time.
`@workload` puts it in a group and says what one step does: how many calls, how many bytes it must at
least read and write, how many floating-point operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Step = Callable[[], Any]
MILLION = 1 << 20


@dataclass(frozen=True)
class Workload:
    """One row of the table."""

    name: str
    group: str
    setup: Callable[[Any], Step]
    calls: int = 1
    bytes: float = 0.0
    flops: float = 0.0


WORKLOADS: dict[str, Workload] = {}


def workload(group: str, **work: float) -> Callable[[Callable[[Any], Step]], Callable[[Any], Step]]:
    """Register a setup function under its own name."""

    def register(setup: Callable[[Any], Step]) -> Callable[[Any], Step]:
        add(setup.__name__, group, setup, **work)
        return setup

    return register


def add(name: str, group: str, setup: Callable[[Any], Step], **work: Any) -> None:
    WORKLOADS[name] = Workload(name, group, setup, **work)


def repeated(call: Step, times: int) -> Step:
    """`call` so often that the clock's own cost vanishes."""

    def step() -> Any:
        for _ in range(times):
            result = call()
        return result

    return step


# ---------------------------------------------------------------- overhead: what a call costs

CALLS = 2000


@workload("overhead", calls=CALLS)
def add_scalar_tensors(lib: Any) -> Step:
    a, b = lib.rand(1), lib.rand(1)
    return repeated(lambda: a + b, CALLS)


@workload("overhead", calls=CALLS)
def add_scalar_tensors_recorded(lib: Any) -> Step:
    a, b = lib.rand(1, requires_grad=True), lib.rand(1)
    return repeated(lambda: a + b, CALLS)


@workload("overhead", calls=CALLS)
def add_python_number(lib: Any) -> Step:
    a = lib.rand(1)
    return repeated(lambda: a + 1.5, CALLS)


@workload("overhead", calls=CALLS)
def in_place_add(lib: Any) -> Step:
    a, b = lib.rand(1), lib.rand(1)
    return repeated(lambda: a.add_(b), CALLS)


@workload("overhead", calls=CALLS)
def slice_of_a_vector(lib: Any) -> Step:
    a = lib.rand(8)
    return repeated(lambda: a[2:6], CALLS)


@workload("overhead", calls=CALLS)
def matmul_4(lib: Any) -> Step:
    a = lib.rand(4, 4)
    return repeated(lambda: a @ a, CALLS)


@workload("overhead", calls=CALLS)
def small_sum(lib: Any) -> Step:
    a = lib.rand(64)
    return repeated(a.sum, CALLS)


@workload("overhead", calls=200)
def small_backward(lib: Any) -> Step:
    x, w = lib.rand(4, 8), lib.rand(8, 8, requires_grad=True)
    return repeated(lambda: (x @ w).tanh().sum().backward(), 200)


# ---------------------------------------------------------------- elementwise: the speed of memory


def binary(name: str, size: int, bytes_per_element: int, call: Callable[[Any, Any], Any]) -> None:
    def setup(lib: Any) -> Step:
        a, b = lib.rand(size), lib.rand(size)
        return lambda: call(a, b)

    add(name, "elementwise", setup, bytes=float(size * bytes_per_element))


def unary(function: str, size: int) -> None:
    def setup(lib: Any) -> Step:
        a = lib.rand(size)
        f = lib.nn.functional.gelu if function == "gelu" else getattr(lib, function)
        return lambda: f(a)

    add(f"{function}_4m", "elementwise", setup, bytes=float(size * 8))


binary("add_1k", 1 << 10, 12, lambda a, b: a + b)
binary("add_64k", 1 << 16, 12, lambda a, b: a + b)
binary("add_1m", MILLION, 12, lambda a, b: a + b)
binary("add_16m", 16 * MILLION, 12, lambda a, b: a + b)
binary("add_in_place_16m", 16 * MILLION, 12, lambda a, b: a.add_(b))
binary("compare_16m", 16 * MILLION, 9, lambda a, b: a < b)
for _function in ("sqrt", "exp", "log", "sin", "tanh", "erf", "sigmoid", "gelu"):
    unary(_function, 4 * MILLION)


@workload("elementwise", bytes=4 * MILLION * 8.0)
def add_row_to_matrix(lib: Any) -> Step:
    a, row = lib.rand(4096, 1024), lib.rand(1024)
    return lambda: a + row


@workload("elementwise", bytes=4 * MILLION * 12.0)
def add_transposed(lib: Any) -> Step:
    a, b = lib.rand(2048, 2048), lib.rand(2048, 2048).t()
    return lambda: a + b


# ---------------------------------------------------------------- reduce


def reduction(name: str, shape: tuple[int, ...], call: Callable[[Any], Any]) -> None:
    size = 1
    for n in shape:
        size *= n

    def setup(lib: Any) -> Step:
        a = lib.rand(shape)
        return lambda: call(a)

    add(name, "reduce", setup, bytes=size * 4.0)


reduction("sum_16m", (16 * MILLION,), lambda a: a.sum())
reduction("sum_rows", (4096, 4096), lambda a: a.sum(1))
reduction("sum_columns", (4096, 4096), lambda a: a.sum(0))
reduction("sum_middle", (64, 256, 1024), lambda a: a.sum(1))
reduction("max_rows", (4096, 4096), lambda a: a.amax(1))
reduction("argmax_rows", (4096, 1024), lambda a: a.argmax(1))
reduction("var_rows", (4096, 1024), lambda a: a.var(1))
reduction("softmax_rows", (4096, 1024), lambda a: a.softmax(1))
reduction("cumsum_rows", (4096, 1024), lambda a: a.cumsum(1))


# ---------------------------------------------------------------- move


@workload("move", bytes=4 * MILLION * 8.0)
def transpose_copy(lib: Any) -> Step:
    a = lib.rand(2048, 2048).t()
    return lambda: a.contiguous()


@workload("move", bytes=4 * MILLION * 8.0)
def permute_copy(lib: Any) -> Step:
    a = lib.rand(16, 64, 64, 64).permute(0, 2, 3, 1)
    return lambda: a.contiguous()


@workload("move", bytes=4 * MILLION * 8.0)
def cat_halves(lib: Any) -> Step:
    a, b = lib.rand(2048, 1024), lib.rand(2048, 1024)
    return lambda: lib.cat([a, b], 1)


@workload("move", bytes=MILLION * 16.0)
def gather_vector(lib: Any) -> Step:
    a, index = lib.rand(MILLION), lib.randperm(MILLION)
    return lambda: a[index]


@workload("move", bytes=MILLION * 16.0)
def scatter_add_vector(lib: Any) -> Step:
    a, index, out = lib.rand(MILLION), lib.randperm(MILLION), lib.zeros(MILLION)
    return lambda: out.scatter_add_(0, index, a)


@workload("move")
def sort_1m(lib: Any) -> Step:
    a = lib.rand(MILLION)
    return lambda: a.sort()


@workload("move", bytes=4 * MILLION * 6.0)
def to_float16(lib: Any) -> Step:
    a = lib.rand(4 * MILLION)
    return lambda: a.to(lib.float16)


# ---------------------------------------------------------------- product


def product(name: str, left: tuple[int, ...], right: tuple[int, ...], dtype: str = "float32") -> None:
    flops = 2.0 * right[-1]
    for n in left:
        flops *= n

    def setup(lib: Any) -> Step:
        a = lib.rand(left).to(getattr(lib, dtype))
        b = lib.rand(right).to(getattr(lib, dtype))
        return lambda: a @ b

    add(name, "product", setup, flops=flops)


product("matmul_64", (64, 64), (64, 64))
product("matmul_256", (256, 256), (256, 256))
product("matmul_1024", (1024, 1024), (1024, 1024))
product("matmul_1024_float64", (1024, 1024), (1024, 1024), "float64")
product("matmul_1024_bfloat16", (1024, 1024), (1024, 1024), "bfloat16")
product("matmul_batch", (64, 128, 128), (64, 128, 128))
product("matmul_tall", (16384, 64), (64, 64))


@workload("product", flops=2.0 * 8 * 64 * 56 * 56 * 64 * 9)
def conv2d_3x3(lib: Any) -> Step:
    x, w = lib.rand(8, 64, 56, 56), lib.rand(64, 64, 3, 3)
    return lambda: lib.nn.functional.conv2d(x, w, padding=1)


@workload("product", flops=4.0 * 4 * 8 * 512 * 512 * 64)
def attention(lib: Any) -> Step:
    q, k, v = (lib.rand(4, 8, 512, 64) for _ in range(3))
    return lambda: lib.nn.functional.scaled_dot_product_attention(q, k, v)


@workload("product", flops=6.0 * 256 * 1024 * 1024)
def linear_forward_backward(lib: Any) -> Step:
    x, w = lib.rand(256, 1024, requires_grad=True), lib.rand(1024, 1024, requires_grad=True)

    def step() -> Any:
        x.grad = w.grad = None
        lib.nn.functional.linear(x, w).sum().backward()

    return step

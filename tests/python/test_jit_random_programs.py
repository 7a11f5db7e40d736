"""Random programs of tensor operations give the same values and gradients compiled as eager."""

from __future__ import annotations

import random

import pytest

import mlx

UNARY = ["tanh", "sigmoid", "exp", "sin", "neg", "abs", "relu", "square"]
BINARY = ["add", "sub", "mul", "maximum", "atan2"]
REDUCTIONS = ["sum", "mean", "amax"]
KINDS = ["unary", "unary", "binary", "binary", "number", "reduce", "view", "in_place", "softmax", "product"]
KINDS += ["write", "cast", "where", "cat"]


class Machine:
    """Makes and runs a program: a list of steps over a growing list of tensors, from a seed alone."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.steps: list = []
        self.shapes = [(4, 5), (5,), (4, 1), (2, 4, 5)]
        for _ in range(self.rng.randint(5, 40)):
            self.add_step()

    def pick(self, condition=lambda shape: True):
        return self.rng.choice([i for i, s in enumerate(self.shapes) if condition(s)])

    def add_step(self):
        kind = self.rng.choice(KINDS)
        getattr(self, f"make_{kind}")()

    def make(self, shape, *step):
        self.steps.append(step)
        self.shapes.append(tuple(shape))

    def make_unary(self):
        i = self.pick()
        self.make(self.shapes[i], "unary", self.rng.choice(UNARY), i)

    def make_number(self):
        i = self.pick()
        operation = self.rng.choice(["x * 1", "x + 0.5", "2 - x", "x / 1", "x - 0", "x * 0.3"])
        self.make(self.shapes[i], "number", operation, i)

    def make_binary(self):
        i, j = self.pick(), self.pick()
        try:
            shape = mlx.broadcast_shapes(self.shapes[i], self.shapes[j])
        except RuntimeError:
            return
        self.make(shape, "binary", self.rng.choice(BINARY), i, j)

    def make_where(self):
        i = self.pick()
        self.make(self.shapes[i], "where", i)

    def make_reduce(self):
        i = self.pick(lambda s: len(s) > 0)
        dim, keep = self.rng.randrange(len(self.shapes[i])), self.rng.random() < 0.5
        shape = list(self.shapes[i])
        shape[dim] = 1
        if not keep:
            del shape[dim]
        self.make(shape, "reduce", self.rng.choice(REDUCTIONS), i, dim, keep)

    def make_softmax(self):
        i = self.pick(lambda s: len(s) > 0)
        self.make(self.shapes[i], "softmax", i, self.rng.randrange(len(self.shapes[i])))

    def make_view(self):
        i = self.pick(lambda s: len(s) > 0 and 0 not in s)
        shape = self.shapes[i]
        a, b = self.rng.randrange(len(shape)), self.rng.randrange(len(shape))
        kind = self.rng.choice(["transpose", "flatten", "slice", "select", "expand", "contiguous"])
        x = mlx.empty(shape)
        self.make(self.view(kind, x, a, b).shape, "view", kind, i, a, b)

    @staticmethod
    def view(kind, x, a, b):
        if kind == "transpose":
            return x.transpose(a, b)
        if kind == "flatten":
            return x.reshape(-1)
        if kind == "slice":
            return x.narrow(a, x.shape[a] // 2, x.shape[a] - x.shape[a] // 2)
        if kind == "select":
            return x.select(a, x.shape[a] - 1)
        if kind == "expand":
            return x.unsqueeze(0).expand(2, *x.shape)
        return x.contiguous()

    def make_in_place(self):
        i = self.pick()
        self.make(self.shapes[i], "in_place", self.rng.choice(["mul_", "add_", "tanh_"]), i)

    def make_write(self):
        i = self.pick(lambda s: len(s) > 0 and 0 not in s)
        dim = self.rng.randrange(len(self.shapes[i]))
        self.make(self.shapes[i], "write", i, dim)

    def make_cast(self):
        i = self.pick()
        self.make(self.shapes[i], "cast", i, self.rng.choice(["float32", "bfloat16", "float64"]))

    def make_product(self):
        i = self.pick(lambda s: len(s) == 2)
        self.make((self.shapes[i][0],) * 2, "product", i)

    def make_cat(self):
        i = self.pick(lambda s: len(s) > 0)
        shape = (2 * self.shapes[i][0], *self.shapes[i][1:])
        self.make(shape, "cat", i)

    def __call__(self, *inputs):
        values = list(inputs)
        for step in self.steps:
            values.append(self.run(values, *step))
        scale = 1.0 / len(values)
        return [v.float() for v in values[-3:]] + [sum(v.float().tanh().sum() for v in values) * scale]

    def run(self, values, kind, *rest):
        if kind == "unary":
            return getattr(mlx, rest[0])(values[rest[1]] * 0.5)
        if kind == "number":
            return eval(rest[0], {"x": values[rest[1]]})
        if kind == "binary":
            return getattr(mlx, rest[0])(values[rest[1]], values[rest[2]])
        if kind == "where":
            x = values[rest[0]]
            return mlx.where(x > 0.1, x, x * 2)
        if kind == "reduce":
            return getattr(values[rest[1]], rest[0])(rest[2], keepdim=rest[3])
        if kind == "softmax":
            return values[rest[0]].softmax(rest[1])
        if kind == "view":
            return self.view(rest[0], values[rest[1]], *rest[2:])
        if kind == "in_place":
            x = values[rest[1]].clone()
            y = x.view(-1) if x.dim() else x
            y.tanh_() if rest[0] == "tanh_" else getattr(y, rest[0])(0.5)
            return x
        if kind == "write":
            x = values[rest[0]].clone()
            x.select(rest[1], 0).copy_(x.select(rest[1], x.shape[rest[1]] - 1) * 0.5)
            x.narrow(rest[1], 0, 1).add_(1)
            return x
        if kind == "cast":
            return values[rest[0]].to(getattr(mlx, rest[1]))
        if kind == "product":
            return values[rest[0]] @ values[rest[0]].t() * 0.1
        return mlx.cat([values[rest[0]], values[rest[0]] * 2])


def inputs(seed):
    generator = mlx.Generator().manual_seed(seed)
    shapes = [(4, 5), (5,), (4, 1), (2, 4, 5)]
    return [mlx.randn(*s, generator=generator).requires_grad_() for s in shapes]


def gradients(out, leaves):
    return mlx.autograd.grad(out[-1], leaves, allow_unused=True)


@pytest.mark.parametrize("seed", range(150))
def test_a_random_program(seed):
    program = Machine(seed)
    compiled = mlx.jit(program)
    for call in range(2):
        a, b = inputs(1000 * seed + call), inputs(1000 * seed + call)
        want, got = program(*a), compiled(*b)
        for x, y in zip(want, got, strict=True):
            assert x.shape == y.shape and x.dtype == y.dtype
            assert mlx.allclose(x, y, rtol=1e-4, atol=1e-4, equal_nan=True)
        for x, y in zip(gradients(want, a), gradients(got, b), strict=True):
            assert (x is None) == (y is None)
            if x is not None:
                assert mlx.allclose(x, y, rtol=1e-3, atol=1e-3, equal_nan=True)

"""A compiled program as text and as a picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Box:
    """A node of the picture: an operation or an input of the program."""

    name: str
    lines: list[str]
    color: str
    sources: list[str] = field(default_factory=list)
    layer: int = 0
    x: float = 0.0

    @property
    def width(self) -> float:
        return 16 + 6.2 * max(len(line) for line in self.lines)

    @property
    def height(self) -> float:
        return 10 + 14 * len(self.lines)


class Lowered:
    """The operations of a compiled function after all passes, in the order in which they run.

    `str()` lists them, a line each. In a notebook the picture is shown.

    >>> import mlx
    >>> f = mlx.jit(lambda x, y: (x * y).sum())
    >>> print(f.lower(mlx.ones(4), mlx.ones(4)))
    %3: Float(1,) = fused_reduce(mul)(i1, i2)
    return %3
    <BLANKLINE>
    """

    def __init__(self, forward: Any, backward: Any) -> None:
        self._forward, self._backward = forward, backward

    def __str__(self) -> str:
        if self._backward is None:
            return self._forward.text()
        return f"{self._forward.text()}\nbackward:\n{self._backward.text()}"

    def __repr__(self) -> str:
        return f"<{self._forward.operations} operations>"

    def _boxes(self) -> dict[str, _Box]:
        boxes: dict[str, _Box] = {}
        for i, (name, fused, outputs, operands, inputs) in enumerate(self._forward.summary()):
            sources = [f"op{o}" for o in dict.fromkeys(operands)]
            for number, text in inputs:
                boxes.setdefault(f"in{number}", _Box(f"in{number}", [f"input {number}", text], "#f2f2f2"))
                sources.append(f"in{number}")
            color = "#dcebff" if fused else "#ffffff"
            shown = outputs if len(outputs) <= 3 else [*outputs[:2], f"... {len(outputs) - 2} more"]
            boxes[f"op{i}"] = _Box(f"op{i}", [name, *shown], color, list(dict.fromkeys(sources)))
        return boxes

    def dot(self) -> str:
        """The graph in the language of Graphviz."""
        lines = ["digraph {", '  node [shape=box, style=filled, fontname="sans-serif", fontsize=11];']
        for box in self._boxes().values():
            label = "\\n".join(box.lines)
            lines.append(f'  {box.name} [label="{label}", fillcolor="{box.color}"];')
            lines += [f"  {source} -> {box.name};" for source in box.sources]
        return "\n".join([*lines, "}", ""])

    def svg(self) -> str:
        """The graph as a picture: operations below what they read, fused ones in blue."""
        boxes = self._boxes()
        layers = _place(boxes)
        tops, y = [], 10.0
        for layer in layers:
            tops.append(y)
            y += max(box.height for box in layer) + 34
        width = max(box.x + box.width for box in boxes.values()) + 10
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{y:.0f}" '
            'font-family="sans-serif" font-size="11">',
            f'<rect width="{width:.0f}" height="{y:.0f}" fill="white"/>',
        ]
        parts += _edges(boxes, tops)
        for box in boxes.values():
            parts += _drawn(box, tops[box.layer])
        return "\n".join([*parts, "</svg>", ""])

    def _repr_svg_(self) -> str:
        return self.svg()


def _place(boxes: dict[str, _Box]) -> list[list[_Box]]:
    """Give every box a layer, below all that it reads, and a place in it near the middle of those."""
    for box in boxes.values():  # operations come after what they read
        box.layer = max((boxes[s].layer + 1 for s in box.sources), default=0)
    readers: dict[str, list[_Box]] = {}
    for box in boxes.values():
        for source in box.sources:
            readers.setdefault(source, []).append(box)
    for name, box in boxes.items():  # an input stands just above its first reader
        if name.startswith("in"):
            box.layer = min(r.layer for r in readers[name]) - 1
    layers: list[list[_Box]] = [[] for _ in range(max(b.layer for b in boxes.values()) + 1)]
    for box in boxes.values():
        layers[box.layer].append(box)
    for layer in layers:

        def wanted(box: _Box) -> float:
            above = [boxes[s].x + boxes[s].width / 2 for s in box.sources]
            return sum(above) / len(above) - box.width / 2 if above else float("inf")

        x = 10.0
        for box in sorted(layer, key=wanted):
            goal = wanted(box)
            box.x = x if goal == float("inf") else max(x, goal)
            x = box.x + box.width + 18
    return layers


def _edges(boxes: dict[str, _Box], tops: list[float]) -> Iterator[str]:
    for box in boxes.values():
        for name in box.sources:
            source = boxes[name]
            x0, y0 = source.x + source.width / 2, tops[source.layer] + source.height
            x1, y1 = box.x + box.width / 2, tops[box.layer]
            yield (
                f'<path d="M{x0:.0f},{y0:.0f} C{x0:.0f},{y0 + 18:.0f} {x1:.0f},{y1 - 18:.0f} '
                f'{x1:.0f},{y1:.0f}" fill="none" stroke="#999"/>'
            )


def _drawn(box: _Box, top: float) -> Iterator[str]:
    from html import escape  # here, to keep the first `mlx.jit` quick

    yield (
        f'<rect x="{box.x:.0f}" y="{top:.0f}" width="{box.width:.0f}" height="{box.height:.0f}" rx="4" '
        f'fill="{box.color}" stroke="#666"/>'
    )
    for i, line in enumerate(box.lines):
        weight = ' font-weight="bold"' if i == 0 else ""
        yield (
            f'<text x="{box.x + box.width / 2:.0f}" y="{top + 16 + 14 * i:.0f}" '
            f'text-anchor="middle"{weight}>{escape(line)}</text>'
        )

"""A compiled program as text and as a picture."""

from __future__ import annotations

from typing import Any


class Lowered:
    """The operations of a compiled function after all passes, in the order in which they run."""

    def __init__(self, forward: Any, backward: Any) -> None:
        self._forward, self._backward = forward, backward

    def __str__(self) -> str:
        if self._backward is None:
            return self._forward.text()
        return f"{self._forward.text()}\nbackward:\n{self._backward.text()}"

    def __repr__(self) -> str:
        return f"<{self._forward.operations} operations>"

    def dot(self) -> str:
        """The graph in the language of Graphviz."""
        return self._forward.dot()

"""Linear algebra."""

from typing import TYPE_CHECKING, Any

from mlx._C import LinAlgError as LinAlgError
from mlx._C import _op_namespaces

globals().update(_op_namespaces.get("linalg", {}))

if TYPE_CHECKING:
    # The names that the line above adds.
    def __getattr__(name: str) -> Any: ...

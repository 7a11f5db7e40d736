"""Linear algebra."""

from mlx._C import _op_namespaces

globals().update(_op_namespaces.get("linalg", {}))

"""The functions behind layers: activations, losses, normalisations, convolutions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlx._C import _op_namespaces
from mlx.nn._activations import *
from mlx.nn._attention import *
from mlx.nn._embedding_bag import *
from mlx.nn._losses import *
from mlx.nn._patches import *
from mlx.nn._pooling import *
from mlx.nn._resampling import *
from mlx.overrides import has_torch_function as has_torch_function
from mlx.overrides import has_torch_function_unary as has_torch_function_unary
from mlx.overrides import has_torch_function_variadic as has_torch_function_variadic

globals().update(_op_namespaces.get("nn.functional", {}))

if TYPE_CHECKING:
    # The names that the line above adds.
    def __getattr__(name: str) -> Any: ...

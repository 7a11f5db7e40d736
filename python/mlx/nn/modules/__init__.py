"""The layers, by kind."""

from typing import Any

from mlx._modules import add_modules
from mlx.nn.modules import activation as activation
from mlx.nn.modules.activation import *
from mlx.nn.modules.adaptive import *
from mlx.nn.modules.attention import *
from mlx.nn.modules.batchnorm import *
from mlx.nn.modules.container import *
from mlx.nn.modules.conv import *
from mlx.nn.modules.distance import *
from mlx.nn.modules.dropout import *
from mlx.nn.modules.fold import *
from mlx.nn.modules.lazy import *
from mlx.nn.modules.linear import *
from mlx.nn.modules.loss import *
from mlx.nn.modules.module import Module as Module
from mlx.nn.modules.normalization import *
from mlx.nn.modules.padding import *
from mlx.nn.modules.pixelshuffle import *
from mlx.nn.modules.pooling import *
from mlx.nn.modules.rnn import *
from mlx.nn.modules.sparse import *
from mlx.nn.modules.transformer import *
from mlx.nn.modules.upsampling import *

# `from mlx.nn.modules import *` must not put it in the place of mlx.nn.utils.
del utils  # type: ignore[name-defined]  # noqa: F821

# PyTorch has it there, where programs look for it.
activation.MultiheadAttention = MultiheadAttention  # type: ignore[attr-defined]  # noqa: F405
add_modules(__name__, {"channelshuffle": ["ChannelShuffle"], "flatten": ["Flatten", "Unflatten"]})


def __getattr__(name: str) -> Any:
    if name == "utils":
        import importlib

        return importlib.import_module("mlx.nn.modules.utils")
    raise AttributeError(f"module 'mlx.nn.modules' has no attribute {name!r}")

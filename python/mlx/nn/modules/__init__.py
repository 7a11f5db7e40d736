"""The layers, by kind."""

from mlx.nn.modules.activation import *
from mlx.nn.modules.container import *
from mlx.nn.modules.linear import *
from mlx.nn.modules.module import Module as Module

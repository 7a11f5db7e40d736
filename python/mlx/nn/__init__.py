"""Neural-network layers and their functions."""

from mlx.nn import functional as functional
from mlx.nn.parameter import Parameter as Parameter

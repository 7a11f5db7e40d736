"""Neural-network layers and their functions."""

from mlx.nn import functional as functional
from mlx.nn import init as init
from mlx.nn.modules import *
from mlx.nn.parameter import Buffer as Buffer
from mlx.nn.parameter import Parameter as Parameter
from mlx.nn.parameter import UninitializedBuffer as UninitializedBuffer
from mlx.nn.parameter import UninitializedParameter as UninitializedParameter

from mlx.nn import utils as utils  # isort: skip

"""Neural-network layers and their functions."""

from mlx.nn import functional as functional
from mlx.nn import init as init
from mlx.nn.modules import *
from mlx.nn.parallel import DataParallel as DataParallel
from mlx.nn.parameter import Buffer as Buffer
from mlx.nn.parameter import Parameter as Parameter
from mlx.nn.parameter import UninitializedBuffer as UninitializedBuffer
from mlx.nn.parameter import UninitializedParameter as UninitializedParameter

from mlx.nn import attention as attention, parallel as parallel, utils as utils  # isort: skip

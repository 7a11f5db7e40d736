"""The layers, by kind."""

from mlx.nn.modules.activation import *
from mlx.nn.modules.attention import *
from mlx.nn.modules.batchnorm import *
from mlx.nn.modules.container import *
from mlx.nn.modules.conv import *
from mlx.nn.modules.distance import *
from mlx.nn.modules.dropout import *
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

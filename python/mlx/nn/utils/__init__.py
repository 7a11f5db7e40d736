"""Tools for modules and their gradients."""

from mlx.nn.utils import parametrizations as parametrizations
from mlx.nn.utils import parametrize as parametrize
from mlx.nn.utils import prune as prune
from mlx.nn.utils import rnn as rnn
from mlx.nn.utils import stateless as stateless
from mlx.nn.utils.clip_grad import *
from mlx.nn.utils.convert_parameters import *
from mlx.nn.utils.fusion import *
from mlx.nn.utils.hooked_norms import *
from mlx.nn.utils.initialization import *
from mlx.nn.utils.memory_format import *

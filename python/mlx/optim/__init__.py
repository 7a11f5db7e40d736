"""Optimizers and learning-rate schedules."""

from mlx._modules import add_modules
from mlx.optim import lr_scheduler as lr_scheduler
from mlx.optim.adadelta import Adadelta as Adadelta
from mlx.optim.adafactor import Adafactor as Adafactor
from mlx.optim.adagrad import Adagrad as Adagrad
from mlx.optim.adam import Adam as Adam
from mlx.optim.adam import AdamW as AdamW
from mlx.optim.adamax import Adamax as Adamax
from mlx.optim.asgd import ASGD as ASGD
from mlx.optim.lbfgs import LBFGS as LBFGS
from mlx.optim.muon import Muon as Muon
from mlx.optim.nadam import NAdam as NAdam
from mlx.optim.optimizer import Optimizer as Optimizer
from mlx.optim.radam import RAdam as RAdam
from mlx.optim.rmsprop import RMSprop as RMSprop
from mlx.optim.rprop import Rprop as Rprop
from mlx.optim.sgd import SGD as SGD

from mlx.optim import swa_utils as swa_utils  # isort: skip

add_modules(__name__, {"adamw": ["AdamW"]})

"""Optimizers and learning-rate schedules."""

from mlx.optim import lr_scheduler as lr_scheduler
from mlx.optim.adagrad import Adagrad as Adagrad
from mlx.optim.adam import Adam as Adam
from mlx.optim.adam import AdamW as AdamW
from mlx.optim.optimizer import Optimizer as Optimizer
from mlx.optim.rmsprop import RMSprop as RMSprop
from mlx.optim.sgd import SGD as SGD

"""Tools for modules and their gradients."""

from mlx.nn.utils import rnn as rnn

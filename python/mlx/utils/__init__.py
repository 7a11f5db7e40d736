"""What surrounds models: data and its loading."""

from mlx.utils import data as data

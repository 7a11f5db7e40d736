"""Signal processing: window functions."""

from mlx.signal import windows as windows

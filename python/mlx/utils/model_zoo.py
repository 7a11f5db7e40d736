"""The older name of `mlx.hub.load_state_dict_from_url`."""

from mlx.hub import load_state_dict_from_url as load_url

__all__ = ["load_url"]

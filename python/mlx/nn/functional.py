"""The functions behind layers: activations, losses, normalisations, convolutions."""

from mlx._C import _op_namespaces

globals().update(_op_namespaces.get("nn.functional", {}))

"""Functions that transform functions: gradients, Jacobians, and maps over a batch.

>>> import mlx
>>> from mlx.func import grad, vmap
>>> grad(mlx.sin)(mlx.tensor(0.0))
tensor(1.)
>>> vmap(grad(lambda x: (x * x).sum()))(mlx.tensor([[1.0, 2.0], [3.0, 4.0]]))
tensor([[2., 4.],
        [6., 8.]])
"""

from mlx.func.gradients import grad, grad_and_value, jvp, linearize, vjp
from mlx.func.jacobians import hessian, jacfwd, jacrev
from mlx.func.models import functional_call, replace_all_batch_norm_modules_, stack_module_state
from mlx.func.mutations import functionalize
from mlx.func.vectorize import vmap

__all__ = [
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]

"""Datasets, samplers, and the loader that makes batches of them.

>>> import mlx
>>> from mlx.utils.data import DataLoader, TensorDataset
>>> data = TensorDataset(mlx.arange(5.0), mlx.arange(5))
>>> for x, y in DataLoader(data, batch_size=2):
...     print(x, y)
tensor([0., 1.]) tensor([0, 1])
tensor([2., 3.]) tensor([2, 3])
tensor([4.]) tensor([4])
"""

from mlx._modules import add_modules
from mlx.utils.data.collate import default_collate, default_convert
from mlx.utils.data.dataloader import DataLoader
from mlx.utils.data.dataset import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    random_split,
)
from mlx.utils.data.distributed import DistributedSampler
from mlx.utils.data.messages import WorkerInfo, get_worker_info
from mlx.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler",
    "ChainDataset",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "DistributedSampler",
    "IterableDataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "StackDataset",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "WorkerInfo",
    "default_collate",
    "default_convert",
    "get_worker_info",
    "random_split",
]

add_modules(__name__, {"_utils": []})
add_modules(f"{__name__}._utils", {"collate": ["default_collate", "default_convert"]}, source=__name__)

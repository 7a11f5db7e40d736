"""Datasets of the DataLoader's tests: in a module of their own, so that spawned workers can import them."""

import os
import signal
import time

import mlx
from mlx.utils.data import Dataset, IterableDataset, get_worker_info

START_METHODS = ["fork", "spawn"]


class Squares(Dataset):
    """Sample i is (i * i, i)."""

    def __init__(self, n=10, width=1):
        self.n = n
        self.width = width

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        return mlx.full((self.width,), float(i * i)), i


class OddError(Exception):
    """Not made from a message alone."""

    def __init__(self, a, b):
        super().__init__(a, b)


class Misbehaving(Dataset):
    """Does something bad at sample 5."""

    def __init__(self, deed):
        self.deed = deed

    def __len__(self):
        return 8

    def __getitem__(self, i):
        return DEEDS[self.deed]() if i == 5 else i


def _raise(error):
    raise error


DEEDS = {
    "ValueError": lambda: _raise(ValueError("a bad sample")),
    "KeyError": lambda: _raise(KeyError("a bad sample")),
    "OddError": lambda: _raise(OddError("a bad sample", 2)),
    "StopIteration": lambda: _raise(StopIteration("a bad sample")),
    "unpicklable": lambda: (x for x in "a bad sample"),
    "exit": lambda: os._exit(3),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "sys.exit": lambda: _raise(SystemExit(4)),
    "sleep": lambda: time.sleep(60),
}


class Seeds(Dataset):
    """What the random generators of a worker say."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        import random

        import numpy as np

        return mlx.rand(1).item(), random.random(), np.random.rand(), get_worker_info().id


class Counting(IterableDataset):
    """0 to n - 1; each worker gives its share."""

    def __init__(self, n=10, share=True):
        self.n = n
        self.share = share

    def __iter__(self):
        info = get_worker_info()
        if info is None or not self.share:
            return iter(range(self.n))
        return iter(range(info.id, self.n, info.num_workers))


def identity(batch):
    return batch


def mark(worker):
    os.environ["WORKER_MARK"] = str(worker)


class Marked(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        info = get_worker_info()
        return int(os.environ["WORKER_MARK"]), info.id, info.num_workers


class Pids(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, i):
        return os.getpid()


class Computing(Dataset):
    """Computes on as many threads as there are."""

    def __len__(self):
        return 4

    def __getitem__(self, i):
        mlx.set_num_threads(2)
        a = mlx.ones(300, 300) * i
        return (a @ a).sum()

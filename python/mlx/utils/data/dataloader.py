"""DataLoader: batches of a dataset, made here or by worker processes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mlx._C import Generator
from mlx.utils.data.collate import default_collate, default_convert
from mlx.utils.data.dataset import IterableDataset
from mlx.utils.data.fetch import make_fetcher
from mlx.utils.data.messages import Failure, Job
from mlx.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, random_seed

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from mlx.utils.data.pool import WorkerPool

__all__ = ["DataLoader"]

T_co = TypeVar("T_co", covariant=True)


class _Endless:
    """The sampler of an iterable dataset, which says itself when it ends."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches; each `iter()` is one epoch.

    Args:
        dataset: with `__getitem__` and `__len__`, or an IterableDataset.
        batch_size: samples a batch; None gives samples one by one, not collated.
        shuffle: whether the order is random, another one each epoch.
        sampler: gives the numbers of samples, instead of `shuffle`. batch_sampler: gives lists of numbers,
            instead of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        num_workers: processes that make batches ahead of time; 0 makes them here, when they are asked for.
        collate_fn: makes a batch of a list of samples; `default_collate` by default.
        pin_memory: accepted; means nothing for memory that the CPU shares.
        drop_last: whether to leave out a last batch that is shorter.
        timeout: seconds to wait for a worker's batch; 0 waits for ever.
        worker_init_fn: called in each worker with its number, before it begins.
        multiprocessing_context: how processes start: "fork", "spawn", "forkserver", or a context.
        generator: draws the order and the seeds of the workers.
        prefetch_factor: batches that each worker makes ahead; 2 by default.
        persistent_workers: whether workers stay for the next epoch.
        in_order: whether batches come in the sampler's order, or as they are ready.

    Raises:
        ValueError: for options that contradict each other. RuntimeError, from iteration: when a worker
            dies or is late. What the dataset raises in a worker is raised here with the traceback of there.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        iterable = isinstance(dataset, IterableDataset)
        if iterable:
            _refuse_with_iterable(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and "
                    "drop_last"
                )
            batch_size = None
        elif batch_size is None and drop_last:
            raise ValueError(
                "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
            )
        if sampler is None:
            if iterable:
                sampler = _Endless()
            else:
                sampler = (
                    RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
                )
        if batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._pool: WorkerPool | None = None  # that stays between epochs
        self._fixed = True

    def __setattr__(self, name: str, value: Any) -> None:
        fixed = {"batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers"}
        if name in fixed and self.__dict__.get("_fixed"):
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def _order(self) -> Any:
        """What gives the fetcher its indices."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._order)
        length = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return length
        return (length + (0 if self.drop_last else self.batch_size - 1)) // self.batch_size

    def __iter__(self) -> Iterator[T_co]:
        batches = self._in_workers() if self.num_workers else self._here()
        return _counted(batches, self) if isinstance(self.dataset, IterableDataset) else batches

    def _here(self) -> Iterator[Any]:
        order = iter(self._order)
        random_seed(self.generator)  # so that the numbers drawn do not depend on num_workers
        fetch = make_fetcher(self.dataset, self.batch_sampler is not None, self.collate_fn, self.drop_last)
        for index in order:
            try:
                batch = fetch(index)
            except StopIteration:
                return
            yield batch

    def _in_workers(self) -> Iterator[Any]:
        from mlx.utils.data.pool import WorkerPool  # brings in much that `import mlx` does not need

        order = iter(self._order)
        job = Job(
            self.dataset,
            self.batch_sampler is not None,
            self.collate_fn,
            self.drop_last,
            self.worker_init_fn,
            random_seed(self.generator),
            self.num_workers,
        )
        pool = self._pool
        if pool is None or pool.closed:
            pool = WorkerPool(job, _context(self.multiprocessing_context), self.prefetch_factor or 2)
        if self.persistent_workers:
            self._pool = pool
        pool.begin_epoch(order)  # the workers are at work before the first batch is asked for
        return _Batches(pool, self.timeout, self.in_order, self.persistent_workers)


class _Batches:
    """The iterator over batches of workers."""

    def __init__(self, pool: WorkerPool, timeout: float, in_order: bool, stay: bool) -> None:
        self._next = functools.partial(pool.next_batch, pool.epoch, timeout, in_order)
        self._pool = pool
        self._stay = stay
        self._done = False

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> Any:
        if self._done:
            raise StopIteration
        try:
            batch = self._next()
        except BaseException as error:  # the end, a worker that died or is late, Ctrl-C
            self._done = True
            if not (self._stay and isinstance(error, StopIteration)):
                self._pool.close()
            raise
        if isinstance(batch, Failure):
            batch.reraise()
        return batch


def _counted(batches: Iterator[Any], loader: DataLoader[Any]) -> Iterator[Any]:
    """The batches; warns when there are more than the dataset's length promises."""
    try:
        promised = len(loader)
    except TypeError:
        yield from batches
        return
    for i, batch in enumerate(batches):
        if i == promised:
            warnings.warn(
                f"Length of IterableDataset {loader.dataset} was reported to be {promised} batches, but "
                f"more have been fetched. With several workers, each must give only its part of the data; "
                "see mlx.utils.data.get_worker_info()",
                stacklevel=2,
            )
        yield batch


def _context(context: str | BaseContext | None) -> BaseContext:
    import multiprocessing
    from multiprocessing.context import BaseContext

    return context if isinstance(context, BaseContext) else multiprocessing.get_context(context)


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent: bool, context: Any
) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing. let num_workers > 0 to "
            "enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None:
        _check_context(num_workers, context)


def _check_context(num_workers: int, context: Any) -> None:
    import multiprocessing
    from multiprocessing.context import BaseContext

    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
            f"num_workers={num_workers}"
        )
    known = multiprocessing.get_all_start_methods()
    if isinstance(context, str) and context not in known:
        raise ValueError(
            f"multiprocessing_context option should specify a valid start method in {known}, "
            f"but got multiprocessing_context={context!r}"
        )
    if not isinstance(context, (str, BaseContext)):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string specifying the "
            f"start method, but got multiprocessing_context={context}"
        )


def _refuse_with_iterable(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )
